"""Counts of more distinct texts than memory should hold: 64-bit hashes, thinned when they are too many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

HASHES = 1 << 19
"""Distinct hashes kept."""


def hash_of(text: str) -> int:
    """A 64-bit hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hashes_of(texts: Iterable[str]) -> np.ndarray:
    """Hashes of texts (N,), uint64."""
    return np.fromiter((hash_of(text) for text in texts), np.uint64)


class HashCounts:
    """Occurrences of distinct hashes. Where more than `most` are distinct, only multiples of `step` are kept.

    All occurrences of one text share its fate, so shares and numbers of distinct texts stay unbiased.
    """

    def __init__(self, most: int = HASHES):
        self.most, self.step = most, 1
        self.values, self.counts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting_size = 0

    def add(self, values: np.ndarray, counts: np.ndarray | None = None) -> None:
        counts = np.ones(len(values), np.int64) if counts is None else counts
        if self.step > 1:
            kept = values % np.uint64(self.step) == 0
            values, counts = values[kept], counts[kept]
        self._waiting.append((values, counts))
        self._waiting_size += len(values)
        if self._waiting_size > self.most:
            self._merge()

    def _merge(self) -> None:
        values = np.concatenate([self.values, *(values for values, _ in self._waiting)])
        counts = np.concatenate([self.counts, *(counts for _, counts in self._waiting)])
        self._waiting, self._waiting_size = [], 0
        self.values, inverse = np.unique(values, return_inverse=True)
        self.counts = np.bincount(inverse, counts, len(self.values)).astype(np.int64)
        while len(self.values) > self.most:
            self.step *= 2
            kept = self.values % np.uint64(self.step) == 0
            self.values, self.counts = self.values[kept], self.counts[kept]

    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """Sorted distinct hashes (D,) and their counts (D,)."""
        if self._waiting:
            self._merge()
        return self.values, self.counts

    @property
    def distinct(self) -> int:
        """Number of distinct items; an estimate where `step` is above 1."""
        return len(self.items()[0]) * self.step

    @property
    def total(self) -> int:
        """Number of occurrences kept."""
        return int(self.items()[1].sum())

    def count_of(self, text: str) -> int | None:
        """Occurrences of one text; None where its hash is not among those kept."""
        value = hash_of(text)
        if value % self.step:
            return None
        values, counts = self.items()
        place = int(np.searchsorted(values, np.uint64(value)))
        return int(counts[place]) if place < len(values) and values[place] == np.uint64(value) else 0

    def share_of(self, values: np.ndarray) -> float | None:
        """Share of these occurrences whose hash is one of `values`; None where there are no occurrences."""
        own, counts = self.items()
        return float(counts[np.isin(own, values)].sum() / counts.sum()) if len(own) else None

    def share_below(self, other: HashCounts, least: int) -> float | None:
        """Share of these occurrences whose item `other` has fewer than `least` times."""
        own, counts = self.items()
        kept = own % np.uint64(other.step) == 0
        own, counts = own[kept], counts[kept]
        values, frequencies = other.items()
        enough = np.isin(own, values[frequencies >= least])
        return float(counts[~enough].sum() / counts.sum()) if len(own) else None
