"""Generated texts as results: one line in a console, text shaded by probability in a notebook, a frame of tokens."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base.results import Table, line
from ..models.tokens import Token, excerpt, shaded, token_table

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class Sample:
    """One generated text. `str(sample)` is the prompt with its continuation.

    Attributes:
        prompt: as it reads before the text.
        text: what was generated, without the prompt; the tokens' texts joined.
        tokens: all that were generated, those of a stop string or an end of text (with text "") included.
        log_prob: total log-probability of the tokens in nats; without a prompt, behind the lead-in that was drawn
            (see `TextGenerator.generate`).
        score: `log_prob` over the length penalty.
        finish: "stop" (end of text or stop string) or "length".
        seed, index: `generate` with this seed draws it again as candidate `index`; seed is None for a search.
    """

    prompt: str
    text: str
    tokens: list[Token]
    log_prob: float
    score: float
    finish: str
    seed: int | None
    index: int

    def __str__(self) -> str:
        return self.prompt + self.text

    def __repr__(self) -> str:
        facts = [excerpt(str(self)), f"{len(self.tokens):,} tokens", f"{self.nats_per_token:.2f} nats per token"]
        return line("Sample", facts if self.tokens else facts[:2])

    @property
    def nats_per_token(self) -> float:
        """Mean of -log P over the tokens, 0 for an empty text."""
        return -self.log_prob / max(1, len(self.tokens))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "text": self.text,
            "log_prob": self.log_prob,
            "score": self.score,
            "finish": self.finish,
            "tokens": [vars(token) for token in self.tokens],
        }

    def to_frame(self) -> pandas.DataFrame:
        """A row a token. Raises InputError where pandas is not installed."""
        return token_table(self.tokens).frame()

    def _repr_html_(self) -> str:
        return shaded(self.tokens, self.prompt)


class Samples(list[Sample]):
    """The texts of one call: a list, with a table of its own."""

    def __init__(self, samples: Iterable[Sample] = ()):
        super().__init__(samples)

    def __repr__(self) -> str:
        texts = f"{len(self):,} text{'' if len(self) == 1 else 's'}"
        return line("Samples", [texts, f"{sum(len(one.tokens) for one in self):,} tokens"])

    def table(self) -> Table:
        """A row a text."""
        rows = [
            (one.index, one.prompt, one.text, len(one.tokens), one.log_prob, one.nats_per_token, one.finish, one.seed)
            for one in self
        ]
        headers = ("index", "prompt", "text", "tokens", "log_prob", "nats_per_token", "finish", "seed")
        return Table(headers, rows)

    def to_frame(self) -> pandas.DataFrame:
        """A row a text. Raises InputError where pandas is not installed."""
        return self.table().frame()

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [one.to_json() for one in self]

    def _repr_html_(self) -> str:
        def heading(number: int, one: Sample) -> str:
            return html.escape(f"{number} of {len(self)} · {one.nats_per_token:.2f} nats per token")

        return "".join(
            (f'<p style="margin-top:1em"><b>{heading(number, one)}</b></p>' if len(self) > 1 else "")
            + one._repr_html_()
            for number, one in enumerate(self, 1)
        )
