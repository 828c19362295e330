"""The rows of a matrix that are nearest to each of many vectors, compiled: the scores of a few vectors with a few rows
are made in registers, compared with the k best so far and forgotten, so that memory is read once and never written.

Shapes: V rows, D dimensions, Q queries in T tiles of TILE, B blocks of WIDTH rows, K results.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from ...base.compiled.simd import LANES, any_above, multiply_tile
from ...base.cores import available_cores
from ..engines.compiled.losses import compiled
from ..packed.matrix import PackedMatrix, Rows

WIDTH = 2 * LANES
"""Rows whose scores a tile makes at once: two vector registers."""
TILE = 12 if LANES == 16 else 6
"""Queries of a tile: with twice as many sums as these, and the rows, the registers are full."""
BLOCKS = 16
"""Blocks that are laid out for the tiles at a time; some 200 KB with a hundred dimensions."""


def nearest(matrix: Rows, norms_V: np.ndarray, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k rows of a matrix (V, D), each divided by its norm, with the highest dot product with every query.

    Packed rows are decoded and searched block by block.

    Returns row numbers (Q, K) int64 and scores (Q, K) float32, best first, of equal scores the earlier row; K is k, or
    V where there are fewer rows.
    """
    if not isinstance(matrix, PackedMatrix):
        return nearest_rows(matrix, norms_V, queries_QD, k)
    rows_QK, scores_QK = np.empty((len(queries_QD), 0), np.int64), np.empty((len(queries_QD), 0), np.float32)
    for block in matrix.blocks():
        rows, scores = nearest_rows(matrix[block], norms_V[block], queries_QD, k)
        both = np.hstack([rows_QK, rows + block.start]), np.hstack([scores_QK, scores])
        rows_QK, scores_QK = best_of(*both, k)
    return rows_QK, scores_QK


def best_of(rows_QN: np.ndarray, scores_QN: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of the results of every query, best first, of equal scores the earlier row."""
    order = np.lexsort((rows_QN, -scores_QN), axis=1)[:, :k]
    return np.take_along_axis(rows_QN, order, axis=1), np.take_along_axis(scores_QN, order, axis=1)


def nearest_rows(
    matrix_VD: np.ndarray, norms_V: np.ndarray, queries_QD: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """`nearest` of a float32 matrix."""
    (size, dim), queries = matrix_VD.shape, len(queries_QD)
    k = min(max(0, k), size)
    if not (k and queries and dim):
        return np.tile(np.arange(k), (queries, 1)), np.zeros((queries, k), np.float32)
    padded_QD = np.zeros((-(-queries // TILE) * TILE, dim), np.float32)
    padded_QD[:queries] = queries_QD
    queries_TDQ = np.ascontiguousarray(padded_QD.reshape(-1, TILE, dim).transpose(0, 2, 1))
    matrix_VD = matrix_VD.view(np.ndarray)
    matrix_VD.flags.writeable = False  # as memory maps are: one type, one compilation
    scales_V = (1 / norms_V).astype(np.float32)
    workers = min(available_cores(), -(-size // WIDTH))
    bounds = np.linspace(0, -(-size // WIDTH), workers + 1).astype(np.int64) * WIDTH
    scores = np.full((workers, len(padded_QD), k), -np.inf, np.float32)
    rows = np.full((workers, len(padded_QD), k), size, np.int64)
    with ThreadPoolExecutor(workers) as pool:
        parts = zip(bounds, np.minimum(bounds[1:], size), scores, rows, strict=False)
        list(pool.map(lambda part: search(matrix_VD, scales_V, queries_TDQ, *part), parts))
    scores_QN, rows_QN = (part.transpose(1, 0, 2).reshape(len(padded_QD), -1)[:queries] for part in (scores, rows))
    return best_of(rows_QN, scores_QN, k)


@compiled
def worse(scores_K: Any, rows_K: Any, i: Any, j: Any) -> bool:
    """Whether result i of a list comes after result j."""
    return scores_K[i] < scores_K[j] or (scores_K[i] == scores_K[j] and rows_K[i] > rows_K[j])


@compiled
def replace_worst(scores_K: Any, rows_K: Any, score: Any, row: Any) -> None:
    """The worst result, first of a binary heap, gives way to another."""
    scores_K[0], rows_K[0] = score, row
    place = 0
    while True:
        child = 2 * place + 1
        if child >= scores_K.size:
            return
        if child + 1 < scores_K.size and worse(scores_K, rows_K, child + 1, child):
            child += 1
        if not worse(scores_K, rows_K, child, place):
            return
        scores_K[place], scores_K[child] = scores_K[child], scores_K[place]
        rows_K[place], rows_K[child] = rows_K[child], rows_K[place]
        place = child


@compiled
def lay_out(matrix_VD: Any, scales_V: Any, first: int, end: int, words_BDW: Any) -> None:
    """Write rows first to end, scaled, as blocks whose columns are rows; what lies beyond `end` stays as it is."""
    for row in range(first, end):
        block_DW, column, scale = words_BDW[(row - first) // WIDTH], (row - first) % WIDTH, scales_V[row]
        for d in range(matrix_VD.shape[1]):
            block_DW[d, column] = matrix_VD[row, d] * scale


@njit(cache=True, nogil=True, error_model="numpy")
def search(matrix_VD: Any, scales_V: Any, queries_TDQ: Any, first: int, end: int, scores_QK: Any, rows_QK: Any) -> None:
    """Fill the heaps of all queries from rows first to end."""
    tiles, dim, _ = queries_TDQ.shape
    words_BDW = np.zeros((BLOCKS, dim, WIDTH), np.float32)
    scores_QW = np.empty((TILE, WIDTH), np.float32)
    for start in range(first, end, BLOCKS * WIDTH):
        stop = min(end, start + BLOCKS * WIDTH)
        lay_out(matrix_VD, scales_V, start, stop, words_BDW)
        for t in range(tiles):
            for block in range((stop - start + WIDTH - 1) // WIDTH):
                multiply_tile(scores_QW, queries_TDQ, t, words_BDW, block, dim, TILE, LANES)
                row = start + block * WIDTH
                for i in range(TILE):
                    query = t * TILE + i
                    if any_above(scores_QW, i, scores_QK[query, 0], LANES):
                        for j in range(min(WIDTH, stop - row)):
                            if scores_QW[i, j] > scores_QK[query, 0]:
                                replace_worst(scores_QK[query], rows_QK[query], scores_QW[i, j], row + j)
