"""`seqlab data`: the four verbs in process, on good and bad input."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from seqlab_cli.main import run

TEXT = "One two three. Two three four!\n" * 40


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def served(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry with the corpora `good` (served from here), `wrong` (another digest) and `away` (404)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(book.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    digest = hashlib.sha256(book.read_bytes()).hexdigest()
    entries = {"good": ("book.txt", digest), "wrong": ("book.txt", "0" * 64), "away": ("away.txt", digest)}
    registry = tmp_path / "mine.toml"
    registry.write_text(
        "\n".join(
            f'[{name}]\ndescription = "mine"\nlicence = "none"\n'
            f'[[{name}.files]]\naddresses = ["{address}/{file}"]\nsha256 = "{sha256}"'
            for name, (file, sha256) in entries.items()
        )
    )
    monkeypatch.setenv("SEQLAB_CORPORA", str(registry))
    yield
    server.shutdown()
    server.server_close()


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def result(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    code, out, err = output(capsys, *arguments, "--json")
    assert code == 0, err
    assert out.count("\n") == 1
    return json.loads(out)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    found = {one["name"]: one for one in result(capsys, "data", "list")["corpora"]}
    assert found["text8"]["bytes"] == 31344016
    assert found["text8"]["cached"] is False
    assert found["wikitext-2"]["splits"] == ["train", "valid", "test"]
    assert found["python-docs"]["cached"] is False
    code, out, _ = output(capsys, "data", "list")
    assert code == 0
    assert {"name", "licence"} <= set(out.split("\n")[0].split())
    assert all(any(line.startswith(name) for line in out.split("\n")) for name in found)


@pytest.mark.usefixtures("served")
def test_fetch_then_use_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = output(capsys, "data", "prepare", "good", "-o", tmp_path / "corpus")
    assert (code, err.count("\n")) == (2, 1)
    assert "run 'seqlab data fetch good' first" in err
    found = result(capsys, "data", "fetch", "good")
    assert found["fetched"] is True
    assert [Path(path).read_text() for path in found["splits"]["train"]] == [TEXT]
    code, out, _ = output(capsys, "data", "fetch", "good", "-q")
    assert code == 0
    assert out.split() == ["train", found["splits"]["train"][0]]
    assert result(capsys, "data", "fetch", "good")["fetched"] is False
    assert result(capsys, "data", "prepare", "good", "-o", tmp_path / "corpus", "-q")["words"] > 0
    assert result(capsys, "data", "inspect", "good", "-q")["chars"] == len(TEXT)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("wrong", 1, "is not the registered one"),
        ("away", 1, "the server answers 404"),
        ("godo", 2, "Did you mean 'good'?"),
    ],
)
def test_fetch_failures(capsys: pytest.CaptureFixture[str], name: str, code: int, message: str) -> None:
    found, out, err = output(capsys, "data", "fetch", name, "-q")
    assert (found, out) == (code, "")
    assert message in err
    assert err.startswith("seqlab: ")
    assert err.count("\n") == 1


def test_inspect(capsys: pytest.CaptureFixture[str], book: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Five six.\n" * 9)
    report = result(capsys, "data", "inspect", book, "--valid", other, "-q")
    assert {"tokens", "types", "chars", "words", "bytes", "documents", "findings"} <= set(report)
    assert report["words"] == len(TEXT.split())
    assert report["splits"]["valid"]["unknown"]["word"] == pytest.approx(0.5)  # 'Five six' of 'Five six . \n'
    code, out, _ = output(capsys, "data", "inspect", book, "--valid", other, "-q")
    assert code == 0
    assert "\nFindings\n- " in out
    for kind in ("char", "byte", "word", "whitespace", "bpe"):
        assert f"\n{kind} " in out


def test_inspect_prints_no_control_characters(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "hostile.txt"
    path.write_bytes("\x1b[2Jevil \x9b31m \u202e \x07word\x00\r\nword\x08\n".encode() * 5 + b"\xff\n")
    code, out, err = output(capsys, "data", "inspect", path, "-q")
    assert code == 0, err
    assert out.replace("\n", "").isprintable()
    assert "5 NUL characters" in out
    assert "1 invalid byte sequence, the first: line 11" in out


def test_prepare(capsys: pytest.CaptureFixture[str], book: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("One five.\n")
    folder = tmp_path / "corpus"
    flags = ("--tokenizer", "word", "--lowercase", "--min-count", "1", "--valid", other, "--workers", "0", "-q")
    found = result(capsys, "data", "prepare", book, "-o", folder, *flags)
    assert found["tokens"] == found["splits"]["train"]["tokens"] == 40 * 9
    assert found["types"] == 7
    assert found["words"] == 40 * 6
    assert found["chars"] == found["bytes"] == len(TEXT)
    assert found["documents"] == 1
    assert found["splits"]["valid"]["unknown"] == 1
    code, out, err = output(capsys, "data", "prepare", book, "-o", folder, *flags)
    assert code == 0
    assert out.split("\n")[0].split() == "split tokens types unknown documents words chars bytes".split()
    assert [line.split()[0] for line in out.split("\n")[1:-1]] == ["train", "valid"]
    assert f"{folder} is ready" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--tokenizer", "wrod"), "--tokenizer: must be auto, char, byte, word, whitespace or bpe, not 'wrod'"),
        (("--tokenizer", "wrod"), "Did you mean 'word'?"),
        (("--errors", "ignore"), "--errors: must be strict or replace, not 'ignore'"),
        (("--valid-fraction", "1"), "--valid-fraction: must be below 1"),
        (("--min-count", "500", "--tokenizer", "word"), "lower --min-count"),
        (("--valid", "missing.txt"), "missing.txt: no such file"),
        (("--vocab-siz", "5"), "there is no option --vocab-siz. Did you mean '--vocab-size'?"),
    ],
)
def test_prepare_on_bad_input(
    capsys: pytest.CaptureFixture[str], book: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    code, out, err = output(capsys, "data", "prepare", book, "-o", tmp_path / "corpus", *flags, "-q")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("verb", ["list", "inspect", "fetch", "prepare"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, _ = output(capsys, "data", verb, "--help")
    assert code == 0
    assert f"Example: seqlab data {verb}" in " ".join(out.split())
