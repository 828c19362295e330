"""What a word's input vector is made of: a row of its own, and with subwords the rows of its character n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...config import EmbeddingsConfig
from .subwords import mean_rows, parts_of


class WordParts(NamedTuple):
    """The rows that every word is the mean of: word v has rows[offsets[v] : offsets[v + 1]], its own row v first.

    offsets: (V + 1,) int64. rows: (offsets[-1],) int32. size: rows of the matrix.
    """

    offsets: np.ndarray
    rows: np.ndarray
    size: int

    @classmethod
    def of(cls, words: Sequence[str], config: EmbeddingsConfig) -> WordParts:
        if not config.subwords or config.buckets is None:
            return cls(np.arange(len(words) + 1), np.arange(len(words), dtype=np.int32), len(words))
        offsets, rows = parts_of(words, config.min_ngram, config.max_ngram, config.buckets)
        return cls(offsets, rows, len(words) + config.buckets)

    def compose(self, matrix: np.ndarray) -> np.ndarray:
        """Vectors (V, D) of all words from the matrix (size, D) of parts."""
        if self.size == len(self.offsets) - 1:
            return matrix.copy()
        return mean_rows(matrix, self.offsets, self.rows)

    def start_from(self, matrix: np.ndarray, words: np.ndarray, vectors: np.ndarray) -> None:
        """Change the own rows of `words` (N,) in the matrix of parts so that these words have `vectors` (N, D)."""
        sizes = np.diff(self.offsets)[words].astype(np.float32)[:, None]
        matrix[words] += sizes * (vectors - self.compose(matrix)[words])
