"""Lines and runs of words that a text repeats, or shares with another: 64-bit hashes of them, thinned if too many.

A hash stands for a stretch of token ids: the sum of h(id) P^position modulo 2^64, with random odd h and P.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..ids.token_file import TokenFile

MOST = 1 << 19
"""Hashes that are kept of one text; of more lines or runs, an evenly drawn share."""
RUN = 8
"""Words of a run by which overlap between texts is measured."""
WINDOW = 1 << 20
"""Tokens looked at together; a longer line counts as several."""

_POWERS = np.cumprod(np.full(WINDOW, 0x9E3779B97F4A7C15, np.uint64))
_TABLE_SEED = 5


class Hashes(NamedTuple):
    """Distinct hashes, sorted, with how often each occurs and the first token of its first occurrence.

    share: of all distinct stretches, the share that is kept. total: occurrences, those left out included.
    """

    values: np.ndarray
    counts: np.ndarray
    places: np.ndarray
    share: float
    total: int

    def share_of(self, wanted: np.ndarray) -> float | None:
        """Share of the occurrences for which `wanted` (D,) is true; None where there are none."""
        return float(self.counts[wanted].sum() / self.counts.sum()) if len(self.values) else None


class Repeats:
    """The lines and runs of words of tokenised texts that share their ids.

    Args:
        types: number of ids.
        eos: the id that ends a line; -1 where none does.
        run: tokens of a run.
    """

    def __init__(self, types: int, eos: int, run: int = RUN):
        self.eos, self.run = eos, run
        self.table = np.random.default_rng(_TABLE_SEED).integers(1 << 63, size=types, dtype=np.uint64) * 2 + 1

    def lines(self, tokens: TokenFile, filled: int) -> Hashes:
        """All lines that are not blank, of which there are about `filled`."""
        return _collected(self._lines(tokens), filled)

    def runs(self, tokens: TokenFile, words: int) -> Hashes:
        """All runs of `run` words, across lines; the text has `words` words."""
        return _collected(self._runs(tokens), words)

    def found(self, wanted: tuple[Hashes, Hashes], tokens: TokenFile) -> tuple[np.ndarray, np.ndarray]:
        """Which of the `wanted` lines and runs of another text occur in `tokens`: (lines,) and (runs,) bool."""
        marks = []
        for hashes, blocks in zip(wanted, (self._lines(tokens), self._runs(tokens)), strict=True):
            seen = np.zeros(len(hashes.values), bool)
            for values, _ in blocks if len(seen) else ():
                places = np.minimum(np.searchsorted(hashes.values, values), len(seen) - 1)
                seen[places[hashes.values[places] == values]] = True
            marks.append(seen)
        return marks[0], marks[1]

    def _lines(self, tokens: TokenFile) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Hashes and first tokens of the lines, window by window."""
        start = 0
        while start < len(tokens):
            ids = tokens[start : start + WINDOW]
            ends = np.flatnonzero(ids == self.eos)
            stop = int(ends[-1]) + 1 if len(ends) else len(ids)
            ends = ends if len(ends) else np.array([stop])
            begins = np.concatenate([[0], ends[:-1] + 1])
            positions = np.arange(ends[-1]) - np.repeat(begins, np.diff(ends, prepend=-1))[: ends[-1]]
            sums = np.zeros(ends[-1] + 1, np.uint64)
            np.cumsum(self.table[ids[: ends[-1]]] * _POWERS[positions], out=sums[1:])
            filled = begins < ends
            yield (sums[ends] - sums[begins])[filled], begins[filled] + start
            start += stop

    def _runs(self, tokens: TokenFile) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Hashes of the runs and where about they begin, window by window."""
        before = np.zeros(0, np.uint64)
        for start in range(0, len(tokens), WINDOW):
            ids = tokens[start : start + WINDOW]
            words = np.concatenate([before, self.table[ids[ids != self.eos]]])
            count = max(0, len(words) - self.run + 1)
            sums = np.zeros(count, np.uint64)
            for place in range(self.run):
                sums += words[place : place + count] * _POWERS[place]
            yield sums, np.full(count, start)
            before = words[count:]


def _collected(blocks: Iterator[tuple[np.ndarray, np.ndarray]], expected: int) -> Hashes:
    share = min(1.0, MOST / max(1, expected))
    limit = np.uint64(min(int(share * (1 << 64)), (1 << 64) - 1))
    kept, total = [], 0
    for values, places in blocks:
        total += len(values)
        low = values <= limit if share < 1 else slice(None)
        kept.append((values[low], places[low]))
    nothing = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
    values, places = (np.concatenate(parts) for parts in zip(nothing, *kept, strict=True))
    distinct, first, counts = np.unique(values, return_index=True, return_counts=True)
    return Hashes(distinct, counts, places[first], share, total)
