"""Training of word vectors: objectives and kernels against float64, sampling, jobs, determinism, what is learnt."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import float64_reference as reference
import numpy as np
import pytest
import torch
from costs import usual
from numba import njit

from seqlab.base.compiled import simd
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.numerics import exp
from seqlab.config import EmbeddingsConfig
from seqlab.embeddings import LOSSES, evaluate_vectors, load_vectors, train_embeddings
from seqlab.embeddings.engines.compiled.kernels import aligned, build_kernel
from seqlab.embeddings.engines.compiled.losses import FORMS, HIT
from seqlab.embeddings.material.noise import WORD_NOISE, alias_table, as_threshold, keep_probabilities, unigram_noise
from seqlab.embeddings.queries.nearest import nearest
from seqlab.embeddings.training.jobs import document_starts, plan_jobs
from seqlab.embeddings.training.planning import default_buckets, default_epochs
from seqlab.text import Corpus, TokenFile, prepare
from seqlab.text.tokenizers.table import TOKENIZERS
from seqlab.text.tokenizers.vocab import Vocab

LEXICON = 60
QUICK = EmbeddingsConfig(dim=16, epochs=4, min_count=1, subsample=0, workers=1, lr=0.1, subwords=False)
SAMPLED = [name for name, loss in LOSSES.items() if loss.sampled]


def corpus_of(ids: np.ndarray, documents: list[int] | None = None, shards: int = 1, dtype: Any = np.uint16) -> Corpus:
    """An in-memory corpus over words w0, w1, ...; ids need not be ordered by frequency."""
    counts = np.bincount(ids)
    order = np.argsort(-counts, kind="stable")
    ranked = np.empty(len(order), np.int64)
    ranked[order] = np.arange(len(order))
    vocab = Vocab([f"w{i}" for i in order], counts[order])
    whole = TokenFile.of(ranked[ids], dtype)
    starts = np.asarray(documents or [0], np.int64)
    tokens = TokenFile(np.array_split(whole.shards[0], shards), starts, whole.counts)
    return Corpus(Path("memory"), {}, TOKENIZERS["word"](vocab=vocab), {"train": tokens})


def zipf_ids(count: int, seed: int = 1) -> np.ndarray:
    weights = 1 / np.arange(1, LEXICON + 1)
    return np.random.default_rng(seed).choice(LEXICON, count, p=weights / weights.sum())


def topics_ids(count: int, seed: int = 1) -> np.ndarray:
    """Stretches of 20 words, each from one of 6 topics of 10 words."""
    random = np.random.default_rng(seed)
    topics = np.repeat(random.integers(6, size=count // 20), 20)
    return topics * 10 + random.integers(10, size=len(topics))


# Objectives


@pytest.mark.parametrize("loss", SAMPLED)
@pytest.mark.parametrize("scale", [0.1, 3.0, 40.0])
def test_objectives_equal_their_float64_reference(loss: str, scale: float) -> None:
    random = np.random.default_rng(3)
    scores = random.normal(scale=scale, size=(5, 16)).astype(np.float32)
    offsets = random.normal(size=16).astype(np.float32)
    offsets[[4, 15]] = HIT
    expected, gradient = reference.LOSSES[loss][0](np.where(offsets == HIT, -1e9, scores - offsets.astype(float)))
    worked = scores.copy()
    value = FORMS[LOSSES[loss].form](worked, 5, offsets, 16)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(worked, -gradient, atol=2e-6 * max(1, scale))
    assert np.abs(worked[:, [4, 15]]).max() < 1e-30


@pytest.mark.parametrize("loss", SAMPLED)
def test_reference_gradients_are_autograds(loss: str) -> None:
    z = torch.randn(4, 7, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(1))
    if loss == "sampled-softmax":
        value = torch.nn.functional.cross_entropy(z, torch.zeros(4, dtype=torch.long), reduction="sum")
    else:
        labels = torch.zeros(4, 7, dtype=torch.float64)
        labels[:, 0] = 1
        value = torch.nn.functional.binary_cross_entropy_with_logits(z, labels, reduction="sum")
    value.backward()
    ours, gradient = reference.LOSSES[loss][0](z.detach().numpy())
    assert ours == pytest.approx(value.item())
    np.testing.assert_allclose(gradient, z.grad, atol=1e-12)


def test_exp_is_accurate_over_its_range() -> None:
    @njit
    def compiled_exp(x: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        for i in range(x.size):
            y[i] = exp(x[i])
        return y

    x = np.linspace(-80, 20, 20_001, dtype=np.float32)
    np.testing.assert_allclose(compiled_exp(x), np.exp(x.astype(np.float64)), rtol=3e-7)
    assert compiled_exp(np.full(1, -1e30, np.float32))[0] < 1e-34


def full_gradient(inputs: np.ndarray, outputs: np.ndarray, context: int, target: int) -> np.ndarray:
    """Gradient of -log softmax(outputs @ inputs[context])[target] with respect to outputs."""
    scores = outputs @ inputs[context]
    probability = np.exp(scores - scores.max())
    probability /= probability.sum()
    probability[target] -= 1
    return probability[:, None] * inputs[context]


@pytest.fixture
def small_model() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    return random.normal(size=(12, 4)), random.normal(size=(12, 4))


def test_all_other_words_as_noise_give_the_full_softmax(small_model: tuple[np.ndarray, np.ndarray]) -> None:
    inputs, outputs = small_model
    expected = outputs - 0.1 * full_gradient(inputs, outputs, 3, 7)
    rows = np.array([7, *[row for row in range(12) if row != 7]])
    loss, _ = reference.update_window(inputs.copy(), outputs, np.array([3]), rows, np.zeros(12), 0.1)
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    assert loss > 0


def mean_sampled_error(draws: Callable[[], tuple[np.ndarray, np.ndarray]], size: int, target: int) -> float:
    """Largest error of the sampled gradient, averaged over 2,000 of `draws` (noise, log expected counts)."""
    random = np.random.default_rng(5)
    inputs, outputs = random.normal(size=(2, size, 4))
    mean = np.zeros_like(outputs)
    for _ in range(2000):
        noise, log_expected = draws()
        updated = outputs.copy()
        rows = np.array([target, *noise])
        reference.update_window(inputs.copy(), updated, np.array([3]), rows, log_expected, 1.0)
        mean += (outputs - updated) / 2000
    return float(np.abs(mean - full_gradient(inputs, outputs, 3, target)).max())


def test_the_mean_gradient_of_distinct_noise_approaches_the_full_one() -> None:
    noise = unigram_noise(np.arange(12, 0, -1), 0.75)
    random = np.random.default_rng(2)

    def draws(tries: int) -> tuple[np.ndarray, np.ndarray]:
        return np.unique(random.choice(12, tries, p=noise)), np.log(-np.expm1(tries * np.log1p(-noise)))

    errors = [mean_sampled_error(lambda tries=tries: draws(tries), 12, 7) for tries in (3, 30, 300)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.01


def test_the_mean_gradient_of_independent_noise_approaches_the_full_one() -> None:
    """As the kernels draw it: with replacement, for words the noise is not expected to repeat."""
    noise = unigram_noise(np.arange(500, 0, -1), 0.75)
    random = np.random.default_rng(2)

    def draws(samples: int) -> tuple[np.ndarray, np.ndarray]:
        return random.choice(500, samples, p=noise), np.log(samples * noise)

    errors = [mean_sampled_error(lambda samples=samples: draws(samples), 500, 200) for samples in (4, 40, 400)]
    assert errors[0] > 1.5 * errors[1] > 3 * errors[2]


def test_noise_equal_to_the_target_does_not_count(small_model: tuple[np.ndarray, np.ndarray]) -> None:
    log_expected = np.log(np.linspace(1, 2, 12))
    for loss in reference.LOSSES:
        results = []
        for noise in ([2, 5], [2, 7, 5, 7]):
            inputs, outputs = small_model[0].copy(), small_model[1].copy()
            rows = np.array([7, *noise])
            value, _ = reference.update_window(inputs, outputs, np.array([3, 4]), rows, log_expected, 0.1, loss)
            results.append((value, inputs, outputs))
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


# Vector instructions, noise


VECTORS, SHAPES = (4, 8, 16), ((16, 1), (112, 6), (112, 16), (304, 40))
CHECKED = {(simd.LANES, *shape) for shape in SHAPES} | {(lanes, 112, 6) for lanes in VECTORS}


@pytest.mark.parametrize(
    ("lanes", "dim", "count"),
    [
        pytest.param(lanes, *shape, marks=[] if (lanes, *shape) in CHECKED else pytest.mark.slow)
        for lanes in VECTORS
        for shape in SHAPES
    ],
)
def test_vector_instructions(lanes: int, dim: int, count: int) -> None:
    @njit
    def work(scores: Any, x: Any, rows: Any, target: Any, weights: Any, index: Any, n: int) -> None:
        for i in range(len(x)):
            simd.dot_rows(scores, i, x, i, rows, dim, count, lanes)
        simd.add_rows(target, 1, weights, 2, 3, rows, 0, n, n, dim, lanes)
        simd.add_rows(target, 4, weights, 1, 3, x, 1, 2, 3, dim, lanes)
        simd.copy_row(target, 2, rows, 0, dim, lanes)
        simd.prefetch_row(target, 0, dim)
        simd.mean_of_rows(target, 5, x, index, 1, 3, dim, lanes)
        simd.subtract_row(target, 6, x, target, dim, lanes)

    random = np.random.default_rng(1)
    x, rows, target = (random.random((n, dim), np.float32) for n in (8, count, 8))
    weights = random.random((count + 2, 3), np.float32)
    scores = np.full((8, simd.padded(count, lanes)), 9, np.float32)
    before = target.copy()
    work(scores, x, rows, target, weights, np.array([5, 1, 1, 3], np.int32), count)
    np.testing.assert_allclose(scores[:, :count], x.astype(float) @ rows.T, rtol=1e-5)
    assert not scores[:, count:].any()
    added = weights.ravel()[2::3][:count].astype(float) @ rows
    np.testing.assert_allclose(target[1], before[1] + added, rtol=1e-5)
    left_out = weights.ravel()[1::3][:3].astype(float) @ x[[1, 2, 4]]
    np.testing.assert_allclose(target[4], before[4] + left_out, rtol=1e-5)
    np.testing.assert_allclose(target[5], x[[1, 1, 3]].mean(axis=0), rtol=1e-5)
    assert (target[6] == x[6] - before[6]).all()
    assert (target[2] == rows[0]).all()
    assert (target[[0, 3, 7]] == before[[0, 3, 7]]).all()


@lru_cache
def tile(lanes: int) -> Any:
    @njit
    def work(out: Any, left: Any, right: Any, dim: int, limit: Any) -> Any:
        simd.multiply_tile(out, left, 2, right, 1, dim, 5, lanes)
        return [simd.any_above(out, i, limit, lanes) for i in range(5)]

    return work


@pytest.mark.parametrize("lanes", VECTORS)
@pytest.mark.parametrize("dim", [1, 5, 100])
def test_a_tile_is_a_product_of_matrices(lanes: int, dim: int) -> None:
    random = np.random.default_rng(1)
    left = random.normal(size=(3, dim, 5)).astype(np.float32)
    right = random.normal(size=(2, dim, 2 * lanes)).astype(np.float32)
    out = np.full((5, 2 * lanes), 9, np.float32)
    expected = left[2].T.astype(float) @ right[1]
    limit = np.float32(np.median(expected.max(axis=1)))
    above = tile(lanes)(out, left, right, dim, limit)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    assert above == (out > limit).any(axis=1).tolist()
    assert 1 < sum(above) < 5 or dim == 1


@pytest.mark.parametrize("name", WORD_NOISE)
@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_an_alias_table_holds_its_distribution(name: str, power: float) -> None:
    counts = np.sort(np.random.default_rng(1).integers(1, 10_000, 500))[::-1]
    noise = WORD_NOISE[name](counts, power)
    assert (np.diff(noise) <= 0).all()
    table = alias_table(noise)
    height = table[:, 0] / 2**32
    drawn = height / 500
    np.add.at(drawn, table[:, 1], (1 - height) / 500)
    np.testing.assert_allclose(drawn, noise, atol=1e-9)
    assert noise.sum() == pytest.approx(1)


def test_subsampling_is_word2vecs() -> None:
    counts = np.array([100_000, 1_000, 10])
    kept = keep_probabilities(counts, 1e-3)
    share = counts / counts.sum()
    np.testing.assert_allclose(kept, np.minimum(1, (np.sqrt(share / 1e-3) + 1) * 1e-3 / share))
    assert keep_probabilities(counts, 0).tolist() == [1, 1, 1]
    assert as_threshold(np.array([0.0, 0.5, 1.0])).tolist() == [0, 2**31, 2**32 - 1]


# Kernels


def kernel_arguments(samples: int, dim: int, ngrams: int = 0, seed: int = 4) -> dict[str, Any]:
    ids = zipf_ids(400).astype(np.uint16)
    ids.flags.writeable = False  # as those of a file
    rows = np.arange(LEXICON, dtype=np.int32) - 3  # the three most frequent ids are no words
    counts = np.bincount(ids, minlength=LEXICON)[3:] + 1
    keep = np.concatenate([np.zeros(3), keep_probabilities(counts, 0.01)])
    noise = unigram_noise(counts, 0.75)
    random = np.random.default_rng(seed)
    parts = [[word, *(len(counts) + random.integers(20, size=ngrams))] for word in range(len(counts))]
    inputs, outputs = aligned(len(counts) + 20, dim), aligned(len(counts), dim)
    inputs[:] = random.normal(scale=0.3, size=inputs.shape)
    outputs[:] = random.normal(scale=0.3, size=outputs.shape)
    return {
        "ids": ids,
        "starts": np.array([0, 100, 101, 250]),
        "rows": rows,
        "keep": as_threshold(keep),
        "offsets": np.arange(len(counts) + 1) * (1 + ngrams),
        "parts": np.concatenate(parts).astype(np.int32),
        "alias_table": alias_table(noise),
        "log_expected": np.log(samples * noise).astype(np.float32),
        "inputs": inputs,
        "outputs": outputs,
        "window": 4,
        "dynamic": True,
        "corrected": True,
        "lr": np.float32(0.05),
        "seed": np.uint64(123456789),
    }


MODELS = ("skipgram", "cbow", "cbow as in word2vec")
TRAINED = (*((loss, "skipgram") for loss in SAMPLED), (SAMPLED[0], "cbow"), (SAMPLED[0], "cbow as in word2vec"))
"""Four kernels: every loss, and every model."""


@pytest.mark.parametrize(("loss", "model"), usual(itertools.product(SAMPLED, MODELS), *TRAINED))
@pytest.mark.parametrize("ngrams", [0, 3])
def test_kernels_do_what_the_float64_reference_does(loss: str, model: str, ngrams: int) -> None:
    """Those that the trainings below use."""
    check_kernel(loss, model, simd.LANES, ngrams, 15 if model == "skipgram" else 12, 16)


@pytest.mark.parametrize(
    ("loss", "model"),
    [
        pytest.param(loss, model, marks=[pytest.mark.slow] if number else [])
        for number, (loss, model) in enumerate(zip(SAMPLED, MODELS, strict=True))
    ],
)
def test_kernels_of_another_width_do_what_the_reference_does(loss: str, model: str) -> None:
    check_kernel(loss, model, 8 if simd.LANES == 16 else 16, 0, 5, 32)


@pytest.mark.slow
@pytest.mark.parametrize("loss", SAMPLED)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("ngrams", [0, 3])
def test_kernels_of_every_width_do_what_the_reference_does(loss: str, model: str, lanes: int, ngrams: int) -> None:
    check_kernel(loss, model, lanes, ngrams, 5 if lanes == 8 else 15, 32)


def check_kernel(loss: str, model: str, lanes: int, ngrams: int, samples: int, dim: int) -> None:
    arguments = kernel_arguments(samples, dim, ngrams)
    arguments["dynamic"] = not ngrams
    arguments["corrected"] = model != "cbow as in word2vec"
    plain = {**arguments, "inputs": arguments["inputs"].astype(float), "outputs": arguments["outputs"].astype(float)}
    plain |= {"lr": float(arguments["lr"]), "seed": int(arguments["seed"])}
    cbow = model != "skipgram"
    expected = reference.train(**plain, samples=samples, loss=loss, cbow=cbow)
    result = build_kernel(dim, samples, loss, cbow, lanes)(*arguments.values())
    assert result[1] == expected[1] > 150
    assert result[0] == pytest.approx(expected[0], rel=1e-5)
    for name in ("inputs", "outputs"):
        np.testing.assert_allclose(arguments[name], plain[name], atol=2e-5)


def test_the_vectors_of_this_processor_train_and_search_as_the_reference_does() -> None:
    """With the width that `vector_lanes` chose; test_portability.py runs it for other processors."""
    arguments = kernel_arguments(15, 16)
    plain = {**arguments, "inputs": arguments["inputs"].astype(float), "outputs": arguments["outputs"].astype(float)}
    expected = reference.train(**plain | {"seed": 123456789}, samples=15, loss="sampled-softmax", cbow=False)
    result = build_kernel(16, 15, "sampled-softmax")(*arguments.values())
    assert result[1] == expected[1] > 150
    assert result[0] == pytest.approx(expected[0], rel=1e-5)
    for name in ("inputs", "outputs"):
        np.testing.assert_allclose(arguments[name], plain[name], atol=2e-5)
    rows, queries = np.random.default_rng(1).normal(size=(2, 70, 20)).astype(np.float32)
    found, scores = nearest(rows, np.linalg.norm(rows, axis=1), queries, 3)
    products = queries @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
    np.testing.assert_array_equal(found, np.argsort(-products, axis=1)[:, :3])
    np.testing.assert_allclose(scores, -np.sort(-products, axis=1)[:, :3], atol=1e-5)


def test_windows_end_with_their_document() -> None:
    arguments = kernel_arguments(15, 16) | {"keep": np.full(LEXICON, 2**32 - 1, np.uint32)}
    arguments["rows"] = np.arange(LEXICON, dtype=np.int32) % 57
    kernel = build_kernel(16, 15, "sampled-softmax")
    before = arguments["inputs"].copy()
    arguments["starts"] = np.arange(400)
    assert kernel(*arguments.values()) == (0.0, 0)
    assert (arguments["inputs"] == before).all()
    arguments["starts"] = np.arange(0, 400, 2)
    assert kernel(*arguments.values())[1] == 400


# Training


def test_jobs_cover_the_text_and_the_learning_rate_falls_to_almost_nothing() -> None:
    for tokens, epochs in ((10, 3), (5_000, 2), (1_234_567, 3)):
        jobs = plan_jobs(tokens, epochs, 0.05, seed=1)
        for epoch in range(epochs):
            ranges = [(job.start, job.stop) for job in jobs if job.epoch == epoch]
            assert ranges[0][0] == 0
            assert ranges[-1][1] == tokens
            assert all(a[1] == b[0] for a, b in zip(ranges, ranges[1:], strict=False))
        rates = [job.lr for job in jobs]
        assert rates[0] == 0.05
        assert rates == sorted(rates, reverse=True)
        assert min(rates) > 0
    assert max(job.stop - job.start for job in jobs) <= 100_000


@pytest.mark.parametrize(("epochs", "lengths"), [(2.25, [40, 40, 10]), (0.5, [20]), (0.001, [1]), (1.999, [40, 40])])
def test_a_part_of_a_pass_is_spread_over_the_text(epochs: float, lengths: list[int]) -> None:
    jobs = plan_jobs(40_000, epochs, 0.05, seed=1)
    by_epoch = [[job for job in jobs if job.epoch == epoch] for epoch in range(len(lengths))]
    assert [len(one) for one in by_epoch] == lengths
    assert sum(lengths) == len(jobs)
    starts = [job.start for job in by_epoch[-1]]
    assert max(np.diff([*starts, 40_000])) - min(np.diff([*starts, 40_000])) <= 1_000
    assert jobs[-1].lr == pytest.approx(0.05 / len(jobs))


def test_document_starts_are_relative_to_the_range() -> None:
    documents = np.array([0, 10, 20, 30])
    assert document_starts(documents, 0, 40).tolist() == [0, 10, 20, 30]
    assert document_starts(documents, 5, 30).tolist() == [0, 5, 15]
    assert document_starts(documents, 10, 11).tolist() == [0]


def test_epochs_follow_the_size_of_the_text() -> None:
    words = (0, 16_000, 160_000, 500_000, 10**7, 17 * 10**6, 10**9)
    assert [default_epochs(number) for number in words] == [50, 47, 15, 10, 10, 8, 1]


def test_buckets_follow_the_number_of_words() -> None:
    assert [default_buckets(words) for words in (50, 8_000, 10**5, 10**7)] == [600, 96_000, 150_000, 2_000_000]
    assert default_buckets(50_000) == 100_000


@pytest.mark.parametrize(("loss", "model"), usual(itertools.product(SAMPLED, MODELS[:2]), *TRAINED[:4]))
def test_training_finds_the_topics_of_a_text(model: str, loss: str) -> None:
    config = QUICK.updated({"model": model, "loss": loss, "lr": None, "epochs": 8})
    vectors, report = train_embeddings(corpus_of(topics_ids(40_000)), config, quiet=True)
    for word in vectors.words:
        nearest = [other for other, _ in vectors.neighbors(word, 9)]
        assert all(int(other[1:]) // 10 == int(word[1:]) // 10 for other in nearest)
    assert report["losses"][-1] < report["losses"][0]
    assert report["loss"] == report["losses"][-1]
    assert vectors.counts is not None
    assert (np.diff(vectors.counts) <= 0).all()


def test_one_worker_gives_the_same_bits_and_the_seed_matters() -> None:
    corpus = corpus_of(topics_ids(20_000))
    first, second, other = (
        train_embeddings(corpus, QUICK.updated({"seed": seed}), quiet=True)[0].matrix for seed in (7, 7, 8)
    )
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


def test_shards_and_id_width_change_nothing() -> None:
    ids = topics_ids(20_000)
    whole = train_embeddings(corpus_of(ids, [0, 77, 5_000]), QUICK, quiet=True)[0]
    for shards, dtype in ((7, np.uint16), (1, np.uint32), (3, np.uint32)):
        corpus = corpus_of(ids, [0, 77, 5_000], shards, dtype)
        assert train_embeddings(corpus, QUICK, quiet=True)[0].matrix.tobytes() == whole.matrix.tobytes()


def test_renaming_words_changes_nothing() -> None:
    ids = np.random.default_rng(1).permutation(np.repeat(np.arange(40), np.arange(100, 140)))
    first, second = (train_embeddings(corpus_of(renamed), QUICK, quiet=True)[0] for renamed in (ids, 39 - ids))
    assert first.matrix.tobytes() == second.matrix.tobytes()
    assert [39 - int(word[1:]) for word in first.words] == [int(word[1:]) for word in second.words]


def test_several_threads_learn_the_same_topics() -> None:
    vectors, report = train_embeddings(corpus_of(topics_ids(60_000)), QUICK.updated({"workers": 2}), quiet=True)
    assert report["threads"] == 2
    assert np.isfinite(vectors.matrix).all()
    for word in vectors.words[::5]:
        nearest = [other for other, _ in vectors.neighbors(word, 9)]
        assert all(int(other[1:]) // 10 == int(word[1:]) // 10 for other in nearest)


def test_rare_words_and_control_tokens_get_no_vector(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat .\n" * 50 + "hapax legomenon\n")
    corpus = prepare(text, tmp_path / "corpus", EmbeddingsConfig().text, for_words=True, quiet=True)
    vectors, report = train_embeddings(corpus, QUICK.updated({"min_count": 5}), quiet=True)
    assert set(vectors.words) == {"the", "cat", "sat", "on", "mat", "."}
    assert vectors.words[0] == "the"
    assert vectors.meta["corpus"] == corpus.digest
    vectors.save(tmp_path / "vectors")
    loaded = load_vectors(tmp_path / "vectors")
    assert loaded.meta["settings"]["min_count"] == 5
    assert loaded.meta["report"]["words"] == report["words"]
    with pytest.raises(InputError, match=r"different words, of which 0 occur .* \(the most frequent one 100"):
        train_embeddings(corpus, QUICK.updated({"min_count": 1_000}), quiet=True)


def test_divergence_stops_with_advice() -> None:
    with pytest.raises(SeqlabError, match=r"diverged.*smaller learning rate than lr = 1e\+06") as caught:
        train_embeddings(corpus_of(topics_ids(20_000)), QUICK.updated({"lr": 1e6}), quiet=True)
    assert caught.value.exit_code == 1


def test_a_misspelt_loss_is_answered_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="Did you mean 'negative-sampling'"):
        train_embeddings(corpus_of(zipf_ids(100)), QUICK.updated({"loss": "negative-samplings"}), quiet=True)


def test_the_hash_seed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(" ".join(f"w{i}" for i in zipf_ids(20_000)))
    code = (
        "import sys, hashlib; from seqlab.config import EmbeddingsConfig, TextConfig; "
        "from seqlab.text import prepare; from seqlab.embeddings import train_embeddings; "
        "text = TextConfig(tokenizer='word', valid_fraction=0); "
        "corpus = prepare(sys.argv[1], sys.argv[2], text, for_words=True, quiet=True, workers=1); "
        "config = EmbeddingsConfig(dim=16, epochs=1, min_count=1, workers=1); "
        "vectors, _ = train_embeddings(corpus, config, quiet=True); "
        "print(hashlib.sha256(vectors.matrix.tobytes() + repr(vectors.words).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "text.txt"), str(tmp_path / "other")],
        env={**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "text.txt"), str(tmp_path / "own")])
    exec(code, {})
    assert capsys.readouterr().out == done.stdout


@pytest.mark.slow
def test_quality_on_a_real_text(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "text8like" / "text8like.gz"
    corpus = prepare(source, tmp_path / "corpus", EmbeddingsConfig().text, for_words=True, quiet=True)
    vectors, _ = train_embeddings(corpus, EmbeddingsConfig(epochs=5), quiet=True)
    questions = shared_data / "questions" / "questions-words.txt"
    scores = evaluate_vectors(vectors, [questions], [shared_data / "similarity" / "EN-WS-353-ALL.txt"]).to_json()
    assert scores["analogies"]["accuracy"] > 57
    assert scores["analogies"]["syntactic"] > 62
    assert scores["similarity"][0]["spearman"] > 0.6  # trainings with several threads had 0.629 to 0.672
