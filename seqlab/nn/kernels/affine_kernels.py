"""A matrix times a few rows, or some more, compiled: it is read as it lies in memory, and only once.

Shapes: M rows, D width, N numbers out; B blocks of ACROSS rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ...base.compiled.dots import dots
from ...base.compiled.pointers import after, pointer, room
from ...base.compiled.simd import LANES, PAIRED, STREAMS, multiply_rows
from .matrices import BIAS, ROWS, WEIGHT, WIDTH

SUMS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=SUMS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=SUMS, error_model="numpy")

ACROSS = 2 * LANES
"""Rows of a tile: two vector registers."""
TILE = 12 if LANES == 16 else 6
"""Rows of the matrix in a tile: with twice as many sums as these the registers are full."""
SPAN = 8 * TILE
"""Numbers that are made for every row before they are written side by side."""


def products_float32(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
    """out = hidden W^T + b, as `matrices` has it.

    Args:
        matrix_F: the line of W and b.
        hidden_MD: a few positions.
        texts: M.
        out_MN: the result.
        scratch: as many numbers as `scratch_size` says.
    """
    weight_ND, bias_N = pointer(matrix_F[WEIGHT], "float32"), pointer(matrix_F[BIAS], "float32")
    rows, dim = matrix_F[ROWS], matrix_F[WIDTH]
    gap = rows // STREAMS if dim > STREAMS else 0
    sums = room(STREAMS, "float32")
    for n in range(gap):
        for m in range(texts):
            dots(sums, after(weight_ND, n * dim), gap * dim, after(hidden_MD, m * dim), dim, STREAMS, PAIRED)
            for i in range(STREAMS):
                out_MN[m * rows + n + i * gap] = sums[i] + bias_N[n + i * gap]
    for n in range(gap * STREAMS, rows):
        for m in range(texts):
            total = bias_N[n]
            for d in range(dim):
                total += weight_ND[n * dim + d] * hidden_MD[m * dim + d]
            out_MN[m * rows + n] = total


def rows_float32(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
    """Some rows.

    Args:
        matrix_F: the line of the matrix.
        ids_R: which rows.
        count: of them.
        out_RD: the result.
    """
    weight_ND, dim = pointer(matrix_F[WEIGHT], "float32"), matrix_F[WIDTH]
    for r in range(count):
        for d in range(dim):
            out_RD[r * dim + d] = weight_ND[ids_R[r] * dim + d]


@step
def multiply_many(hidden_MD: Any, weight_ND: Any, bias_N: Any, begin: int, end: int, out_MN: Any) -> None:
    """Columns `begin` to `end` of out = hidden W^T + b, in tiles whose sums stay in registers."""
    rows, dim = hidden_MD.shape
    blocks = (rows + ACROSS - 1) // ACROSS
    blocks_BDW = np.zeros((blocks, dim, ACROSS), np.float32)
    for m in range(rows):
        for d in range(dim):
            blocks_BDW[m // ACROSS, d, m % ACROSS] = hidden_MD[m, d]
    tile = np.empty((TILE, ACROSS), np.float32)
    made_MS = np.empty((rows, SPAN), np.float32)
    whole = begin + (end - begin) // TILE * TILE
    for first in range(begin, whole, SPAN):
        span = min(SPAN, whole - first)
        for start in range(0, span, TILE):
            for b in range(blocks):
                multiply_rows(tile, weight_ND, first + start, blocks_BDW, b, dim, TILE, LANES)
                for i in range(min(ACROSS, rows - b * ACROSS)):
                    for r in range(TILE):
                        made_MS[b * ACROSS + i, start + r] = tile[r, i]
        bias_S = bias_N[first : first + span]
        for m in range(rows):
            made_S, out_S = made_MS[m, :span], out_MN[m, first : first + span]
            for s in range(out_S.size):
                out_S[s] = made_S[s] + bias_S[s]
    for n in range(whole, end):
        weight_D = weight_ND[n]
        for m in range(rows):
            hidden_D, total = hidden_MD[m], bias_N[n]
            for d in range(weight_D.size):
                total += weight_D[d] * hidden_D[d]
            out_MN[m, n] = total
