"""Text from a corpus, made safe to print, and how wide it then is."""

from __future__ import annotations

import math
import unicodedata

_IN_WORDS = frozenset(map(chr, (0xAD, 0x61C, 0x180E, *range(0x200C, 0x2010), 0x2060, *range(0xE0020, 0xE0080))))
"""Joiners, soft hyphens, marks of direction, tags (of flags): part of the spelling of the word that they stand in."""


def printable(text: str) -> str:
    """`text` with control characters escaped.

    Words and file names come from texts of unknown origin: printed as they are, one of them could move the cursor
    of a terminal, recolour what follows or write it backwards.

    Args:
        text: any string.

    Returns:
        `text` where every character that is not printable is written as its Python escape, such as `\\x1b` or `\\n`;
        joiners and the like are left as they are inside a word, which they spell.
    """
    if text.isprintable():
        return text
    shown, in_word = [], False
    for c in text:
        visible = c.isprintable()
        in_word = (visible and c != " ") or (in_word and c in _IN_WORDS)
        shown.append(c if visible or in_word else c.encode("unicode_escape").decode())
    return "".join(shown)


def printable_lines(text: str) -> str:
    """`printable`, line ends left as they are: for sentences that name files and quote what others wrote."""
    return "\n".join(map(printable, text.split("\n")))


def quoted(word: str) -> str:
    """A word in quotes for a sentence, its joiners as they are."""
    quote = '"' if "'" in word and '"' not in word else "'"
    return f"{quote}{printable(word)}{quote}"


def with_margin(value: float, margin: float) -> str:
    """A figure with half the width of its interval, no digit of it more than that is worth: "4.41 ± 0.06". A margin
    below the fifth digit of the figure is none."""
    if not math.isfinite(margin) or margin <= 1e-5 * abs(value):
        return f"{value:.4g}"
    place = math.floor(math.log10(margin))
    digits = max(0, -place + (margin < 2 * 10**place))  # two digits of a margin that begins with 1
    return f"{value:,.{digits}f} ± {margin:,.{digits}f}"


def width(text: str) -> int:
    """How many columns of a terminal `text` takes: two for ideographs and pictures, none for marks and joiners."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(c: str) -> int:
    if unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
