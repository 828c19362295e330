"""Drawing a token from every row of a batch, and what the model thought of it, compiled.

torch makes a pass over the whole batch, into new memory, for every exponential, running sum and comparison. Here a row
is read a few times while it is in cache and nothing of its length is written: the running sum is kept for blocks of
tokens, and made token by token only in the block that is drawn.

Shapes: B rows, V vocabulary, K blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

from ..base.numerics import exp

BLOCK = 1024
"""Tokens that are added in the numbers of the logits; blocks are added in float64."""
LOWEST = -80
"""Logits so far below the largest count nothing."""

FLAGS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=FLAGS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=FLAGS, error_model="numpy")


def as_integer(number: Any) -> Any:
    """An integer of the same bits; those of two numbers compare as the numbers do."""
    raise NotImplementedError


def as_number(integer: Any) -> Any:
    """The number that `as_integer` made an integer of."""
    raise NotImplementedError


@overload(as_integer)
def _as_integer(number: Any) -> Callable[..., Any]:
    def single(number: Any) -> Any:
        bits = np.float32(number).view(np.int32)
        return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))

    def double(number: Any) -> Any:
        bits = np.float64(number).view(np.int64)
        return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)

    return single if number is types.float32 else double


@overload(as_number)
def _as_number(integer: Any) -> Callable[..., Any]:
    def single(integer: Any) -> Any:
        return np.int32(integer ^ ((integer >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)

    def double(integer: Any) -> Any:
        return np.int64(integer ^ ((integer >> 63) & 0x7FFFFFFFFFFFFFFF)).view(np.float64)

    return single if integer is types.int32 else double


@compiled
def largest(logits_V: Any) -> Any:
    """The maximum. LLVM compares numbers in vectors only where it may forget about NaN, but integers always."""
    top = as_integer(logits_V[0])
    for v in range(logits_V.size):
        top = max(top, as_integer(logits_V[v]))
    return as_number(top)


@compiled
def weight(below: Any, lowest: Any, zero: Any) -> Any:
    """e^below, exactly 0 for -inf, NaN for NaN."""
    power = exp(below)
    return zero if below <= lowest else power


@compiled
def draw_one(logits_V: Any, point: Any, sums_K: Any) -> Any:
    """The first token at which the running sum of e^logit exceeds a share `point` of the whole; never one of -inf."""
    zero, lowest = logits_V.dtype.type(0), logits_V.dtype.type(LOWEST)
    top, whole, last = largest(logits_V), 0.0, 0
    for k in range(sums_K.size):
        part_V, total = logits_V[k * BLOCK : (k + 1) * BLOCK], zero
        for v in range(part_V.size):
            total += weight(part_V[v] - top, lowest, zero)
        sums_K[k] = total
        whole += total
        if total > 0:
            last = k
    left, k = point * whole, 0
    while k < last and left >= sums_K[k]:
        left -= sums_K[k]
        k += 1
    part_V, passed, token = logits_V[k * BLOCK : (k + 1) * BLOCK], 0.0, k * BLOCK
    for v in range(part_V.size):
        one = weight(part_V[v] - top, lowest, zero)
        if one > 0:
            token = k * BLOCK + v
        passed += one
        if passed > left:
            break
    return token


@compiled
def describe_one(logits_V: Any, token: Any, figures_3: Any) -> None:
    """Log-probability and rank of a token, and the entropy; NaN where a logit is NaN or infinite."""
    zero, lowest = logits_V.dtype.type(0), logits_V.dtype.type(LOWEST)
    unit, top, chosen = logits_V.dtype.type(1), largest(logits_V), logits_V[token]
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
    figures_3[0] = np.float64(chosen) - np.float64(top) - np.log(whole)
    figures_3[1] = above + 1
    figures_3[2] = np.log(whole) - moment / whole


@step
def choose(allowed_BV: Any, logits_BV: Any, point_B: Any, token_B: Any, figures_B3: Any) -> None:
    """A token of every row of `allowed_BV`, and what `logits_BV` says of it."""
    sums_K = np.empty((allowed_BV.shape[1] + BLOCK - 1) // BLOCK)
    for b in range(len(allowed_BV)):
        token_B[b] = draw_one(allowed_BV[b], point_B[b], sums_K)
        describe_one(logits_BV[b], token_B[b], figures_B3[b])


@step
def describe(logits_BV: Any, token_B: Any, figures_B3: Any) -> None:
    """What `logits_BV` says of a token of every row."""
    for b in range(len(logits_BV)):
        describe_one(logits_BV[b], token_B[b], figures_B3[b])
