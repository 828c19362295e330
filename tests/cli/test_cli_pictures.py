"""`seqlab visualize` and `seqlab curves` as a person meets them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from seqlab_cli.main import run

import seqlab.autoencoders.run  # its base class, before a test replaces it
import seqlab.run
from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig
from seqlab.diagnosis import Findings
from seqlab.models import LanguageModel

WORDS = ["king", "queen", "man", "woman", "river", "lake", "sea", "<unk>", ".", "naïve"]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A word2vec text file of ten words."""
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 12))
    lines = [f"{word} {' '.join(f'{x:.5f}' for x in row)}" for word, row in zip(WORDS, matrix, strict=True)]
    path = tmp_path / "my.vec"
    path.write_text(f"{len(WORDS)} 12\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


class FakeVocab:
    counts = np.arange(9, 0, -1)

    def __len__(self) -> int:
        return 9


def metrics(count: int) -> list[dict]:
    return [{"step": i, "tokens": 64 * i, "seconds": i / 10, "loss": 5 - i / 50, "lr": 0.1} for i in range(count)]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs by name: "long" has metrics, "new" has none, any other is missing."""

    class FakeRun:
        config = LanguageModelConfig()
        record: ClassVar = {"vocab_size": 9}
        tokenizer = SimpleNamespace(vocab=FakeVocab(), kind="char", digest="1")

        def __init__(self, path: Path, count: int):
            self.path, self.count = path, count

        def metrics(self) -> list[dict]:
            return metrics(self.count)

        def load_state(self) -> None:
            return None

        @property
        def diagnosis(self) -> Findings:
            return Findings([], f"Healthy {self.path}.")

        def blueprint(self) -> LanguageModel:
            with torch.device("meta"):
                return LanguageModel(self.config.model, 9)

        @classmethod
        def open(cls, path: Path) -> FakeRun:
            if str(path) not in ("long", "new"):
                raise InputError(f"{path}: no such run folder.")
            return cls(path, 100 if str(path) == "long" else 0)

    monkeypatch.setattr(seqlab.run, "Run", FakeRun)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "html"])
def test_visualize_writes_the_picture_and_prints_its_path(
    kind: str, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / f"map.{kind}"
    assert run(["visualize", str(vectors), "-o", str(out), "--highlight", "king", "--highlight", "sea"]) == 0
    stdout, stderr = capsys.readouterr()
    assert stdout == f"{out}\n"
    assert f"Wrote {out} with 10 words: open it in" in stderr  # all ten: neighbours are drawn whatever they are
    assert out.stat().st_size > 5000


def test_visualize_json_reports_words_settings_and_what_is_missing(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_bytes("\ufeffking\r\n  queen \r\n\r\nnaïve\r\nunheard\r\nof\r\n".encode())
    out = tmp_path / "map.svg"
    options = ["--only", str(words), "--method", "pca", "--seed", "9", "--json"]
    assert run(["visualize", str(vectors), "-o", str(out), *options]) == 0
    stdout, stderr = capsys.readouterr()
    assert json.loads(stdout) == {
        "path": str(out),
        "format": "svg",
        "method": "pca",
        "words": 3,
        "labels": 3,
        "perplexity": None,
        "seed": 9,
        "missing": ["unheard", "of"],
        "skipped": [],
        "notes": [],
    }
    assert f"2 of the words in {words} are not in the vectors: unheard, of" in stderr
    assert "3 words of my.vec" in out.read_text("utf-8")


def test_visualize_reads_the_words_from_standard_input(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"river\nlake\n")))
    assert run(["visualize", str(vectors), "-o", str(tmp_path / "map.png"), "--only", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == 2


def test_visualize_colours_by_the_labels_of_a_file(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_text("king\tperson\nriver\twater\nlake\twater\n", encoding="utf-8")
    picture = tmp_path / "map.svg"
    assert run(["visualize", str(vectors), "-o", str(picture), "--method", "pca", "--labels", str(labels)]) == 0
    assert all(name in picture.read_text("utf-8") for name in ("person", "water", "others"))
    for content, said in (
        ("king\tperson\n\nriver water\n", "line 3 has no tab"),
        ("King\tperson\n", "no word on the map has a label"),
    ):
        labels.write_text(content, encoding="utf-8")
        assert run(["visualize", str(vectors), "-o", str(picture), "--labels", str(labels)]) == 2
        assert said in capsys.readouterr().err


def test_the_same_seed_draws_the_same_page(vectors: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert run(["visualize", str(vectors), "-o", str(tmp_path / name), "--seed", "3"]) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "map.gif"], "the name of a picture ends in .html, .png, .svg, .pdf."),
        (["-o", "map.png", "--method", "umap"], "--method: 'umap' is not one of tsne, pca."),
        (["-o", "map.png", "--words", "1"], "--words: must be 2 or more, not 1."),
        (["-o", "map.png", "--highlight", "kinf"], "Did you mean 'king'"),
        (["-o", "map.png", "--perplexity", "-3"], "--perplexity: must be above 0, not -3.0."),
        (["-o", "map.png", "--seed", "-1"], "--seed: must be 0 or more, not -1."),
        (
            ["-o", "map.png", "--only", "nowhere.txt"],
            "nowhere.txt: cannot be read (no such file or directory).",
        ),
        (["-o", "map.png", "--only", "latin1.txt"], "latin1.txt: not UTF-8 at byte 2"),
        (["-o", "map.png", "--only", "few.txt"], "found 1 to draw (1 of the requested words are not"),
        (["-o", "my.vec/map.png"], "cannot be written"),
    ],
)
def test_visualize_refuses_in_one_sentence(
    arguments: list[str],
    sentence: str,
    vectors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin1.txt").write_bytes(b"na\xefve\n")
    (tmp_path / "few.txt").write_text("king\nunheard\n")
    assert run(["visualize", "my.vec", *arguments]) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert sentence in stderr
    assert stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few.txt", "latin1.txt", "my.vec"]


def test_visualize_names_missing_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["visualize", str(tmp_path / "nothing"), "-o", str(tmp_path / "map.png")]) == 2
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["png", "html"])
def test_curves_writes_the_picture_and_prints_its_path(
    kind: str, runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"curves.{kind}"
    assert run(["curves", "long", "long", "-o", str(out), "--x", "seconds"]) == 0
    stdout, stderr = capsys.readouterr()
    assert stdout == f"long: Healthy long.\n\nlong: Healthy long.\n\n{out}\n"
    assert f"Wrote {out} with 2 runs: open it in" in stderr
    assert out.stat().st_size > 5000


def test_curves_json_reports_each_run(runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "curves.svg"
    assert run(["curves", "long", "-o", str(out), "--json"]) == 0
    (reported,) = (report := json.loads(capsys.readouterr().out))["runs"]
    assert report["format"] == "svg"
    assert report["x"] == "tokens"
    assert reported["name"] == "long"
    assert reported["points"] == 100
    assert reported["diagnosis"] == []
    assert reported["words"] == "Healthy long."
    assert reported["loss"] == pytest.approx(metrics(100)[-1]["loss"], abs=0.05)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"softmax": "full"}, None),
        pytest.param({"softmax": "adaptive"}, None, marks=pytest.mark.slow),
        pytest.param({"softmax": "mixture"}, None, marks=pytest.mark.slow),
        ({"softmax": "sampled", "samples": 100}, None),  # more than types: trained exactly
        ({"softmax": "sampled", "samples": 4}, "its training loss is that of the sampled softmax"),
        pytest.param(
            {"softmax": "nce", "samples": 4}, "its training loss is that of the nce softmax", marks=pytest.mark.slow
        ),
        ({"label_smoothing": 0.1}, "its training loss has label smoothing in it"),
    ],
)
def test_curves_say_where_the_training_loss_is_another_one(
    model: dict,
    sentence: str | None,
    runs: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seqlab.run.Run, "config", LanguageModelConfig().updated({"model": model}))
    assert run(["curves", "long", "-o", str(tmp_path / "c.svg")]) == 0
    stderr = capsys.readouterr().err
    assert sentence in stderr if sentence else "training loss" not in stderr


def test_runs_validated_on_different_tokens_are_said_to_compare_roughly(
    runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter([2000, 9000])
    state = lambda self: ({}, {"position": {"valid_tokens": next(used)}})  # noqa: E731
    monkeypatch.setattr(seqlab.run.Run, "load_state", state)
    assert run(["curves", "long", "long", "-o", str(tmp_path / "c.svg")]) == 0
    assert "validated on 2,000 to 9,000 tokens" in capsys.readouterr().err


def test_runs_with_different_tokens_are_said_not_to_compare(
    runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["curves", "long", "long", "-o", str(tmp_path / "c.svg")]) == 0
    assert "compare" not in capsys.readouterr().err
    kinds = iter(["char", "bpe"] * 9)
    cut = property(lambda self: SimpleNamespace(vocab=FakeVocab(), kind=(kind := next(kinds)), digest=kind))
    monkeypatch.setattr(seqlab.run.Run, "tokenizer", cut)
    assert run(["curves", "long", "long", "-o", str(tmp_path / "c.svg")]) == 0
    assert (
        "per token do not compare; seqlab evaluate RUN --text F compares them per character" in capsys.readouterr().err
    )


def test_vectors_trained_with_different_losses_are_said_not_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, loss in (("a", "softmax"), ("b", "nce"), ("c", "nce")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.json").write_text("{}")
        (tmp_path / name / "config.json").write_text(json.dumps({"settings": {"loss": loss, "samples": 5}}))
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics(20)))
    folders = [str(tmp_path / name) for name in "abc"]
    assert run(["curves", *folders[1:], "-o", str(tmp_path / "c.svg")]) == 0
    assert "compare" not in capsys.readouterr().err
    assert run(["curves", *folders, "-o", str(tmp_path / "c.svg")]) == 0
    assert f"do not compare ({folders[0]}: softmax, {folders[1]}: nce with 5 samples)" in capsys.readouterr().err


def test_curves_of_word_vectors_know_no_perplexity(
    runs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics(20)))
    (tmp_path / "v" / "vocab.json").write_text("{}")
    out = tmp_path / "v.svg"
    assert run(["curves", str(tmp_path / "v"), "-o", str(out)]) == 0
    assert "loss, nats per prediction" in (text := out.read_text("utf-8"))
    assert "perplexity" not in text
    capsys.readouterr()
    assert run(["curves", str(tmp_path / "v"), "long", "-o", str(out)]) == 2
    assert "do not compare with a language model's" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["new", "-o", "c.png"], "new: its metrics hold no training loss"),
        (["gone", "-o", "c.png"], "gone: no such run folder."),
        (["long", "-o", "c.txt"], "c.txt: the name of a picture ends in"),
        (
            ["long", "-o", "c.png", "--x", "epochs"],
            "'epochs' is not one of 'tokens', 'steps', 'seconds'.",
        ),
    ],
)
def test_curves_refuses_in_one_sentence(
    arguments: list[str],
    sentence: str,
    runs: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["curves", *arguments]) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert sentence in stderr
    assert stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("verb", "example"), [("visualize", "-o map.html"), ("curves", "-o curves.png")])
def test_help_shows_an_example(verb: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"Example: seqlab {verb}" in (text := " ".join(capsys.readouterr().out.split()))
    assert example in text
