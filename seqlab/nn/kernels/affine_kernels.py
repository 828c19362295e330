"""A matrix times a few rows, or some more, compiled: it is read as it lies in memory, and only once.

Shapes: M rows, D width, N numbers out; B blocks of WIDTH rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ...base.compiled.dots import dots
from ...base.compiled.simd import LANES, PAIRED, multiply_rows

SUMS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=SUMS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=SUMS, error_model="numpy")

WIDTH = 2 * LANES
"""Rows of a tile: two vector registers."""
TILE = 12 if LANES == 16 else 6
"""Rows of the matrix in a tile: with twice as many sums as these the registers are full."""
SPAN = 8 * TILE
"""Numbers that are made for every row before they are written side by side."""


@compiled
def products(hidden_MD: Any, weight_ND: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b."""
    rows, dim = weight_ND.shape
    gap = rows // LANES if dim > LANES else 0
    sums = np.empty(LANES, np.float32)
    for n in range(gap):
        for m in range(len(hidden_MD)):
            dots(sums, weight_ND, n, gap, hidden_MD, m, dim, LANES, PAIRED)
            for i in range(LANES):
                out_MN[m, n + i * gap] = sums[i] + bias_N[n + i * gap]
    for n in range(gap * LANES, rows):
        weight_D = weight_ND[n]
        for m in range(len(hidden_MD)):
            hidden_D, total = hidden_MD[m], bias_N[n]
            for d in range(weight_D.size):
                total += weight_D[d] * hidden_D[d]
            out_MN[m, n] = total


@step
def multiply_few(hidden_MD: Any, weight_ND: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b."""
    products(hidden_MD, weight_ND, bias_N, out_MN)


@step
def multiply_many(hidden_MD: Any, weight_ND: Any, bias_N: Any, begin: int, end: int, out_MN: Any) -> None:
    """Columns `begin` to `end` of out = hidden W^T + b, in tiles whose sums stay in registers."""
    rows, dim = hidden_MD.shape
    blocks = (rows + WIDTH - 1) // WIDTH
    blocks_BDW = np.zeros((blocks, dim, WIDTH), np.float32)
    for m in range(rows):
        for d in range(dim):
            blocks_BDW[m // WIDTH, d, m % WIDTH] = hidden_MD[m, d]
    tile = np.empty((TILE, WIDTH), np.float32)
    made_MS = np.empty((rows, SPAN), np.float32)
    whole = begin + (end - begin) // TILE * TILE
    for first in range(begin, whole, SPAN):
        span = min(SPAN, whole - first)
        for start in range(0, span, TILE):
            for b in range(blocks):
                multiply_rows(tile, weight_ND, first + start, blocks_BDW, b, dim, TILE, LANES)
                for i in range(min(WIDTH, rows - b * WIDTH)):
                    for r in range(TILE):
                        made_MS[b * WIDTH + i, start + r] = tile[r, i]
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
