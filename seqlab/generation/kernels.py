"""Drawing a token from every row of a batch, and what the model thought of it, compiled.

torch makes a pass over the whole batch, into new memory, for every exponential, running sum and comparison. Here a row
is read two or three times while it is in cache and nothing of its length is written: the running sum is kept for blocks
of tokens, and made token by token only in the block that is drawn.

Shapes: B rows, V vocabulary, K blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ..base.numerics import exp

BLOCK = 1024
"""Tokens that are added in the numbers of the logits; blocks are added in float64."""
LOWEST = -80
"""Logits so far below the largest count nothing."""

FLAGS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=FLAGS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=FLAGS, error_model="numpy")


@compiled
def weight(below: Any, lowest: Any, zero: Any) -> Any:
    """e^below, exactly 0 for -inf."""
    power = exp(below)
    return power if below > lowest else zero


@step
def draw(logits_BV: Any, top_B: Any, point_B: Any, token_B: Any) -> None:
    """The first token of every row at which the running sum of e^logit exceeds a share `point_B` of the whole.

    top_B: the largest logit of every row. Only tokens that rules have left (not -inf) are drawn.
    """
    number = logits_BV.dtype.type
    zero, lowest = number(0), number(LOWEST)
    sums_K = np.empty((logits_BV.shape[1] + BLOCK - 1) // BLOCK)
    for b in range(len(logits_BV)):
        logits_V, top = logits_BV[b], top_B[b]
        whole, last = 0.0, 0
        for k in range(sums_K.size):
            part_V, total = logits_V[k * BLOCK : (k + 1) * BLOCK], zero
            for v in range(part_V.size):
                total += weight(part_V[v] - top, lowest, zero)
            sums_K[k] = total
            whole += total
            if total > 0:
                last = k
        left, k = point_B[b] * whole, 0
        while k < last and left >= sums_K[k]:
            left -= sums_K[k]
            k += 1
        part_V, passed, token = logits_V[k * BLOCK : (k + 1) * BLOCK], 0.0, 0
        for v in range(part_V.size):
            one = weight(part_V[v] - top, lowest, zero)
            if one > 0:
                token = k * BLOCK + v
            passed += one
            if passed > left:
                break
        token_B[b] = token


@step
def describe(logits_BV: Any, top_B: Any, token_B: Any, figures_B3: Any) -> None:
    """Log-probability and rank of a token of every row, and the row's entropy; NaN where its largest logit is none."""
    number = logits_BV.dtype.type
    zero, unit, lowest = number(0), number(1), number(LOWEST)
    for b in range(len(logits_BV)):
        logits_V, top = logits_BV[b], top_B[b]
        chosen = logits_V[token_B[b]]
        whole, moment, above = 0.0, 0.0, 0.0
        for start in range(0, logits_V.size, BLOCK):
            part_V = logits_V[start : start + BLOCK]
            total, products, higher = zero, zero, zero
            for v in range(part_V.size):
                below = part_V[v] - top
                one = weight(below, lowest, zero)
                total += one
                products += one * max(below, lowest)
            for v in range(part_V.size):
                higher += unit if part_V[v] > chosen else zero
            whole += total
            moment += products
            above += higher
        figures_B3[b, 0] = np.float64(chosen) - np.float64(top) - np.log(whole)
        figures_B3[b, 1] = above + 1
        figures_B3[b, 2] = np.log(whole) - moment / whole
