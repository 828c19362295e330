"""Standard input, pipes, process substitution: each is read once and may be used as a file; devices are refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.storage.streams import parked, read_once
from seqlab.embeddings.evaluation.questions import read_similarity
from seqlab.text import prepare

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no named pipes")
VECTORS = b"3 2\na 1 2\nb 3 4\nc 5 6.5\n"
TEXT = b"the cat sat on the mat and the dog sat on the cat\n" * 20


@pytest.fixture
def pipe(tmp_path: Path):
    """Makes named pipes that something is being written to, once."""

    def make(content: bytes, name: str = "pipe") -> Path:
        path = tmp_path / name
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=[content], daemon=True).start()
        return path

    return make


@pytest.fixture
def stdin(monkeypatch, tmp_path):
    """Puts bytes on standard input."""

    def put(content: bytes) -> None:
        (tmp_path / "in").write_bytes(content)
        monkeypatch.setattr(sys, "stdin", (tmp_path / "in").open(encoding="utf-8"))

    return put


@pytest.mark.parametrize(
    "command", [["neighbors", "V", "a"], ["analogy", "V", "a", "b", "c"], ["info", "V"], ["convert", "V", "out.npz"]]
)
def test_vectors_come_through_a_pipe(command, pipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.vec").write_bytes(VECTORS)
    assert run(["v.vec" if part == "V" else part for part in command]) == 0
    expected = capsys.readouterr().out
    path = str(pipe(VECTORS))
    assert run([path if part == "V" else part for part in command]) == 0
    assert capsys.readouterr().out == expected


def test_vectors_come_through_stdin_and_errors_name_it(stdin, capsys):
    stdin(VECTORS)
    assert run(["neighbors", "-", "a"]) == 0
    stdin(b"3 2\na 1 2\nb 3\nc 5 6\n")
    assert run(["neighbors", "-", "a"]) == 2
    assert "seqlab: -: line 3: 1 number instead of 2" in capsys.readouterr().err


def test_texts_through_pipes_are_read_as_often_as_needed(pipe, tmp_path):
    (tmp_path / "text").write_bytes(TEXT)
    expected = prepare(tmp_path / "text", tmp_path / "a", valid=tmp_path / "text", quiet=True)
    corpus = prepare(pipe(TEXT), tmp_path / "b", valid=pipe(TEXT, "valid"), quiet=True)
    assert corpus.digest == expected.digest


def test_one_stream_serves_several_readers_of_a_command(pipe):
    path = pipe(TEXT)
    with read_once():
        with read_once():
            first = parked(path)
        assert first.read_bytes() == parked(path).read_bytes() == TEXT
    assert not first.exists()


@pytest.mark.parametrize(
    ("command", "uses"),
    [
        (["train", "lm", "-", "--valid", "-", "-o", "run"], "train and valid"),
        (["data", "prepare", "-", "--test", "-", "-o", "c"], "train and test"),
        (["evaluate", "run", "--text", "-", "--valid", "-"], "--text and --valid"),
        (["evaluate", "-", "--questions", "-"], "VECTORS and --questions"),
        (["visualize", "-", "--only", "-", "-o", "x.html"], "VECTORS and --only"),
    ],
)
def test_stdin_for_two_things_is_refused_by_name(command, uses, stdin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stdin(TEXT)
    assert run(command) == 2
    assert f"-: standard input cannot be both {uses}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["data", "inspect", "-"],
        ["data", "prepare", "-", "-o", "c"],
        ["train", "embeddings", "-", "-o", "v"],
        ["neighbors", "-", "a"],
        ["visualize", "-", "-o", "x.html"],
    ],
)
def test_closed_stdin_is_said(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    assert run(command) == 2
    assert "seqlab: -: standard input is closed; name a file" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_devices_that_never_end_are_refused(device, tmp_path, monkeypatch):
    for read in (seqlab.prepare, seqlab.inspect, seqlab.load_vectors):
        with pytest.raises(InputError, match=f"{device}: is a device"):
            read(device)
    with open(device, encoding="latin-1") as handle:
        monkeypatch.setattr(sys, "stdin", handle)
        with pytest.raises(InputError, match="-: is a device"):
            seqlab.prepare("-", out=tmp_path / "c")


def test_a_stream_longer_than_the_disk_has_room_for_is_refused(pipe, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with read_once(), pytest.raises(SeqlabError, match="longer than the 0.0 GB"):
        parked(pipe(bytes(3000)))


def test_process_substitution_and_nothing_is_left(tmp_path):
    (tmp_path / "v.vec").write_bytes(VECTORS)
    command = f"{sys.executable} -m seqlab_cli.main neighbors <(cat v.vec) a"
    environment = {**os.environ, "SEQLAB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_malformed_first_pair_is_no_title(tmp_path):
    place = tmp_path / "pairs"
    place.write_text("Word 1\tWord 2\tHuman (mean)\ntiger\tcat\t7.35\n")
    assert len(read_similarity(place)) == 1
    for line in ("tiger\tcat\t7,35", "tiger cat", "tiger\tcat\t7.35\t8"):
        place.write_text(f"{line}\ntiger\tcat\t7.35\n")
        with pytest.raises(InputError, match=":1: not 'word TAB word TAB score'"):
            read_similarity(place)
