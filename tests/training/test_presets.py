"""Presets: which suits a text and what can be reached on it. Those made for a GPU start on a processor, as published
but for the number of steps and a smaller batch, and learn; benchmarks/models/presets.py draws their curves.
AWD-LSTM's take a few hundred steps until their hidden states say anything: the tests of what is learned are slow.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqlab import api
from seqlab.config import LanguageModelConfig
from seqlab.training import check, preset, presets, suggest
from seqlab.training.planning import resolve
from seqlab.training.presets import CorpusFacts

PUBLISHED = [name for name, one in presets().items() if "expected" in one and "GPU" in one["hardware"]]


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_valid_configuration(name):
    config = LanguageModelConfig().updated(preset(name))
    check(config)
    assert [getattr(config.training, kind) for kind in ("epochs", "steps", "minutes")].count(None) == 2


@pytest.mark.parametrize(
    ("kind", "types", "tokens", "reached", "name", "dropout"),
    [
        ("char", 66, 50_000, 1e5, "char-small", 0.0),
        ("char", 66, 50_000, 1e6, "char-small", 0.3),
        ("char", 66, 1_000_000, 1e6, "char-fast", 0.0),
        ("char", 66, 1_000_000, 2e6, "char-medium", 0.0),
        ("byte", 256, 1_000_000, 3e6, "char", 0.0),
        ("char", 66, 1_000_000, 5e6, "char", 0.1),
        ("char", 66, 1_000_000, 2e7, "char", 0.2),
        ("char", 300, 10**9, 1e7, "char", 0.0),
        ("char", 300, 10**9, 3e7, "char-large", 0.0),
        ("word", 300, 1_000_000, 1e5, "word-small-fast", 0.0),
        ("bpe", 4000, 300_000, 4e6, "word-small-vocabulary", 0.3),
        ("whitespace", 33_278, 2_000_000, 2e5, "word-fast", 0.0),
        ("whitespace", 33_278, 2_000_000, 1e6, "word-fast", 0.0),
        ("whitespace", 33_278, 2_000_000, 2e6, "word-medium", 0.0),
        ("whitespace", 33_278, 2_000_000, 5e6, "word-medium", 0.0),
        ("whitespace", 33_278, 2_000_000, 6e6, "word", 0.0),
        ("whitespace", 33_278, 2_000_000, 1.2e7, "word", 0.2),
        ("whitespace", 33_278, 2_000_000, 3e7, "word", 0.2),
        ("char", 5000, 10_000_000, 1e7, "word-large", 0.0),
    ],
)
def test_the_preset_follows_the_text_and_what_can_be_reached(kind, types, tokens, reached, name, dropout):
    found = suggest(CorpusFacts(tokens, types, kind), lambda settings: reached)
    assert found.preset == name
    assert {**found.settings["model"], **found.by_passes.get("model", {})}["dropout"] == dropout
    assert found.passes == reached / tokens


@pytest.mark.parametrize(
    ("kind", "types", "reached", "lr", "schedule", "batch_size"),
    [
        ("word", 33_278, 2e6, 0.012, "linear", 32),
        ("char", 66, 2.2e6, 0.006, "linear", 16),
        ("char", 66, 3e6, 0.004, "cosine", 16),
        ("char", 66, 5e6, 0.004, "cosine", 16),
        ("char", 66, 2e7, 0.004, "cosine", 32),
    ],
)
def test_every_entry_by_passes_that_is_reached_holds(kind, types, reached, lr, schedule, batch_size):
    found = suggest(CorpusFacts(1_000_000, types, kind), lambda settings: reached)
    training = {**found.settings["training"], **found.by_passes.get("training", {})}
    usual = LanguageModelConfig().training.schedule
    assert (training["lr"], training.get("schedule", usual), training["batch_size"]) == (lr, schedule, batch_size)


def decay_of(facts: CorpusFacts, preset: str | None = None, **training) -> tuple[float, str]:
    """The weight decay of a training of 1,500 updates, and where it came from."""
    found = resolve({"training": {"steps": 1500, **training}}, preset, facts=facts)
    return found.config.training.weight_decay, found.sources["training.weight_decay"]


@pytest.mark.parametrize(("tokens", "decay"), [(30_000, 0.3), (330_000, 0.28), (2_000_000, 0.047), (10**9, 9.3e-5)])
def test_weights_of_word_models_forget_over_a_pass_of_the_text(tokens, decay):
    """Of 0, 0.03, 0.1, 0.3 and 1, the best measured on 330,000 tokens was 0.3; on two million, 0.03."""
    facts = CorpusFacts(tokens, 33_278, "word")
    assert decay_of(facts) == decay_of(facts, "word-medium") == (decay, "text")


def test_weight_decay_follows_the_rate_and_the_batch_that_were_asked_for():
    facts = CorpusFacts(2_000_000, 33_278, "word")
    for asked in ({"lr": 0.024}, {"batch_size": 16}):
        assert decay_of(facts, "word-medium", **asked) == (0.023, "text")


def test_weight_decay_stays_as_it_is_where_it_was_set_or_means_something_else():
    words, characters = CorpusFacts(2_000_000, 33_278, "word"), CorpusFacts(2_000_000, 66, "char")
    assert decay_of(words, weight_decay=0.5) == (0.5, "given")
    assert decay_of(words, optimizer="sgd", lr=1.0) == decay_of(characters) == (0.0, "default")
    assert decay_of(words, "awd-lstm-wt2") == (1.2e-6, "preset awd-lstm-wt2")


def test_the_preset_of_an_hour_wants_many_passes_and_a_budget_that_was_asked_for():
    text = CorpusFacts(2_000_000, 33_278, "whitespace")
    assert suggest(text, lambda settings: 3e7, ("minutes", 60)).preset == "word-long"
    assert suggest(text, lambda settings: 3e7, ("epochs", 15)).preset == "word-long"
    assert suggest(text, lambda settings: 3e7, ("minutes", 5)).preset == "word"
    assert suggest(text, lambda settings: 2e7, ("minutes", 60)).preset == "word"


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
