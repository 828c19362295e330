"""Drawing a token from every row of a batch, what the model thought of it, and rules that keep the likeliest, compiled.

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

from ..base.numerics import as_integer, as_number, exp, largest

BLOCK = 1024
"""Tokens that are added in the numbers of the logits; blocks are added in float64."""
LOWEST = -80
"""Logits so far below the largest count nothing."""

FLAGS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=FLAGS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=FLAGS, error_model="numpy")


def number_of(integer: Any, like: Any) -> Any:
    """`as_number` of an int64, as a number like another."""
    raise NotImplementedError


@overload(number_of)
def _number_of(integer: Any, like: Any) -> Callable[..., Any]:
    def single(integer: Any, like: Any) -> Any:
        return as_number(np.int32(integer))

    def double(integer: Any, like: Any) -> Any:
        return as_number(np.int64(integer))

    return single if like is types.float32 else double


@compiled
def weight(below: Any, lowest: Any, zero: Any) -> Any:
    """e^below, exactly 0 for -inf, NaN for NaN."""
    power = exp(below)
    return zero if below <= lowest else power


@compiled
def draw_one(logits_V: Any, top: Any, point: Any, sums_K: Any) -> Any:
    """The first token at which the running sum of e^logit exceeds a share `point` of the whole; never one of -inf."""
    zero, lowest = logits_V.dtype.type(0), logits_V.dtype.type(LOWEST)
    whole, last = 0.0, 0
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
def choose(allowed_BV: Any, banned_N: Any, logits_BV: Any, point_B: Any, token_B: Any, figures_B3: Any) -> None:
    """A token of every row of `allowed_BV`, and what `logits_BV` says of it; none of `banned_N` unless nothing else is
    left, for which these are -inf in `allowed_BV` for a moment."""
    removed = allowed_BV.dtype.type(-np.inf)
    sums_K = np.empty((allowed_BV.shape[1] + BLOCK - 1) // BLOCK)
    before_N = np.empty(len(banned_N), allowed_BV.dtype)
    for b in range(len(allowed_BV)):
        allowed_V = allowed_BV[b]
        for n in range(len(banned_N)):
            before_N[n] = allowed_V[banned_N[n]]
        for n in range(len(banned_N)):
            allowed_V[banned_N[n]] = removed
        top = largest(allowed_V)
        nothing_left = top == removed
        if not nothing_left:
            token_B[b] = draw_one(allowed_V, top, point_B[b], sums_K)
        for n in range(len(banned_N)):
            allowed_V[banned_N[n]] = before_N[n]
        if nothing_left:
            token_B[b] = draw_one(allowed_V, largest(allowed_V), point_B[b], sums_K)
        describe_one(logits_BV[b], token_B[b], figures_B3[b])


@step
def describe(logits_BV: Any, token_B: Any, figures_B3: Any) -> None:
    """What `logits_BV` says of a token of every row."""
    for b in range(len(logits_BV)):
        describe_one(logits_BV[b], token_B[b], figures_B3[b])


@step
def keep_largest(logits_BV: Any, count_B: Any, threshold_B: Any, kept_BV: Any) -> None:
    """The `count_B` largest of every row, -inf elsewhere; none is below `threshold_B`, lower ids win ties."""
    zero, unit = logits_BV.dtype.type(0), logits_BV.dtype.type(1)
    removed = logits_BV.dtype.type(-np.inf)
    for b in range(len(logits_BV)):
        logits_V, kept_V, threshold = logits_BV[b], kept_BV[b], threshold_B[b]
        left = 0.0
        for start in range(0, logits_V.size, BLOCK):
            part_V, kept_part_V, found = logits_V[start : start + BLOCK], kept_V[start : start + BLOCK], zero
            for v in range(part_V.size):
                found += unit if part_V[v] >= threshold else zero
                kept_part_V[v] = part_V[v] if part_V[v] >= threshold else removed
            left += found
        v = logits_V.size
        while left > count_B[b] and v > 0:
            v -= 1
            if logits_V[v] == threshold:
                kept_V[v] = removed
                left -= 1


@compiled
def from_on(logits_V: Any, weights_V: Any, least: Any) -> Any:
    """Weight and number of the logits of at least so much."""
    zero, unit = logits_V.dtype.type(0), logits_V.dtype.type(1)
    whole, count = 0.0, 0.0
    for start in range(0, logits_V.size, BLOCK):
        part_V, weights_part_V = logits_V[start : start + BLOCK], weights_V[start : start + BLOCK]
        total, found = zero, zero
        for v in range(part_V.size):
            total += weights_part_V[v] if part_V[v] >= least else zero
            found += unit if part_V[v] >= least else zero
        whole += total
        count += found
    return whole, count


@step
def nucleus(logits_BV: Any, mass: float, count_B: Any, threshold_B: Any) -> None:
    """How many of the largest logits of every row hold probability `mass`, and the smallest of them.

    The threshold is bisected, on integers that are in the order of the logits: some twenty passes over a row in cache
    take a tenth of the time of sorting it.
    """
    zero, lowest = logits_BV.dtype.type(0), logits_BV.dtype.type(LOWEST)
    weights_V = np.empty(logits_BV.shape[1], logits_BV.dtype)
    for b in range(len(logits_BV)):
        logits_V = logits_BV[b]
        top, whole = largest(logits_V), 0.0
        for start in range(0, logits_V.size, BLOCK):
            part_V, weights_part_V, total = logits_V[start : start + BLOCK], weights_V[start : start + BLOCK], zero
            for v in range(part_V.size):
                one = weight(part_V[v] - top, lowest, zero)
                weights_part_V[v] = one
                total += one
            whole += total
        # those from `low` on hold enough, those from `high` on do not
        low, high = np.int64(as_integer(top + lowest)), np.int64(as_integer(top)) + 1
        _, low_count = from_on(logits_V, weights_V, top + lowest)
        high_weight, high_count = 0.0, 0.0
        while low + 1 < high and low_count - high_count > 1:
            middle = (low >> 1) + (high >> 1) + (low & high & 1)  # the sum of both may not fit
            held, count = from_on(logits_V, weights_V, number_of(middle, top))
            if held >= mass * whole:
                low, low_count = middle, count
            else:
                high, high_weight, high_count = middle, held, count
        least = number_of(low, top)
        threshold = top
        for v in range(logits_V.size):
            if least <= logits_V[v] < threshold:
                threshold = logits_V[v]
        one = weight(threshold - top, lowest, zero)
        tied = low_count - high_count
        count_B[b] = high_count + max(1.0, min(tied, np.ceil((mass * whole - high_weight) / max(one, 1e-300))))
        threshold_B[b] = threshold
