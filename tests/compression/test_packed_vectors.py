"""Packed matrices: round trips, kernels against float64, and questions answered from the bytes as they are stored."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqlab
from seqlab.base.errors import InputError
from seqlab.base.files import load_tensors, save_tensors, write_manifest
from seqlab.compression.vectors import product as products
from seqlab.compression.vectors.pack import PACKINGS, packed
from seqlab.embeddings import WordVectors, load_vectors, save_vectors
from seqlab.embeddings.evaluation.evaluate import evaluate_analogies
from seqlab.embeddings.material.subwords import Subwords
from seqlab.embeddings.packed import matrix as packing
from seqlab.embeddings.packed.matrix import BITS, RowScales, ScalarMatrix, pack
from seqlab.embeddings.packed.product import ProductMatrix, Tier
from seqlab.embeddings.queries.nearest import nearest

WORDS = [f"word{number}" for number in range(400)]


def numbers(size: int = 400, dim: int = 24, seed: int = 0) -> np.ndarray:
    """Clusters of vectors of many lengths, one of them zero."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, dim))[rng.integers(20, size=size)]
    matrix = (centres + 0.5 * rng.normal(size=(size, dim))) * rng.lognormal(size=(size, 1))
    matrix[7 % size] = 0
    return matrix.astype(np.float32)


@given(st.sampled_from(BITS), st.integers(1, 40), st.integers(0, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_codes_of_every_shape_come_back(bits, dim, size, data):
    drawn = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=size * dim, max_size=size * dim))
    codes = np.array(drawn, np.uint8).reshape(size, dim)
    bytes_ = pack(codes, bits)
    assert bytes_.shape == (size, -(-dim * bits // 8))
    matrix = ScalarMatrix(bytes_, np.ones(size, np.float32), dim, bits)
    np.testing.assert_array_equal(matrix.decode(bytes_), 2.0 * codes - (1 << bits) + 1)
    np.testing.assert_array_equal(np.asarray(matrix), matrix[np.arange(size)])


@pytest.mark.parametrize("dim", [1, 5, 24, 33])
@pytest.mark.parametrize("method", PACKINGS)
def test_products_decoded_and_compiled_equal_float64(method, dim, monkeypatch):
    matrix = packed(numbers(dim=dim), method, stretch=min(4, dim))
    queries = np.random.default_rng(1).normal(size=(3, dim)).astype(np.float32)
    whole = np.asarray(matrix).astype(np.float64)
    scale = np.abs(whole).sum(axis=1).max()
    for patience in (1 << 31, -1):
        monkeypatch.setattr(packing, "PATIENCE", patience)
        for rows in (slice(None), slice(5, 77), slice(9, 9)):
            found = matrix.products(queries, rows)
            np.testing.assert_allclose(found, queries @ whole[rows].T, atol=2e-6 * scale)
    np.testing.assert_allclose(matrix.lengths(), np.where(whole.any(1), np.linalg.norm(whole, axis=1), 1), rtol=1e-5)
    assert not np.asarray(matrix)[7].any(), "a row of zeros"
    np.testing.assert_allclose(matrix[3], whole[3], atol=2e-6 * scale)
    np.testing.assert_allclose(matrix[2:9], whole[2:9], atol=2e-6 * scale)


@pytest.mark.parametrize("method", ["int4", "2bit", "1bit"])
def test_codes_and_scales_lose_least(method):
    """Larger or smaller scales are worse with the chosen codes: what alternating least squares ends in."""
    matrix = packed(part := numbers(60, 16), method)
    assert isinstance(matrix, ScalarMatrix)
    error = ((np.asarray(matrix) - part) ** 2).sum(axis=1)
    levels = matrix.decode(matrix.codes)
    for factor in (0.98, 1.02):
        assert ((levels * matrix.scales()[:, None] * factor - part) ** 2).sum() > error.sum()
    share = error.sum() / (part**2).sum()
    bound = {"int4": 0.02, "2bit": 0.16, "1bit": 0.45}[method]
    assert share < bound, "Max's distortions of a normal distribution: 0.0115, 0.1188, 0.3634; clusters are near it"


@pytest.mark.parametrize("above", [False, True])
@given(st.lists(st.floats(0, 1e9, width=32), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_scales_in_a_byte_are_the_nearest_levels(above, drawn):
    drawn = np.array(drawn, np.float32)
    drawn[drawn < 1e-20] = 0
    scales = RowScales.of(drawn, above)
    found, levels = scales.at(slice(None)), scales.levels_L[1:]
    assert not found[drawn == 0].any()
    for scale, level in zip(drawn[drawn > 0].astype(float), found[drawn > 0].astype(float), strict=True):
        if above:
            assert level == levels[levels >= scale].min()
        else:
            ratios = np.abs(np.log(levels.astype(float) / scale))
            assert abs(np.log(level / scale)) <= ratios.min() + 1e-6


def test_folders_with_scales_in_float32_still_open(tmp_path):
    """As they were written before scales were levels."""
    codes, scales = np.arange(40, dtype=np.uint8).reshape(10, 4), np.linspace(0.1, 2, 10, dtype=np.float32)
    books = np.random.default_rng(0).normal(size=(4, 256, 2)).astype(np.float32)
    for old in (ScalarMatrix(codes, scales, 4, 8), Tier(codes, scales, list(books), 8)):
        WordVectors(WORDS[:10], old).save(tmp_path / "old")
        for mapped in (False, True):
            back = WordVectors.load(tmp_path / "old", mapped=mapped).stored
            np.testing.assert_array_equal(np.asarray(back), old.decode(codes) * scales[:, None])


def test_int8_errs_by_half_a_level_at_most():
    matrix, part = packed(numbers(), "int8"), numbers()
    assert (np.abs(np.asarray(matrix) - part) <= matrix.scales()[:, None] * 1.001).all()


def test_the_codebooks_hold_the_nearest_entries():
    """In coordinates that float64 finds by itself: rows less the mean, along the directions, in standard deviations."""
    matrix = packed(part := numbers(), "pq", seed=3)
    assert isinstance(matrix, ProductMatrix)
    (tier,) = matrix.tiers
    units = part.astype(np.float64) / np.where(part.any(1), np.linalg.norm(part, axis=1), 1)[:, None]
    known = units[units.any(axis=1)]
    variances, directions = np.linalg.eigh(np.cov(known.T, bias=True))
    axes = np.asarray(tier.frame.axes(), np.float64)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), np.sqrt(variances[::-1][: len(axes)]), rtol=0.02)
    assert (np.abs(axes @ axes.T - np.diag((axes**2).sum(axis=1))) < 0.02 * (axes**2).sum(axis=1).max()).all()
    coordinates = (units - known.mean(axis=0)) @ (directions[:, ::-1] / np.sqrt(variances[::-1]))
    coordinates *= np.sign(np.einsum("dk,kd->k", directions[:, ::-1][:, : len(axes)], axes)) if len(axes) == 24 else 1
    for place, codebook in enumerate(tier.codebooks):
        own = coordinates[:, tier.bounds[place] : tier.bounds[place + 1]]
        distances = ((own[:, None] - codebook[None]) ** 2).sum(axis=2)
        chosen = np.take_along_axis(distances, tier.codes[:, place, None].astype(int), axis=1)[:, 0]
        np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-4)
    again = packed(part, "pq", seed=3)
    assert all(again.tensors()[name].tobytes() == array.tobytes() for name, array in matrix.tensors().items()), "seed"


def test_bytes_of_a_row_lose_least():
    """Against all ways to divide a row among so many stretches, tried one by one."""
    variances = np.array([4.0, 3.0, 1.0, 0.6, 0.5, 0.1, 0.01])
    errors, widths = products.choices_of(variances, 4)
    losses = products.DISTORTIONS
    for count, (error, found) in enumerate(zip(errors, widths, strict=True), start=1):
        every = []
        for tried in itertools.product(losses, repeat=count):
            if sum(tried) <= len(variances):
                ends = np.cumsum(tried)
                lost = [losses[w] * variances[end - w : end].sum() for w, end in zip(tried, ends, strict=True)]
                every.append(sum(lost) + variances[ends[-1] :].sum())
        own = np.cumsum(found)
        lost = [losses[w] * variances[end - w : end].sum() for w, end in zip(found, own, strict=True)]
        assert error == pytest.approx(min(every))
        assert error == pytest.approx(sum(lost) + variances[own[-1] :].sum())


@pytest.mark.parametrize("width", [2, 4, 8])
def test_distortions_are_those_of_normal_numbers(width):
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    sample, other = (rng.normal(size=(size, width)) for size in (12_000, 4000))
    means = KMeans(256, init="random", n_init=1, max_iter=8, random_state=0).fit(sample)
    error = (means.transform(other).min(axis=1) ** 2).mean() / width
    assert error == pytest.approx(products.DISTORTIONS[width], rel=0.15)
    assert products.DISTORTIONS[width] > 2 ** (-16 / width), "no code does better than the distortion-rate bound"


def test_frequent_words_get_more_bytes(tmp_path):
    rng = np.random.default_rng(0)
    part = rng.normal(size=(9000, 16)).astype(np.float32)
    matrix = packed(part, "pq", stretch=2)
    assert [len(tier) for tier in matrix.tiers] == [1000, 3000, 5000]
    sizes = [tier.codes.shape[1] for tier in matrix.tiers]
    assert sizes == sorted(set(sizes), reverse=True)
    assert matrix.nbytes <= 1.1 * part.nbytes / 8
    errors = [
        ((np.asarray(tier) - part[start : start + len(tier)]) ** 2).sum() / len(tier)
        for tier, start in zip(matrix.tiers, matrix.starts, strict=False)
    ]
    assert errors == sorted(errors)
    equal = packed(part, "pq", stretch=2, ranked=False)
    assert [len(tier) for tier in equal.tiers] == [9000]
    whole = np.asarray(matrix)
    queries = rng.normal(size=(3, 16)).astype(np.float32)
    for rows in (slice(None), slice(900, 4500), slice(4100, 4100)):
        np.testing.assert_allclose(matrix.products(queries, rows), queries @ whole[rows].T, atol=1e-4)
    for rows in (5, -1, slice(990, 1010), slice(None, None, -700), np.array([8000, 0, 1000]), whole[:, 0] > 1):
        np.testing.assert_allclose(matrix[rows], whole[rows], atol=1e-5)
    with pytest.raises(IndexError):
        matrix[9000]
    WordVectors([f"w{row}" for row in range(9000)], matrix).save(tmp_path / "small")
    for mapped in (False, True):
        stored = WordVectors.load(tmp_path / "small", mapped=mapped).stored
        np.testing.assert_array_equal(np.asarray(stored), whole)


@pytest.mark.parametrize("method", PACKINGS)
def test_every_question_is_answered_as_by_the_decoded_vectors(method, monkeypatch, tmp_path):
    vectors = WordVectors(WORDS, packed(numbers(), method), np.arange(400, 0, -1))
    decoded = WordVectors(WORDS, vectors.matrix, vectors.counts)
    for one, other in zip(vectors.neighbors_of_each(WORDS[:20]), decoded.neighbors_of_each(WORDS[:20]), strict=True):
        np.testing.assert_allclose([score for _, score in one], [score for _, score in other], atol=2e-5)
    for ask in (
        lambda v: v.analogy("word1", "word2", "word3", 1)[0][1],
        lambda v: v.neighbors(["word1", "word5"], 1, negative=["word9"], method="mul")[0][1],
        lambda v: v.similarity("word1", "word2"),
        lambda v: v.n_similarity(["word1"], ["word2", "word3"]),
        lambda v: v["word4"],
        lambda v: v.similarities([("word1", "word2")]),
    ):
        np.testing.assert_allclose(ask(vectors), ask(decoded), atol=2e-5)
    ties = {"1bit": 9, "2bit": 3}.get(method, 0)  # as near as one another but for rounding
    assert abs(vectors.rank("word1", "word2") - decoded.rank("word1", "word2")) <= ties
    assert vectors.doesnt_match(WORDS[:4]) == decoded.doesnt_match(WORDS[:4])
    (tmp_path / "q.txt").write_text(
        ": gram\n" + "".join(f"word{i} word{i + 1} word{i + 2} word{i + 3}\n" for i in range(90))
    )
    both = [evaluate_analogies(one, tmp_path / "q.txt")["correct"] for one in (vectors, decoded)]
    assert abs(both[0] - both[1]) <= ties
    queries = decoded.unit[:30]
    monkeypatch.setattr(packing, "BLOCK_NUMBERS", 24 * 64)
    rows, scores = nearest(vectors.stored, vectors.norms, queries, 7)
    _, expected = nearest(decoded.stored, decoded.norms, queries, 7)
    np.testing.assert_allclose(scores, expected, atol=2e-5)
    np.testing.assert_allclose(np.take_along_axis(queries @ decoded.unit.T, rows, 1), scores, atol=2e-5)


@pytest.mark.parametrize("method", PACKINGS)
def test_a_folder_keeps_every_byte_and_converts(method, tmp_path):
    grams = Subwords(packed(numbers(64), method), 3, 6)
    vectors = WordVectors(WORDS, packed(numbers(), method), np.arange(400, 0, -1), subwords=grams)
    vectors.save(tmp_path / "small")
    for mapped in (False, True):
        back = WordVectors.load(tmp_path / "small", mapped=mapped)
        assert type(back.stored) is type(vectors.stored)
        for name, array in vectors.stored.tensors().items():
            np.testing.assert_array_equal(back.stored.tensors()[name], array)
        np.testing.assert_array_equal(back["quite unknown"], vectors["quite unknown"])
        assert dict(back.neighbors("word3")) == pytest.approx(dict(vectors.neighbors("word3")), abs=1e-6)
    seqlab.load(tmp_path / "small").map(words=30, method="pca", quiet=True).save(tmp_path / "map.html")
    save_vectors(back, tmp_path / "out.vec")
    np.testing.assert_allclose(load_vectors(tmp_path / "out.vec").matrix, vectors.matrix, rtol=1e-6)


def damaged(folder, tensors, header):
    save_tensors(folder / "vectors.safetensors", tensors, header)
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    write_manifest(folder, names)


@pytest.mark.parametrize("mapped", [False, True])
def test_damaged_folders_are_refused(mapped, tmp_path):
    folder = tmp_path / "small"
    WordVectors(WORDS, packed(numbers(), "pq")).save(folder)
    file = folder / "vectors.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match=r"vectors\.safetensors"):
        WordVectors.load(folder, mapped=mapped)
    file.write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"vectors\.safetensors"):
        WordVectors.load(folder, mapped=mapped)
    file.write_bytes(whole)
    tensors, header = load_tensors(file)
    missing = {name: array for name, array in tensors.items() if name != "0.scales"}
    for arrays, about in (
        (tensors, {**header, "method": "magic"}),
        (tensors, {**header, "dim": "99"}),
        (tensors, {**header, "dim": "many"}),
        ({**tensors, "0.codes": tensors["0.codes"][:, :-1]}, header),
        ({**tensors, "0.scales": tensors["0.scales"][:-1]}, header),
        (missing, header),
        ({"0.codes": tensors["0.codes"]}, header),
        ({"codes": tensors["0.codes"]}, header),
        ({**tensors, "0.levels": tensors["0.levels"][:-1]}, header),
        ({**tensors, "0.scales": tensors["0.scales"].astype(np.int16)}, header),
        ({**tensors, "0.directions": tensors["0.directions"][:-1]}, header),
        ({**tensors, "0.widths": tensors["0.widths"] + 100}, header),
        (tensors, {**header, "method": "scalar", "bits": "3"}),
        (tensors, {**header, "method": "product"}),
    ):
        damaged(folder, arrays, about)
        with pytest.raises(InputError, match="small"):
            WordVectors.load(folder, mapped=mapped)
    damaged(folder, {**tensors, "0.levels": np.full_like(tensors["0.levels"], np.nan)}, header)
    with pytest.raises(InputError, match="NaN or infinity"):
        WordVectors.load(folder, mapped=mapped)
    assert json.loads((folder / "config.json").read_text())["kind"] == "embeddings"
