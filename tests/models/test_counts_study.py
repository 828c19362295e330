"""The exact parts of the study in benchmarks/counts: counts of all words at once, with and without the occurrence to be
predicted, and the cache of recent words; all against enumeration."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from costs import usual

from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.text import TokenFile

VOCAB, START = 6, 0


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        names = ("knowledge", "caches", "weights")
        yield {name: importlib.import_module(f"benchmarks.counts.{name}") for name in names}


def text(seed: int, count: int) -> TokenFile:
    generator = np.random.default_rng(seed)
    return TokenFile.of(generator.choice(VOCAB, count, p=[0.4, 0.25, 0.15, 0.1, 0.06, 0.04]))


def all_words(knowledge, tables, seen, loo: bool) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of every word (N, V), the place's own word replaced; and log P of the own word (N,)."""
    added_NV, own_N = np.zeros((len(seen.words_N), VOCAB), np.float32), np.empty(len(seen.words_N))
    knowledge.additions(tables, seen, loo, np.arange(VOCAB), added_NV, own_N)
    added_NV[np.arange(len(own_N)), seen.words_N] = own_N
    p_NV = np.exp(added_NV) * tables.u_V
    return p_NV / p_NV.sum(1, keepdims=True), knowledge.score(tables, seen, loo).log_p_N


@pytest.mark.parametrize("order", usual([1, 2, 3, 4], 1, 3))
def test_counts_of_all_words_are_those_of_the_model(study, order):
    model = NGramModel.train(text(0, 300), VOCAB, START, order)
    tables, test = study["knowledge"].tables(model), text(1, 120)
    p_NV, log_p_N = all_words(study["knowledge"], tables, study["knowledge"].places(model, test), loo=False)
    np.testing.assert_allclose(log_p_N, model.log_probs(test), atol=1e-9)
    for place in range(120):
        np.testing.assert_allclose(p_NV[place], model.next_probs([START, *test[:place]]), atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_leaving_out_an_occurrence_is_counting_without_it(study, order):
    """Other words than the place's own keep the unigram total with the occurrence in it, hence the wider tolerance."""
    train = text(0, 300)
    model = NGramModel.train(train, VOCAB, START, order)
    knowledge = study["knowledge"]
    tables = knowledge.tables(model)
    p_NV, log_p_N = all_words(knowledge, tables, knowledge.places(model, train), loo=True)
    stream = [START, *train[:].tolist()]
    for place in range(order, 300, 7):
        p_V = recounted(model, stream, place)
        assert np.exp(log_p_N[place]) == pytest.approx(p_V[stream[place + 1]], rel=1e-9)
        np.testing.assert_allclose(p_NV[place], p_V, atol=3e-3)


def recounted(model: NGramModel, stream: list[int], place: int) -> np.ndarray:
    """P of every word at a place by the model's discounts and counts made anew without the n-gram that ends there."""
    order = model.order
    ends = [end for end in range(max(order - 1, 1 if order == 1 else 0), len(stream)) if end != place + 1]
    counts = {order: Counter(tuple(stream[end - order + 1 : end + 1]) for end in ends)}
    for length in range(order - 1, 0, -1):
        counts[length] = Counter(ngram[1:] for ngram in counts[length + 1])
        if length > 1:
            counts[length][tuple(stream[:length])] += 1  # what stands before the start is one more word
    p_V = np.full(VOCAB, 1.0 / VOCAB)
    for length in range(1, order + 1):
        context = tuple(stream[place + 2 - length : place + 1])
        count_V = np.array([counts[length].get((*context, word), 0) for word in range(VOCAB)])
        if count_V.sum():
            discount_V = model.discounts_n4[length - 1][np.minimum(count_V, 3)]
            p_V = (count_V - discount_V + discount_V.sum() * p_V) / count_V.sum()
    return p_V


def test_the_cache_is_a_distribution_and_prefers_what_came_after_the_same_words(study):
    ids = text(2, 60)[:].astype(np.int64)
    p_V = np.empty(VOCAB)
    for word in range(VOCAB):
        varied = np.append(ids, word)
        p_V[word] = np.exp(study["caches"].recent(varied, np.array([60]), 40, 0.99, 5.0, VOCAB).log_p_K[0])
    assert p_V.sum() == pytest.approx(1.0)
    repeated = np.array([1, 2, 3, 4, 5, 1, 2, 3])
    found = study["caches"].recent(repeated, np.array([7]), 10, 1.0, 9.0, VOCAB)
    assert (found.longest_K[0], np.exp(found.log_p_K[0]) > 0.9) == (2, True)


def test_weights_of_buckets_are_those_of_expectation_maximisation(study):
    from seqlab.models.counts.mixture import fit_weights

    generator = np.random.default_rng(3)
    log_p_NM = np.log(generator.random((400, 3)))
    expected = fit_weights(log_p_NM)
    np.testing.assert_allclose(study["weights"].flat_weights(log_p_NM), expected, atol=5e-3)
    gate = study["weights"].Gate(1e-4).fit(log_p_NM, np.zeros((400, 1)), np.zeros(400, np.int64), 1)
    weight_NM = gate.weights(np.zeros((400, 1)), np.zeros(400, np.int64))
    np.testing.assert_allclose(weight_NM.sum(1), 1.0)
    np.testing.assert_allclose(weight_NM[0], expected, atol=2e-2)
