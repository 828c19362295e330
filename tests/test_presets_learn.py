"""Presets made for a GPU start on a processor, as published but for the number of steps and a smaller batch.

Sixty steps are enough to see the Mogrifier learn; the others need more than a test has.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqlab import api
from seqlab.training.presets import presets

PUBLISHED = [name for name, one in presets().items() if "expected" in one and "GPU" in one["hardware"]]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences of a hundred made-up words, of which each is mostly followed by the same one."""
    random = np.random.default_rng(1)
    follower = np.roll(random.permutation(100), 1)
    word, words = 0, []
    for usual in random.random(60_000) < 0.9:
        word = int(follower[word]) if usual else int(random.integers(100))
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
def test_it_starts(name, text, tmp_path):
    shorter = {"steps": 60, "evaluations": 1, "log_lines": 60, "batch_size": 20, "bptt": 20}
    lm = api.train_language_model(text, tmp_path / "run", quiet=True, preset=name, **shorter)
    losses = [line["loss"] for line in lm.run.metrics()]
    assert len(losses) >= 60
    assert np.isfinite(losses).all()
    assert np.isfinite(lm.summary["valid"]["perplexity"])
    if name == "mogrifier-wt2":
        assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.2
