"""Scores of words, and the highest of many. Shapes: V scores, k results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...base.errors import InputError

SHORTEST, LONGEST = 1e-15, 1e18
"""Lengths between which no square that matters underflows or overflows in float32."""


def highest(scores_V: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest of scores (V,): columns (k,) and scores (k,), best first, at most V of them.

    Equal scores come in the order of the columns, also where only some of them are among the k, and NaN comes last;
    so a partition finds the k-th score, and all that reach it are sorted.
    """
    k = min(max(0, k), len(scores_V))
    if not k:
        return np.empty(0, np.int64), scores_V[:0]
    negated_V = -scores_V
    columns = np.flatnonzero(negated_V <= np.partition(negated_V, k - 1)[k - 1])
    if len(columns) < k:  # there is NaN among the k
        columns = np.arange(len(scores_V))
    columns_K = columns[np.argsort(negated_V[columns], kind="stable")[:k]]
    return columns_K, scores_V[columns_K]


def lengths(matrix: np.ndarray) -> np.ndarray:
    """(N,) Euclidean lengths of rows; 1 for all-zero ones, so that they can be divided by.

    Raises:
        InputError: a length is beyond float32.
    """
    with np.errstate(over="ignore"):
        norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))
        extreme = np.flatnonzero(~((norms > SHORTEST) & (norms < LONGEST)))
        if len(extreme):  # their squares are not float32's
            rows = np.asarray(matrix[extreme], np.float64)
            norms[extreme] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    if np.isinf(norms).any():
        raise InputError(
            "a vector is longer than float32 can say (3.4e38), so cosines cannot be computed; divide all vectors by a "
            "constant."
        )
    return np.where(norms > 0, norms, np.float32(1))


def multiplied_similarity(positive: Sequence[np.ndarray], negative: Sequence[np.ndarray]) -> np.ndarray:
    """Scores from arrays of cosines, all of one shape: product of (1 + cos) / 2 with every positive, over that with
    every negative plus 1e-6.

    Equation 4 and footnote 7 of Levy & Goldberg 2014, https://aclanthology.org/W14-1618.
    """
    above = math.prod((1 + cosines) / 2 for cosines in positive)
    below = math.prod((1 + cosines) / 2 for cosines in negative)
    return np.asarray(above / (below + np.float32(1e-6)))
