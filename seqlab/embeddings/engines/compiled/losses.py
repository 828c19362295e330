"""Training objectives of word vectors, each one small function that both numba and Python can run.

An objective sees m contexts' scores against the target (column 0) and the noise words they share, and one offset per
column: log K q(w), the number of times the noise q is expected to draw that word, or HIT where a column must not
count (a noise word equal to the target, or padding). It replaces the scores by MINUS the gradient of its loss with
respect to them, and returns the loss in nats. All is float32. `reference.py` states the same in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

compiled = register_jitable(fastmath=True, error_model="numpy")
"""Compiled where a kernel calls it, plain Python elsewhere."""
inlined = register_jitable(fastmath=True, error_model="numpy", inline="always")
"""The same, pasted into the kernel before types are inferred: compile-time constants pass through."""

Array = np.ndarray[Any, np.dtype[np.float32]]

HIT = np.float32(1e30)
"""Offset of a column that must not count: its probability underflows to nothing."""
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LOWEST = np.float32(-80)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # their sum is ln 2 to 2^-34
_EXPONENT_BITS, _BIAS = np.int32(23), np.int32(127)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / factorial) for factorial in (2, 6, 24, 120, 720))


@inlined
def exp(x: np.float32) -> np.float32:
    """e^x for -80 <= x <= 80 to 2e-7 relative, x below -80 counted as -80: 2^n from the exponent bits times a
    polynomial, without a branch or a call, so that a loop over it vectorises."""
    x = max(x, _LOWEST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    series = ((((_C6 * r + _C5) * r + _C4) * r + _C3) * r + _C2) * r * r + r + _ONE
    return series * np.int32((np.int32(n) + _BIAS) << _EXPONENT_BITS).view(np.float32)


@inlined
def sampled_softmax(scores_MJ: Array, m: int, offsets_J: Array, width: int) -> float:
    """-log softmax(scores - offsets)[0] (Jean et al. 2015, https://arxiv.org/abs/1412.2007).

    Minus the gradient is one_hot(0) - softmax. Noise is drawn with replacement, so that K q(w) is its expected count;
    the mean gradient nears the full softmax's as K grows, as long as K q(target) stays below about one.
    """
    loss = 0.0
    for i in range(m):
        top = -HIT
        for j in range(width):
            scores_MJ[i, j] -= offsets_J[j]
            top = max(top, scores_MJ[i, j])
        loss += top - scores_MJ[i, 0]
        total = _ZERO
        for j in range(width):
            scores_MJ[i, j] = exp(scores_MJ[i, j] - top)
            total += scores_MJ[i, j]
        loss += np.log(np.float64(total))
        share = -_ONE / total
        for j in range(width):
            scores_MJ[i, j] *= share
        scores_MJ[i, 0] += _ONE
    return loss


@inlined
def logistic(scores_MJ: Array, m: int, offsets_J: Array, width: int) -> float:
    """-log s(z_0) - sum_{j>0} log s(-z_j) with z = scores - offsets and s the logistic function.

    With offsets log K q(w) this is noise-contrastive estimation (Mnih & Teh 2012, https://arxiv.org/abs/1206.6426);
    with offsets 0 it is negative sampling (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546). Minus the gradient
    is one_hot(0) - s(z).
    """
    loss = 0.0
    for i in range(m):
        scores_MJ[i, 0] = offsets_J[0] - scores_MJ[i, 0]
        for j in range(1, width):
            scores_MJ[i, j] -= offsets_J[j]
        product = 1.0  # of all 1 + exp(-|z|), at most 2^width: one logarithm instead of many
        for j in range(width):
            z = scores_MJ[i, j]
            small = exp(-abs(z))
            product *= 1.0 + float(small)
            loss += float(max(z, _ZERO))
            share = _ONE / (_ONE + small)
            scores_MJ[i, j] = -share if z > _ZERO else share - _ONE
        scores_MJ[i, 0] = -scores_MJ[i, 0]
        loss += np.log(product)
    return loss


class Objective(NamedTuple):
    gradient: Callable[[Array, int, Array, int], float]
    """(scores (M, W), m, offsets (W,), W) -> loss of the first m rows, whose scores become minus its gradient."""
    corrected: bool
    """Whether offsets carry log K q(w), or only HIT."""


LOSSES: dict[str, Objective] = {
    "sampled-softmax": Objective(sampled_softmax, corrected=True),
    "negative-sampling": Objective(logistic, corrected=False),
    "nce": Objective(logistic, corrected=True),
}
