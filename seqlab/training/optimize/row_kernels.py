"""Row updates compiled: one pass over the rows where torch's operations take twelve. Loaded only where training needs
them, since numba takes a while to import.

Shapes: R rows of a parameter, r rows of them in a gradient, D width.
"""

from __future__ import annotations

import numpy as np

from ...base.compiled.cached import njit


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def adam_rows(
    weight_RD: np.ndarray,
    mean_RD: np.ndarray,
    square_RD: np.ndarray,
    rows_r: np.ndarray,
    gradient_rD: np.ndarray,
    lr: float,
    beta1: float,
    beta2: float,
    correction1: float,
    correction2: float,
    added_decay: float,
    kept_r: np.ndarray,
) -> None:
    """Adam, https://arxiv.org/abs/1412.6980, on the rows of a gradient, in place.

    Args:
        lr, beta1, beta2: as published.
        correction1, correction2: 1 - beta^step.
        added_decay: times the weight is added to the gradient (L2).
        kept_r: share of a row's weights that is left before the update (decay it missed, AdamW's decay).
    """
    one, eps = np.float32(1.0), np.float32(1e-8)
    memory1, memory2, decay = np.float32(beta1), np.float32(beta2), np.float32(added_decay)
    rate, scale = np.float32(lr / correction1), np.float32(1.0 / correction2)
    for index in range(len(rows_r)):
        row, kept = rows_r[index], kept_r[index]
        weight_D, mean_D, square_D, gradient_D = weight_RD[row], mean_RD[row], square_RD[row], gradient_rD[index]
        for d in range(len(weight_D)):
            weight = kept * weight_D[d]
            gradient = gradient_D[d] + decay * weight
            mean = memory1 * mean_D[d] + (one - memory1) * gradient
            square = memory2 * square_D[d] + (one - memory2) * gradient * gradient
            mean_D[d], square_D[d] = mean, square
            weight_D[d] = weight - rate * mean / (np.sqrt(square * scale) + eps)
