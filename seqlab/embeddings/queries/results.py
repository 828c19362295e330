"""What questions answer: words with scores, as a list that also shows itself as a table."""

from __future__ import annotations

from typing import Any

from ...base.results import Result, Table


class ScoredWords(list[tuple[str, float]], Result):
    """(word, score) pairs, best first: a list in every way, equal to a plain one, and a table in a notebook."""

    def table(self) -> Table:
        """A row for each word."""
        return Table(("word", "score"), self)

    def to_json(self) -> list[dict[str, Any]]:
        """[{"word", "score"}, ...], as the command line prints it with `--json`."""
        return [{"word": word, "score": score} for word, score in self]
