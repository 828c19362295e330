"""A small trained run, and its compressions."""

from __future__ import annotations

from functools import partial

import pytest

import seqlab
from seqlab.compression.models.sweep import tokens_per_second

WORDS = "the cat saw a dog and the dog ran to a tree while birds sang of rain over hills".split()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    text = home / "text.txt"
    text.write_text("\n".join(" ".join(WORDS[i * j % 19 % len(WORDS)] for j in range(12)) for i in range(400)))
    config = {"model": {"embed_dim": 64, "hidden_dim": 128, "layers": 1}, "training": {"lr": 0.01, "seed": 3}}
    lm = seqlab.train_language_model(text, out=home / "run", steps=40, tokenizer="char", config=config, quiet=True)
    return lm.run.path


@pytest.fixture(autouse=True)
def speeds_of_a_moment(monkeypatch):
    """Speeds are measured for a moment: what they are is no matter of a test."""
    monkeypatch.setattr("seqlab.compression.models.sweep.tokens_per_second", partial(tokens_per_second, seconds=0.05))
