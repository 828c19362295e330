"""Compiled sweeps over time of the cells in cells/parallel.py: activations, recurrence and gradient of one time step
are done while its numbers are in cache.

The sums W x + b of all time steps come from one matrix product before. They are float32, float64, or bfloat16 given
as uint16; gradients leave in the same numbers, everything between is float32 (float64 for float64).

Shapes: B batch, T time, H hidden width, K sums of a step (H for each gate).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from ...base.numerics import CONTRACT, compiled, exp, logistic, tanh

_ONE, _TWO = np.float32(1), np.float32(2)
_SIXTEEN, _EVEN, _BELOW_HALF = np.uint32(16), np.uint32(1), np.uint32(0x7FFF)


def load(number: Any) -> Any:
    """The value of a stored number."""
    raise NotImplementedError


def store(row: Any, i: int, value: Any) -> None:
    """row[i] = value, rounded to the nearest bfloat16 where the row holds bfloat16."""
    raise NotImplementedError


@overload(load, inline="always")
def _load(number: Any) -> Callable[..., Any]:
    def widened(number: Any) -> Any:
        return np.uint32(np.uint32(number) << _SIXTEEN).view(np.float32)

    def plain(number: Any) -> Any:
        return number

    return widened if number is types.uint16 else plain


@overload(store)
def _store(row: Any, i: int, value: Any) -> Callable[..., None]:
    def rounded(row: Any, i: int, value: Any) -> None:
        bits = np.float32(value).view(np.uint32)
        row[i] = np.uint16((bits + _BELOW_HALF + ((bits >> _SIXTEEN) & _EVEN)) >> _SIXTEEN)

    def plain(row: Any, i: int, value: Any) -> None:
        row[i] = value

    return rounded if row.dtype is types.uint16 else plain


@compiled
def cut2(row: Any) -> Any:
    """The halves of a row. Rows are cut before the loops over them: with a computed index numba emits slower code."""
    width = row.size // 2
    return row[:width], row[width:]


@compiled
def cut3(row: Any) -> Any:
    """The thirds of a row."""
    width = row.size // 3
    return row[:width], row[width : 2 * width], row[2 * width :]


class Step(NamedTuple):
    """One time step of a cell and its gradient, over rows of numbers; cells/parallel.py has the equations.

    `forward` reads sums_K, weights_K (weights of the cell's own value, if it has such), skip_H (what it passes by, if
    it does) and the value before_H; it writes the new value c_H and the output y_H. `backward` reads the same, c_H and
    the output's gradient grad_y_H; carry_H holds the gradient of c_H from later steps and becomes that of before_H;
    it writes grad_sums_K and grad_skip_H and adds to grad_weights_K.
    """

    forward: Callable[..., None]
    backward: Callable[..., None]


@compiled
def _mingru(sums_K: Any, weights_K: Any, skip_H: Any, before_H: Any, c_H: Any, y_H: Any) -> None:
    z_H, new_H = cut2(sums_K)
    for h in range(c_H.size):
        keep, new = logistic(-load(z_H[h])), load(new_H[h])
        c_H[h] = new + keep * (before_H[h] - new)


@compiled
def _mingru_gradient(
    sums_K: Any,
    weights_K: Any,
    skip_H: Any,
    before_H: Any,
    c_H: Any,
    grad_y_H: Any,
    carry_H: Any,
    grad_sums_K: Any,
    grad_weights_K: Any,
    grad_skip_H: Any,
) -> None:
    z_H, new_H = cut2(sums_K)
    dz_H, dnew_H = cut2(grad_sums_K)
    for h in range(c_H.size):
        keep, new = logistic(-load(z_H[h])), load(new_H[h])
        grad = carry_H[h] + grad_y_H[h]
        store(dz_H, h, grad * (new - before_H[h]) * keep * (_ONE - keep))
        store(dnew_H, h, grad * (_ONE - keep))
        carry_H[h] = grad * keep


@compiled
def _minlstm(sums_K: Any, weights_K: Any, skip_H: Any, before_H: Any, c_H: Any, y_H: Any) -> None:
    f_H, i_H, new_H = cut3(sums_K)
    for h in range(c_H.size):
        forget, enter = _ONE + exp(-load(f_H[h])), _ONE + exp(-load(i_H[h]))
        keep, new = enter / (forget + enter), load(new_H[h])
        c_H[h] = new + keep * (before_H[h] - new)


@compiled
def _minlstm_gradient(
    sums_K: Any,
    weights_K: Any,
    skip_H: Any,
    before_H: Any,
    c_H: Any,
    grad_y_H: Any,
    carry_H: Any,
    grad_sums_K: Any,
    grad_weights_K: Any,
    grad_skip_H: Any,
) -> None:
    f_H, i_H, new_H = cut3(sums_K)
    df_H, di_H, dnew_H = cut3(grad_sums_K)
    for h in range(c_H.size):
        forget, enter = exp(-load(f_H[h])), exp(-load(i_H[h]))
        keep, new = (_ONE + enter) / (_TWO + forget + enter), load(new_H[h])
        grad = carry_H[h] + grad_y_H[h]
        grad_odds = grad * (before_H[h] - new) * keep * (_ONE - keep)
        store(df_H, h, grad_odds * (forget / (_ONE + forget)))
        store(di_H, h, -grad_odds * (enter / (_ONE + enter)))
        store(dnew_H, h, grad * (_ONE - keep))
        carry_H[h] = grad * keep


@compiled
def _qrnn(sums_K: Any, weights_K: Any, skip_H: Any, before_H: Any, c_H: Any, y_H: Any) -> None:
    z_H, f_H, o_H = cut3(sums_K)
    for h in range(c_H.size):
        new, keep = tanh(load(z_H[h])), logistic(load(f_H[h]))
        c = new + keep * (before_H[h] - new)
        c_H[h] = c
        y_H[h] = logistic(load(o_H[h])) * c


@compiled
def _qrnn_gradient(
    sums_K: Any,
    weights_K: Any,
    skip_H: Any,
    before_H: Any,
    c_H: Any,
    grad_y_H: Any,
    carry_H: Any,
    grad_sums_K: Any,
    grad_weights_K: Any,
    grad_skip_H: Any,
) -> None:
    z_H, f_H, o_H = cut3(sums_K)
    dz_H, df_H, do_H = cut3(grad_sums_K)
    for h in range(c_H.size):
        out = logistic(load(o_H[h]))
        store(do_H, h, grad_y_H[h] * c_H[h] * out * (_ONE - out))
        carry_H[h] += grad_y_H[h] * out
    for h in range(c_H.size):
        new, keep = tanh(load(z_H[h])), logistic(load(f_H[h]))
        store(dz_H, h, carry_H[h] * (_ONE - keep) * (_ONE - new * new))
        store(df_H, h, carry_H[h] * (before_H[h] - new) * keep * (_ONE - keep))
        carry_H[h] *= keep


@compiled
def _sru(sums_K: Any, weights_K: Any, skip_H: Any, before_H: Any, c_H: Any, y_H: Any) -> None:
    new_H, f_H, r_H = cut3(sums_K)
    v_f_H, v_r_H = cut2(weights_K)
    for h in range(c_H.size):
        before, new = before_H[h], load(new_H[h])
        keep = logistic(load(f_H[h]) + v_f_H[h] * before)
        out = logistic(load(r_H[h]) + v_r_H[h] * before)
        c = new + keep * (before - new)
        c_H[h] = c
        y_H[h] = skip_H[h] + out * (c - skip_H[h])


@compiled
def _sru_gradient(
    sums_K: Any,
    weights_K: Any,
    skip_H: Any,
    before_H: Any,
    c_H: Any,
    grad_y_H: Any,
    carry_H: Any,
    grad_sums_K: Any,
    grad_weights_K: Any,
    grad_skip_H: Any,
) -> None:
    new_H, f_H, r_H = cut3(sums_K)
    dnew_H, df_H, dr_H = cut3(grad_sums_K)
    v_f_H, v_r_H = cut2(weights_K)
    dv_f_H, dv_r_H = cut2(grad_weights_K)
    for h in range(c_H.size):
        out = logistic(load(r_H[h]) + v_r_H[h] * before_H[h])
        store(dr_H, h, grad_y_H[h] * (c_H[h] - skip_H[h]) * out * (_ONE - out))
        grad_skip_H[h] = grad_y_H[h] * (_ONE - out)
        carry_H[h] += grad_y_H[h] * out
    for h in range(c_H.size):
        new, keep = load(new_H[h]), logistic(load(f_H[h]) + v_f_H[h] * before_H[h])
        grad_keep = carry_H[h] * (before_H[h] - new) * keep * (_ONE - keep)
        store(dnew_H, h, carry_H[h] * (_ONE - keep))
        store(df_H, h, grad_keep)
        carry_H[h] = carry_H[h] * keep + grad_keep * v_f_H[h]
    for h in range(c_H.size):
        grad_out = load(dr_H[h])
        carry_H[h] += grad_out * v_r_H[h]
        dv_f_H[h] += load(df_H[h]) * before_H[h]
        dv_r_H[h] += grad_out * before_H[h]


STEPS = {
    "mingru": Step(_mingru, _mingru_gradient),
    "minlstm": Step(_minlstm, _minlstm_gradient),
    "qrnn": Step(_qrnn, _qrnn_gradient),
    "sru": Step(_sru, _sru_gradient),
}


@lru_cache(maxsize=len(STEPS))
def sweeps(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """(forward, backward) over whole batches for a name of STEPS; compiled, or loaded from numba's cache, on the first
    call. Arrays are C-contiguous.

        forward(sums_BTK, weights_K, skip_BTH, start_BH, c_BTH, y_BTH) fills c_BTH and y_BTH, which may be one.
        backward(sums_BTK, weights_K, skip_BTH, start_BH, c_BTH, grad_y_BTH, carry_BH, grad_sums_BTK, grad_weights_BK,
            grad_skip_BTH): carry_BH is the gradient of the last c and becomes that of start_BH.
    """
    step, step_gradient = STEPS[name]

    @njit(nogil=True, fastmath=CONTRACT, error_model="numpy", cache=True)
    def forward(sums_BTK: Any, weights_K: Any, skip_BTH: Any, start_BH: Any, c_BTH: Any, y_BTH: Any) -> None:
        for b in range(c_BTH.shape[0]):
            for t in range(c_BTH.shape[1]):
                before_H = c_BTH[b, t - 1] if t > 0 else start_BH[b]
                step(sums_BTK[b, t], weights_K, skip_BTH[b, t], before_H, c_BTH[b, t], y_BTH[b, t])

    @njit(nogil=True, fastmath=CONTRACT, error_model="numpy", cache=True)
    def backward(
        sums_BTK: Any,
        weights_K: Any,
        skip_BTH: Any,
        start_BH: Any,
        c_BTH: Any,
        grad_y_BTH: Any,
        carry_BH: Any,
        grad_sums_BTK: Any,
        grad_weights_BK: Any,
        grad_skip_BTH: Any,
    ) -> None:
        for b in range(c_BTH.shape[0]):
            for t in range(c_BTH.shape[1] - 1, -1, -1):
                step_gradient(
                    sums_BTK[b, t],
                    weights_K,
                    skip_BTH[b, t],
                    c_BTH[b, t - 1] if t > 0 else start_BH[b],
                    c_BTH[b, t],
                    grad_y_BTH[b, t],
                    carry_BH[b],
                    grad_sums_BTK[b, t],
                    grad_weights_BK[b],
                    grad_skip_BTH[b, t],
                )

    return forward, backward
