"""Tokens with their probabilities, as generation and scoring report them: rows of a table, and text shaded by how
surprised the model was."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.results import Table

SHADED = 5_000
"""Tokens of a text that a notebook shows; a page of a hundred thousand spans would stall the browser."""
SURPRISE = 8.0
"""Nats at which the shade is strongest: one in three thousand."""


@dataclass(frozen=True)
class Token:
    """One token of a text. `log_prob` and `entropy` (nats) and `rank` (1: the model's favourite) are the model's own,
    whatever rules shaped the choice."""

    text: str
    id: int
    log_prob: float
    rank: int
    entropy: float


def token_table(tokens: Sequence[Token]) -> Table:
    """A row a token: text, id, log-probability in nats, rank, entropy in nats."""
    rows = [(one.text, one.id, one.log_prob, one.rank, one.entropy) for one in tokens]
    return Table(("token", "id", "log_prob", "rank", "entropy"), rows)


def shaded(tokens: Sequence[Token], before: str = "") -> str:
    """Text as HTML in which a token is the darker, the less the model expected it; hovering shows the figures.

    Args:
        tokens: with their texts, which joined are the text.
        before: shown in grey in front of them, such as a prompt.
    """
    spans = [f'<span style="color:#888">{html.escape(before)}</span>'] if before else []
    for one in tokens[:SHADED]:
        shade = 0.75 * min(1.0, -one.log_prob / SURPRISE)
        title = f"p = {math.exp(one.log_prob):.3g} · rank {one.rank:,} · entropy {one.entropy:.2f} nats"
        spans.append(
            f'<span style="background:rgba(230,120,30,{shade:.2f})" title="{title}">{html.escape(one.text)}</span>'
        )
    left = len(tokens) - SHADED
    more = f"<p>and {left:,} more tokens (to_frame() has them all)</p>" if left > 0 else ""
    return f'<div style="white-space:pre-wrap;font-family:monospace">{"".join(spans)}</div>{more}'


def excerpt(text: str, width: int = 40) -> str:
    """The beginning of a text on one line, in quotes."""
    cut = text if len(text) <= width else text[: width - 1].rstrip() + "…"
    return repr(cut)
