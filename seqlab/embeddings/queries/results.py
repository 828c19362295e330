"""What questions answer: words with scores, as a list that also shows itself as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...base.results import Result, Table


class ScoredWords(list[tuple[str, float]], Result):
    """(word, score) pairs, best first: a list in every way, equal to a plain one, and a table in a notebook.

    notes: sentences on how far to trust the answer, which a console shows behind the list, a notebook above the table.
    noun: what the answers are, for the table's heading.
    """

    def __init__(self, pairs: Iterable[tuple[str, float]] = (), notes: Sequence[str] = (), noun: str = "word"):
        super().__init__(pairs)
        self.notes, self.noun = list(notes), noun

    def __repr__(self) -> str:
        return "  # ".join([super().__repr__(), *self.notes])

    def table(self) -> Table:
        """A row for each word."""
        return Table((self.noun, "score"), self, " ".join(self.notes))

    def to_json(self) -> list[dict[str, Any]]:
        """[{"word", "score"}, ...], as the command line prints it with `--json`."""
        return [{"word": word, "score": score} for word, score in self]
