"""Scores of words, and the highest of many, exactly and in little more time than it takes to read them once.

Scores are put into groups, and the maximum of each group is taken, which is one vectorised pass. The k
highest scores lie in the k groups with the highest maxima, so that only their members need to be sorted. Of equal
scores the earlier column comes first. Shapes: V scores, S groups of some V / S members, k results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SMALLEST_GROUP = 4
"""With fewer members a group, sorting all scores takes no longer."""


def highest(scores_V: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest of scores (V,): columns (k,) and scores (k,), best first, equal ones in the order of the columns,
    NaN last. At most V are found."""
    k = min(max(0, k), len(scores_V))
    stride = _groups(len(scores_V), k)
    columns = np.empty(0, np.int64)
    if stride:
        lowest = np.partition(_maxima(scores_V, stride), stride - k)[stride - k]
        columns = np.flatnonzero(scores_V >= lowest)
    if len(columns) < k:  # no groups, or NaN among their maxima
        columns = np.arange(len(scores_V))
    columns_K = columns[np.argsort(-scores_V[columns], kind="stable")[:k]]
    return columns_K, scores_V[columns_K]


def _groups(width: int, k: int) -> int:
    """S, or 0 where groups are of no use. With 16 times as many groups as candidates, both take about as long."""
    members = int(np.sqrt(width / k) / 4) if k else 0
    return -(-width // members) if members >= SMALLEST_GROUP else 0


def _maxima(scores_V: np.ndarray, stride: int) -> np.ndarray:
    """(S,): group s is made of the columns s, s + S, s + 2 S and so on."""
    whole = len(scores_V) - len(scores_V) % stride
    maxima_S: np.ndarray = scores_V[:whole].reshape(-1, stride).max(axis=0)
    rest = len(scores_V) - whole
    np.maximum(maxima_S[:rest], scores_V[whole:], out=maxima_S[:rest])
    return maxima_S


def lengths(matrix: np.ndarray) -> np.ndarray:
    """(N,) Euclidean lengths of rows; 1 for all-zero ones, so that they can be divided by."""
    norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))
    return np.where(norms > 0, norms, np.float32(1))


def multiplied_similarity(positive: Sequence[np.ndarray], negative: Sequence[np.ndarray]) -> np.ndarray:
    """Scores from arrays of cosines, all of one shape: product of (1 + cos) / 2 with every positive, over that with
    every negative plus 1e-6.

    Equation 4 and footnote 7 of Levy & Goldberg 2014, https://aclanthology.org/W14-1618.
    """
    above = math.prod((1 + cosines) / 2 for cosines in positive)
    below = math.prod((1 + cosines) / 2 for cosines in negative)
    return np.asarray(above / (below + np.float32(1e-6)))
