"""One time step of a GRU and of its gradient, compiled: what lies between two matrix products, in one pass.

A row is one stream of the batch. Sums of products are float32, float64 or bfloat16 (given as uint16), gradients of sums
leave in the same numbers; all else is float32, or float64 with float64 sums.

Shapes: B batch, T time, S = T + 1 states, the first of them the initial one, H hidden width, K = 3 H (gates r, z, n).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.numerics import logistic, tanh
from .affine_kernels import step
from .lstm_kernels import copy_out
from .sweep_kernels import load

_ONE = np.float32(1)

# Rows are cut into gates before the loops over them: with a computed index numba emits no vector code.


@step
def gru_forward(
    t: int, from_state_BK: Any, from_input_TBK: Any, bias_H: Any, gates_TBK: Any, state_TBH: Any, h_SBH: Any
) -> None:
    """h of state t + 1 from that of state t and the sums W x + b and U h; `bias_H` is added to the part of U h that r
    lets through, and `state_TBH` keeps that sum."""
    width = bias_H.size
    for b in range(h_SBH.shape[1]):
        gates_K, x_K, u_K = gates_TBK[t, b], from_input_TBK[t, b], from_state_BK[b]
        r_H, z_H, n_H = gates_K[:width], gates_K[width : 2 * width], gates_K[2 * width :]
        x_n_H, u_n_H = x_K[2 * width :], u_K[2 * width :]
        state_H, old_H, new_H = state_TBH[t, b], h_SBH[t, b], h_SBH[t + 1, b]
        both_H, x_both_H, u_both_H = gates_K[: 2 * width], x_K[: 2 * width], u_K[: 2 * width]
        for j in range(both_H.size):
            both_H[j] = load(x_both_H[j]) + load(u_both_H[j])
        for j in range(both_H.size):
            both_H[j] = logistic(both_H[j])
        for j in range(state_H.size):
            state_H[j] = load(u_n_H[j]) + bias_H[j]
        for j in range(n_H.size):
            n_H[j] = load(x_n_H[j]) + r_H[j] * state_H[j]
        for j in range(n_H.size):
            n_H[j] = tanh(n_H[j])
        for j in range(new_H.size):
            new_H[j] = n_H[j] + z_H[j] * (old_H[j] - n_H[j])


@step
def gru_backward(
    t: int, grad_y_TBH: Any, gates_TBK: Any, state_TBH: Any, h_SBH: Any, dh_BH: Any, dinput_TBK: Any, dstate_TBK: Any,
    scratch_K: Any,
) -> None:  # fmt: skip
    """Gradients of the sums of step t; `dh_BH` turns from the gradient of state t + 1 into that of state t, but for
    what flows through U, which the caller adds."""
    width = dh_BH.shape[1]
    dr_H, dz_H, dn_H = scratch_K[:width], scratch_K[width : 2 * width], scratch_K[2 * width :]
    for b in range(dh_BH.shape[0]):
        gates_K, state_H, old_H = gates_TBK[t, b], state_TBH[t, b], h_SBH[t, b]
        r_H, z_H, n_H = gates_K[:width], gates_K[width : 2 * width], gates_K[2 * width :]
        dh_H, dy_H = dh_BH[b], grad_y_TBH[t, b]
        for j in range(dh_H.size):
            dh_H[j] += dy_H[j]
        for j in range(dz_H.size):
            dz_H[j] = dh_H[j] * (old_H[j] - n_H[j]) * z_H[j] * (_ONE - z_H[j])
        for j in range(dn_H.size):
            dn_H[j] = dh_H[j] * (_ONE - z_H[j]) * (_ONE - n_H[j] * n_H[j])
        for j in range(dr_H.size):
            dr_H[j] = dn_H[j] * state_H[j] * r_H[j] * (_ONE - r_H[j])
        for j in range(dh_H.size):
            dh_H[j] *= z_H[j]
        copy_out(dinput_TBK[t, b], scratch_K)
        for j in range(dn_H.size):
            dn_H[j] *= r_H[j]
        copy_out(dstate_TBK[t, b], scratch_K)
