"""Training on a list: unseen lines are scored each from its own beginning, whatever stands before them."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch

import seqlab
from seqlab.evaluation import tuning
from seqlab.evaluation.exact import first_tokens, negative_log_likelihood, read_text
from seqlab.models import LanguageModel
from seqlab.models.counts.choice import count_text
from seqlab.text import TokenFile
from seqlab.text.ids.lines import line_lengths

OPTIONS = {"embed_dim": 16, "hidden_dim": 32, "layers": 1, "batch_size": 4, "bptt": 16, "lr": 0.01, "threads": 1}


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> seqlab.TrainedLanguageModel:
    """Trained on a sorted list of words in which a vowel follows every consonant."""
    draw, folder = random.Random(0), tmp_path_factory.mktemp("list")
    words = {"".join(draw.choice("bdgkmn") + draw.choice("aeo") for _ in range(draw.randint(1, 4))) for _ in range(900)}
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in sorted(words)), "utf-8")
    corpus = seqlab.prepare(folder / "words.txt", folder / "corpus", quiet=True)
    assert corpus.train.lines
    return seqlab.train_language_model(corpus, folder / "run", epochs=12, quiet=True, seed=1, **OPTIONS)


def by_hand(lm: seqlab.TrainedLanguageModel, tokens: TokenFile) -> np.ndarray:
    """Log-probability of every token, one line after the other."""
    found = []
    for start, length in zip(tokens.documents.tolist(), line_lengths(tokens).tolist(), strict=True):
        ids = torch.from_numpy(tokens[start : start + length].astype(np.int64))
        inputs = torch.cat([torch.tensor([lm.tokenizer.start_id]), ids[:-1]])[None]
        with torch.no_grad():
            logits, _ = lm.model.sequence_logits(inputs, lm.model.init_state(1))
        found.append(logits[0].log_softmax(-1)[torch.arange(length), ids].double().numpy())
    return np.concatenate(found)


def test_every_line_is_scored_from_its_own_beginning(lm: seqlab.TrainedLanguageModel) -> None:
    corpus = seqlab.Corpus.open(lm.run.record["corpus"]["path"])
    valid, start_id = corpus.valid, lm.tokenizer.start_id
    assert valid is not None
    expected = by_hand(lm, valid)
    np.testing.assert_allclose(read_text(lm.model, valid, start_id).log_p_N, expected, atol=2e-5)
    nats, count = negative_log_likelihood(lm.model, valid, start_id, streams=3)
    assert count == len(valid)
    assert math.isclose(nats, -expected.sum(), rel_tol=1e-5)
    assert math.isclose(lm.summary["valid"]["nats_per_token"], -expected.mean(), rel_tol=1e-4)
    some = first_tokens(valid, 40)
    np.testing.assert_allclose(read_text(lm.model, some, start_id).log_p_N, by_hand(lm, some), atol=2e-5)


def test_another_list_is_read_the_same_way(lm: seqlab.TrainedLanguageModel, tmp_path) -> None:
    assert lm.run.lines
    (tmp_path / "new.txt").write_text("badego\n\nkanemo\nbo\n", "utf-8")
    scores = lm.evaluate(tmp_path / "new.txt").to_json()
    total = sum(lm.log_prob(word) for word in ("badego", "kanemo", "bo"))
    assert scores["tokens"] == len("badego" + "kanemo" + "bo") + 3
    assert -scores["nats_per_token"] * scores["tokens"] < total  # the three ends of lines are scored, too


def test_it_learned_from_lines_in_any_order(lm: seqlab.TrainedLanguageModel) -> None:
    """Entropy of the process: 6 x 3 pairs, and an end after any pair; a model of single letters has 2.1 nats."""
    assert lm.summary["valid"]["nats_per_token"] < 1.45
    texts = [text for one in lm.sample(n=40, seed=1, length=30) if (text := str(one).strip())]
    good = [
        text for text in texts if all(a in "bdgkmn" and b in "aeo" for a, b in zip(text[::2], text[1::2], strict=False))
    ]
    assert len(good) > 30
    assert len({text[0] for text in good}) >= 5


@pytest.mark.parametrize("limit", [30, 90, 200])
def test_counts_stand_alone_beside_a_network_that_only_disturbs(lm, limit: int, monkeypatch) -> None:
    """A sample of a list is whole lines, so it is seldom as long as was asked for."""
    corpus = seqlab.Corpus.open(lm.run.record["corpus"]["path"])
    types, start_id = len(corpus.tokenizer.vocab), corpus.tokenizer.start_id
    torch.manual_seed(1)
    network = LanguageModel(lm.run.config.model, types).eval()
    counts = count_text(corpus.train, types, start_id, corpus.valid)
    monkeypatch.setattr(tuning, "crossed", lambda network_N, *_: np.full(len(network_N), -12.0))
    together = tuning.tune_together(network, counts, corpus.valid, start_id, limit)
    assert together.report["tokens"] != limit
    assert together.report["nats_per_token"] == pytest.approx(together.report["counts"]["nats_per_token"], abs=1e-3)
    assert together.report["nats_per_token"] < together.report["network"]["nats_per_token"]


def test_counts_that_may_help_by_chance_stay_only_where_they_are_the_better_model(lm, monkeypatch) -> None:
    corpus = seqlab.Corpus.open(lm.run.record["corpus"]["path"])
    types, start_id = len(corpus.tokenizer.vocab), corpus.tokenizer.start_id
    counts = count_text(corpus.train, types, start_id, corpus.valid)
    monkeypatch.setattr(tuning, "standard_error", lambda _: 1e9)
    torch.manual_seed(1)
    untrained, trained = LanguageModel(lm.run.config.model, types).eval(), lm.run.load_model("cpu")
    assert tuning.tune_together(untrained, counts, corpus.valid, start_id, 10**6).members.mixed is not None
    few = count_text(TokenFile.of(np.repeat(corpus.train[:1], 50)), types, start_id)
    assert tuning.tune_together(trained, few, corpus.valid, start_id, 10**6).members.mixed is None


def test_a_score_of_the_training_text_says_so(lm, tmp_path) -> None:
    """Of lists by their lines, of which a tenth was kept for validation."""
    text = lm.run.path.parent / "words.txt"
    scores = lm.evaluate(text)
    assert 0.85 < scores.to_json()["in_training_text"] < 0.95
    assert "% of this text is in the training text" in scores.caveat
    (tmp_path / "new.txt").write_text("badegonokame\nnokabadegone\n" * 20, "utf-8")
    assert "in_training_text" not in lm.evaluate(tmp_path / "new.txt").to_json()
    assert "in_training_text" not in lm.evaluate(split="valid").to_json()
