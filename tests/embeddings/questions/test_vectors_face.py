"""Word vectors as a person in a notebook meets them: results that show themselves, gensim in and out, maps, scores."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqlab
from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors, evaluate_vectors, load_vectors
from seqlab.embeddings.material.subwords import Subwords, mean_rows, parts_of
from seqlab.embeddings.queries.results import ScoredWords

gensim = pytest.importorskip("gensim", reason="no gensim for this Python")
FastText, KeyedVectors, Word2Vec = gensim.models.FastText, gensim.models.KeyedVectors, gensim.models.Word2Vec
FastTextKeyedVectors = gensim.models.fasttext.FastTextKeyedVectors
SENTENCES = [["the", "king", "rules"], ["the", "queen", "rules"], ["kings", "and", "queens"]] * 40


def plain(count: int = 40, dim: int = 8) -> WordVectors:
    random = np.random.default_rng(4)
    words = [f"w{i}" for i in range(count)]
    return WordVectors(words, random.normal(size=(count, dim)), np.arange(count, 0, -1))


def composed() -> WordVectors:
    """Vectors whose words are means of n-grams and a row of their own."""
    random = np.random.default_rng(5)
    words, buckets = ["walk", "walked", "größen", "</s>", "a"], random.normal(size=(50, 6)).astype(np.float32)
    offsets, rows = parts_of(words, 3, 5, 50)
    matrix = mean_rows(np.concatenate([random.normal(size=(5, 6)).astype(np.float32), buckets]), offsets, rows)
    return WordVectors(words, matrix, np.arange(5, 0, -1), subwords=Subwords(buckets, 3, 5))


# What is shown


def test_neighbors_are_a_list_that_shows_itself_as_a_table() -> None:
    vectors = plain()
    near = vectors.neighbors("w1", 3)
    assert isinstance(near, ScoredWords)
    assert near == list(near)
    assert near.to_json() == [{"word": word, "score": score} for word, score in near]
    assert near.to_frame()["word"].tolist() == [word for word, _ in near]
    assert near[0][0] in near._repr_html_()
    assert near.text().splitlines()[0].split() == ["word", "score"]
    for answer in (
        vectors.analogy("w1", "w2", "w3"),
        vectors.neighbors_of_each(["w1"])[0],
        vectors.analogies([("w1", "w2", "w3")])[0],
        vectors.most_similar("w1"),
    ):
        assert isinstance(answer, ScoredWords)
        assert "<table>" in answer._repr_html_()


def test_words_are_escaped_in_a_notebook() -> None:
    vectors = WordVectors(["<b>", "&", "c"], np.eye(3))
    assert "<b>" not in vectors.neighbors("c")._repr_html_()
    assert "&lt;b&gt;" in vectors._repr_html_()


def test_the_repr_says_what_there_is_and_where_it_is_from(tmp_path: Path) -> None:
    vectors = plain()
    assert repr(vectors) == "WordVectors(40 words · 8 dimensions)"
    vectors.save(tmp_path / "v")
    place = tmp_path / "v"
    assert repr(load_vectors(place)) == f"WordVectors(40 words · 8 dimensions · {place})"
    assert repr(WordVectors.load(place, mapped=True)).endswith(f"{place})")
    seqlab.embeddings.save_vectors(vectors, tmp_path / "v.txt")
    assert repr(load_vectors(tmp_path / "v.txt")).endswith("v.txt)")
    assert repr(composed()) == "WordVectors(5 words · 6 dimensions · n-grams 3-5)"


def test_vectors_as_a_data_frame() -> None:
    vectors = plain()
    frame = vectors.to_frame()
    assert frame.index.tolist() == vectors.words
    np.testing.assert_array_equal(frame.loc["w3"], vectors["w3"])


def test_options_are_explicit_and_keyword_only() -> None:
    """All but what a method is asked about, and how many answers, by name only; settings of a map are typed options."""
    for name in ("neighbors", "analogy", "analogies", "evaluate", "load"):
        parameters = inspect.signature(getattr(WordVectors, name)).parameters.values()
        assert not [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)], name
        by_place = {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD} - {"self"}
        assert by_place <= {"words", "a", "b", "c", "k", "triples", "questions", "folder"}, name
    of_a_map = {p.kind for p in inspect.signature(plain().map).parameters.values()}
    assert of_a_map == {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


@pytest.mark.parametrize("k", [2.5, "3", None, True])
def test_a_wrong_kind_of_count_is_answered_in_a_sentence(k: Any) -> None:
    for ask in (
        lambda: plain().neighbors("w1", k),
        lambda: plain().neighbors_of_each(["w1"], k),
        lambda: plain().analogies([("w1", "w2", "w3")], k),
    ):
        with pytest.raises(InputError, match="is not a whole number"):
            ask()


# Evaluation


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "q.txt").write_text(": pairs\nw1 w2 w3 w4\nw1 w2 w5 w6\nw1 w2 nobody w4\n: gram1\nw7 w8 w9 w10\n")
    lines = [f"w{i}\tw{i + 1}\t{i % 7}" for i in range(20)]
    (tmp_path / "s.txt").write_text("\n".join(lines))
    return tmp_path / "q.txt", tmp_path / "s.txt"


def test_an_evaluation_is_an_object_with_the_figures_of_the_command_line(files: tuple[Path, Path]) -> None:
    questions, similarity = files
    scores = plain().evaluate(questions, similarity=similarity)
    values = json.loads(json.dumps(scores.to_json()))
    assert values == json.loads(json.dumps(evaluate_vectors(plain(), [questions], [similarity]).to_json()))
    assert scores.accuracy == values["analogies"]["accuracy"]
    assert list(scores.interval or ()) == values["analogies"]["interval"]
    assert (scores.questions, scores.covered) == (4, 3)
    assert [(s.name, s.kind, s.questions, s.covered) for s in scores.sections] == [
        ("pairs", "semantic", 3, 2),
        ("gram1", "syntactic", 1, 1),
    ]
    assert scores.similarity[0].spearman == values["similarity"][0]["spearman"]
    assert repr(scores).startswith("VectorEvaluation(q.txt: accuracy ")
    assert "\n" not in repr(scores)
    assert scores.to_frame()["name"].tolist() == ["pairs", "gram1", "all questions", "s"]
    assert "3CosAdd" in scores._repr_html_()


def test_the_shipped_questions_are_the_default() -> None:
    scores = plain().evaluate()
    assert scores.to_json()["analogies"]["sets"] == ["english"]
    assert scores.accuracy is None
    assert "no accuracy of 0 questions" in repr(scores)


def test_similarity_alone_asks_no_questions(files: tuple[Path, Path]) -> None:
    scores = plain().evaluate(similarity=[files[1]])
    assert scores.accuracy is scores.interval is scores.semantic is scores.syntactic is None
    assert scores.sections == []
    assert scores.to_json()["analogies"] is None
    assert len(scores.table().rows) == 1


# Maps


def test_a_map_of_the_words() -> None:
    picture = plain().map(words=10, method="pca", highlight="w30", quiet=True)
    page = picture._repr_html_()
    assert page
    assert "w30" in page
    with pytest.raises(InputError, match="nobody"):
        plain().map(highlight="nobody", quiet=True)


# gensim


def test_gensim_answers_as_these_vectors_do() -> None:
    vectors = plain()
    keyed = vectors.to_gensim()
    assert type(keyed) is KeyedVectors
    assert keyed.index_to_key == vectors.words
    assert keyed.get_vecattr("w3", "count") == 37
    for word in ("w1", "w20"):
        assert [w for w, _ in keyed.most_similar(word)] == [w for w, _ in vectors.neighbors(word)]
    back = WordVectors.from_gensim(keyed)
    assert back.words == vectors.words
    assert back.matrix.tobytes() == vectors.matrix.tobytes()
    assert back.counts is not None
    assert back.counts.tolist() == list(range(40, 0, -1))


def test_a_saved_keyed_vectors_opens_in_gensim(tmp_path: Path) -> None:
    plain().to_gensim().save(str(tmp_path / "kv"))
    np.testing.assert_array_equal(KeyedVectors.load(str(tmp_path / "kv"))["w7"], plain()["w7"])


def test_n_grams_go_to_gensim_and_come_back() -> None:
    vectors = composed()
    keyed = vectors.to_gensim()
    assert type(keyed) is FastTextKeyedVectors
    for word in ("walk", "unseen", "größe", "walks"):
        np.testing.assert_allclose(keyed[word], vectors[word], atol=1e-6)
    keyed.adjust_vectors()  # gensim composes the words anew from their own rows and n-grams, which it gives </s> too
    others = [row for row, word in enumerate(vectors.words) if word != "</s>"]
    np.testing.assert_allclose(keyed.vectors[others], vectors.matrix[others], atol=1e-5)
    back = WordVectors.from_gensim(keyed)
    np.testing.assert_allclose(back["unseen"], vectors["unseen"], atol=1e-6)


def test_models_trained_by_gensim_come_in() -> None:
    word2vec = Word2Vec(SENTENCES, vector_size=12, min_count=1, workers=1, epochs=1)
    vectors = WordVectors.from_gensim(word2vec)
    assert vectors.neighbors("king", 3) == WordVectors.from_gensim(word2vec.wv).neighbors("king", 3)
    assert vectors.counts is not None
    assert vectors.counts[vectors.row("the")] == 80
    fasttext = FastText(SENTENCES, vector_size=12, min_count=1, workers=1, epochs=1, bucket=100)
    ours = WordVectors.from_gensim(fasttext)
    np.testing.assert_allclose(ours["kingdom"], fasttext.wv["kingdom"], atol=1e-6)


@pytest.mark.parametrize("thing", [object(), {"a": [1.0]}, "vectors", None])
def test_what_is_no_keyed_vectors_is_refused(thing: Any) -> None:
    with pytest.raises(InputError, match="not gensim's KeyedVectors"):
        WordVectors.from_gensim(thing)


def test_keys_that_are_no_words_are_refused() -> None:
    keyed = KeyedVectors(3)
    keyed.add_vectors([1, 2], np.eye(2, 3))
    with pytest.raises(InputError, match="1 is not a word"):
        WordVectors.from_gensim(keyed)
