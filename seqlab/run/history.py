"""`History`: the lines of metrics that training wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base.errors import counted
from ..base.results import Result, Table, abbreviated, line

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class History(Result):
    """What a training measured: the lines of metrics.jsonl.

    Attributes:
        lines: means over the steps since the line before: "step", "tokens", "seconds", "loss" in nats per token, "lr",
            "grad_norm" and more; "valid_loss" where the model was validated.
    """

    lines: list[dict[str, Any]]

    def __repr__(self) -> str:
        best, last = self.best_perplexity, self.last
        return line(
            "History",
            [
                counted(len(self.lines), "line"),
                counted(last["step"], "step") if last else "",
                f"{abbreviated(last['tokens'])} tokens" if last else "",
                "" if best is None else f"best valid perplexity {best:.4g}",
            ],
        )

    @property
    def last(self) -> dict[str, Any]:
        """The last line, empty where there is none."""
        return self.lines[-1] if self.lines else {}

    @property
    def validations(self) -> list[dict[str, Any]]:
        """The lines at which the model was validated."""
        return [one for one in self.lines if "valid_loss" in one]

    @property
    def best_perplexity(self) -> float | None:
        """On the validation tokens used during training, of the best weights so far; None before any validation."""
        losses = [one["valid_loss"] for one in self.validations]
        return math.exp(min(min(losses), 700.0)) if losses else None

    def table(self) -> Table:
        """A row a validation."""
        headers = ("step", "tokens", "seconds", "lr", "loss", "valid_loss", "valid_perplexity")
        rows = [
            (*(one.get(key) for key in headers[:-1]), math.exp(min(one["valid_loss"], 700.0)))
            for one in self.validations
        ]
        return Table(headers, rows, repr(self))

    def to_frame(self) -> pandas.DataFrame:
        """A row a line; nested figures become columns such as grad_norms.cell1. Raises InputError where pandas is not
        installed."""
        rows = [flat(one) for one in self.lines]
        headers = list(dict.fromkeys(key for row in rows for key in row))
        return Table(headers, [[row.get(key) for key in headers] for row in rows]).frame()

    def to_json(self) -> list[dict[str, Any]]:
        """The lines."""
        return self.lines


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    result: dict[str, Any] = {}
    for key, value in nested.items():
        result |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return result
