"""A training whose losses are finite and hopeless has diverged; one that only learned little has not."""

from __future__ import annotations

from pathlib import Path

import pytest

import seqlab
from seqlab.base.errors import InputError, SeqlabError

SMALL = {
    "tokenizer": "char",
    "hidden_dim": 16,
    "embed_dim": 16,
    "layers": 1,
    "batch_size": 4,
    "bptt": 16,
    "quiet": True,
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    lines = [
        "a heron stood in the reeds, and the reeds stood in the pond.",
        "the pond was still; a pike saw the heron.",
    ]
    (tmp_path / "text.txt").write_text("\n".join(lines[number * number % 3 % 2] for number in range(300)))
    return tmp_path / "text.txt"


@pytest.mark.parametrize("options", [{}, {"counts": False}, {"valid_fraction": 0.0, "counts": False}])
def test_a_finite_and_hopeless_training_has_diverged_and_keeps_no_weights(options, text, tmp_path):
    with pytest.raises(SeqlabError, match=r"training has diverged: .* guessing among the \d+ types has .*training.lr"):
        seqlab.train_language_model(text, tmp_path / "run", lr=1e6, steps=60, lines="no", **SMALL, **options)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    with pytest.raises(InputError, match="has no weights yet"):
        seqlab.load_language_model(tmp_path / "run")


@pytest.mark.parametrize("lr", [1e-9, 0.5])
@pytest.mark.parametrize("steps", [1, 5])
def test_a_training_that_learned_little_is_no_divergence(lr, steps, text, tmp_path):
    seqlab.train_language_model(text, tmp_path / "run", lr=lr, steps=steps, lines="no", **SMALL)
    assert (tmp_path / "run" / "model.safetensors").exists()
