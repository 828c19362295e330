"""The n-gram baseline: equal to the published formula done naively, exact sums, by hand, saved and loaded; mixtures."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.models.counts import COUNT_BINS, kneser_ney
from seqlab.models.counts.kneser_ney import FALLBACK, NGramModel, estimate_discounts, memory_bound
from seqlab.models.counts.mixture import fit_weights, interpolate, uniform_log_probs
from seqlab.models.counts.ngrams import count_ngrams
from seqlab.nn import unigram_log_probs
from seqlab.text import TokenFile, prepare

TEXTS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


class NaiveKneserNey:
    """Modified Kneser-Ney as published, with dictionaries of tuples, in Python's floats.

    texts: each read after `start_id`, before which stands what stands nowhere else.
    """

    def __init__(self, texts: list[list[int]], vocab_size: int, start_id: int, order: int):
        self.vocab_size, self.order = vocab_size, order
        self.followers: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        self.discounts = {}
        streams = [[start_id, *ids] for ids in texts]
        for length in range(1, order + 1):
            grams = [
                (
                    stream[end - length] if end >= length else f"nothing {number}",
                    tuple(stream[end - length + 1 : end + 1]),
                )
                for number, stream in enumerate(streams)
                for end in range(max(1, length - 1), len(stream))
            ]
            counts = Counter(gram for _, gram in (grams if length == order else set(grams)))
            for gram, count in counts.items():
                self.followers[gram[:-1]][gram[-1]] = count
            self.discounts[length] = self.discounts_from(list(counts.values()))

    @staticmethod
    def discounts_from(counts: list[int]) -> list[float]:
        n = [sum(count == k for count in counts) for k in range(5)]
        if all(n[1:]):
            y = n[1] / (n[1] + 2 * n[2])
            found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            if min(found) > 0:
                return [0.0, *found]
        return [0.0, *FALLBACK]

    def p(self, word: int, context: tuple[int, ...]) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        lower = self.p(word, context[1:]) if context else 1 / self.vocab_size
        followers = self.followers.get(context)
        if not followers:
            return lower
        discounts, total = self.discounts[len(context) + 1], sum(followers.values())
        freed = sum(discounts[min(count, 3)] for count in followers.values())
        count = followers.get(word, 0)
        return max(count - discounts[min(count, 3)], 0) / total + freed / total * lower

    def log_probs(self, ids: list[int], start_id: int) -> list[float]:
        stream = [start_id, *ids]
        return [math.log(self.p(stream[end], tuple(stream[:end]))) for end in range(1, len(stream))]


def zipf_text(seed: int, size: int, vocab_size: int) -> np.ndarray:
    """Ids with some order in them: mostly a function of the id before, else drawn from Zipf's law."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocab_size + 1)
    ids = random.choice(vocab_size, size, p=weights / weights.sum())
    for place in range(1, size):
        if random.random() < 0.4:
            ids[place] = (ids[place - 1] * 7 + 3) % vocab_size
    return ids


# --- by hand ----------------------------------------------------------------------------------------------


def test_a_worked_example():
    """Stream d | a b a c a b over V = {a, b, c, d}: too small for estimates, so D = 0.5, 1, 1.5.

    Different words before a: d, b, c; before b: a; before c: a. Sum 5, freed 1.5 + 0.5 + 0.5, so B = 0.5 and
    P(a) = 1.5/5 + 0.5/4 = 0.425, P(b) = P(c) = 0.5/5 + 0.125 = 0.225, P(d) = 0.125.
    After a: b twice, c once; freed 1 + 0.5 of 3, so P(b | a) = 1/3 + 0.5 * 0.225 and P(c | a) = 0.5/3 + 0.5 * 0.225.
    """
    a, b, c, d = range(4)
    model = NGramModel.train(TokenFile.of([a, b, a, c, a, b]), 4, start_id=d, order=2)
    assert model.summary["fallback_orders"] == [1, 2]
    np.testing.assert_allclose(model.next_probs([]), [0.425, 0.225, 0.225, 0.125], rtol=1e-15)
    after_a = [0.5 * 0.425, 1 / 3 + 0.5 * 0.225, 0.5 / 3 + 0.5 * 0.225, 0.5 * 0.125]
    np.testing.assert_allclose(model.next_probs([a]), after_a, rtol=1e-15)
    np.testing.assert_allclose(model.next_probs([d]), [0.5 + 0.5 * 0.425, 0.1125, 0.1125, 0.0625], rtol=1e-15)
    np.testing.assert_allclose(model.log_probs(TokenFile.of([a, c])), np.log([0.7125, after_a[c]]), rtol=1e-15)


def test_discounts_by_hand():
    """n1..n4 = 4, 2, 1, 1: Y = 4/8; D1 = 1 - 2/4, D2 = 2 - 3/4, D3+ = 3 - 2."""
    counts = np.array([1, 1, 1, 1, 2, 2, 3, 4, 9, 0], np.uint32)
    assert estimate_discounts(counts) == pytest.approx((0.5, 1.25, 1.0))
    assert estimate_discounts(counts[:-3]) is None
    assert estimate_discounts(np.zeros(0, np.uint32)) is None
    assert estimate_discounts(np.array([1, 2, 3, 3, 3, 3, 4], np.uint32)) is None


@given(st.lists(st.integers(1, 6), max_size=60))
def test_discounts_are_positive_and_never_above_the_count(counts):
    for count, discount in enumerate(estimate_discounts(np.array(counts, np.uint32)) or FALLBACK, start=1):
        assert 0 < discount <= count


# --- against the naive formula ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(ids=TEXTS, other=TEXTS, order=st.integers(1, 7), start_id=st.integers(0, 6))
def test_equals_the_naive_formula_on_tiny_texts(ids, other, order, start_id):
    model = NGramModel.train(TokenFile.of(ids), 7, start_id, order)
    naive = NaiveKneserNey([ids], 7, start_id, order)
    np.testing.assert_allclose(model.log_probs(TokenFile.of(other)), naive.log_probs(other, start_id), rtol=1e-12)
    np.testing.assert_allclose(model.log_probs(TokenFile.of(ids)), naive.log_probs(ids, start_id), rtol=1e-12)


@pytest.mark.parametrize("order", range(1, 8))
def test_equals_the_naive_formula_with_estimated_discounts(order, monkeypatch):
    monkeypatch.setattr(kneser_ney, "BLOCK", 97)
    ids, held_out = zipf_text(1, 4000, 300).tolist(), zipf_text(2, 500, 330).tolist()
    model = NGramModel.train(TokenFile.of(ids), 330, 5, order)
    naive = NaiveKneserNey([ids], 330, 5, order)
    assert order in (1, 7) or len(model.summary["fallback_orders"]) < order
    for length, discounts in enumerate(model.summary["discounts"], start=1):
        assert discounts == pytest.approx(naive.discounts[length][1:], rel=1e-12)
    log_p = model.log_probs(TokenFile.of(held_out))
    np.testing.assert_allclose(log_p, naive.log_probs(held_out, 5), rtol=1e-12)
    stream = [5, *held_out]
    steps = [math.log(model.next_probs(stream[:end])[stream[end]]) for end in range(1, 60)]
    np.testing.assert_allclose(log_p[:59], steps, rtol=1e-12)


def a_list(seed: int, lines: int, vocab_size: int, end: int) -> tuple[list[list[int]], TokenFile]:
    """Lines of up to nine words, each ended by `end`; the same as a token file."""
    ids = zipf_text(seed, 10 * lines, vocab_size).tolist()
    lengths = np.random.default_rng(seed).integers(0, 10, lines).tolist()
    texts = [[*ids[10 * k : 10 * k + length], end] for k, length in enumerate(lengths)]
    tokens = TokenFile.of(list(itertools.chain(*texts)))
    tokens.documents, tokens.lines = np.cumsum([0, *map(len, texts[:-1])]), True
    return texts, tokens


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_lines_of_a_list_are_counted_each_by_itself(order):
    """Nothing comes before the first word of a line, and no n-gram spans two: their order in the file is chance."""
    (texts, tokens), (others, held_out) = a_list(21, 700, 40, 40), a_list(22, 30, 40, 40)
    model = NGramModel.train(tokens, 41, 40, order)
    naive = NaiveKneserNey(texts, 41, 40, order)
    expected = [log_p for text in others for log_p in naive.log_probs(text, 40)]
    np.testing.assert_allclose(model.log_probs(held_out), expected, rtol=1e-12)
    shuffled = TokenFile.of(list(itertools.chain(*texts[::-1])))
    shuffled.documents, shuffled.lines = np.cumsum([0, *map(len, texts[:0:-1])]), True
    np.testing.assert_array_equal(
        NGramModel.train(shuffled, 41, 40, order).log_probs(held_out), model.log_probs(held_out)
    )
    for context in ([40], texts[0][:2], [*texts[0], 3]):
        assert model.next_probs(context).sum() == pytest.approx(1.0, abs=1e-12)


def test_ids_up_to_32_bits():
    """Two such ids already fill a 64-bit key; longer n-grams need the numbers of their prefixes."""
    ids = (zipf_text(3, 600, 40) * (2**32 - 1) // 39).tolist()
    assert max(ids) == 2**32 - 1
    model = NGramModel.train(TokenFile.of(ids), 2**32, ids[0], 6)
    naive = NaiveKneserNey([ids], 2**32, ids[0], 6)
    other = [*ids[300:330], 17, 2**32 - 1, *ids[5:20]]
    np.testing.assert_allclose(model.log_probs(TokenFile.of(other)), naive.log_probs(other, ids[0]), rtol=1e-12)


# --- probabilities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_after_every_context(order):
    ids = zipf_text(4, 300, 4)
    model = NGramModel.train(TokenFile.of(ids), 6, 5, order)
    for length in range(4):
        for context in itertools.product(range(6), repeat=length):
            p_V = model.next_probs(context)
            assert p_V.sum() == pytest.approx(1.0, abs=1e-12)
            assert p_V.min() > 0


def test_probabilities_of_a_text_sum_to_one_over_its_last_word():
    ids = zipf_text(5, 2000, 50)
    model = NGramModel.train(TokenFile.of(ids), 60, 0, 4)
    for context in ([], [3], [59, 58], ids[100:120].tolist(), [*ids[7:9], 55]):
        total = sum(math.exp(model.log_probs(TokenFile.of([*context, word]))[-1]) for word in range(60))
        assert total == pytest.approx(1.0, abs=1e-12)


def test_counts_are_those_of_the_text_whatever_its_shards():
    ids = zipf_text(6, 1000, 30).astype(np.uint16)
    whole = TokenFile.of(ids)
    shards = TokenFile([ids[:123], ids[123:700], ids[700:]], whole.documents, whole.counts)
    for one, other in zip(count_ngrams(whole, 4, 2), count_ngrams(shards, 4, 2), strict=True):
        np.testing.assert_array_equal(one.keys_G, other.keys_G)
        np.testing.assert_array_equal(one.occurrences_G, other.occurrences_G)
        np.testing.assert_array_equal(one.befores_G, other.befores_G)
    stream = [2, *ids.tolist()]
    longest = Counter(tuple(stream[i : i + 4]) for i in range(len(stream) - 3))
    counted = count_ngrams(whole, 4, 2)
    assert [len(one.keys_G) for one in counted][3] == len(longest)
    assert sorted(counted[3].occurrences_G.tolist()) == sorted(longest.values())


def test_more_context_predicts_better_and_beats_word_frequencies():
    ids, held_out = zipf_text(7, 20_000, 200), TokenFile.of(zipf_text(8, 2000, 200))
    means = [NGramModel.train(TokenFile.of(ids), 200, 0, order).log_probs(held_out).mean() for order in (1, 2)]
    unigram = unigram_log_probs(np.bincount(ids, minlength=200))[held_out[:]].mean()
    assert uniform_log_probs(held_out, 200).mean() < unigram < means[1]
    assert means[0] == pytest.approx(unigram, abs=0.01)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_memory_stays_within_its_bound(order):
    ids = TokenFile.of(np.random.default_rng(1).integers(0, 2**31, 100_000))
    tracemalloc.start()
    NGramModel.train(ids, 2**31, 0, order)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.9 * memory_bound(len(ids), order) < peak < 1.05 * memory_bound(len(ids), order)


@pytest.mark.parametrize("order", [3, 5])
def test_a_pruned_model_gives_the_mass_of_what_it_left_out_to_shorter_contexts(order):
    """The naive formula in which n-grams of three words or more that occur once have no count of their own."""
    ids, held_out = zipf_text(11, 3000, 60).tolist(), zipf_text(12, 300, 70).tolist()
    model = NGramModel.train(TokenFile.of(ids), 70, 5, order, prune=1)
    naive = NaiveKneserNey([ids], 70, 5, order)
    stream = [5, *ids]
    often = {
        length: Counter(tuple(stream[place : place + length]) for place in range(len(stream) - length + 1))
        for length in range(3, order + 1)
    }
    discounts = {length: [0.0, *model.discounts_n4[length - 1][1:]] for length in range(1, order + 1)}

    def p(word: int, context: tuple[int, ...]) -> float:
        lower = p(word, context[1:]) if context else 1 / 70
        followers = naive.followers.get(context)
        if not followers:
            return lower
        length, total = len(context) + 1, sum(followers.values())
        kept = {w: c for w, c in followers.items() if length < 3 or often[length][(*context, w)] > 1}
        shares = {w: (c - discounts[length][min(c, 3)]) / total for w, c in kept.items()}
        return shares.get(word, 0.0) + (1 - math.fsum(shares.values())) * lower

    read = [5, *held_out]
    expected = [math.log(p(read[end], tuple(read[max(0, end - order + 1) : end]))) for end in range(1, len(read))]
    np.testing.assert_allclose(model.log_probs(TokenFile.of(held_out)), expected, rtol=1e-9)
    assert sum(model.ngrams) < sum(NGramModel.train(TokenFile.of(ids), 70, 5, order).ngrams)
    for context in ([], [3], held_out[:9], ids[100:120]):
        assert model.next_probs(context).sum() == pytest.approx(1.0, abs=1e-12)


def test_counts_of_longer_ngrams_hold_the_models_of_lower_order():
    ids, held_out = TokenFile.of(zipf_text(13, 2000, 80)), TokenFile.of(zipf_text(14, 300, 80))
    counted = count_ngrams(ids, 6, 3)
    for order in (1, 2, 5):
        direct = NGramModel.train(ids, 80, 3, order)
        np.testing.assert_array_equal(
            NGramModel.of(counted[:order], 80, 3).log_probs(held_out), direct.log_probs(held_out)
        )


def test_steps_of_several_texts_agree_with_reading_each(monkeypatch):
    ids = zipf_text(15, 3000, 50)
    model = NGramModel.train(TokenFile.of(ids), 60, 0, 4, prune=1)
    texts = [zipf_text(seed, 40, 60) for seed in (16, 17, 18)]
    state = np.repeat(model.read([0])[None], 3, 0)
    p_BV = np.empty((3, 60), np.float32)
    scored = [model.score(TokenFile.of(text)) for text in texts]
    for place in range(40):
        known_B = model.distributions(state, p_BV)
        chosen = np.array([text[place] for text in texts])
        np.testing.assert_allclose(np.log(p_BV[range(3), chosen]), [log_p[place] for log_p, _ in scored], rtol=1e-5)
        np.testing.assert_array_equal(known_B, [known[place] for _, known in scored])
        np.testing.assert_allclose(p_BV.sum(1), 1.0, rtol=1e-5)
        state = model.step(state, chosen)


def test_what_is_known_is_the_longest_continued_context_and_how_often_it_was():
    """Text 0 1 2 0 1 3 0 1 2: 0 1 was continued three times (binary 11), 3 0 once, 5 never."""
    model = NGramModel.train(TokenFile.of([0, 1, 2, 0, 1, 3, 0, 1, 2]), 10, 9, 3)
    kinds = {
        context: int(model.distributions(model.read(context)[None], np.empty((1, 10)))[0])
        for context in ((0, 1), (3, 0), (5,), (4, 1))
    }
    assert kinds[0, 1] == 2 * COUNT_BINS + 1
    assert kinds[3, 0] == 2 * COUNT_BINS
    assert kinds[5,] < COUNT_BINS
    assert kinds[4, 1] // COUNT_BINS == 1
    assert max(kinds.values()) < model.kinds


# --- files and errors ---------------------------------------------------------------------------------------


def test_a_saved_model_answers_the_same(tmp_path: Path):
    model = NGramModel.train(TokenFile.of(zipf_text(9, 3000, 100)), 120, 7, 4)
    held_out = TokenFile.of(zipf_text(10, 400, 120))
    model.save(tmp_path / "ngram.safetensors")
    loaded = NGramModel.load(tmp_path / "ngram.safetensors")
    assert loaded.summary == model.summary
    assert (loaded.order, loaded.vocab_size, loaded.start_id) == (4, 120, 7)
    np.testing.assert_array_equal(loaded.log_probs(held_out), model.log_probs(held_out))


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path):
    path = tmp_path / "ngram.safetensors"
    NGramModel.train(TokenFile.of([0, 1, 2, 1]), 3, 0, 2).save(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="digest"):
        NGramModel.load(path)
    kneser_ney.save_tensors(path, {"a": np.zeros(2)})
    with pytest.raises(InputError, match="not an n-gram model"):
        NGramModel.load(path)


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="order"):
        NGramModel.train(TokenFile.of([1, 2]), 3, 0, 0)
    with pytest.raises(InputError, match="tokens"):
        NGramModel.train(TokenFile.of([]), 3, 0)
    with pytest.raises(InputError, match="id 9, which a vocabulary of 3"):
        NGramModel.train(TokenFile.of([1, 9]), 3, 0)
    model = NGramModel.train(TokenFile.of([1, 2]), 3, 0)
    with pytest.raises(InputError, match="id 3"):
        model.log_probs(TokenFile.of([1, 3]))
    with pytest.raises(InputError, match="no tokens"):
        model.log_probs(TokenFile.of([]))


# --- baselines and mixtures ---------------------------------------------------------------------------------


def test_word_frequencies_and_equal_chances():
    tokens = TokenFile.of([0, 2, 1])
    np.testing.assert_allclose(uniform_log_probs(tokens, 4), [-math.log(4)] * 3)
    np.testing.assert_allclose(unigram_log_probs(np.array([5, 2, 0]))[tokens[:]], np.log(np.array([5, 0.5, 2]) / 7.5))


def test_interpolation_is_the_weighted_mean_of_probabilities():
    p_NM = np.random.default_rng(1).random((50, 3))
    weights = np.array([0.2, 0.0, 0.8])
    np.testing.assert_allclose(interpolate(np.log(p_NM), weights), np.log(p_NM @ weights), rtol=1e-12)
    tiny = np.array([[-2000.0, -2001.0, -1.0], [-np.inf, -3.0, -np.inf]])
    mixed = interpolate(tiny, np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(mixed, [-2000 + math.log(0.5 + 0.5 / math.e), -3 + math.log(0.5)])
    for bad in ([0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.5, 0.5], [math.nan, 0.5, 0.5]):
        with pytest.raises(InputError, match="mixture weights"):
            interpolate(tiny, np.array(bad))


def test_em_never_lowers_the_likelihood_and_ends_at_the_grid_optimum():
    random = np.random.default_rng(2)
    log_p_NM = np.log(random.beta([0.5, 1.0], [2.0, 3.0], size=(2000, 2)))
    path = [interpolate(log_p_NM, fit_weights(log_p_NM, rounds=rounds)).mean() for rounds in range(30)]
    assert (np.diff(path) >= -1e-15).all()
    assert path[-1] > path[0]
    grid = np.linspace(0, 1, 1001)
    likelihoods = [interpolate(log_p_NM, np.array([w, 1 - w])).mean() for w in grid]
    weights = fit_weights(log_p_NM)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(grid[np.argmax(likelihoods)], abs=2e-3)
    assert interpolate(log_p_NM, weights).mean() >= max(likelihoods) - 1e-7


def test_a_model_that_is_worse_everywhere_gets_no_weight():
    log_p_NM = np.random.default_rng(3).uniform(-900, -800, (500, 1)) - np.array([[0.0, 1.0, 2.0]])
    weights = fit_weights(log_p_NM)
    assert weights[0] == pytest.approx(1.0, abs=1e-6)
    assert interpolate(log_p_NM, weights).mean() >= log_p_NM[:, 0].mean() - 1e-7


def test_weights_cannot_be_fitted_where_nothing_is_possible():
    with pytest.raises(InputError, match="token 1"):
        fit_weights(np.array([[-1.0, -2.0], [-np.inf, -np.inf]]))
    with pytest.raises(InputError, match="no tokens"):
        fit_weights(np.zeros((0, 2)))


# --- real text ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_wikitext2(shared_data: Path, tmp_path: Path):
    """The figures of benchmarks/LOG.md, and every probability those of a real model."""
    folder = shared_data / "wikitext-2"
    corpus = prepare(folder / "train.txt", tmp_path / "c", valid=folder / "valid.txt", quiet=True)
    assert corpus.valid is not None
    size, start_id = len(corpus.tokenizer.vocab), corpus.tokenizer.start_id
    model = NGramModel.train(corpus.train, size, start_id)
    assert model.summary["ngrams"][:2] == [33_278, 619_592]
    assert model.summary["fallback_orders"] == []
    log_p_N2 = np.stack(
        [model.log_probs(corpus.valid), unigram_log_probs(corpus.tokenizer.vocab.counts)[corpus.valid[:]]], axis=1
    )
    assert math.exp(-log_p_N2[:, 0].mean()) == pytest.approx(232.50, abs=0.01)
    assert model.next_probs(corpus.valid[50:60]).sum() == pytest.approx(1.0, abs=1e-10)
    assert fit_weights(log_p_N2)[0] > 0.9
