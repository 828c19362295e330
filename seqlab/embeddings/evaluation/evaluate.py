"""Evaluation of word vectors: analogy questions (Mikolov et al. 2013, https://arxiv.org/abs/1301.3781) and similarity
judged by people.

The protocol is part of every result: among how many words the answer is searched, how many questions have all their
words there (the others are left out), and the method. Words are compared without regard to case; of words that
differ in case only, the most frequent counts. On the same vectors the answers are gensim's. Every figure comes with
a 95 % interval, so chance is not mistaken for progress.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ..packed.matrix import PackedMatrix, dots
from ..queries.lexicon import Lexicon
from ..queries.terms import Method, check_method
from .questions import Pair, Section, read_questions, read_similarity
from .results import VectorEvaluation

TOP = 30_000
"""Most frequent words among which answers to analogies are sought."""
BLOCK = 1 << 23
"""Scores in memory at once: 32 MB of float32."""
DRAWN = 1 << 19
"""Pairs drawn at once for a bootstrap: some 30 MB."""
RESAMPLES, SEED = 2_000, 1
"""Bootstrap draws of the pairs of a similarity file, and their seed."""
RIGHT, WRONG, UNKNOWN = 1, 0, -1
"""Answers to a question: the last where one of its words is not among the vectors."""
FEWEST = 10
"""With fewer pairs than this, resampling them says nothing about the correlation."""


class _Folded:
    """The `size` most frequent words without regard to case; words that differ in case only form one class."""

    def __init__(self, vectors: Lexicon, size: int):
        self.words: dict[str, int] = {}
        classes = [self.words.setdefault(word.upper(), len(self.words)) for word in vectors.words[:size]]
        self.class_of_row = np.asarray(classes, np.int64)
        order = np.argsort(self.class_of_row, kind="stable")
        ends = np.searchsorted(self.class_of_row[order], np.arange(len(self.words) + 1))
        self.first_row = order[ends[:-1]]
        self.twins = (
            [order[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)] if len(classes) > len(self.words) else None
        )

    def find(self, words: Sequence[str]) -> list[int] | None:
        """Classes of `words`, or None when one is missing."""
        found = [self.words.get(word.upper(), -1) for word in words]
        return None if -1 in found else found

    def rows(self, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every row of every class in `classes` (Q, C), as indices (question, row)."""
        if self.twins is None:
            return np.repeat(np.arange(len(classes)), classes.shape[1]), self.first_row[classes].ravel()
        per_question = [np.concatenate([self.twins[c] for c in question]) for question in classes]
        lengths = [len(rows) for rows in per_question]
        return np.repeat(np.arange(len(classes)), lengths), np.concatenate(per_question)


def cosines_with(vectors: Lexicon, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from vectors (Q, D) to their dot products (Q, V) with the first `size` words' unit vectors."""
    if isinstance(vectors.stored, PackedMatrix):
        return lambda queries_QD: dots(vectors.stored, queries_QD, slice(size)) / vectors.norms[:size]
    unit_VD = vectors.stored[:size] / vectors.norms[:size, None]
    return lambda queries_QD: queries_QD @ unit_VD.T


def unit_vectors(vectors: Lexicon, rows: np.ndarray) -> np.ndarray:
    """(N, D) vectors of length one of some rows."""
    return vectors.stored[rows] / vectors.norms[rows, None]


def answer(
    cosines: Callable[[np.ndarray], np.ndarray], abc: tuple[np.ndarray, np.ndarray, np.ndarray], method: Method
) -> np.ndarray:
    """Scores (Q, V) of every word as the answer to "a is to b as c is to ?", for unit vectors a, b and c (Q, D)."""
    a_QD, b_QD, c_QD = abc
    if method == "add":
        return cosines(b_QD - a_QD + c_QD)
    scores_QV = 1 + cosines(b_QD)
    scores_QV *= 1 + cosines(c_QD)
    scores_QV /= 2 * (1 + cosines(a_QD)) + np.float32(4e-6)  # (1 + cos) / 2 each, and 1e-6 below
    return scores_QV


def answered(vectors: Lexicon, classes_Q4: np.ndarray, folded: _Folded, method: Method) -> np.ndarray:
    """Which questions (Q, 4) of word classes are answered by their fourth; the first three are no answers."""
    size = len(folded.class_of_row)
    cosines, correct = cosines_with(vectors, size), np.zeros(len(classes_Q4), bool)
    step = max(1, BLOCK // max(1, size))
    for start in range(0, len(classes_Q4), step):
        block = classes_Q4[start : start + step]
        a, b, c = (unit_vectors(vectors, rows) for rows in folded.first_row[block[:, :3]].T)
        scores_QV = answer(cosines, (a, b, c), method)
        scores_QV[folded.rows(block[:, :3])] = -np.inf
        best = folded.class_of_row[scores_QV.argmax(axis=1)]
        correct[start : start + step] = best == block[:, 3]
    return correct


def evaluate_analogies(
    vectors: Lexicon,
    questions: str | Path | Sequence[str | Path],
    method: Method = "add",
    top: int = TOP,
) -> dict[str, Any]:
    """Accuracy, in percent, on one or more question sets: files or names, see `questions.read_questions`.

    Args:
        method: "add" (3CosAdd) or "mul" (3CosMul), as in `WordVectors.analogy`.
        top: only the so many most frequent words are asked about and sought among; 0 takes all.

    Returns {"sets", "method", "vocabulary", "case", "questions", "covered", "correct", "accuracy", "interval",
    "semantic", "syntactic", "sections"}; a section is {"name", "kind", "questions", "covered", "correct", "accuracy",
    "interval"}. Accuracies and intervals of nothing are None. An interval is `wilson_interval`'s, in percent.

    Raises InputError for an unknown method, a negative `top` and what `read_questions` refuses.
    """
    check_method(method)
    if top < 0:
        raise InputError(f"top: {top} is negative; give how many words to seek among, or 0 for all.")
    sets = [questions] if isinstance(questions, str | Path) else questions
    sections = [section for source in sets for section in read_questions(source)]
    answers = answers_by_section(vectors, sections, method, top)
    per_section = [answers_Q[answers_Q != UNKNOWN] == RIGHT for answers_Q in answers]
    correct = np.concatenate(per_section)
    kinds = np.repeat([section.kind for section in sections], [len(right) for right in per_section])
    return {
        "sets": [str(source) for source in sets],
        "method": method,
        "vocabulary": min(top, len(vectors)) if top else len(vectors),
        "case": "folded",
        "questions": sum(len(section.questions) for section in sections),
        **_score(correct),
        "semantic": _score(correct[kinds == "semantic"])["accuracy"],
        "syntactic": _score(correct[kinds == "syntactic"])["accuracy"],
        "sections": [
            {"name": section.name, "kind": section.kind, "questions": len(section.questions), **_score(right)}
            for section, right in zip(sections, per_section, strict=True)
        ],
    }


def answers_by_section(
    vectors: Lexicon, sections: Sequence[Section], method: Method = "add", top: int = TOP
) -> list[np.ndarray]:
    """How every question is answered: for each section (Q,) of RIGHT, WRONG, or UNKNOWN where a word is.

    Args:
        vectors: the word vectors.
        sections: of questions.
        method, top: as in `evaluate_analogies`.
    """
    folded = _Folded(vectors, top or len(vectors))
    found = [[folded.find(question) for question in section.questions] for section in sections]
    known = [np.array([classes is not None for classes in section], bool) for section in found]
    everything = np.array([classes for section in found for classes in section if classes], np.int64).reshape(-1, 4)
    correct, answers, begin = answered(vectors, everything, folded, method), [], 0
    for known_Q in known:
        answers_Q = np.full(len(known_Q), UNKNOWN, np.int8)
        count = int(known_Q.sum())
        answers_Q[known_Q] = np.where(correct[begin : begin + count], RIGHT, WRONG)
        answers.append(answers_Q)
        begin += count
    return answers


def _score(correct: np.ndarray) -> dict[str, Any]:
    """The figures of questions answered right or wrong: {"covered", "correct", "accuracy", "interval"}."""
    covered, right = len(correct), int(correct.sum())
    interval = wilson_interval(right, covered)
    return {
        "covered": covered,
        "correct": right,
        "accuracy": 100 * right / covered if covered else None,
        "interval": [100 * bound for bound in interval] if interval else None,
    }


def wilson_interval(right: int, count: int) -> list[float] | None:
    """95 % interval [low, high] of a share (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953).

    It takes the questions as independent. Those of one section share their pairs, so the interval for other pairs of
    the same kind is wider.
    """
    if not count:
        return None
    from scipy.stats import binomtest

    interval = binomtest(right, count).proportion_ci(0.95, "wilson")
    return [float(interval.low), float(interval.high)]


def evaluate_similarity(vectors: Lexicon, path: str | Path) -> dict[str, Any]:
    """Spearman's rank correlation between cosines and human scores of a similarity file, over all words.

    Returns {"name", "vocabulary", "case", "pairs", "covered", "spearman", "interval", "resamples", "seed"}; pairs with
    an unknown word are left out. The correlation is None where fewer than two remain or one side does not vary, the
    interval (`bootstrap_interval`) where fewer than FEWEST remain.
    """
    pairs = read_similarity(path)
    cosines_P = cosines_of(vectors, pairs)
    known_P = ~np.isnan(cosines_P)
    covered = int(known_P.sum())
    spearman = interval = None
    if covered > 1:
        cosines, scores = cosines_P[known_P], np.array([pair.score for pair in pairs])[known_P]
        coefficient = rank_correlation(cosines, scores)
        if np.isfinite(coefficient):
            spearman = float(coefficient)
            interval = bootstrap_interval(cosines, scores) if covered >= FEWEST else None
    return {
        "name": Path(path).stem,
        "vocabulary": len(vectors),
        "case": "folded",
        "pairs": len(pairs),
        "covered": covered,
        "spearman": spearman,
        "interval": interval,
        "resamples": RESAMPLES,
        "seed": SEED,
    }


def cosines_of(vectors: Lexicon, pairs: Sequence[Pair]) -> np.ndarray:
    """Cosines (P,) of pairs of words, not a number where one of them is unknown."""
    folded = _Folded(vectors, len(vectors))
    found = [folded.find(pair[:2]) for pair in pairs]
    cosines_P = np.full(len(pairs), np.nan, np.float32)
    known_P = np.array([classes is not None for classes in found], bool)
    if known_P.any():
        rows = folded.first_row[np.array([classes for classes in found if classes])]
        first, second = (unit_vectors(vectors, side) for side in rows.T)
        cosines_P[known_P] = np.einsum("nd,nd->n", first, second)
    return cosines_P


def rank_correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's coefficients of x and y along an axis; ties share their mean rank. NaN where one does not vary.

    Pearson's coefficient of the ranks. scipy's `spearmanr` is the same, but takes one pair of samples at a time.
    """
    from scipy.stats import pearsonr, rankdata

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "An input array is constant")
        return np.asarray(pearsonr(rankdata(x, axis=axis), rankdata(y, axis=axis), axis=axis).statistic)


def bootstrap_interval(
    x_N: np.ndarray, y_N: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED
) -> list[float] | None:
    """95 % percentile interval [low, high] of Spearman's coefficient when the N pairs are drawn anew with replacement
    (Efron 1979, https://doi.org/10.1214/aos/1176344552).

    Draws in which one side does not vary have no coefficient and are left out; None where all are so.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        drawn = bootstrap(
            (x_N, y_N),
            rank_correlation,
            n_resamples=resamples,
            batch=max(1, DRAWN // len(x_N)),
            vectorized=True,
            paired=True,
            method="percentile",
            random_state=np.random.default_rng(seed),
        ).bootstrap_distribution
    drawn = drawn[np.isfinite(drawn)]
    return [float(bound) for bound in np.percentile(drawn, [2.5, 97.5])] if len(drawn) else None


def evaluate_vectors(
    vectors: Lexicon,
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    *,
    method: Method = "add",
    top: int = TOP,
) -> VectorEvaluation:
    """Evaluate word vectors on analogies and on similarity judged by people.

    Args:
        vectors: the word vectors.
        questions: question files or names of shipped sets, one or several.
        similarity: similarity files, one or several.
        method, top: as in `evaluate_analogies`.

    Returns:
        The scores; its `to_json()` is what `seqlab evaluate VECTORS --json` prints.

    Raises:
        InputError: what `evaluate_analogies` and `evaluate_similarity` refuse.
    """
    files = [similarity] if isinstance(similarity, str | Path) else similarity
    none = not isinstance(questions, str | Path) and not len(questions)
    return VectorEvaluation(
        None if none else evaluate_analogies(vectors, questions, method, top),
        [evaluate_similarity(vectors, path) for path in files],
    )
