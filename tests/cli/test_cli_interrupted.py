"""Ctrl-C at any moment of `seqlab train lm`: exit code 130, nothing half-written, and the same command resumes."""

from __future__ import annotations

import importlib
import json
import os
import random
from pathlib import Path

import pytest
from seqlab_cli.main import run

from seqlab.base.files import verify_manifest
from seqlab.run import Run

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no process can send another Ctrl-C there")


@pytest.fixture
def stopping(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.models.stopping")


def write_text(path: Path, size: int) -> Path:
    """Made-up prose of so many bytes."""
    generator = random.Random(5)
    words = ["".join(generator.choices("etaoinshrdlucm", k=generator.randint(2, 9))) for _ in range(8000)]
    weights = [1 / (rank + 5) for rank in range(len(words))]
    written = 0
    with path.open("w") as handle:
        while written < size:
            sentences = [" ".join(generator.choices(words, weights, k=12)).capitalize() + "." for _ in range(6)]
            written += handle.write(" ".join(sentences) + "\n\n")
    return path


def check_whole(folder: Path) -> None:
    """Nothing temporary is left, and a run that is there can be read to the last file."""
    assert not list(folder.rglob(".*"))
    for corpus in (folder / "cache").glob("corpora/*"):
        verify_manifest(corpus)
    for path in folder.glob("run*"):
        opened = Run.open(path)
        opened.load_state()
        opened.load_counts()
        opened.metrics()
        if (path / "model.safetensors").exists():
            opened.load_members()


def check_stops(stopping, folder: Path, size: int, moments, options: list[str], resuming: bool) -> None:
    """Stop a training at every moment; each goes on where the last one stopped, or begins anew."""
    text = write_text(folder / "text.txt", size)
    for number, moment in enumerate(moments):
        out = folder / ("run" if resuming else f"run{number}")
        stopped = stopping.stop(moment, ["train", "lm", str(text), "-o", str(out), *options], folder / "cache")
        assert stopped.seconds is not None, f"{moment}: {stopped.said}"
        assert stopped.code == 130, f"{moment}: {stopped.said}"
        assert stopped.said.splitlines()[-1] == "seqlab: interrupted.", moment
        assert "Traceback" not in stopped.said, moment
        check_whole(folder)


def test_the_first_moments_of_a_training(stopping, tmp_path):
    check_stops(stopping, tmp_path, 50_000, ["importing torch", "reading", "creating the run"], ["--steps", "3"], False)


@pytest.mark.slow
def test_every_moment_of_a_training_on_a_text_of_five_megabytes(stopping, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    options = ["--tokenizer", "bpe", "--minutes", "0.1"]
    check_stops(stopping, tmp_path, 5_000_000, stopping.MOMENTS, options, True)
    assert run(["train", "lm", str(tmp_path / "text.txt"), "-o", str(tmp_path / "run"), *options]) == 0
    assert "perplexity" in json.loads(capsys.readouterr().out)["valid"]
    Run.open(tmp_path / "run").load_members()
