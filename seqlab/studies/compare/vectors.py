"""Comparing word vectors on questions and on similarity judged by people: paired, over what both know.

Shapes: Q questions of a section, S sections, P pairs of words, R draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError, counted
from ...base.printing import printable
from ...base.results import Result, Table, line
from ...embeddings import WordVectors
from ...embeddings.evaluation.evaluate import (
    FEWEST,
    RIGHT,
    TOP,
    UNKNOWN,
    answers_by_section,
    cosines_of,
    rank_correlation,
)
from ...embeddings.evaluation.questions import read_questions, read_similarity
from ...embeddings.queries.terms import Method, check_method
from .pairs import RULE_OF_30

RESAMPLES, SEED = 10_000, 1
"""Draws of sections or pairs, and their seed."""
DRAWN = 1 << 19
"""Pairs drawn at once."""
FEWEST_SECTIONS = 5
"""Sections from which on they are what is drawn: questions of one share their words."""


@dataclass(frozen=True)
class VectorDifference:
    """Two sets of vectors on one test, over what both know.

    Attributes:
        a, b: names of the vectors.
        test: "analogies", or the name of a similarity file.
        first, second: accuracy in percent, or Spearman's correlation, of a and of b.
        difference: second minus first: above zero b is the better one.
        interval: 95 % by paired bootstrap, None of too few questions or pairs.
        p: share of draws on the other side of zero, doubled.
        covered: questions or pairs that both know.
        drawn: what was drawn with replacement: "sections", "questions" or "pairs".
        gained, lost: questions that b alone, and a alone, answers; None for similarity.
    """

    a: str
    b: str
    test: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    covered: int
    drawn: str
    gained: int | None = None
    lost: int | None = None

    @property
    def changed(self) -> int | None:
        """Questions that changed sides."""
        return None if self.gained is None or self.lost is None else self.gained + self.lost

    def sentence(self) -> str:
        """What was found, in words."""
        points = self.test == "analogies"
        what = "questions" if points else "pairs"
        digits, unit = (1, " points") if points else (3, "")
        told = (
            f"{printable(self.test)}: {printable(self.b)} {self.second:.{digits}f}, {printable(self.a)} "
            f"{self.first:.{digits}f} on {self.covered:,} {what} that both know, a difference of "
            f"{self.difference:+.{digits}f}{unit}"
        )
        if self.interval is None or self.p is None:
            return f"{told}; too few {what} for an interval."
        low, high = self.interval
        sure = "" if low > 0 or high < 0 else ", which may be chance"
        told += f" (95 % interval {low:+.{digits}f} to {high:+.{digits}f}, {self.drawn} drawn with replacement, "
        told += f"p = {self.p:.2g}){sure}."
        if self.changed is not None:
            met = "met" if self.changed >= RULE_OF_30 else "not met"
            told += f" {counted(self.changed, 'question')} changed sides, {self.gained:,} to the second and "
            told += f"{self.lost:,} to the first; rule of {RULE_OF_30}: {met}."
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        met = None if self.changed is None else self.changed >= RULE_OF_30
        return asdict(self) | {"tokens_changed": self.changed, "rule_of_30": met}


@dataclass(frozen=True, repr=False)
class VectorComparison(Result):
    """Word vectors compared on tests, all with the first.

    Attributes:
        pairs: a test of two sets of vectors each.
        models: of every set, words, dimensions and bytes.
    """

    pairs: Sequence[VectorDifference]
    models: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        return line("VectorComparison", [f"{one.b} - {one.a}, {one.test}: {one.difference:+.3g}" for one in self.pairs])

    def table(self) -> Table:
        """A row a test of two sets of vectors."""
        headers = ("vectors", "against", "test", "first", "second", "difference", "95 % from", "to", "p", "changed")
        rows = [
            (
                printable(one.b), printable(one.a), printable(one.test), one.first, one.second, one.difference,
                *(one.interval or (None, None)), one.p, one.changed,
            )
            for one in self.pairs
        ]  # fmt: skip
        return Table(headers, rows, repr(self))

    def text(self) -> str:
        """A sentence a test, then what the vectors cost."""
        headers = ("vectors", "words", "dimensions", "MB")
        rows = [(printable(one["name"]), one["words"], one["dim"], one["bytes"] / 1e6) for one in self.models]
        return "\n".join(one.sentence() for one in self.pairs) + "\n\n" + Table(headers, rows).text()

    def to_json(self) -> dict[str, Any]:
        """{"pairs": [{"a", "b", "test", "difference", "interval", "p", "tokens_changed", "rule_of_30", ...}],
        "models"}.

        Differences are scores, b minus a: above zero b is the better one."""
        return {"pairs": [one.to_json() for one in self.pairs], "models": list(self.models)}


def compare_vectors(
    vectors: Sequence[tuple[str, WordVectors]],
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    method: Method = "add",
    top: int = TOP,
) -> VectorComparison:
    """Compare the first set of word vectors with every other one.

    Args:
        vectors: two or more, with their names.
        questions: question files or names of shipped sets.
        similarity: similarity files.
        method, top: as in `evaluate_analogies`.

    Raises:
        InputError: fewer than two sets, no test, or one that is refused.
    """
    if len(vectors) < 2:
        raise InputError("compare: give two sets of word vectors or more.")
    check_method(method)
    asked = [questions] if isinstance(questions, str | Path) else list(questions)
    files = [similarity] if isinstance(similarity, str | Path) else list(similarity)
    if not asked and not files:
        raise InputError("compare: word vectors are compared on questions or similarity scores; give some.")
    pairs: list[VectorDifference] = []
    sections = [section for source in asked for section in read_questions(source)]
    if sections:
        answers = [answers_by_section(one, sections, method, top) for _, one in vectors]
        pairs += [
            on_questions(vectors[0][0], name, answers[0], own)
            for (name, _), own in zip(vectors[1:], answers[1:], strict=True)
        ]
    for file in files:
        judged = read_similarity(file)
        scores_P = np.array([pair.score for pair in judged])
        cosines = [cosines_of(one, judged) for _, one in vectors]
        pairs += [
            on_similarity(vectors[0][0], name, Path(file).stem, cosines[0], own_P, scores_P)
            for (name, _), own_P in zip(vectors[1:], cosines[1:], strict=True)
        ]
    models = [{"name": name, "words": len(one), "dim": one.dim, "bytes": one.stored.nbytes} for name, one in vectors]
    return VectorComparison(pairs, models)


def on_questions(a: str, b: str, answers_a: Sequence[np.ndarray], answers_b: Sequence[np.ndarray]) -> VectorDifference:
    """Compare the answers to questions that both know.

    Args:
        a, b: names.
        answers_a, answers_b: of every section, see `answers_by_section`.

    Raises:
        InputError: no question has its words in both.
    """
    rng, table = np.random.default_rng(SEED), []
    for first_Q, second_Q in zip(answers_a, answers_b, strict=True):
        both_Q = (first_Q != UNKNOWN) & (second_Q != UNKNOWN)
        right_a, right_b = first_Q[both_Q] == RIGHT, second_Q[both_Q] == RIGHT
        table.append(
            (both_Q.sum(), right_a.sum(), right_b.sum(), (right_b & ~right_a).sum(), (right_a & ~right_b).sum())
        )
    counts_S5 = np.array([row for row in table if row[0]], np.int64).reshape(-1, 5)
    covered, right_a, right_b, gained, lost = (int(total) for total in counts_S5.sum(0))
    if not covered:
        raise InputError(f"{a} and {b}: no question has its four words in both; give other questions, or another top.")
    difference = 100 * (right_b - right_a) / covered
    by_sections = len(counts_S5) >= FEWEST_SECTIONS
    if by_sections:
        times_RS = rng.multinomial(len(counts_S5), np.full(len(counts_S5), 1 / len(counts_S5)), RESAMPLES)
        drawn_R = 100 * (times_RS @ (counts_S5[:, 2] - counts_S5[:, 1])) / (times_RS @ counts_S5[:, 0])
    else:
        shares = np.array([gained, lost, covered - gained - lost]) / covered
        times_R3 = rng.multinomial(covered, shares, RESAMPLES)
        drawn_R = 100 * (times_R3[:, 0] - times_R3[:, 1]) / covered
    enough = covered >= FEWEST
    return VectorDifference(
        a,
        b,
        "analogies",
        100 * right_a / covered,
        100 * right_b / covered,
        difference,
        percentiles(drawn_R) if enough else None,
        other_side(drawn_R) if enough else None,
        covered,
        "sections" if by_sections else "questions",
        gained,
        lost,
    )


def on_similarity(
    a: str, b: str, test: str, first_P: np.ndarray, second_P: np.ndarray, scores_P: np.ndarray
) -> VectorDifference:
    """Compare rank correlations with people's scores over pairs that both know.

    Args:
        a, b, test: names.
        first_P, second_P: cosines by each, not a number where a word is unknown.
        scores_P: by people.

    Raises:
        InputError: hardly any pair has its words in both.
    """
    both_P = ~(np.isnan(first_P) | np.isnan(second_P))
    if both_P.sum() < 3:
        raise InputError(f"{test}: fewer than three pairs have both words in {a} and in {b}; give another file.")
    known = np.stack([first_P, second_P, scores_P])[:, both_P]
    count, rng, drawn = known.shape[1], np.random.default_rng(SEED), []
    first, second = (float(rank_correlation(known[row], known[2])) for row in (0, 1))
    batch = max(1, DRAWN // count)
    for begin in range(0, RESAMPLES, batch):
        chosen_RP = rng.integers(count, size=(min(batch, RESAMPLES - begin), count))
        x, y, people = (row[chosen_RP] for row in known)
        drawn.append(rank_correlation(y, people) - rank_correlation(x, people))
    drawn_R = np.concatenate(drawn)
    drawn_R = drawn_R[np.isfinite(drawn_R)]
    enough = count >= FEWEST and len(drawn_R) > 0
    return VectorDifference(
        a,
        b,
        test,
        first,
        second,
        second - first,
        percentiles(drawn_R) if enough else None,
        other_side(drawn_R) if enough else None,
        count,
        "pairs",
    )


def percentiles(drawn_R: np.ndarray) -> tuple[float, float]:
    """95 % interval of the draws."""
    low, high = np.percentile(drawn_R, [2.5, 97.5])
    return float(low), float(high)


def other_side(drawn_R: np.ndarray) -> float:
    """p-value: twice the share of the draws on the smaller side of zero, at least one of them counted."""
    smaller = min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(drawn_R) + 1))
