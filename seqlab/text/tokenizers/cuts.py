"""Where text may be cut, as a rule on the text alone, so that ids never depend on how a corpus was chunked.

A *natural* cut stands between a non-space and an ASCII white-space character. Where natural cuts are more
than `LIMIT` characters apart (a gigabyte of base64, say), a *forced* cut is made every `LIMIT` characters.
No token of any tokenizer crosses a cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LIMIT = 4096
"""Longest stretch without a cut, in characters."""

_FIRST = re.compile(r"\S(?=[ \t\n\r])")
_LAST = re.compile(r".*\S(?=[ \t\n\r])", re.DOTALL)


def _hop(text: str, start: int, end: int, stop: int) -> tuple[int, bool]:
    """The last natural cut in (start, min(start + LIMIT, end)], or the forced one at start + LIMIT.

    `start` is itself a cut or the beginning of a text that ends at `stop`. Returns (position, forced); position
    is `start` where there is no cut up to `end`.
    """
    end = min(end, stop - 1)
    natural = _LAST.match(text, start, min(start + LIMIT, end) + 1)
    if natural:
        return natural.end(), False
    if start + LIMIT <= end:
        return start + LIMIT, True
    return start, False


def last_cut(text: str, start: int, end: int, stop: int | None = None) -> int:
    """Position of the last cut in (start, end], or `start` when there is none; `start` is a cut.

    stop: where the text ends, if it is but a part of the string.
    """
    stop = len(text) if stop is None else stop
    position = start
    while (cut := _hop(text, position, end, stop)[0]) > position:
        position = cut
    return position


def next_cut(text: str, start: int, stop: int | None = None) -> int | None:
    """Position of the first cut after `start`, which is a cut itself; None when the text ends before one."""
    stop = len(text) if stop is None else stop
    natural = _FIRST.search(text, start, min(stop, start + LIMIT + 1))
    if natural:
        return natural.end()
    return start + LIMIT if start + LIMIT < stop else None


def natural_cuts(text: str, start: int, end: int) -> list[int]:
    """Positions of the natural cuts in [start, end]."""
    return [match.end() for match in _FIRST.finditer(text, max(0, start - 1), end + 1)]


def pieces(text: str) -> Iterator[str]:
    """`text` split at its forced cuts only; nearly always one piece."""
    start = position = 0
    while position + LIMIT < len(text):
        cut, forced = _hop(text, position, len(text), len(text))
        if cut == position:
            break
        if forced:
            yield text[start:cut]
            start = cut
        position = cut
    if start < len(text):
        yield text[start:]
