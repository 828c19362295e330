"""Word vectors: queries against gensim, folders, and the two query verbs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqlab_cli.main import run
from seqlab_cli.vectors.analogy import parse_expression

from seqlab.base.errors import InputError
from seqlab.base.files import save_tensors
from seqlab.embeddings import WordVectors, load_vectors
from seqlab.embeddings.material.subwords import Subwords
from seqlab.embeddings.queries.nearest import BLOCKS, TILE, WIDTH, nearest
from seqlab.embeddings.queries.ranking import highest

gensim = pytest.importorskip("gensim", reason="no gensim for this Python")
KeyedVectors = gensim.models.KeyedVectors


def random_vectors(count: int = 300, dim: int = 20, seed: int = 1) -> WordVectors:
    random = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(count)]
    return WordVectors(words, random.normal(size=(count, dim)), np.arange(count, 0, -1))


def as_gensim(vectors: WordVectors) -> KeyedVectors:
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


def assert_same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], rtol=1e-5, atol=1e-6)


@pytest.fixture
def vectors() -> WordVectors:
    return random_vectors()


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (["w1"], []),
        (["w3", "w4"], ["w5"]),
        (["w3", "w4", "w9"], ["w5", "w6"]),
        ([("w3", 0.5), ("w7", 2.0)], [("w5", -0.3), "w8"]),
        ([], ["w2"]),
    ],
)
def test_neighbors_are_gensims(vectors: WordVectors, positive: list, negative: list) -> None:
    theirs = as_gensim(vectors).most_similar(positive=positive, negative=negative, topn=12)
    assert_same(vectors.neighbors(positive, 12, negative=negative), theirs)


def test_analogies_are_gensims_with_both_methods(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    for a, b, c in (("w1", "w2", "w3"), ("w10", "w20", "w30"), ("w7", "w7", "w8")):
        assert_same(vectors.analogy(a, b, c, k=7), keyed.most_similar(positive=[b, c], negative=[a], topn=7))
        assert_same(
            vectors.analogy(a, b, c, k=7, method="mul"),
            keyed.most_similar_cosmul(positive=[b, c], negative=[a], topn=7),
        )


def test_similarity_and_odd_one_out_are_gensims(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    assert vectors.similarity("w1", "w2") == pytest.approx(keyed.similarity("w1", "w2"), abs=1e-6)
    for words in (["w1", "w2", "w3"], ["w9", "w8", "w7", "w6", "w5"]):
        assert vectors.doesnt_match(words) == keyed.doesnt_match(words)
    with pytest.raises(InputError, match="at least two"):
        vectors.doesnt_match(["w1"])


def test_groups_and_ranks_are_gensims(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    groups = (["w1", "w2", "w3"], ["w9", "w8"])
    assert vectors.n_similarity(*groups) == pytest.approx(keyed.n_similarity(*groups), abs=1e-6)
    for a, b in (("w1", "w2"), ("w5", "w200"), ("w17", vectors.neighbors("w17", 1)[0][0])):
        assert vectors.rank(a, b) == keyed.rank(a, b)
    assert vectors.rank("w17", vectors.neighbors("w17", 3)[2][0]) == 3
    with pytest.raises(InputError, match="each side"):
        vectors.n_similarity([], ["w1"])


def test_gensims_names_answer_the_same(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    assert vectors.key_to_index == keyed.key_to_index
    assert vectors.index_to_key == keyed.index_to_key
    assert vectors.vector_size == keyed.vector_size
    for arguments in (
        {"positive": "w1"},
        {"positive": ["w1", "w2"], "negative": ["w3"], "topn": 5},
        {"negative": ["w4"]},
    ):
        assert_same(vectors.most_similar(**arguments), keyed.most_similar(**arguments))
    arguments = {"positive": ["w1", "w2"], "negative": ["w3"], "topn": 5}
    assert_same(vectors.most_similar_cosmul(**arguments), keyed.most_similar_cosmul(**arguments))


def some_vectors() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(3, 20)).astype(np.float32)


CALLS: list[tuple[str, tuple, dict]] = [
    ("most_similar", (some_vectors()[0],), {}),
    ("most_similar", (some_vectors(),), {"topn": 3}),
    ("most_similar", ([some_vectors()[0], "w3", "w4"],), {"negative": some_vectors()[1]}),
    ("most_similar", ([(some_vectors()[0], 0.3), ("w5", 2.0)],), {"negative": [(some_vectors()[1], -0.2), "w9"]}),
    ("most_similar", (some_vectors()[0].astype(np.float64),), {}),
    ("most_similar", ("w1",), {"restrict_vocab": 40}),
    ("most_similar", ("w1",), {"restrict_vocab": 5000, "clip_start": 3}),
    ("most_similar", ("w1",), {"clip_start": 30, "clip_end": 90}),
    ("most_similar", (["w31", "w2"],), {"clip_start": 30, "clip_end": 35, "topn": 10}),
    ("most_similar", ("w1",), {"clip_start": 100}),
    ("most_similar", ("w1",), {"clip_start": -50, "clip_end": -10}),
    ("most_similar", ("w1",), {"topn": 0}),
    ("most_similar", ("w1",), {"topn": -3}),
    ("most_similar", ("w1",), {"topn": None}),
    ("most_similar", (["w1", "w2"], ["w3"]), {"topn": None, "clip_start": 7, "clip_end": 80}),
    ("most_similar", ("w1",), {"topn": 10_000}),
    ("most_similar", ("w1",), {"topn": np.int64(4)}),
    ("most_similar_cosmul", (["w1", "w2"], ["w3"]), {"topn": None}),
    ("most_similar_cosmul", (["w1", "w2"], ["w3"]), {"topn": 0}),
    ("most_similar_cosmul", ("w1", "w2"), {}),
    ("most_similar_cosmul", (["w1", some_vectors()[0]], [some_vectors()[1], "w2"]), {}),
    ("similar_by_word", ("w8",), {"topn": 4}),
    ("similar_by_word", ("w8", 4, 50), {}),
    ("similar_by_word", ("w8",), {"topn": None}),
    ("similar_by_vector", (some_vectors()[2],), {}),
    ("similar_by_vector", (some_vectors()[2], 3, 100), {}),
    ("similar_by_vector", (some_vectors()[2],), {"topn": None}),
    ("get_vector", ("w4",), {}),
    ("get_vector", ("w4",), {"norm": True}),
    ("get_index", ("w4",), {}),
    ("get_index", ("nobody",), {"default": -1}),
    ("__getitem__", ("w4",), {}),
    ("__getitem__", (["w4", "w2"],), {}),
    ("__getitem__", (("w4", "w2"),), {}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CALLS)
def test_gensims_calls_give_gensims_answers(vectors: WordVectors, name: str, arguments: tuple, options: dict) -> None:
    ours = getattr(vectors, name)(*arguments, **options)
    theirs = getattr(as_gensim(vectors), name)(*arguments, **options)
    if isinstance(theirs, list):
        assert_same(ours, theirs)
    else:
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gensims_attributes_and_errors(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    assert vectors.vectors is vectors.matrix
    assert np.array_equal(vectors.vectors, keyed.vectors)
    for asked in (vectors, keyed):
        for call in (lambda v: v["nobody"], lambda v: v.get_index("nobody"), lambda v: v.most_similar("nobody")):
            with pytest.raises(KeyError, match="nobody"):
                call(asked)
        with pytest.raises(ValueError, match="no input|at least one word"):
            asked.most_similar()
    for wrong in (np.ones(3), np.full(20, np.nan), np.ones((2, 2, 20))):
        with pytest.raises(InputError, match="give 20 finite numbers"):
            vectors.most_similar(wrong)


def test_restricting_the_vocabulary_also_restricts_multiplied_similarities(vectors: WordVectors) -> None:
    best = vectors.most_similar_cosmul(["w1", "w2"], ["w3"], topn=5, restrict_vocab=50)
    everything = vectors.most_similar_cosmul(["w1", "w2"], ["w3"], topn=300)
    assert best == [found for found in everything if vectors.row(found[0]) < 50][:5]


def test_vectors_are_an_array_and_their_words_can_be_walked(vectors: WordVectors) -> None:
    assert np.asarray(vectors) is vectors.matrix
    assert np.asarray(vectors, np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(vectors), vectors.matrix)
    assert list(vectors) == vectors.words


def test_pandas_takes_vectors_as_they_are(vectors: WordVectors) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(vectors, index=vectors.words)
    assert frame.shape == (300, 20)
    assert frame.loc["w7"].tolist() == vectors["w7"].tolist()
    assert vectors[frame.index[:2]].tolist() == vectors.matrix[:2].tolist()
    assert vectors.neighbors(pandas.Series(["w1", "w2"]), 3) == vectors.neighbors(["w1", "w2"], 3)


def test_subsets_keep_vectors_and_counts(vectors: WordVectors) -> None:
    first = vectors.subset(10)
    assert first.words == vectors.words[:10]
    chosen = vectors.subset(["w7", "w3"])
    assert chosen.matrix.tolist() == [vectors["w7"].tolist(), vectors["w3"].tolist()]
    assert chosen.counts is not None
    assert chosen.counts.tolist() == [293, 297]
    assert vectors.subset(["w7", "w3"]).neighbors("w7", 1)[0][0] == "w3"
    with pytest.raises(InputError, match="'nobody' is not among"):
        vectors.subset(["nobody"])
    with pytest.raises(InputError, match="more than once"):
        vectors.subset(["w1", "w1"])


def test_normalized_vectors_have_length_one(vectors: WordVectors) -> None:
    np.testing.assert_allclose(np.linalg.norm(vectors.normalize().matrix, axis=1), 1, rtol=1e-6)
    assert not WordVectors(["zero"], np.zeros((1, 3))).normalize().matrix.any()


@pytest.mark.parametrize("directions", [0, 1, 3, None])
def test_all_but_the_top_is_a_float64_principal_component_analysis(
    directions: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.embeddings.queries.all_but_the_top.BLOCK", 5000)  # many blocks
    vectors = random_vectors(400, 120)
    matrix = vectors.matrix + np.float32(3) * np.random.default_rng(2).normal(size=120).astype(np.float32)
    ours = WordVectors(vectors.words, matrix).all_but_the_top(directions).matrix
    centred = matrix.astype(np.float64) - matrix.astype(np.float64).mean(axis=0)
    top = np.linalg.svd(centred, full_matrices=False)[2][: 1 if directions is None else directions]
    np.testing.assert_allclose(ours, centred - centred @ top.T @ top, atol=2e-5)
    with pytest.raises(InputError, match="directions: 121"):
        vectors.all_but_the_top(121)


def test_single_words_and_lists_and_weights_are_told_apart(vectors: WordVectors) -> None:
    alone = vectors.neighbors("w1", 3)
    assert alone == vectors.neighbors(["w1"], 3) == vectors.neighbors(("w1", 1.0), 3)
    assert vectors.neighbors(("w1", "w2"), 3) == vectors.neighbors(["w1", "w2"], 3)
    with pytest.raises(InputError, match="at least one word"):
        vectors.neighbors([])


def test_a_batch_answers_like_single_queries(vectors: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.embeddings.queries.batched.MANY", 0)
    words = vectors.words[:50]
    for word, batch in zip(words, vectors.neighbors_of_each(words, 5), strict=True):
        assert_same(batch, vectors.neighbors(word, 5))


@pytest.mark.parametrize("method", ["add", "mul"])
@pytest.mark.parametrize("compiled", [False, True])
def test_batched_analogies_are_the_single_ones(
    vectors: WordVectors, method: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.embeddings.queries.batched.BLOCK", 1000)  # three questions a block
    if compiled:
        monkeypatch.setattr("seqlab.embeddings.queries.batched.MANY", 0)
    triples = [["w1", "w1", "w1"], ["w1", "w1", "w2"]]
    triples += np.random.default_rng(3).choice(vectors.words, (40, 3)).tolist()
    for triple, batch in zip(triples, vectors.analogies(triples, 6, method=method), strict=True):
        assert_same(batch, vectors.analogy(*triple, k=6, method=method))
        assert not set(triple) & set(dict(batch))
    assert vectors.analogies(np.array(triples), 6, method=method) == vectors.analogies(triples, 6, method=method)
    assert vectors.analogies([], 6, method=method) == []
    assert [len(found) for found in vectors.analogies(triples[2:4], 1000, method=method)] == [297, 297]


def test_batched_similarities_and_ranks_are_the_single_ones(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.embeddings.queries.batched.BLOCK", 1000)
    pairs = [["w7", "w7"], *np.random.default_rng(4).choice(vectors.words, (60, 2)).tolist()]
    similarities, ranks = vectors.similarities(pairs), vectors.ranks(pairs)
    assert (similarities.dtype, similarities.shape) == (np.float32, (61,))
    np.testing.assert_allclose(similarities, [vectors.similarity(a, b) for a, b in pairs], atol=1e-6)
    assert ranks.dtype == np.int64
    assert ranks.tolist() == [vectors.rank(a, b) for a, b in pairs]
    assert vectors.similarities([]).shape == vectors.ranks([]).shape == (0,)
    with pytest.raises(InputError, match="'nobody' is not among"):
        vectors.similarities([("w1", "nobody")])
    for wrong in ([("w1", "w2", "w3")], "w1", [("w1",)]):
        with pytest.raises(InputError, match="give 2 words for each question"):
            vectors.ranks(wrong)


def test_batches_answer_for_composed_words_too() -> None:
    random = np.random.default_rng(5)
    subwords = Subwords(random.normal(size=(50, 8)).astype(np.float32), 2, 3)
    vectors = WordVectors([f"w{i}" for i in range(60)], random.normal(size=(60, 8)), subwords=subwords)
    pairs = [("w1", "unseen"), ("unseen", "w2"), ("unseen", "unheard"), ("unseen", "unseen")]
    np.testing.assert_allclose(vectors.similarities(pairs), [vectors.similarity(a, b) for a, b in pairs], atol=1e-6)
    assert vectors.ranks(pairs).tolist() == [vectors.rank(a, b) for a, b in pairs]
    for method in ("add", "mul"):
        [batch] = vectors.analogies([("w1", "unseen", "w2")], 60, method=method)
        assert_same(batch, vectors.analogy("w1", "unseen", "w2", 60, method=method))


def test_a_word_stands_for_a_list_of_one(vectors: WordVectors) -> None:
    assert vectors.n_similarity("w12", "w34") == pytest.approx(vectors.similarity("w12", "w34"), abs=1e-6)
    assert vectors.neighbors_of_each("w12", 2) == [vectors.neighbors("w12", 2)]
    assert vectors.vectors_of("w12").tolist() == [vectors["w12"].tolist()]
    assert vectors.subset("w12").words == ["w12"]
    with pytest.raises(InputError, match="at least two"):
        vectors.doesnt_match("w1")
    assert vectors.doesnt_match(word for word in ("w1", "w2", "w3")) == vectors.doesnt_match(["w1", "w2", "w3"])
    assert vectors.subset(np.int64(3)).words == ["w0", "w1", "w2"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v[0],
        lambda v: v[[0, 1]],
        lambda v: v[np.arange(2)],
        lambda v: v.row(0),
        lambda v: v.get_index(0),
        lambda v: v.get_vector(0),
        lambda v: v.neighbors_of_each([0]),
        lambda v: v.subset([0]),
        lambda v: v.subset(2.0),
        lambda v: v.similarity("w1", 2),
        lambda v: v.analogies([("w1", "w2", 3)]),
        lambda v: v.most_similar(0),
        lambda v: v.neighbors(["w1", 0]),
        lambda v: v.neighbors(["w1"], negative=[None]),
    ],
)
def test_a_number_is_not_a_word(vectors: WordVectors, ask: Callable[[WordVectors], object]) -> None:
    with pytest.raises(InputError, match="is not a word|is neither a word nor a vector"):
        ask(vectors)


def test_k_is_bounded_by_the_vocabulary_and_ties_keep_the_order_of_the_words() -> None:
    vectors = WordVectors(["a", "b", "c", "d"], [[1, 0], [0, 1], [0, 2], [0, 3]])
    assert vectors.neighbors("a", 100) == [("b", 0.0), ("c", 0.0), ("d", 0.0)]
    assert [word for word, _ in vectors.neighbors("a", 2)] == ["b", "c"]
    assert vectors.neighbors("a", 0) == []
    assert vectors.neighbors(vectors.words, 3) == []


KINDS = ["all different", "many equal", "all equal", "with NaN and infinity"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [0, 1, 5, 255, 256, 1000, 5000, 20_011])
def test_the_highest_scores_are_those_of_a_stable_sort(kind: str, width: int) -> None:
    random = np.random.default_rng(KINDS.index(kind) + width)
    scores = random.normal(size=(4, width)).astype(np.float32)
    if kind == "many equal":
        scores = np.round(scores * 3)
    elif kind == "all equal":
        scores[:] = 1
    elif kind == "with NaN and infinity":
        scores[random.random(scores.shape) < 0.01] = np.nan
        scores[random.random(scores.shape) < 0.01] = -np.inf
    for k in (-1, 0, 1, 2, 10, 60, 1000, width, width + 3):
        for row in scores:
            order = np.argsort(-row, kind="stable")[: max(0, k)]
            columns, found = highest(row, k)
            np.testing.assert_array_equal(columns, order)
            np.testing.assert_array_equal(found, row[order])


@pytest.mark.parametrize("duplicated", [False, True])
@pytest.mark.parametrize(
    ("size", "dim", "queries"),
    [
        (1, 1, 1),
        (WIDTH - 1, 3, TILE),
        (WIDTH * BLOCKS, 8, TILE + 1),
        (2 * WIDTH * BLOCKS + 5, 20, 2 * TILE - 1),
        (5000, 7, 40),
    ],
)
def test_the_compiled_search_finds_what_a_stable_sort_finds(
    size: int, dim: int, queries: int, duplicated: bool
) -> None:
    random = np.random.default_rng(size)
    matrix = random.integers(-4, 5, (size, dim)).astype(np.float32)  # sums of small integers are exact in any order
    if duplicated:
        matrix = np.ascontiguousarray(np.tile(matrix[: max(1, size // 30)], (40, 1))[:size])
    asked = random.integers(-4, 5, (queries, dim)).astype(np.float32)
    norms = np.exp2(random.integers(-2, 3, len(matrix))).astype(np.float32)
    scores = asked @ (matrix / norms[:, None]).T
    for k in (-1, 0, 1, 10, 200, size + 3):
        expected = np.argsort(-scores, axis=1, kind="stable")[:, : max(0, k)]
        rows, found = nearest(matrix, norms, asked, k)
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(found, np.take_along_axis(scores, expected, axis=1))
    assert [part.shape for part in nearest(matrix, norms, asked[:0], 3)] == [(0, min(3, size))] * 2
    assert matrix.flags.writeable


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("mapped", [False, True])
def test_many_words_answer_like_a_sort_of_all_cosines(
    mapped: bool, compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:
        monkeypatch.setattr("seqlab.embeddings.queries.batched.MANY", 0)
    vectors = random_vectors(9000, 4)
    if mapped:
        vectors.save(tmp_path / "v")
        vectors = WordVectors.load(tmp_path / "v", mapped=True)
    unit = vectors.matrix.astype(np.float64) / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    words = ["w0", "w77", "w8999", "w77"]
    for word, batch in zip(words, vectors.neighbors_of_each(words, 12), strict=True):
        row = vectors.row(word)
        cosines = unit @ unit[row]
        cosines[row] = -2
        expected = np.sort(cosines)[::-1][:12]
        for answer in (batch, vectors.neighbors(word, 12)):
            np.testing.assert_allclose([score for _, score in answer], expected, atol=1e-6)
            assert word not in dict(answer)
            rows = [vectors.row(other) for other, _ in answer]
            np.testing.assert_allclose(cosines[rows], expected, atol=1e-6)
    assert "unit" not in vars(vectors)
    assert vectors.neighbors_of_each([]) == []


def test_zero_vectors_never_give_nan(vectors: WordVectors) -> None:
    matrix = vectors.matrix.copy()
    matrix[5] = 0
    vectors = WordVectors(vectors.words, matrix)
    scores = [score for word in ("w5", "w6") for _, score in vectors.neighbors(word, 400)]
    scores += [score for _, score in vectors.analogy("w5", "w5", "w5", k=400, method="mul")]
    scores += [vectors.similarity("w5", "w6")]
    assert np.isfinite(scores).all()
    assert vectors.similarity("w5", "w6") == 0
    assert vectors.neighbors(["w6"], 3, negative=["w6"])


def test_unknown_words_are_answered_with_suggestions() -> None:
    vectors = WordVectors(["the", "Paris", "queen", "king", "KING"], np.eye(5))
    with pytest.raises(InputError, match=r"'quene' is not among the 5 words .* Did you mean 'queen'\?"):
        vectors["quene"]
    with pytest.raises(InputError, match="Did you mean 'Paris'"):
        vectors.neighbors("paris")
    with pytest.raises(InputError, match="Did you mean 'king' or 'KING'"):
        vectors.similarity("King", "the")
    with pytest.raises(InputError, match=r"these vectors\.$"):
        vectors.analogy("xyzzy", "the", "king")
    assert "the" in vectors
    assert "nothing" not in vectors


@pytest.mark.parametrize(
    ("words", "matrix", "message"),
    [
        (["a"], np.zeros((2, 3)), "1 word and a matrix of shape"),
        (["a", "a"], np.zeros((2, 3)), "'a' occurs more than once"),
        (["a", "b"], np.array([[0, 1], [np.nan, 0]]), "'b' holds NaN"),
        (["a"], np.zeros(3), "1 word and a matrix of shape"),
    ],
)
def test_what_vectors_cannot_be_made_of(words: list[str], matrix: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        WordVectors(words, matrix)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.text(), min_size=1, max_size=8, unique=True), seed=st.integers(0, 99))
def test_a_folder_keeps_every_bit_and_every_word(
    words: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vectors") / "v"
    matrix = np.random.default_rng(seed).normal(size=(len(words), 3)).astype(np.float32)
    WordVectors(words, matrix, np.arange(len(words)), {"settings": {"dim": 3}}).save(folder)
    loaded = load_vectors(folder)
    assert loaded.words == words
    assert loaded.matrix.tobytes() == matrix.tobytes()
    assert loaded.counts is not None
    assert loaded.counts.tolist() == list(range(len(words)))
    assert loaded.meta["settings"] == {"dim": 3}


def test_odd_words_survive_a_folder(tmp_path: Path) -> None:
    words = ["new york", "\u2028", "a\nb", "\ud800", "", "\u00a0", "<unk>", "naïve", "🦊"]
    WordVectors(words, np.eye(len(words))).save(tmp_path / "v")
    assert WordVectors.load(tmp_path / "v").words == words


@pytest.mark.parametrize("name", ["vectors.safetensors", "vocab.json", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_folder_is_refused_naming_the_file(
    vectors: WordVectors, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "v"
    vectors.save(folder)
    file = folder / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:-30])
    else:
        middle = content.index(b'"sha256"') + 15 if name == "manifest.json" else len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(InputError, match=name):
        load_vectors(folder)


@pytest.mark.parametrize("verify", [None, False, True, "once"])
def test_a_mapped_folder_answers_the_same(vectors: WordVectors, tmp_path: Path, verify: bool | str | None) -> None:
    vectors.save(tmp_path / "v")
    mapped = WordVectors.load(tmp_path / "v", mapped=True, verify=verify)
    assert isinstance(mapped.matrix.base, np.memmap)
    assert not mapped.matrix.flags.writeable
    assert mapped.matrix.tobytes() == vectors.matrix.tobytes()
    assert mapped.neighbors("w3") == vectors.neighbors("w3")
    assert "unit" not in vars(mapped)  # a query makes no copy of the matrix
    assert mapped.counts is not None
    assert mapped.counts.tolist() == list(range(300, 0, -1))


@pytest.mark.parametrize("name", ["vectors.safetensors", "vocab.json", "config.json", "manifest.json"])
def test_a_mapped_folder_checks_sizes_and_small_files_and_the_rest_on_request(
    vectors: WordVectors, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "v" / name
    vectors.save(file.parent)
    content = file.read_bytes()
    longer = [] if name == "manifest.json" else [content[:-1], content + b" "]
    for damaged in (b"", content[:20], *longer):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=name):
            WordVectors.load(file.parent, mapped=True)
    file.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    if name == "vectors.safetensors":
        assert len(WordVectors.load(file.parent, mapped=True, verify=False)) == 300
    for verify in (None, "once", True):
        with pytest.raises(InputError, match=name):
            WordVectors.load(file.parent, mapped=True, verify=verify)
    file.unlink()
    with pytest.raises(InputError, match=name):
        WordVectors.load(file.parent, mapped=True)


def test_a_folder_is_the_one_safetensors_writes(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v")
    save_tensors(tmp_path / "reference", {"matrix": vectors.matrix})
    assert (tmp_path / "v" / "vectors.safetensors").read_bytes() == (tmp_path / "reference").read_bytes()


def test_a_folder_is_replaced_whole_and_other_folders_are_refused(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v")
    random_vectors(count=10).save(tmp_path / "v")
    assert len(load_vectors(tmp_path / "v")) == 10
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not an embeddings folder"):
        load_vectors(tmp_path / "empty")
    with pytest.raises(InputError, match="no such file or folder"):
        load_vectors(tmp_path / "nowhere")


# The verbs


@pytest.fixture
def family(tmp_path: Path) -> Path:
    words = ["man", "woman", "king", "queen", "apple", "new york"]
    matrix = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [-1, -1, 0.1], [0.1, 0.1, -1]]
    WordVectors(words, np.array(matrix)).save(tmp_path / "family")
    return tmp_path / "family"


def test_neighbors_verb(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["neighbors", str(family), "king", "new york", "-k", "2"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines()[0].split() == ["king", "cosine"]
    assert first.splitlines()[1].split() == ["man", "0.707"]
    assert second.startswith("new york")
    assert run(["neighbors", str(family), "king", "-k", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["results"] == [{"word": "man", "score": pytest.approx(0.7071, abs=1e-4)}]
    assert [query["word"] for query in answer["queries"]] == ["king"]


def test_the_word_that_does_not_match_is_a_verb(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["king", "queen", "man", "woman"]
    expected = load_vectors(family).doesnt_match(words)
    assert run(["doesnt-match", str(family), *words]) == 0
    assert capsys.readouterr().out == f"{expected}\n"
    assert run(["doesnt-match", str(family), *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"word": expected, "words": words}
    assert run(["doesnt-match", str(family), "king"]) == 2
    assert "at least two words" in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
def test_a_word_that_is_composed_is_a_line_and_no_warning_of_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What doesnt-match had to say came with a file of seqlab and a line of its code."""
    subwords = Subwords(np.ones((50, 8), np.float32), 2, 3)
    WordVectors(["king", "queen", "prince"], np.eye(3, 8), subwords=subwords).save(tmp_path / "v")
    assert run(["doesnt-match", str(tmp_path / "v"), "king", "queen", "kings"]) == 0
    assert capsys.readouterr().err == (
        "'kings' is not in the vocabulary; its vector is composed from its n-grams. Did you mean 'king'?\n"
    )


def test_analogy_verb_in_every_spelling(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["man", "king", "woman"],
        ["king - man + woman"],
        ["king", "-", "man", "+", "woman"],
        ["man", "king", "woman", "--method", "mul"],
    ):
        assert run(["analogy", str(family), *arguments, "-k", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["results"][0]["word"] == "queen"
    assert run(["analogy", str(family), "man", "king", "woman"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("queen")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbors", "{v}", "quen"], "Did you mean 'queen'"),
        (["neighbors", "{v}/nowhere", "king"], "no such file"),
        (["analogy", "{v}", "a", "b"], "give three words"),
        (["analogy", "{v}", "king - "], "write words with"),
        (["analogy", "{v}", "man", "king", "woman", "--method", "sum"], "--method: 'sum' is not one of 'add', 'mul'"),
    ],
)
def test_verbs_answer_mistakes_with_one_sentence(
    family: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run([argument.replace("{v}", str(family)) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_query_verbs_notice_damage_of_the_matrix(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = family / "vectors.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 128]))
    for arguments in (["neighbors", str(family), "king"], ["analogy", str(family), "man", "king", "woman"]):
        assert run(arguments) == 2
    assert run(["evaluate", str(family), "--questions", "english"]) == 2
    file.write_bytes(content[:-4])
    assert run(["neighbors", str(family), "king"]) == 2
    assert capsys.readouterr().err.count(" differs from ") == 4


def test_notes_of_a_file_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\na 5 6\n")
    assert run(["neighbors", str(tmp_path / "v"), "a"]) == 0
    captured = capsys.readouterr()
    assert "repeated word" in captured.err
    assert "repeated" not in captured.out


@pytest.mark.parametrize(
    ("text", "added", "subtracted"),
    [
        ("king - man + woman", ["king", "woman"], ["man"]),
        ("king", ["king"], []),
        ("- man + king", ["king"], ["man"]),
        ("new york - usa + state-of-the-art", ["new york", "state-of-the-art"], ["usa"]),
        ("c++ - c", ["c++"], ["c"]),
    ],
)
def test_expressions(text: str, added: list[str], subtracted: list[str]) -> None:
    assert parse_expression(text) == (added, subtracted)


@pytest.mark.parametrize("text", ["", "+", "king +", "- king", "king - - man"])
def test_expressions_that_lack_a_word(text: str) -> None:
    with pytest.raises(InputError):
        parse_expression(text)


def test_queries_load_neither_torch_nor_numba(family: Path) -> None:
    code = (
        "import sys; from seqlab_cli.main import run; "
        f"assert run(['neighbors', {str(family)!r}, 'king']) == 0; "
        "print(sorted({'torch', 'numba', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
