"""The two forms of a loss, each one small function that both numba and Python can run.

A form sees m contexts' scores against the target (column 0) and the noise words they share, and one offset per
column: log K q(w), the number of times the noise q is expected to draw that word, or HIT where a column must not
count (a noise word equal to the target, or padding). It replaces the scores by MINUS the gradient of its loss with
respect to them, and returns the loss in nats. All is float32; the tests state the same in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ....base.numerics import exp
from ..losses import Form

compiled = register_jitable(fastmath=True, error_model="numpy")
"""Compiled where a kernel calls it, plain Python elsewhere."""
inlined = register_jitable(fastmath=True, error_model="numpy", inline="always")
"""The same, pasted into the kernel before types are inferred: compile-time constants pass through."""

Array = np.ndarray[Any, np.dtype[np.float32]]

HIT = np.float32(1e30)
"""Offset of a column that must not count: its probability underflows to nothing."""
_ZERO, _ONE = np.float32(0), np.float32(1)


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


FORMS: dict[Form, Callable[[Array, int, Array, int], float]] = {"softmax": sampled_softmax, "logistic": logistic}
"""Form of a loss -> (scores (M, W), m, offsets (W,), W) -> loss of the first m rows, whose scores become minus its
gradient."""
