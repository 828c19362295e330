"""Evaluation of word vectors: gensim's and scipy's answers on the same vectors, and intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, spearmanr
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors, evaluate_analogies, evaluate_similarity, evaluate_vectors
from seqlab.embeddings.evaluation import evaluate as evaluation
from seqlab.embeddings.evaluation.questions import read_questions

gensim = pytest.importorskip("gensim", reason="no gensim for this Python")
KeyedVectors = gensim.models.KeyedVectors


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


def test_every_single_answer_is_gensims(questions: Path, tmp_path: Path) -> None:
    every = [question for section in read_questions(questions) for question in section.questions]
    path = tmp_path / "one-each.txt"
    path.write_text("".join(f": {n}\n{' '.join(question)}\n" for n, question in enumerate(every)))
    vectors = structured_vectors()
    ours = evaluate_analogies(vectors, path)["sections"]
    _, theirs = as_gensim(vectors).evaluate_word_analogies(str(path))
    expected = {section["section"]: len(section["correct"]) for section in theirs[:-1]}
    assert len(ours) == len(every)
    assert {section["name"]: section["correct"] for section in ours} == expected


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
    sections = read_questions(questions)
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
    result = evaluate_vectors(structured_vectors(), [tmp_path / "q.txt"]).to_json()
    assert result["analogies"]["accuracy"] is None
    assert result["analogies"]["interval"] is None
    assert result["analogies"]["covered"] == 0
    assert result["similarity"] == []
    (tmp_path / "flat.txt").write_text("a1 a2 3\na3 a4 3\n")
    assert evaluate_similarity(structured_vectors(), tmp_path / "flat.txt")["spearman"] is None


@pytest.mark.parametrize(("right", "count"), [(0, 7), (3, 7), (7, 7), (1, 1), (4321, 17827)])
def test_wilson_interval_is_scipys(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(method="wilson")
    assert evaluation.wilson_interval(right, count) == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_accuracies_lie_within_their_intervals(questions: Path) -> None:
    result = evaluate_analogies(structured_vectors(), questions)
    covered = [scores for scores in [result, *result["sections"]] if scores["covered"]]
    assert len(covered) == 3
    for scores in covered:
        low, high = scores["interval"]
        assert 0 <= low <= scores["accuracy"] <= high <= 100
        expected = evaluation.wilson_interval(scores["correct"], scores["covered"])
        assert expected == pytest.approx([low / 100, high / 100])
    assert result["correct"] == sum(section["correct"] for section in result["sections"])
    assert result["sections"][2]["interval"] is None


def test_bootstrap_is_a_loop_over_scipys_coefficient(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=40)
    y = np.round(x + random.normal(size=40))  # ties
    ours = evaluation.bootstrap_interval(x, y, resamples=300, seed=7)
    draws = np.random.default_rng(7).integers(40, size=(300, 40))
    loop = [spearmanr(x[rows], y[rows]).statistic for rows in draws]
    assert ours == pytest.approx(np.percentile(loop, [2.5, 97.5]))
    monkeypatch.setattr(evaluation, "DRAWN", 333)  # eight draws at once
    assert evaluation.bootstrap_interval(x, y, resamples=300, seed=7) == ours


def test_bootstrap_agrees_with_scipys() -> None:
    random = np.random.default_rng(6)
    x = random.normal(size=80)
    y = x + random.normal(size=80)
    theirs = bootstrap(
        (x, y),
        lambda x, y, axis: evaluation.rank_correlation(x, y),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        random_state=np.random.default_rng(1),
    ).confidence_interval
    assert evaluation.bootstrap_interval(x, y, resamples=4000) == pytest.approx(list(theirs), abs=0.02)


def test_bootstrap_of_what_does_not_vary() -> None:
    assert evaluation.bootstrap_interval(np.zeros(12), np.arange(12.0)) is None
    ends = evaluation.bootstrap_interval(np.arange(2.0), np.arange(2.0))  # every second draw has one pair only
    assert ends == pytest.approx([1, 1])


def test_few_pairs_have_a_correlation_and_no_interval(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("".join(f"a{i} b{i + 1} {i}\n" for i in range(evaluation.FEWEST - 1)))
    few = evaluate_similarity(structured_vectors(), path)
    assert few["spearman"] is not None
    assert few["interval"] is None
    path.write_text(path.read_text() + "a20 b20 9.5\n")
    enough = evaluate_similarity(structured_vectors(), path)
    low, high = enough["interval"]
    assert -1 <= low < enough["spearman"] < high <= 1
    assert evaluate_similarity(structured_vectors(), path) == enough


def test_negative_top_is_refused(questions: Path) -> None:
    with pytest.raises(InputError, match="top: -1 is negative"):
        evaluate_analogies(structured_vectors(), questions, top=-1)


@pytest.mark.parametrize(
    ("top", "words"),
    [
        (60, "60 most frequent words,"),
        (83, "83 most frequent words,"),
        (0, "83 most frequent words,"),
        (30_000, "83 most frequent words (30,000 asked),"),
    ],
)
def test_the_verb_names_the_cut_that_was_asked_for(
    questions: Path, tmp_path: Path, top: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    structured_vectors().save(tmp_path / "v")
    assert run(["evaluate", str(tmp_path / "v"), "--questions", str(questions), "--top", str(top)]) == 0
    assert f"3CosAdd among the {words} case folded" in capsys.readouterr().out
