"""`TextVectorizer` as a step of scikit-learn: its checks, a pipeline that learns, and the mean it is."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from seqlab.base.errors import InputError
from seqlab.embeddings import TextVectorizer, WordVectors, save_vectors
from seqlab.embeddings.material.subwords import Subwords

APPLICABLE = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
"""Checks of scikit-learn that give no data to the estimator. It runs no others on text: `check_estimator` skips an
estimator whose input is strings, its own TfidfVectorizer too. What the rest asks of a transformer is asked below, with
texts: fit and transform agree and repeat, do not change parameters or input, pickle, name their features, refuse what
is not fitted."""
TOPICS = {"sea": "ship wave sail harbour tide".split(), "kitchen": "pan oven salt flour knife".split()}
SENTENCES = ["The ship, the wave.", "flour salt oven", "sail the tide", "", "nothing here is known!"]


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    """Words of a topic point the same way, with noise; `the` points everywhere and is long."""
    random = np.random.default_rng(3)
    centres = {topic: random.normal(size=16) for topic in TOPICS}
    words = [word for topic in TOPICS for word in TOPICS[topic]]
    matrix = [centres[topic] + 0.3 * random.normal(size=16) for topic in TOPICS for _ in TOPICS[topic]]
    return WordVectors(["the", *words], np.array([10 * random.normal(size=16), *matrix]))


def texts(count: int = 60) -> tuple[list[str], list[str]]:
    random = np.random.default_rng(4)
    labels = [str(random.choice(list(TOPICS))) for _ in range(count)]
    noise = ["the"] * 3 + ["unknown"]
    return [" ".join(random.permutation([*random.choice(TOPICS[label], 2), *noise])) for label in labels], labels


@pytest.mark.parametrize("name", APPLICABLE)
def test_scikit_learns_checks(name: str, vectors: WordVectors) -> None:
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip(f"this version of scikit-learn has no {name}")
    check("TextVectorizer", TextVectorizer(vectors))


def test_check_estimator_has_nothing_against_it(vectors: WordVectors) -> None:
    with pytest.warns(estimator_checks.SkipTestWarning):
        estimator_checks.check_estimator(TextVectorizer(vectors))


def test_the_mean_of_the_words_that_are_known(vectors: WordVectors) -> None:
    found = TextVectorizer(vectors).fit_transform(SENTENCES)
    assert found.shape == (5, 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], vectors[["the", "ship", "the", "wave"]].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[1], vectors[["flour", "salt", "oven"]].mean(axis=0), rtol=1e-5)
    assert not found[3:].any()


def test_weighting_by_inverse_document_frequency(vectors: WordVectors) -> None:
    vectorizer = TextVectorizer(vectors, weighting="idf").fit(SENTENCES)
    weight = {"the": np.log(6 / 3) + 1, "ship": np.log(6 / 2) + 1, "wave": np.log(6 / 2) + 1, "pan": np.log(6) + 1}
    assert {word: vectorizer.idf_.get(word) for word in ("the", "ship")} == pytest.approx(
        {word: weight[word] for word in ("the", "ship")}
    )
    [found] = vectorizer.transform(["the the ship pan"])
    words = ["the", "the", "ship", "pan"]
    expected = np.average(vectors[words], axis=0, weights=[weight[word] for word in words])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_texts_of_length_one(vectors: WordVectors) -> None:
    found = TextVectorizer(vectors, normalize=True).fit_transform(SENTENCES)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 0, 0], rtol=1e-5)


def test_tokenizers(vectors: WordVectors) -> None:
    glued = TextVectorizer(vectors, tokenizer="whitespace").fit_transform(["ship, wave"])
    np.testing.assert_allclose(glued[0], vectors["wave"], rtol=1e-5)
    split = TextVectorizer(vectors, tokenizer=lambda text: text.split("/")).fit_transform(["ship/wave", "x"])
    np.testing.assert_allclose(split[0], vectors[["ship", "wave"]].mean(axis=0), rtol=1e-5)
    trained = WordVectors(
        vectors.words, vectors.matrix, meta={"settings": {"text": {"tokenizer": "whitespace", "lowercase": False}}}
    )
    np.testing.assert_array_equal(TextVectorizer(trained).fit_transform(["ship, wave"]), glued)


def test_case_and_n_grams() -> None:
    buckets = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    vectors = WordVectors(["Paris", "paris", "city"], np.eye(3, 4), subwords=Subwords(buckets, 3, 5))
    found = TextVectorizer(vectors).fit_transform(["Paris", "PARIS", "City", "cities", "a ,\n\n"])
    np.testing.assert_array_equal(found[:3], vectors[["Paris", "paris", "city"]])
    np.testing.assert_allclose(found[3], vectors["cities"], rtol=1e-6)
    np.testing.assert_allclose(found[4], vectors["a"], rtol=1e-6)  # <a> is an n-gram; marks and line ends are no words


def test_a_pipeline_learns_topics_and_idf_helps_against_frequent_words(vectors: WordVectors) -> None:
    documents, labels = texts()
    scores = {
        weighting: cross_val_score(
            make_pipeline(TextVectorizer(vectors, weighting=weighting), LogisticRegression(max_iter=1000)),
            documents,
            labels,
        ).mean()
        for weighting in ("mean", "idf")
    }
    assert scores["idf"] >= scores["mean"] - 0.02
    assert min(scores.values()) > 0.9


def test_a_grid_search_shares_the_vectors(vectors: WordVectors) -> None:
    documents, labels = texts()
    steps = make_pipeline(TextVectorizer(vectors), LogisticRegression(max_iter=1000))
    search = GridSearchCV(steps, {"textvectorizer__weighting": ["mean", "idf"]}, cv=2).fit(documents, labels)
    assert search.best_estimator_[0].vectors_ is vectors
    assert clone(TextVectorizer(vectors)).vectors is vectors


def test_paths_are_taken_and_feature_names_given(vectors: WordVectors, tmp_path: Path) -> None:
    expected = TextVectorizer(vectors).fit_transform(SENTENCES)
    vectors.save(tmp_path / "v")
    save_vectors(vectors, tmp_path / "v.txt")
    for path in (tmp_path / "v", str(tmp_path / "v"), tmp_path / "v.txt"):
        vectorizer = TextVectorizer(path).fit(SENTENCES)
        np.testing.assert_array_equal(vectorizer.transform(SENTENCES), expected)
    names = vectorizer.get_feature_names_out()
    assert names.tolist() == [f"textvectorizer{i}" for i in range(16)]
    frame = vectorizer.set_output(transform="pandas").transform(SENTENCES)
    assert frame.columns.tolist() == names.tolist()


@pytest.mark.parametrize("weighting", ["mean", "idf"])
def test_fit_and_transform_agree_repeat_and_change_nothing(vectors: WordVectors, weighting: Any) -> None:
    given, matrix = list(SENTENCES), vectors.matrix.copy()
    vectorizer = TextVectorizer(vectors, weighting=weighting)
    parameters = vectorizer.get_params()
    first = vectorizer.fit_transform(given)
    np.testing.assert_array_equal(vectorizer.fit(given).transform(given), first)
    np.testing.assert_array_equal(vectorizer.transform(np.array(given, object)), first)
    np.testing.assert_allclose(vectorizer.transform(given[::-1])[::-1], first, rtol=1e-6)
    np.testing.assert_allclose(np.concatenate([vectorizer.transform([text]) for text in given]), first, rtol=1e-6)
    assert given == SENTENCES
    assert vectorizer.get_params() == parameters
    np.testing.assert_array_equal(vectors.matrix, matrix)
    again = pickle.loads(pickle.dumps(vectorizer))
    np.testing.assert_array_equal(again.transform(given), first)
    assert vectorizer.transform([]).shape == (0, 16)


def test_texts_that_can_be_read_once_and_tables(vectors: WordVectors) -> None:
    once = TextVectorizer(vectors, weighting="idf").fit_transform(text for text in SENTENCES)
    np.testing.assert_array_equal(once, TextVectorizer(vectors, weighting="idf").fit(SENTENCES).transform(SENTENCES))
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": SENTENCES, "label": range(len(SENTENCES))})
    np.testing.assert_array_equal(TextVectorizer(vectors, weighting="idf").fit_transform(table["text"]), once)
    with pytest.raises(InputError, match=r"^X: is a table; give one of its columns, such as X\['text'\]\.$"):
        TextVectorizer(vectors).fit(table)


def test_mistakes_are_answered(vectors: WordVectors) -> None:
    with pytest.raises(NotFittedError):
        TextVectorizer(vectors).transform(SENTENCES)
    for settings, message in (
        ({"vectors": None}, "give word vectors"),
        ({"vectors": 3}, "int is neither word vectors nor a path"),
        ({"weighting": "tfidf"}, "'tfidf' is none of mean, idf"),
        ({"tokenizer": "bpe"}, "'bpe' is none of word, whitespace"),
    ):
        with pytest.raises(InputError, match=message):
            TextVectorizer(**{"vectors": vectors, **settings}).fit(SENTENCES)  # type: ignore[arg-type]
    for bad, message in (("one text", "is one text"), (3, "not a list of texts"), (["a", None], "item 1 is NoneType")):
        with pytest.raises(InputError, match=message):
            TextVectorizer(vectors).fit(bad)  # type: ignore[arg-type]
