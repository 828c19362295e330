"""What the campaign found, each find as a test of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from seqlab_cli.main import run as command

from seqlab.base import files
from seqlab.embeddings.training import loop as vector_loop
from seqlab.training.watch.validation import Validator

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
    replace, rmtree, unlink, out = files.replace, files.shutil.rmtree, Path.unlink, tmp_path / "v"

    def killed(source: Any, target: Any) -> None:
        if Path(target).name == "latest.safetensors":
            raise Killed
        replace(source, target)

    def kept(remove: Any) -> Any:
        return lambda path, *rest, **more: None if ".v" in str(path) else remove(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", killed)
        patch.setattr(Path, "unlink", kept(unlink))
        patch.setattr(files.shutil, "rmtree", kept(rmtree))
        with pytest.raises(Killed):
            command(["train", "embeddings", str(text), "-o", str(out), *VECTORS])
    assert not out.exists()
    assert command(["train", "embeddings", str(text), "-o", str(out), *VECTORS]) == 0
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
