"""Presets made for a GPU start on a processor, as published but for the number of steps and a smaller batch, and learn.
benchmarks/presets.py draws their curves.

AWD-LSTM's take a few hundred steps until their hidden states say anything: the tests of what is learned are slow.
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
        assert {"about", "data", "hardware", "expected", "types", "curve", "text", "model", "training"} <= set(
            presets()[name]
        )


STEPS = {"mogrifier-wt2": 200, "char-ptb": 200, "awd-lstm-ptb": 250, "awd-lstm-wt2": 250}
SHORT = {"evaluations": 1, "batch_size": 20, "quiet": True}


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_trains_when_narrow(name, text, tmp_path):
    """It takes a few steps; that AWD-LSTM learns in many is among the usual tests of regularisers too."""
    narrow = {"hidden_dim": 16, "layers": 2, "bptt": 10, "steps": 3}
    lm = api.train_language_model(text, tmp_path / "run", preset=name, **SHORT, **narrow)
    assert np.isfinite([line["loss"] for line in lm.run.metrics()]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["awd-lstm-ptb", "awd-lstm-wt2"])
def test_a_narrower_awd_lstm_learns(name, text, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 80)
    narrow = {"embed_dim": 50, "hidden_dim": 80, "last_dim": 50, "bptt": 20, "steps": 800}
    lm = api.train_language_model(text, tmp_path / "run", preset=name, **SHORT, **narrow)
    losses = [line["loss"] for line in lm.run.metrics()]
    assert np.mean(losses[-20:]) < np.mean(losses[5:10]) - 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), STEPS.items())
def test_it_knows_more_than_word_frequencies(name, steps, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 60)
    kind = "char" if name.startswith("char") else "word"
    docs = api.prepare("python-docs", quiet=True, tokenizer=kind, vocab_size=None if kind == "char" else 5_000)
    for part, count in {"train": 400_000, "valid": 4_000}.items():
        (tmp_path / part).write_text(docs.tokenizer.decode(docs.splits[part][:count]))
    corpus = api.prepare(tmp_path / "train", tmp_path / "corpus", valid=tmp_path / "valid", quiet=True, tokenizer=kind)
    lm = api.train_language_model(corpus, tmp_path / "run", preset=name, steps=steps, bptt=35, **SHORT)
    losses = [line["loss"] for line in lm.run.metrics()]
    assert len(losses) >= 60
    assert np.isfinite(losses).all()
    assert lm.summary["valid"]["perplexity"] < 0.95 * lm.summary["baselines"]["unigram"]
