"""Lead-ins: what a model of running text reads before a text that has no prompt.

Such a model has hardly ever begun: its training text has one beginning, and it is read as one long stream. After the
start token alone, counts know nothing and the network is in a state that it never was in. So a text without a prompt
begins as the paragraphs of the training text do, behind the end of another paragraph (benchmarks/LOG.md, 'Texts without
a prompt').
"""

from __future__ import annotations

import numpy as np

from ..tokenizers.base import Tokenizer
from .token_file import TokenFile

LEAD_INS, LENGTH = 16, 16
STRETCH = 1 << 16
"""Tokens of the text that are looked through for each lead-in."""


def find_lead_ins(tokens: TokenFile, tokenizer: Tokenizer) -> list[list[int]]:
    """Up to LEAD_INS times LENGTH ids from all over a text, each the end of a document, where there are many, or of a
    paragraph, or of a line where paragraphs are not parted by empty lines. Always the same for the same text.

    Args:
        tokens: the training text.
        tokenizer: that made them.

    Returns:
        None of a list, whose items are read each from its beginning, or of a text without line ends.
    """
    if tokens.lines:
        return []
    places = _spread(tokens.documents[tokens.documents >= LENGTH])
    if len(places) < LEAD_INS:
        places = _paragraphs(tokens, line_ends(tokenizer))
    return [tokens[place - LENGTH : place].tolist() for place in sorted({*places})]


def line_ends(tokenizer: Tokenizer) -> np.ndarray:
    """How many line ends every type ends with, (V,) int64."""
    texts = (tokenizer.decode([id]) for id in range(len(tokenizer.vocab)))
    return np.fromiter((len(text) - len(text.rstrip("\n")) for text in texts), np.int64)


def _paragraphs(tokens: TokenFile, ends_V: np.ndarray) -> list[int]:
    """Where paragraphs begin, one in each of LEAD_INS stretches; where most stretches have none, lines."""
    found: dict[int, list[int]] = {1: [], 2: []}
    width = min(STRETCH, len(tokens) // LEAD_INS)
    for start in np.linspace(LENGTH, max(LENGTH, len(tokens) - width), LEAD_INS).astype(int).tolist():
        ends_N = ends_V[tokens[start - 2 : start + width]]
        begins_N = (ends_N[1:-1] > 0) & (ends_N[2:] == 0)
        lines_N = np.where(ends_N[1:-1] > 1, 2, 1 + (ends_N[:-2] > 0))
        for least, places in found.items():
            behind_N = np.flatnonzero(begins_N & (lines_N >= least))
            places += (behind_N[len(behind_N) // 2 :][:1] + start).tolist()
    return found[2] if len(found[2]) > LEAD_INS // 2 else found[1]


def _spread(places_N: np.ndarray) -> list[int]:
    """LEAD_INS of some places, or all."""
    chosen_N = np.linspace(0, len(places_N) - 1, min(LEAD_INS, len(places_N))).astype(int)
    return places_N[chosen_N].tolist()
