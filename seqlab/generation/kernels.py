"""Drawing a token from every row of a batch, what the model thought of it, and rules that keep the likeliest, compiled.

torch makes a pass over the whole batch, into new memory, for every exponential, running sum and comparison. Here a row
is read a few times while it is in cache and nothing of its length is written: the running sum is kept for blocks of
tokens, and made token by token only in the block that is drawn.

Shapes: B rows, V vocabulary, K blocks, N ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ..base.compiled.formulas import Number, vector_loop
from ..base.compiled.pointers import after
from ..base.native import SUMS
from ..base.numerics import as_integer, as_number, emit_exp, exp, largest
from .rules import BLOCK

LOWEST = -80.0
"""Logits so far below the largest count nothing."""
REMOVED, ZERO = np.float32(-np.inf), np.float32(0)

compiled: Any = register_jitable(fastmath=set(SUMS), error_model="numpy", no_cfunc_wrapper=True)


def weight(below: Number) -> Number:
    """e^below, exactly 0 for -inf, NaN for NaN."""
    return below.selected("<=", LOWEST, 0.0, emit_exp(below))


@vector_loop("sum")
def weights(x: Number, top: Number) -> Sequence[Number]:
    return [weight(x - top)]


@vector_loop("sum")
def written_weights(x: Number, top: Number) -> Sequence[Number]:
    one = weight(x - top)
    return [one, one]


@vector_loop("sum", "sum", "sum")
def described(x: Number, top: Number, chosen: Number) -> Sequence[Number]:
    """The weight of a token, that times its logit, and whether it ranks above the chosen one."""
    below = x - top
    one = weight(below)
    return [one, one * below.at_least(LOWEST), x.selected(">", chosen, 1.0, 0.0)]


@vector_loop("sum")
def kept(x: Number, threshold: Number) -> Sequence[Number]:
    return [x.selected(">=", threshold, x, -math.inf), x.selected(">=", threshold, 1.0, 0.0)]


@vector_loop("sum", "sum")
def held_and_counted(x: Number, one: Number, least: Number) -> Sequence[Number]:
    return [x.selected(">=", least, one, 0.0), x.selected(">=", least, 1.0, 0.0)]


@compiled
def end_of(start: int, types: int) -> int:
    """Where the block that begins at `start` ends."""
    return start + BLOCK if start + BLOCK < types else types


@compiled
def draw_one(logits_V: Any, types: int, top: Any, point: float, sums_K: Any) -> Any:
    """The first token at which the running sum of e^logit exceeds a share `point` of the whole; never one of -inf."""
    whole, last = 0.0, 0
    for start in range(0, types, BLOCK):
        total = weights(start, end_of(start, types), (), (logits_V, top))
        sums_K[start // BLOCK] = total
        whole += total
        if total > 0:
            last = start // BLOCK
    left: Any = point * whole
    k = 0
    while k < last and left >= sums_K[k]:
        left -= sums_K[k]
        k += 1
    passed, token = 0.0, k * BLOCK
    for v in range(k * BLOCK, end_of(k * BLOCK, types)):
        below = logits_V[v] - top
        one = ZERO if below <= LOWEST else exp(below)
        if one > 0:
            token = v
        passed += np.float64(one)
        if passed > left:
            break
    return token


@compiled
def describe_one(logits_V: Any, types: int, token: int, figures_3: Any) -> None:
    """Log-probability and rank of a token, and the entropy; NaN where a logit is NaN or infinite."""
    top, chosen = largest(0, types, (), (logits_V,)), logits_V[token]
    whole, moment, above = 0.0, 0.0, 0.0
    for start in range(0, types, BLOCK):
        total, products, higher = described(start, end_of(start, types), (), (logits_V, top, chosen))
        whole += total
        moment += products
        above += higher
    figures_3[0] = np.float64(chosen) - np.float64(top) - np.log(whole)
    figures_3[1] = above + 1
    figures_3[2] = np.log(whole) - moment / whole


def choose(
    allowed_BV: Any, banned_N: Any, banned: int, logits_BV: Any, rows: int, types: int, point_B: Any, token_B: Any,
    figures_B3: Any, sums_K: Any, before_N: Any,
) -> None:  # fmt: skip
    """A token of every row of `allowed_BV`, and what `logits_BV` says of it; none of `banned_N` unless nothing else is
    left, for which these are -inf in `allowed_BV` for a moment. `sums_K` and `before_N` are scratch."""
    for b in range(rows):
        allowed_V, removed = after(allowed_BV, b * types), banned
        for n in range(banned):
            before_N[n] = allowed_V[banned_N[n]]
        for n in range(banned):
            allowed_V[banned_N[n]] = REMOVED
        top = largest(0, types, (), (allowed_V,))
        if top == REMOVED and removed:
            for n in range(removed):
                allowed_V[banned_N[n]] = before_N[n]
            for n in range(removed):
                top = before_N[n] if before_N[n] > top else top
            removed = 0
        token_B[b] = draw_one(allowed_V, types, top, point_B[b], sums_K)
        for n in range(removed):
            allowed_V[banned_N[n]] = before_N[n]
        describe_one(after(logits_BV, b * types), types, token_B[b], after(figures_B3, 3 * b))


def describe(logits_BV: Any, rows: int, types: int, token_B: Any, figures_B3: Any) -> None:
    """What `logits_BV` says of a token of every row."""
    for b in range(rows):
        describe_one(after(logits_BV, b * types), types, token_B[b], after(figures_B3, 3 * b))


def keep_largest(logits_BV: Any, rows: int, types: int, count_B: Any, threshold_B: Any, kept_BV: Any) -> None:
    """The `count_B` largest of every row, -inf elsewhere; none is below `threshold_B`, lower ids win ties."""
    for b in range(rows):
        logits_V, kept_V, threshold = after(logits_BV, b * types), after(kept_BV, b * types), threshold_B[b]
        left: Any = 0.0
        for start in range(0, types, BLOCK):
            left += kept(start, end_of(start, types), (kept_V,), (logits_V, threshold))
        v = types
        while left > count_B[b] and v > 0:
            v -= 1
            if logits_V[v] == threshold:
                kept_V[v] = REMOVED
                left -= 1


def nucleus(logits_BV: Any, rows: int, types: int, mass: float, count_B: Any, threshold_B: Any, weights_V: Any) -> None:
    """How many of the largest logits of every row hold probability `mass`, and the smallest of them; `weights_V` is
    scratch.

    The threshold is bisected, on integers that are in the order of the logits: some twenty passes over a row in cache
    take a tenth of the time of sorting it.
    """
    for b in range(rows):
        logits_V = after(logits_BV, b * types)
        top, whole = largest(0, types, (), (logits_V,)), 0.0
        for start in range(0, types, BLOCK):
            whole += written_weights(start, end_of(start, types), (weights_V,), (logits_V, top))
        # those from `low` on hold enough, those from `high` on do not; the first pass counts those from `low` on
        low, high = np.int64(as_integer(np.float32(top + LOWEST))), np.int64(as_integer(top)) + 1
        low_count, high_weight, high_count, middle = np.inf, 0.0, 0.0, low
        while low + 1 < high and low_count - high_count > 1:
            least = as_number(middle, top)
            held, count = 0.0, 0.0
            for start in range(0, types, BLOCK):
                total, found = held_and_counted(start, end_of(start, types), (), (logits_V, weights_V, least))
                held += total
                count += found
            if held >= mass * whole or middle == low:
                low, low_count = middle, count
            else:
                high, high_weight, high_count = middle, held, count
            middle = (low >> 1) + (high >> 1) + (low & high & 1)  # the sum of both may not fit
        least, threshold = as_number(low, top), top
        for v in range(types):
            if least <= logits_V[v] < threshold:
                threshold = logits_V[v]
        one = exp(threshold - top)
        room = np.ceil((mass * whole - high_weight) / (one if one > 1e-300 else 1e-300))
        tied = low_count - high_count
        room = tied if tied < room else room
        count_B[b] = np.int64(high_count + (room if room > 1.0 else 1.0))
        threshold_B[b] = threshold
