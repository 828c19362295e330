"""The result of evaluating word vectors: figures with their protocol, a table, and the JSON of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...base.results import Result, Table, line


class SectionScore(NamedTuple):
    """How the questions of one section were answered."""

    name: str
    kind: str
    """semantic or syntactic."""
    questions: int
    covered: int
    """Questions whose words are all known; only these are asked."""
    correct: int
    accuracy: float | None
    """In percent of the covered ones; None where there are none."""
    interval: tuple[float, float] | None
    """95 % interval of the accuracy (Wilson), in percent."""


class SimilarityScore(NamedTuple):
    """How well cosines follow what people think of pairs of words."""

    name: str
    pairs: int
    covered: int
    """Pairs whose words are both known."""
    spearman: float | None
    """Rank correlation; None where fewer than two pairs are covered or one side does not vary."""
    interval: tuple[float, float] | None
    """95 % interval of it (bootstrap)."""


class VectorEvaluation(Result):
    """The scores of word vectors on analogies and on similarity judged by people.

    Args:
        analogies: what `evaluate_analogies` returns, None where no questions were asked.
        similarity: what `evaluate_similarity` returns, for each file.
    """

    def __init__(self, analogies: Mapping[str, Any] | None, similarity: Sequence[Mapping[str, Any]]):
        self._analogies = None if analogies is None else dict(analogies)
        self._similarity = [dict(scores) for scores in similarity]

    @property
    def accuracy(self) -> float | None:
        """Analogies answered right, in percent of the covered questions; None where none was asked."""
        return self._analogies["accuracy"] if self._analogies else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy, in percent; the questions count as independent."""
        return _span(self._analogies["interval"]) if self._analogies else None

    @property
    def semantic(self) -> float | None:
        """Accuracy on sections about meaning, such as capitals, in percent."""
        return self._analogies["semantic"] if self._analogies else None

    @property
    def syntactic(self) -> float | None:
        """Accuracy on sections about grammar, such as plurals, in percent."""
        return self._analogies["syntactic"] if self._analogies else None

    @property
    def questions(self) -> int:
        """Questions in all sections."""
        return self._analogies["questions"] if self._analogies else 0

    @property
    def covered(self) -> int:
        """Questions whose words are all known."""
        return self._analogies["covered"] if self._analogies else 0

    @property
    def sections(self) -> list[SectionScore]:
        """The scores of every section of the questions, in the order of the files."""
        sections = self._analogies["sections"] if self._analogies else []
        return [SectionScore(**{**section, "interval": _span(section["interval"])}) for section in sections]

    @property
    def similarity(self) -> list[SimilarityScore]:
        """The scores of every similarity file."""
        return [
            SimilarityScore(
                scores["name"], scores["pairs"], scores["covered"], scores["spearman"], _span(scores["interval"])
            )
            for scores in self._similarity
        ]

    def table(self) -> Table:
        """A row for each section, all questions, and each similarity file. Accuracies are in percent."""
        rows: list[tuple[Any, ...]] = [
            (section.name, section.kind, section.questions, section.covered, section.accuracy, _shown(section.interval))
            for section in self.sections
        ]
        if self._analogies:
            rows.append(
                ("all questions", "analogies", self.questions, self.covered, self.accuracy, _shown(self.interval))
            )
        rows += [
            (scores.name, "similarity", scores.pairs, scores.covered, scores.spearman, _shown(scores.interval, 3))
            for scores in self.similarity
        ]
        return Table(("name", "kind", "questions", "covered", "score", "95 % interval"), rows, self.protocol)

    @property
    def protocol(self) -> str:
        """How the figures were made, in a sentence; other protocols give other figures."""
        if not self._analogies:
            return "Spearman's correlation of cosines with people's scores, pairs with unknown words left out."
        method = {"add": "3CosAdd", "mul": "3CosMul"}[self._analogies["method"]]
        return (
            f"{method} among the {self._analogies['vocabulary']:,} most frequent words, case folded, questions with "
            "unknown words left out; accuracy in percent."
        )

    def to_json(self) -> dict[str, Any]:
        """{"analogies": {...} or None, "similarity": [{...}, ...]}, as `seqlab evaluate --json` prints it."""
        return {"analogies": self._analogies, "similarity": self._similarity}

    def __repr__(self) -> str:
        facts = []
        if self._analogies:
            names = ", ".join(Path(name).name for name in self._analogies["sets"])
            accuracy = "no accuracy" if self.accuracy is None else f"accuracy {self.accuracy:.1f} %"
            if self.interval:
                accuracy += f" [{_shown(self.interval)}]"
            facts.append(f"{names}: {accuracy} of {self.covered:,} questions")
        for scores in self.similarity:
            correlation = "-" if scores.spearman is None else f"{scores.spearman:.3f}"
            facts.append(f"{scores.name}: Spearman {correlation} of {scores.covered:,} pairs")
        return line("VectorEvaluation", facts)


def _span(bounds: Sequence[float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (bounds[0], bounds[1])


def _shown(bounds: tuple[float, float] | None, digits: int = 1) -> str | None:
    return None if bounds is None else f"{bounds[0]:.{digits}f} to {bounds[1]:.{digits}f}"
