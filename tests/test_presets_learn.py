"""Presets made for a GPU start on a processor, as published but for the number of steps, and learn there."""

from __future__ import annotations

import numpy as np
import pytest

from seqlab import api
from seqlab.training.presets import presets

PUBLISHED = [name for name, one in presets().items() if "expected" in one and "GPU" in one["hardware"]]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences of a chain over 2,000 made-up words in which four words may follow each."""
    random = np.random.default_rng(1)
    frequencies = 1.0 / (np.arange(2000) + 10.0)
    followers = random.choice(2000, size=(2000, 4), p=frequencies / frequencies.sum())
    word, words = 0, []
    for choice in random.integers(4, size=120_000):
        word = int(followers[word, choice])
        words.append("\n" if word % 20 == 7 else f"w{word}")
    path = tmp_path_factory.mktemp("text") / "chain.txt"
    path.write_text(" ".join(words) + "\n")
    return path


def test_each_names_its_source():
    assert len(PUBLISHED) == 4
    for name in PUBLISHED:
        assert {"about", "data", "hardware", "expected", "text", "model", "training"} <= set(presets()[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_it_starts_and_learns(name, text, tmp_path):
    shorter = {"steps": 30, "evaluations": 1, "log_lines": 30, "batch_size": 20, "bptt": 35}
    lm = api.train_language_model(text, tmp_path / "run", quiet=True, preset=name, **shorter)
    losses = [line["loss"] for line in lm.run.metrics()]
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < losses[0] - 0.3
    assert np.isfinite(lm.summary["valid"]["perplexity"])
