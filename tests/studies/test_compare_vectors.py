"""Word vectors compared on questions and similarity: by hand, and against a plain bootstrap."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors
from seqlab.embeddings.evaluation.evaluate import (
    RIGHT,
    UNKNOWN,
    WRONG,
    answers_by_section,
    cosines_of,
    evaluate_analogies,
)
from seqlab.embeddings.evaluation.questions import read_questions, read_similarity
from seqlab.studies.compare.vectors import on_questions, on_similarity

WORDS = [f"{kind}{number}" for kind in "abcd" for number in range(12)]


def vectors(noise: float, seed: int, words: list[str] = WORDS) -> WordVectors:
    """Kinds a to d are shifts of one another, with noise: a0 is to b0 as a1 is to b1."""
    rng = np.random.default_rng(9)
    items, kinds = rng.normal(size=(12, 20)), rng.normal(size=(4, 20))
    matrix = (kinds[:, None] + items).reshape(-1, 20) + noise * np.random.default_rng(seed).normal(size=(48, 20))
    rows = [WORDS.index(word) for word in words]
    return WordVectors(words, matrix[rows].astype(np.float32), counts=np.arange(len(words), 0, -1))


@pytest.fixture
def folder(tmp_path):
    """questions.txt of seven sections, and people.txt of pairs with scores."""
    lines, rng = [], np.random.default_rng(4)
    for first, second in ("ab", "ac", "ad", "bc", "bd", "cd", "ba"):
        lines += [f": {first} to {second}", *(f"{first}{i} {second}{i}" for i in range(12))]
    (tmp_path / "questions.txt").write_text("\n".join(lines) + "\n", "utf-8")
    exact = vectors(0.0, 0)
    pairs = [tuple(rng.choice(WORDS, 2, replace=False)) for _ in range(120)]
    rows = [f"{x}\t{y}\t{exact.similarity(x, y) + 0.1 * rng.normal():.4f}" for x, y in pairs]
    (tmp_path / "people.txt").write_text("\n".join([*rows, "a0\tnowhere\t0.5"]) + "\n", "utf-8")
    return tmp_path


def test_answers_are_those_that_are_counted(folder):
    """The figures of an evaluation, from the answers one by one; a word that is missing makes its questions unknown."""
    known = vectors(0.3, 1, [word for word in WORDS if word != "c5"])
    sections = read_questions(folder / "questions.txt")
    answers = answers_by_section(known, sections)
    scores = evaluate_analogies(known, folder / "questions.txt")
    assert [len(section.questions) for section in sections] == [len(one) for one in answers]
    assert sum((one == RIGHT).sum() for one in answers) == scores["correct"]
    assert sum((one != UNKNOWN).sum() for one in answers) == scores["covered"]
    for section, one in zip(sections, answers, strict=True):
        assert [("c5" in question) for question in section.questions] == (one == UNKNOWN).tolist()


def test_a_difference_is_over_the_questions_that_both_know(folder):
    a, b = vectors(0.55, 1), vectors(0.25, 2, [word for word in WORDS if word != "c5"])
    found = seqlab.compare(a, b, questions=folder / "questions.txt")
    (pair,) = found.pairs
    sections = read_questions(folder / "questions.txt")
    first, second = (np.concatenate(answers_by_section(one, sections)) for one in (a, b))
    both = (first != UNKNOWN) & (second != UNKNOWN)
    assert pair.covered == both.sum()
    assert pair.difference == pytest.approx(100 * ((second == RIGHT)[both].mean() - (first == RIGHT)[both].mean()))
    assert pair.gained == ((second == RIGHT) & (first == WRONG)).sum()
    assert pair.lost == ((first == RIGHT) & (second == WRONG)).sum()
    assert pair.interval[0] < pair.difference < pair.interval[1]
    assert pair.difference > 5
    assert pair.p < 0.05
    assert "a difference of +" in found.text()
    assert "changed sides" in found.text()


def test_sections_are_drawn_as_clusters():
    """Against a plain bootstrap of whole sections, and wider than one of single questions where sections differ."""
    rng, first, second = np.random.default_rng(1), [], []
    for section in range(12):
        gain = 0.5 if section % 2 else 0.0
        first.append((rng.random(40) < 0.3).astype(np.int8))
        second.append((rng.random(40) < 0.3 + gain).astype(np.int8))
    found = on_questions("a", "b", first, second)
    assert found.drawn == "sections"
    differences = [100 * (b.mean() - a.mean()) for a, b in zip(first, second, strict=True)]
    drawn = [np.mean(rng.choice(differences, 12)) for _ in range(4_000)]
    assert found.interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=1.0)
    alone = on_questions("a", "b", [np.concatenate(first)], [np.concatenate(second)])
    assert alone.drawn == "questions"
    assert alone.difference == pytest.approx(found.difference)
    assert np.ptp(alone.interval) < 0.7 * np.ptp(found.interval)


def test_correlations_are_compared_pair_by_pair(folder):
    a, b = vectors(1.2, 1), vectors(0.2, 2)
    (pair,) = seqlab.compare(a, b, similarity=folder / "people.txt").pairs
    judged = read_similarity(folder / "people.txt")[:-1]
    people = np.array([one.score for one in judged])
    x, y = (cosines_of(one, judged) for one in (a, b))
    assert (pair.first, pair.second) == pytest.approx([spearmanr(one, people).statistic for one in (x, y)])
    assert pair.covered == 120
    assert pair.difference > 0.1
    assert pair.interval[0] > 0
    rng, drawn = np.random.default_rng(3), []
    for _ in range(1_500):
        rows = rng.integers(120, size=120)
        drawn.append(spearmanr(y[rows], people[rows]).statistic - spearmanr(x[rows], people[rows]).statistic)
    assert pair.interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)
    same = on_similarity("a", "b", "people", x, x, people)
    assert same.interval == (0.0, 0.0)
    assert same.p == 1.0
    few = on_similarity("a", "b", "people", x[:5], y[:5], people[:5])
    assert few.interval is None
    assert few.sentence().endswith("too few pairs for an interval.")


def test_the_command_compares_vectors(folder, capsys):
    for name, noise in (("a", 0.5), ("b", 0.2)):
        vectors(noise, 3).save(folder / name)
    command = ["compare", str(folder / "a"), str(folder / "b"), "--questions", str(folder / "questions.txt")]
    assert run([*command, "--similarity", str(folder / "people.txt")]) == 0
    printed = capsys.readouterr().out
    assert "analogies: " in printed
    assert "\npeople: " in printed
    assert run([*command, "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert {"a", "b", "difference", "interval", "p", "tokens_changed", "rule_of_30"} <= set(pair)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"similarity": "few.txt"}, "fewer than three pairs"),
        ({"questions": "none.txt"}, "no question has its four words in both"),
        ({"questions": "missing.txt"}, "missing.txt"),
    ],
)
def test_tests_that_say_nothing_are_refused(given, sentence, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "few.txt").write_text("a0\ta1\t0.5\na0\ta2\t0.4\n", "utf-8")
    (folder / "none.txt").write_text(": far\nx y z w\n", "utf-8")
    with pytest.raises(InputError, match=sentence):
        seqlab.compare(vectors(0.1, 1), vectors(0.2, 2), **given)


def test_what_is_no_vector_is_refused_where_vectors_are_compared(folder):
    questions = folder / "questions.txt"
    with pytest.raises(InputError, match="models: must be a path, .*, not 3"):
        seqlab.compare(vectors(0.1, 1), 3, questions=questions)
    with pytest.raises(InputError, match="give two sets of word vectors or more"):
        seqlab.compare(vectors(0.1, 1), questions=questions)
    with pytest.raises(InputError, match="compared on questions or similarity scores"):
        seqlab.compare(vectors(0.1, 1), vectors(0.2, 2))
