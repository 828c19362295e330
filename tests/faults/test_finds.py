"""What the campaign found, each find as a test of its own."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqlab_cli.main import run as command

from seqlab.base import files
from seqlab.base.errors import InputError
from seqlab.base.files import replacing
from seqlab.base.storage.metrics import read_metrics
from seqlab.embeddings import WordVectors, save_vectors
from seqlab.embeddings.training import loop as vector_loop
from seqlab.text import Vocab, load_tokenizer
from seqlab.text.ids.token_file import SplitCounts, corpus_digest
from seqlab.training.watch.validation import Validator
from seqlab.visualization import draw_curves

TEXT = "the cat sat on the mat . a dog ran to the cat , and the cat sat . " * 60
LM = "--hidden-dim 8 --embed-dim 8 --batch-size 4 --bptt 8 --layers 1 --threads 1 --steps 6 -q".split()
VECTORS = "--dim 4 --epochs 2 --workers 1 --min-count 1 -q".split()


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


class Killed(BaseException):
    """Nothing is tidied up after it."""


def test_a_stop_during_a_validation_leaves_the_line_of_metrics_whole(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the window before it, what was saturated was lost."""
    point = Validator.safe_point
    calls = [0]

    def stop(self: Validator) -> None:
        calls[0] += 1
        if calls[0] == 2:
            assert self.stop is not None
            self.stop.set()
        point(self)

    assert command(["train", "lm", str(text), "-o", str(tmp_path / "whole"), *LM]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Validator, "safe_point", stop)
        assert command(["train", "lm", str(text), "-o", str(tmp_path / "stopped"), *LM]) == 130
    assert command(["train", "lm", str(text), "-o", str(tmp_path / "stopped"), *LM]) == 0
    whole, stopped = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "stopped")
    )
    times = ("seconds", "tokens_per_second")
    assert [{k: v for k, v in line.items() if k not in times} for line in stopped] == [
        {k: v for k, v in line.items() if k not in times} for line in whole
    ]
    assert all(line["saturated"] for line in stopped)


def test_vectors_killed_in_their_first_save_are_begun_again(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with half a state in it was somebody else's to the next start."""
    monkeypatch.setattr(vector_loop, "SAVE_EVERY", 0.0)
    replace, rmtree, unlink, out = files.replace, shutil.rmtree, Path.unlink, tmp_path / "v"

    def killed(source: Any, target: Any) -> None:
        if Path(target).name == "latest.safetensors":
            raise Killed
        replace(source, target)

    def kept(remove: Any) -> Any:
        return lambda path, *rest, **more: None if ".v" in str(path) else remove(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(replacing, "replace", killed)
        patch.setattr(Path, "unlink", kept(unlink))
        patch.setattr(shutil, "rmtree", kept(rmtree))
        with pytest.raises(Killed):
            command(["train", "embeddings", str(text), "-o", str(out), *VECTORS])
    assert not out.exists()
    assert command(["train", "embeddings", str(text), "-o", str(out), *VECTORS]) == 0
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_a_damaged_e_book_or_word_file_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bits of the packed text flipped: zlib's error came through."""
    for ending, part in (("epub", "META-INF/container.xml"), ("docx", "[Content_Types].xml")):
        path = tmp_path / f"book.{ending}"
        with zipfile.ZipFile(path, "w") as book:
            book.writestr(part, "<a>" + "text and more text, " * 40 + "</a>", zipfile.ZIP_DEFLATED)
        data = bytearray(path.read_bytes())
        begin = 30 + len(part)
        data[begin + 5 : begin + 25] = b"\xff" * 20
        path.write_bytes(data)
        assert command(["data", "prepare", str(path), "-o", str(tmp_path / "out"), "-q"]) == 2
        assert f"book.{ending}: not a" in capsys.readouterr().err


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, str]], None]) -> None:
    """Change the arrays or texts of a tensor file; its digest fits."""
    arrays, texts = files.load_tensors(path)
    change(arrays, texts)
    files.save_tensors(path, arrays, texts)


def with_a_list(arrays: dict[str, Any], texts: dict[str, str]) -> None:
    values = json.loads(texts["values"])
    values["position"]["predictions"][0] = [1]
    texts["values"] = json.dumps(values)


def with_one_row(arrays: dict[str, Any], texts: dict[str, str]) -> None:
    arrays["inputs"] = arrays["inputs"][:1]


@pytest.mark.parametrize("change", [with_a_list, with_one_row])
def test_a_state_of_vectors_with_a_wrong_type_or_shape_is_refused(
    change: Callable[[dict[str, Any], dict[str, str]], None],
    text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row was copied to all words; a list ended in a traceback after the training."""
    out = tmp_path / "v"
    words = ["train", "embeddings", str(text), "-o", str(out), *VECTORS]
    monkeypatch.setattr(vector_loop, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(vector_loop.VectorTrainer, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        assert command(words) == 130
    changed(out / "state" / "latest.safetensors", change)
    assert command(words) == 2
    assert "latest.safetensors: " in (said := capsys.readouterr().err)
    assert "does not fit its training" in said or "must be a whole number" in said


def test_a_state_to_continue_from_must_have_the_shape_of_its_vectors(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "embeddings", str(text), *VECTORS, "-o"]
    assert command([*words, str(tmp_path / "v")]) == 0
    changed(tmp_path / "v" / "state" / "latest.safetensors", with_one_row)
    assert command([*words, str(tmp_path / "w"), "--resume", str(tmp_path / "v")]) == 2
    assert "its state and its vectors do not belong together" in capsys.readouterr().err


def test_a_word_that_is_no_text_is_damage(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind digests that fit: in a folder of vectors it is refused, in the cache of phrases it is made again."""
    words = ["train", "embeddings", str(text), "-o", str(tmp_path / "v"), *VECTORS, "--phrases", "1"]
    assert command(words) == 0
    whole = files.load_tensors(tmp_path / "v" / "vectors.safetensors")[0]["matrix"].tobytes()
    (cached,) = (tmp_path / "cache" / "phrases").iterdir()
    for folder, key in ((tmp_path / "v", "words"), (cached, "itos")):
        values = json.loads((folder / "vocab.json").read_text())
        values[key][1] = 7
        files.write_json(folder / "vocab.json", values)
        files.write_manifest(folder, [*json.loads((folder / "manifest.json").read_text())["files"]])
    capsys.readouterr()
    for query in (["neighbors", "cat"], ["convert", str(tmp_path / "out.txt")]):
        assert command([query[0], str(tmp_path / "v"), *query[1:]]) == 2
        assert "words.1: must be text" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "v")
    assert command(words) == 0
    assert files.load_tensors(tmp_path / "v" / "vectors.safetensors")[0]["matrix"].tobytes() == whole


@pytest.mark.parametrize(("key", "value"), [("reason", None), ("documents", "many"), ("sources", [1])])
def test_a_header_of_a_corpus_has_all_its_values(
    key: str, value: Any, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind digests that fit: a corpus is refused, one in the cache is made again."""
    assert command(["data", "prepare", str(text), "-o", str(tmp_path / "corpus"), "-q"]) == 0
    assert command(["train", "lm", str(text), "-o", str(tmp_path / "run"), *LM]) == 0
    (cached,) = (tmp_path / "cache" / "corpora").iterdir()
    for folder in (tmp_path / "corpus", cached):
        header = json.loads((folder / "corpus.json").read_text())
        header[key] = value
        if value is None:
            del header[key]
        files.write_json(folder / "corpus.json", header)
        files.write_manifest(folder, [*json.loads((folder / "manifest.json").read_text())["files"]])
    assert command(["info", str(tmp_path / "corpus")]) == 2
    assert "corpus.json: " in (said := capsys.readouterr().err)
    assert "the file is damaged" in said
    assert command(["train", "lm", str(text), "-o", str(tmp_path / "other"), *LM]) == 0


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_settings_from_a_device_that_never_ends_are_refused(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["train", "lm", str(text), "-o", "never", "--dry-run", "--config", "/dev/zero"]) == 2
    assert "/dev/zero: is a device" in capsys.readouterr().err


def test_names_of_outputs_steer_no_terminal(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path was printed as it is, and JSON leaves some controls and turns of the writing direction alone."""
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[31m\u009b\u202e"
    assert command(["train", "embeddings", str(text), "-o", name, *VECTORS]) == 0
    assert json.loads(capsys.readouterr().out)["vectors"] == name
    assert command(["visualize", name, "-o", f"{name}.svg", "--method", "pca"]) == 0
    assert command(["convert", name, f"{name}.txt"]) == 0
    assert not {"\x1b", "\u009b", "\u202e"} & set("".join(capsys.readouterr()))


def anew(folder: Path) -> None:
    """Compute the digests of a folder anew."""
    files.write_manifest(folder, [*json.loads((folder / "manifest.json").read_text())["files"]])


def broken_offsets(folder: Path) -> None:
    path = folder / "train.documents.npy"
    path.write_bytes(path.read_bytes().replace(b"{'descr'", b"{{{{{{{{"))
    anew(folder)


def counts_in_words(folder: Path) -> None:
    header = json.loads((folder / "corpus.json").read_text())
    counts = header["splits"]["train"]["counts"]
    counts["characters"] = "many"
    splits = {name: SplitCounts(**split["counts"]) for name, split in header["splits"].items()}
    header["digest"] = corpus_digest(load_tokenizer(folder / "tokenizer.json").digest, splits)
    files.write_json(folder / "corpus.json", header)
    anew(folder)


def endless_size(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["corpus.json"]["bytes"] = float("inf")
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("change", [broken_offsets, counts_in_words, endless_size])
def test_a_corpus_with_odd_arrays_counts_or_sizes_is_refused(
    change: Callable[[Path], None], text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["data", "prepare", str(text), "-o", str(tmp_path / "corpus"), "-q"]) == 0
    change(tmp_path / "corpus")
    assert command(["train", "lm", str(tmp_path / "corpus"), "-o", str(tmp_path / "run"), *LM]) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_line_of_metrics_has_numbers_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{"step": 1, "tokens": 1, "seconds": 1.0, "loss": 1.0, "grad_norms": {"cell1": 1.0}}]
    lines += [{**lines[0], "grad_norms": 3}, {**lines[0], "grad_norms": {"cell1": "a"}}, {**lines[0], "loss": {}}]
    files.write_json_lines(tmp_path / "metrics.jsonl", lines)
    assert read_metrics(tmp_path / "metrics.jsonl") == lines[:1]


def test_n_grams_to_continue_from_are_as_many_as_the_settings_say(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "embeddings", str(text), *VECTORS, "--subwords", "-o"]
    assert command([*words, str(tmp_path / "v")]) == 0

    def longer(arrays: dict[str, Any], texts: dict[str, str]) -> None:
        arrays["matrix"] = np.concatenate([arrays["matrix"], arrays["matrix"][:1]])

    changed(tmp_path / "v" / "ngrams.safetensors", longer)
    anew(tmp_path / "v")
    assert command([*words, str(tmp_path / "w"), "--resume", str(tmp_path / "v")]) == 2
    assert "its state and its vectors do not belong together" in capsys.readouterr().err


def test_the_reader_of_pdfs_says_nothing_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It quoted control characters of the file."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
    pdf = importlib.import_module("benchmarks.faults.mutants.samples").pdf
    (tmp_path / "a.pdf").write_bytes(pdf(["words \\\x17 and more words"] * 9).replace(b"startxref\n", b"startxref\n1"))
    assert command(["data", "prepare", str(tmp_path / "a.pdf"), "-o", str(tmp_path / "out"), "-q"]) == 0
    assert caplog.records == []


@pytest.mark.parametrize(("key", "value"), [("corpus", 0.5), ("vocab_size", "many"), ("continued", "twice")])
def test_a_record_of_a_run_has_values_of_its_types(
    key: str, value: Any, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert command(["train", "lm", str(text), "-o", str(run), *LM]) == 0
    record = json.loads((run / "config.json").read_text())
    files.write_json(run / "config.json", {**record, key: value})
    anew(run)
    assert command(["generate", str(run), "--length", "3"]) == 2
    assert f"config.json: {key}: must be" in capsys.readouterr().err


def test_a_count_beyond_every_text_is_damage() -> None:
    """Phrases in the cache ended in a traceback."""
    with pytest.raises(ValueError, match="beyond what any text has"):
        Vocab(["a", "b"], [10**30, 1])


def test_of_two_files_none_is_replaced_where_the_disk_is_full(tmp_path: Path) -> None:
    """The last bytes reach the disk when a file is closed: the words had taken their place by then."""
    resource = pytest.importorskip("resource")
    out = tmp_path / "out.tsv"
    save_vectors(WordVectors(["a", "b"], np.eye(2, 2000, dtype=np.float32)), out)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 2
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["out.tsv"]) - 10, limits[1]))
    try:
        with pytest.raises((OSError, InputError)):
            save_vectors(WordVectors(["c", "d"], np.eye(2, 2000, dtype=np.float32)), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="its file names are Unicode")
def test_names_that_are_not_utf8_stand_in_pictures(tmp_path: Path) -> None:
    """matplotlib draws no half of a pair of surrogates."""
    vectors = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\xff.txt")
    save_vectors(WordVectors([f"w{i}" for i in range(6)], np.eye(6, dtype=np.float32)), vectors, "glove")
    out = tmp_path / "out.svg"
    assert command(["visualize", vectors, "-o", str(out), "--method", "pca", "--title", "of \udce9"]) == 0
    assert command(["visualize", vectors, "-o", str(out), "--method", "pca"]) == 0
    lines = [{"step": i, "tokens": i, "seconds": i, "loss": 1.0} for i in range(1, 4)]
    draw_curves([("caf\udce9", lines)]).save(tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text("utf-8")
