"""Scores of words, and the highest of many, exactly and in little more time than it takes to read them once.

The scores of a row are put into groups, and the maximum of each group is taken, which is one vectorised pass. The k
highest scores lie in the k groups with the highest maxima, so that only their members need to be sorted. Of equal
scores the earlier column comes first. Shapes: Q queries, V scores each, S groups of some V / S members, k results.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SMALLEST_GROUP = 4
"""With fewer members a group, sorting all scores takes no longer."""
FILLED = 8192
"""Columns of scores that are written at once, about: enough for a fast product, few enough to stay in the cache."""


def highest_of_one(scores_V: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """`highest` of a single row (V,): columns (k,) and scores (k,), in as few steps as there can be."""
    k = min(max(0, k), len(scores_V))
    stride = _groups(len(scores_V), k)
    columns = np.empty(0, np.int64)
    if stride:
        lowest = np.partition(_maxima(scores_V[None], stride)[0], stride - k)[stride - k]
        columns = np.flatnonzero(scores_V >= lowest)
    if len(columns) < k:  # no groups, or NaN among their maxima
        columns = np.arange(len(scores_V))
    columns_K = columns[np.argsort(-scores_V[columns], kind="stable")[:k]]
    return columns_K, scores_V[columns_K]


def highest(scores_QV: np.ndarray, k: int, fill: Callable[[slice], None]) -> tuple[np.ndarray, np.ndarray]:
    """The k highest scores of each row.

    Args:
        scores_QV: float, rows contiguous; need not be set.
        k: at most V are found.
        fill: asked to write the scores of one slice of columns after the other into `scores_QV`, each of which is
            looked at while it is in the cache.

    Returns columns (Q, k) int64 and scores (Q, k), best first, equal ones in the order of the columns, NaN last.
    """
    queries, width = scores_QV.shape
    k = min(max(0, k), width)
    stride = _groups(width, k)
    columns_QK, scores_QK = np.empty((queries, k), np.int64), np.empty((queries, k), scores_QV.dtype)
    unclear = np.arange(queries)
    if stride and queries:
        maxima_QS = _filled_maxima(scores_QV, stride, fill)
        unclear = _highest_members(scores_QV, maxima_QS, columns_QK, scores_QK)
    elif width:
        fill(slice(0, width))
    for query in unclear:
        columns_QK[query], scores_QK[query] = highest_of_one(scores_QV[query], k)
    return columns_QK, scores_QK


def _groups(width: int, k: int) -> int:
    """S, or 0 where groups are of no use. With 16 times as many groups as candidates, both take about as long."""
    members = int(np.sqrt(width / k) / 4) if k else 0
    return -(-width // members) if members >= SMALLEST_GROUP else 0


def _maxima(scores_QV: np.ndarray, stride: int) -> np.ndarray:
    """(Q, S): group s is made of the columns s, s + S, s + 2 S and so on."""
    queries, width = scores_QV.shape
    whole = width - width % stride
    maxima_QS = scores_QV[:, :whole].reshape(queries, -1, stride).max(axis=1)
    np.maximum(maxima_QS[:, : width - whole], scores_QV[:, whole:], out=maxima_QS[:, : width - whole])
    return maxima_QS


def _filled_maxima(scores_QV: np.ndarray, stride: int, fill: Callable[[slice], None]) -> np.ndarray:
    """`_maxima` of scores that are written on the way."""
    width = scores_QV.shape[1]
    step = stride * max(1, round(FILLED / stride))
    maxima_QS = np.full((len(scores_QV), stride), -np.inf, scores_QV.dtype)
    for filled in range(0, width, step):
        end = min(filled + step, width)
        fill(slice(filled, end))
        for start in range(filled, end, stride):
            part_QS = scores_QV[:, start : min(start + stride, end)]
            rest = maxima_QS[:, : part_QS.shape[1]]
            np.maximum(rest, part_QS, out=rest)
    return maxima_QS


def _highest_members(
    scores_QV: np.ndarray, maxima_QS: np.ndarray, columns_QK: np.ndarray, scores_QK: np.ndarray
) -> np.ndarray:
    """Write the results of `highest`, given the maxima of the groups, of which there are more than k; but for the
    queries returned, where scores that are equal or NaN ask for a look at all of them."""
    (queries, width), stride, k = scores_QV.shape, maxima_QS.shape[1], columns_QK.shape[1]
    chosen_QK = np.argpartition(maxima_QS, stride - k, axis=1)[:, stride - k :]
    lowest_Q1 = np.take_along_axis(maxima_QS, chosen_QK, axis=1).min(axis=1, keepdims=True)
    columns = (chosen_QK[:, :, None] + np.arange(0, width, stride)).reshape(queries, -1)
    scores = np.take_along_axis(scores_QV, np.minimum(columns, width - 1), axis=1)
    row, place = np.nonzero((scores >= lowest_Q1) & (columns < width))
    columns, scores = columns[row, place], scores[row, place]
    order = np.lexsort((columns, -scores, row))
    start_Q = np.searchsorted(row, np.arange(queries))
    enough_Q = np.diff(start_Q, append=len(row)) >= k  # NaN leaves fewer
    tied_Q = np.count_nonzero(maxima_QS >= lowest_Q1, axis=1) > k  # a group left out may hold an earlier equal score
    clear_Q = enough_Q & ~tied_Q
    picked = order[start_Q[clear_Q, None] + np.arange(k)]
    columns_QK[clear_Q], scores_QK[clear_Q] = columns[picked], scores[picked]
    return np.flatnonzero(~clear_Q)


def lengths(matrix: np.ndarray) -> np.ndarray:
    """(N,) Euclidean lengths of rows; 1 for all-zero ones, so that they can be divided by."""
    norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))
    return np.where(norms > 0, norms, np.float32(1))


def multiplied_similarity(positive_VP: np.ndarray, negative_VN: np.ndarray) -> np.ndarray:
    """Scores (V,) from cosines: product of (1 + cos) / 2 with every positive, over that with every negative plus 1e-6.

    Equation 4 and footnote 7 of Levy & Goldberg 2014, https://aclanthology.org/W14-1618.
    """
    above = np.prod((1 + positive_VP) / 2, axis=1)
    below = np.prod((1 + negative_VN) / 2, axis=1)
    return above / (below + np.float32(1e-6))
