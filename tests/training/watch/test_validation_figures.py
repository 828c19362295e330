"""The figure on the screen, that of the weights kept, the one at the end and that of `evaluate` are of one text, and
agree within their intervals."""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pytest

import seqlab
from seqlab.base.printing import with_margin
from seqlab.evaluation import evaluator
from seqlab.evaluation.estimates import Yardstick, estimate, estimate_of_lines, mean_error
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.text import TokenFile

SMALL = {"embed_dim": 12, "hidden_dim": 12, "layers": 1, "batch_size": 4, "bptt": 16, "threads": 1}


@pytest.fixture(scope="module")
def uneven() -> tuple[NGramModel, TokenFile]:
    """Counts of a text, and another text whose first half is far easier than its second."""
    draw = np.random.default_rng(0)
    train = TokenFile.of(draw.integers(0, 20, 5_000))
    easy, hard = np.tile(np.arange(2), 3_000), draw.integers(0, 40, 6_000)
    counts = NGramModel.train(TokenFile.of(np.concatenate([easy[:1_000], train[:]])), 40, 0, order=2)
    return counts, TokenFile.of(np.concatenate([easy, hard]))


def test_a_text_is_known_better_by_how_much_a_model_differs_from_the_counts(uneven) -> None:
    counts, text = uneven
    counts_N = counts.log_probs(text)
    model_N = counts_N + np.random.default_rng(1).normal(0.05, 0.2, len(text))
    for places in (np.arange(4_000), np.arange(5_000, 9_000)):
        steadied = Yardstick(counts, text).estimate(model_N[places], counts_N[places], text)
        plain = estimate(model_N[places], text)
        truth = -model_N.mean()
        assert abs(steadied.nats - truth) < 4 * steadied.error
        assert abs(steadied.nats - truth) < abs(plain.nats - truth) / 10
        low, high = steadied.interval
        assert low < math.exp(steadied.nats) < high
    whole = Yardstick(counts, text).estimate(model_N, counts_N, text)
    assert whole == (pytest.approx(-model_N.mean()), 0.0)


def test_no_digit_is_shown_that_the_interval_does_not_allow() -> None:
    assert with_margin(4.4137, 0.063) == "4.41 ± 0.06"
    assert with_margin(209.63, 9.7) == "210 ± 10"
    assert with_margin(209.63, 4.6) == "210 ± 5"
    assert with_margin(12345.6, 321.0) == "12,346 ± 321"
    assert with_margin(1.00213, 0.00012) == "1.00213 ± 0.00012"
    assert with_margin(5.17586, 0.0) == "5.176"
    assert with_margin(0.0, 0.0) == "0"
    assert with_margin(1.116207831, 3e-9) == "1.116"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[seqlab.TrainedLanguageModel, str]:
    """A training whose validation text is far longer than what a validation reads, and what it printed."""
    draw, folder = random.Random(0), tmp_path_factory.mktemp("long")
    nouns = [f"noun{i}" for i in range(60)]
    lines = [f"the {draw.choice(nouns)} sees a {draw.choice(nouns)} ." for _ in range(3_000)]
    (folder / "text.txt").write_text(" ".join(lines), "utf-8")
    (folder / "valid.txt").write_text(" ".join(draw.choices(lines, k=2_000)), "utf-8")
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEQLAB_QUIET", raising=False)
        patch.setattr("sys.stderr.write", printed.append, raising=False)
        lm = seqlab.train_language_model(
            folder / "text.txt",
            folder / "run",
            valid=folder / "valid.txt",
            tokenizer="word",
            steps=200,
            lr=0.03,
            **SMALL,
        )
    return lm, "".join(printed)


def test_all_figures_of_a_run_agree_within_their_intervals(run, capsys) -> None:
    lm, _ = run
    capsys.readouterr()
    exact = lm.evaluate(split="valid").to_json()
    valid, last = lm.summary["valid"], lm.run.history.validations[-1]
    assert valid["tokens"] < valid["sample_of"] == exact["tokens"]
    low, high = valid["interval"]
    more = 0.03  # the gates that `evaluate` fits to halves see more of the text than those of earlier figures
    assert low * (1 - more) <= exact["perplexity"] <= high
    assert abs(last["valid_loss"] - exact["nats_per_token"]) < 2.5 * last["valid_error"] + more
    assert valid["counts"]["perplexity"] == pytest.approx(exact["counts"]["perplexity"], rel=1e-5)
    assert last["valid_counts_loss"] == pytest.approx(exact["counts"]["nats_per_token"], rel=1e-5)


def test_hidden_states_of_a_short_text_are_kept_and_of_a_long_one_read_again(run, monkeypatch) -> None:
    """Both ways each half of the text has the gate of the other half; a stretch begins with a shorter context."""
    lm, _ = run
    kept = lm.evaluate(split="valid").to_json()
    monkeypatch.setattr(evaluator, "KEPT_TOKENS", 0)
    again = lm.evaluate(split="valid").to_json()
    assert kept["network"] == again["network"]
    assert kept["nats_per_token"] == pytest.approx(again["nats_per_token"], rel=1e-3)
    assert kept["weights"]["counts"] == pytest.approx(again["weights"]["counts"], abs=0.02)


def test_a_sample_is_called_one(run) -> None:
    lm, printed = run
    exact = len(seqlab.Corpus.open(lm.run.record["corpus"]["path"]).valid or ())
    assert re.search(rf"validation reads about [\d,]+ of {exact:,} validation tokens, spread over the text; ±", printed)
    assert re.search(r"validation: perplexity [\d.,]+ ± [\d.,]+ \(network alone: [\d.,]+ ± ", printed)
    assert f"± is the 95 % interval for all {exact:,} validation tokens" in printed
    assert "fitted on this text, so each half" in lm.evaluate(split="valid").text()


def test_a_score_of_the_training_text_is_called_one(run) -> None:
    lm, _ = run
    folder = lm.run.path.parent
    assert lm.evaluate(folder / "text.txt").to_json()["in_training_text"] == 1.0
    assert not lm.evaluate(folder / "valid.txt").caveat


def test_the_error_of_drawn_lines_is_how_far_draws_are_from_the_whole_list():
    rng = np.random.default_rng(0)
    tokens_L = rng.integers(3, 30, 400)
    nats_L = tokens_L * rng.gamma(4.0, 0.5, 400)
    whole, found = nats_L.sum() / tokens_L.sum(), []
    for _ in range(400):
        some = rng.permutation(400)[:100]
        found.append(estimate_of_lines(nats_L[some], tokens_L[some], 400))
    spread = np.std([one.nats for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.1)
    assert np.mean([one.nats for one in found]) == pytest.approx(whole, abs=3 * spread / 20)
    assert estimate_of_lines(nats_L, tokens_L, 400).margin() == {}
    assert mean_error(np.ones(1), 400) == 0.0
