"""`Comparison`: what comparing language models found, for a console, a notebook, a data frame and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...base.printing import printable
from ...base.results import Result, Table, abbreviated, line
from .pairs import Contrast, ModelPair
from .words import headline, sentences

if TYPE_CHECKING:
    from ...visualization import CurveAxis, Picture

COSTS = {
    "nats per token": "nats_per_token",
    "nats per char": "nats_per_char",
    "parameters": "parameters",
    "trained on, tokens": "training_tokens",
    "training tokens/s": "training_tokens_per_second",
    "evaluation tokens/s": "evaluation_tokens_per_second",
    "weights, MB": "weights_bytes",
    "folder, MB": "folder_bytes",
    "seed": "seed",
}
"""Headers of the table of models -> key of their costs."""


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Language models compared on one text, all with the first.

    Attributes:
        text_name: what they were compared on.
        pairs: the first against every other.
        models: of every model, its scores on the text, parameters, speed, memory and size on disk.
        histories: of every model, its name and the lines of its training, for curves.
    """

    text_name: str
    pairs: Sequence[ModelPair]
    models: Sequence[dict[str, Any]]
    histories: Sequence[tuple[str, list[dict[str, Any]]]] = field(default=(), compare=False)

    def __repr__(self) -> str:
        facts = [headline(pair, self.text_name).rstrip(".") for pair in self.pairs]
        return line("Comparison", facts if len(facts) == 1 else [f"{len(self.models)} models", *facts[:3]])

    @property
    def difference(self) -> float:
        """Of the first pair, in nats: b minus a, so that below zero b is the better one."""
        return self.pairs[0].found.mean

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of it."""
        return self.pairs[0].found.interval

    def table(self) -> Table:
        """A row a pair."""
        headers = (
            "model", "against", "difference", "per", "95 % from", "to", "p", "p (Holm)", "changed", "rule of 30",
            "texts needed",
        )  # fmt: skip
        rows = []
        for pair in self.pairs:
            found, needed = pair.found, None if pair.needed is None else float(f"{pair.needed / pair.tokens:.2g}")
            rows.append(
                (
                    printable(pair.b), printable(pair.a), found.mean, pair.per, *found.interval, found.p, pair.adjusted,
                    pair.changed, pair.rule_of_30, needed,
                )
            )  # fmt: skip
        return Table(headers, rows, repr(self))

    def costs(self) -> Table:
        """A row a model: scores, parameters, speed, memory and size on disk."""
        rows = [(printable(one["name"]), *(_shown(key, one[key]) for key in COSTS.values())) for one in self.models]
        return Table(("model", *COSTS), rows)

    def paragraphs(self) -> list[str]:
        """What was found in words, a pair each."""
        return [" ".join(sentences(pair, self.text_name)) for pair in self.pairs]

    def text(self) -> str:
        """Words, for several pairs a table, what the models cost, and for one pair where they differ most."""
        parts = ["\n".join(sentences(self.pairs[0], self.text_name))] if len(self.pairs) == 1 else self.paragraphs()
        if len(self.pairs) > 1:
            parts.append(self.table().text())
        parts.append(self.costs().text())
        if len(self.pairs) == 1:
            pair = self.pairs[0]
            for name, places in ((pair.b, pair.better_b), (pair.a, pair.better_a)):
                if places:
                    parts.append(f"Where {printable(name)} is better by most:\n{_places(places)}")
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """{"text", "pairs": [{"a", "b", "difference", "interval", "p", "tokens_changed", "rule_of_30", ...}],
        "models"}.

        Differences are losses in nats, b minus a: below zero b is the better one."""
        words = zip(self.pairs, self.paragraphs(), strict=True)
        return {
            "text": self.text_name,
            "pairs": [pair.to_json() | {"words": paragraph} for pair, paragraph in words],
            "models": list(self.models),
        }

    def curves(self, *, x: CurveAxis = "tokens") -> Picture:
        """The training curves of all models on top of one another, with what was found beneath.

        Args:
            x: the horizontal axis: "tokens", "steps" or "seconds".
        """
        from ...visualization import draw_curves

        return draw_curves(self.histories, x=x, words=[headline(pair, self.text_name) for pair in self.pairs])


def _places(places: Sequence[Contrast]) -> str:
    rows = [
        (f"{printable(one.before)}[{printable(one.token)}]{printable(one.after)}", f"{one.a:.2f}", f"{one.b:.2f}")
        for one in places
    ]
    return Table(("text", "first: log p", "second: log p"), rows).text()


def _shown(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key.endswith("_bytes"):
        return value / 1e6
    return abbreviated(round(value)) if key in ("training_tokens", *SPEEDS) else value


SPEEDS = ("training_tokens_per_second", "evaluation_tokens_per_second")
