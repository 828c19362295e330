"""Evaluation of word vectors: gensim's and scipy's answers on the same vectors, and malformed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from scipy.stats import spearmanr

from seqlab.embeddings import WordVectors, evaluate_analogies, evaluate_similarity, evaluate_vectors, evaluation
from seqlab.errors import InputError


def structured_vectors(seed: int = 1) -> WordVectors:
    """Pairs (a_i, b_i) that differ by a common offset and noise, with case variants and rarer words."""
    random = np.random.default_rng(seed)
    base, offset = random.normal(size=(40, 12)), random.normal(size=12)
    noise = random.normal(scale=0.35, size=(40, 12))
    words = [f"a{i}" for i in range(40)] + [f"b{i}" for i in range(40)] + ["A3", "B3", "B5"]
    matrix = np.concatenate([base, base + offset + noise, base[3:4], (base + offset)[[3, 5]]])
    return WordVectors(words, matrix)


def questions_file(path: Path) -> Path:
    lines = [": family"]
    lines += [f"a{i} b{i} a{j} b{j}" for i in range(0, 40, 3) for j in range(1, 40, 4) if i != j]
    lines += [": gram1-plural", "A1 B1 a2 B2", "a1 b1 nobody b2", "", "a3 b3 a5 b5", ": empty"]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return questions_file(tmp_path / "questions.txt")


def as_gensim(vectors: WordVectors) -> KeyedVectors:
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


@pytest.mark.parametrize("top", [60, 83, 0])
def test_analogies_are_gensims(questions: Path, top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "BLOCK", 1000)  # a dozen questions a block
    vectors = structured_vectors()
    ours = evaluate_analogies(vectors, questions, top=top)
    accuracy, sections = as_gensim(vectors).evaluate_word_analogies(str(questions), restrict_vocab=top or 83)
    assert ours["accuracy"] == pytest.approx(100 * accuracy)
    assert 0 < ours["accuracy"] < 100
    for section, theirs in zip(ours["sections"], sections, strict=False):
        assert section["name"] == theirs["section"]
        assert section["correct"] == len(theirs["correct"])
        assert section["covered"] == len(theirs["correct"]) + len(theirs["incorrect"])
    assert ours["vocabulary"] == (top or 83)
    assert ours["questions"] == sum(section["questions"] for section in ours["sections"])


def test_semantic_and_syntactic_sections_are_told_apart(questions: Path) -> None:
    result = evaluate_analogies(structured_vectors(), questions)
    family, plural, empty = result["sections"]
    assert result["semantic"] == family["accuracy"]
    assert result["syntactic"] == plural["accuracy"]
    assert plural["questions"] == 3
    assert plural["covered"] == 2
    assert empty["accuracy"] is None


@pytest.mark.parametrize("method", ["add", "mul"])
def test_answers_are_those_of_single_queries(questions: Path, method: evaluation.Method) -> None:
    vectors = structured_vectors()
    plain = WordVectors(vectors.words[:80], vectors.matrix[:80])  # no case variants
    sections = evaluation.read_questions(questions)
    right = sum(plain.analogy(a, b, c, k=1, method=method)[0][0] == d for a, b, c, d in sections[0].questions)
    assert evaluate_analogies(plain, questions, method)["sections"][0]["correct"] == right


def test_several_question_files_are_one_set(questions: Path) -> None:
    one = evaluate_analogies(structured_vectors(), questions)
    two = evaluate_analogies(structured_vectors(), [questions, questions])
    assert two["questions"] == 2 * one["questions"]
    assert two["accuracy"] == one["accuracy"]


def test_similarity_is_scipys_and_gensims(tmp_path: Path) -> None:
    vectors = structured_vectors()
    random = np.random.default_rng(3)
    pairs = [(f"a{i}", f"B{j}", round(float(random.uniform(0, 10)), 1)) for i, j in random.integers(40, size=(60, 2))]
    path = tmp_path / "people.txt"
    path.write_text("# human scores\n" + "".join(f"{a}\t{b}\t{s}\n" for a, b, s in pairs) + "a1\tnobody\t3\n")
    ours = evaluate_similarity(vectors, path)
    folded = {word.upper(): word for word in reversed(vectors.words)}
    cosines = [vectors.similarity(a, folded[b]) for a, b, _ in pairs]
    assert ours["spearman"] == pytest.approx(spearmanr(cosines, [s for _, _, s in pairs]).statistic)
    assert ours["spearman"] == pytest.approx(as_gensim(vectors).evaluate_word_pairs(str(path))[1][0])
    assert (ours["name"], ours["pairs"], ours["covered"]) == ("people", 61, 60)


def test_what_cannot_be_measured_is_none(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("word 1\tword 2\tscore\nx\ty\t1\na1\ta2\t3\n")
    assert evaluate_similarity(structured_vectors(), tmp_path / "pairs.txt")["spearman"] is None
    (tmp_path / "q.txt").write_text(": s\nx y z w\n")
    result = evaluate_vectors(structured_vectors(), [tmp_path / "q.txt"])
    assert result["analogies"]["accuracy"] is None
    assert result["analogies"]["covered"] == 0
    assert result["similarity"] == []
    (tmp_path / "flat.txt").write_text("a1 a2 3\na3 a4 3\n")
    assert evaluate_similarity(structured_vectors(), tmp_path / "flat.txt")["spearman"] is None


def test_real_sets_are_read_whole(shared_data: Path) -> None:
    sections = evaluation.read_questions(shared_data / "questions" / "questions-words.txt")
    assert len(sections) == 14
    assert sum(len(section.questions) for section in sections) == 19_544
    sizes = [len(evaluation.read_pairs(path)) for path in sorted((shared_data / "similarity").iterdir())]
    assert sizes == [65, 999, 353]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": s\na b c d\na b c\n", ":3: 3 words; a question has four"),
        ("a b c d\n", ":1: a question before the first section"),
        (": s\n\n", "holds no questions"),
        ("", "holds no questions"),
    ],
)
def test_malformed_questions(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "q.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        evaluation.read_questions(tmp_path / "q.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\t1\na\tb\n", ":2: not 'word TAB word TAB score'"),
        ("a\tb\t1\na\tb\tmuch\n", ":2: not 'word"),
        ("a\tb\t1\na\tb\tnan\n", ":2: the score is not a finite"),
        ("", "holds no pairs"),
    ],
)
def test_malformed_pairs(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "p.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        evaluation.read_pairs(tmp_path / "p.txt")
    with pytest.raises(InputError, match="no such file"):
        evaluation.read_pairs(tmp_path / "nowhere.txt")
    (tmp_path / "latin").write_bytes(b"caf\xe9\tb\t1\n")
    with pytest.raises(InputError, match="not UTF-8"):
        evaluation.read_pairs(tmp_path / "latin")
