"""One time step of an LSTM and of its gradient, compiled: what lies between two matrix products, in one pass.

A row is one stream of the batch. Steps read sums of products that are float32, float64 or bfloat16 (given as uint16);
all else is float32, or float64 with float64 sums. `old` is the step before, `kept_PTBH` says which units of (h, c)
zoneout holds, each by the share `hold`.

Shapes: B batch, T time, S = T + 1 states, the first of them the initial one, H hidden width, G = 4 H (gates i, f, g,
o), P = 2 (h, c), N width of what is modulated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.numerics import logistic, tanh
from .affine_kernels import compiled, step
from .sweep_kernels import load, store

_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
EPSILON = np.float32(1e-5)
"""Added to a variance, as torch does."""

# Rows are cut into gates before the loops over them: with a computed index numba emits no vector code.


@compiled
def activate(gates_G: Any, candidate_H: Any, old_c_H: Any) -> None:
    """Replace sums by gates; candidate = f c + i g."""
    width = candidate_H.size
    i_H, f_H = gates_G[:width], gates_G[width : 2 * width]
    g_H, o_H = gates_G[2 * width : 3 * width], gates_G[3 * width :]
    for j in range(i_H.size):
        i_H[j] = logistic(i_H[j])
    for j in range(f_H.size):
        f_H[j] = logistic(f_H[j])
    for j in range(g_H.size):
        g_H[j] = tanh(g_H[j])
    for j in range(o_H.size):
        o_H[j] = logistic(o_H[j])
    for j in range(candidate_H.size):
        candidate_H[j] = f_H[j] * old_c_H[j] + i_H[j] * g_H[j]


@compiled
def blend(new_H: Any, old_H: Any, kept_H: Any, hold: Any) -> None:
    """new = (1 - m) new + m old, where m is `hold` for the units that zoneout holds, else 0."""
    for j in range(new_H.size):
        m = hold * np.float32(kept_H[j])
        new_H[j] = (_ONE - m) * new_H[j] + m * old_H[j]


@compiled
def output(h_H: Any, gates_G: Any, squashed_H: Any) -> None:
    """h = o tanh(c)."""
    o_H = gates_G[3 * h_H.size :]
    for j in range(h_H.size):
        h_H[j] = o_H[j] * squashed_H[j]


@compiled
def share_of_new(dnew_H: Any, dold_H: Any, grad_H: Any, kept_H: Any, hold: Any) -> None:
    """The gradient of `blend`: dnew and dold; `dold_H` may be `grad_H`."""
    for j in range(grad_H.size):
        m = hold * np.float32(kept_H[j])
        grad = grad_H[j]
        dnew_H[j] = (_ONE - m) * grad
        dold_H[j] = m * grad


@compiled
def new_gradients(dnew_h_H: Any, dnew_c_H: Any, dh_H: Any, dc_H: Any, dy_H: Any, kept_PH: Any, hold: Any) -> None:
    """The gradients of (h, c) as the step computed them; `dh_H`, to which that of the output is added, and
    `dc_H` are left with what zoneout passes on to the step before."""
    for j in range(dh_H.size):
        dh_H[j] += dy_H[j]
    share_of_new(dnew_h_H, dh_H, dh_H, kept_PH[0], hold)
    share_of_new(dnew_c_H, dc_H, dc_H, kept_PH[1], hold)


@compiled
def gate_gradients(dsums_G: Any, gates_G: Any, squashed_H: Any, dh_H: Any, dcandidate_H: Any, old_c_H: Any) -> None:
    """Gradients of the sums from those of h and of the candidate."""
    width = dh_H.size
    i_H, f_H = gates_G[:width], gates_G[width : 2 * width]
    g_H, o_H = gates_G[2 * width : 3 * width], gates_G[3 * width :]
    di_H, df_H = dsums_G[:width], dsums_G[width : 2 * width]
    dg_H, do_H = dsums_G[2 * width : 3 * width], dsums_G[3 * width :]
    for j in range(di_H.size):
        di_H[j] = dcandidate_H[j] * g_H[j] * i_H[j] * (_ONE - i_H[j])
    for j in range(df_H.size):
        df_H[j] = dcandidate_H[j] * old_c_H[j] * f_H[j] * (_ONE - f_H[j])
    for j in range(dg_H.size):
        dg_H[j] = dcandidate_H[j] * i_H[j] * (_ONE - g_H[j] * g_H[j])
    for j in range(do_H.size):
        do_H[j] = dh_H[j] * squashed_H[j] * o_H[j] * (_ONE - o_H[j])


@compiled
def add_through_forget(dold_H: Any, dcandidate_H: Any, gates_G: Any) -> None:
    """dold_c += f dcandidate."""
    f_H = gates_G[dold_H.size : 2 * dold_H.size]
    for j in range(dold_H.size):
        dold_H[j] += f_H[j] * dcandidate_H[j]


@compiled
def moments(row: Any) -> Any:
    """Mean and 1 / deviation of stored numbers."""
    zero = load(row[0]) * 0
    total, squares = zero, zero
    for j in range(row.size):
        total += load(row[j])
    mean = total / np.float32(row.size)
    for j in range(row.size):
        off = load(row[j]) - mean
        squares += off * off
    return mean, _ONE / np.sqrt(squares / np.float32(row.size) + EPSILON)


@compiled
def normalise_gradient(grad: Any, normal: Any, scale: Any) -> None:
    """Replace the gradient of a normalised row by that of the row; `scale` is 1 / deviation."""
    total, along = grad[0] * 0, grad[0] * 0
    for j in range(grad.size):
        total += grad[j]
        along += grad[j] * normal[j]
    total /= np.float32(grad.size)
    along /= np.float32(grad.size)
    for j in range(grad.size):
        grad[j] = scale * (grad[j] - total - normal[j] * along)


@compiled
def copy_out(row: Any, values: Any) -> None:
    for j in range(values.size):
        store(row, j, values[j])


@compiled
def lstm_states(gates_G: Any, c_H: Any, new_h_H: Any, new_c_H: Any) -> None:
    """h and c of a stream from the sums that the gates are functions of."""
    activate(gates_G, new_c_H, c_H)
    for j in range(new_h_H.size):
        new_h_H[j] = tanh(new_c_H[j])
    output(new_h_H, gates_G, new_h_H)


@step
def lstm_activate(c_BH: Any, gates_BG: Any, new_h_BH: Any, new_c_BH: Any) -> None:
    """h and c of a few streams from the sums in `gates_BG`."""
    for b in range(len(c_BH)):
        lstm_states(gates_BG[b], c_BH[b], new_h_BH[b], new_c_BH[b])


@step
def lstm_forward(
    t: int, from_state_BG: Any, from_input_TBG: Any, kept_PTBH: Any, hold: Any,
    gates_TBG: Any, squashed_TBH: Any, h_SBH: Any, c_SBH: Any,
) -> None:  # fmt: skip
    """State t + 1 from state t and the sums W x + b and U h."""
    for b in range(h_SBH.shape[1]):
        gates_G, x_G, u_G = gates_TBG[t, b], from_input_TBG[t, b], from_state_BG[b]
        squashed_H, c_H, h_H = squashed_TBH[t, b], c_SBH[t + 1, b], h_SBH[t + 1, b]
        for j in range(gates_G.size):
            gates_G[j] = load(x_G[j]) + load(u_G[j])
        activate(gates_G, c_H, c_SBH[t, b])
        for j in range(c_H.size):
            squashed_H[j] = tanh(c_H[j])
        output(h_H, gates_G, squashed_H)
        blend(h_H, h_SBH[t, b], kept_PTBH[0, t, b], hold)
        blend(c_H, c_SBH[t, b], kept_PTBH[1, t, b], hold)


@step
def lstm_backward(
    t: int, grad_y_TBH: Any, kept_PTBH: Any, hold: Any, gates_TBG: Any, squashed_TBH: Any, c_SBH: Any,
    dh_BH: Any, dc_BH: Any, dsums_TBG: Any, scratch_G: Any,
) -> None:  # fmt: skip
    """Gradients of the sums of step t; `dh_BH`, `dc_BH` turn from gradients of state t + 1 into those of state t, but
    for what flows through U, which the caller adds to `dh_BH`."""
    width = dh_BH.shape[1]
    dnew_h_H, dnew_c_H = np.empty_like(dh_BH[0]), np.empty_like(dh_BH[0])
    for b in range(dh_BH.shape[0]):
        gates_G, squashed_H = gates_TBG[t, b], squashed_TBH[t, b]
        dh_H, dc_H, dy_H = dh_BH[b], dc_BH[b], grad_y_TBH[t, b]
        new_gradients(dnew_h_H, dnew_c_H, dh_H, dc_H, dy_H, kept_PTBH[:, t, b], hold)
        o_H = gates_G[3 * width :]
        for j in range(o_H.size):
            dnew_c_H[j] += dnew_h_H[j] * o_H[j] * (_ONE - squashed_H[j] * squashed_H[j])
        gate_gradients(scratch_G, gates_G, squashed_H, dnew_h_H, dnew_c_H, c_SBH[t, b])
        add_through_forget(dc_H, dnew_c_H, gates_G)
        copy_out(dsums_TBG[t, b], scratch_G)


@step
def layernorm_forward(
    t: int, from_state_TBG: Any, from_input_TBG: Any, gain_G: Any, cell_gain_H: Any, cell_shift_H: Any,
    kept_PTBH: Any, hold: Any, gates_TBG: Any, squashed_TBH: Any, h_SBH: Any, c_SBH: Any,
    normal_c_TBH: Any, scale_TB: Any,
) -> None:  # fmt: skip
    """As `lstm_forward` with U h and c normalised; W x comes normalised, the shift of both within it. `scale_TB` is
    1 / deviation of c."""
    for b in range(h_SBH.shape[1]):
        gates_G, x_G, u_G = gates_TBG[t, b], from_input_TBG[t, b], from_state_TBG[t, b]
        squashed_H, c_H, h_H, normal_H = squashed_TBH[t, b], c_SBH[t + 1, b], h_SBH[t + 1, b], normal_c_TBH[t, b]
        mean, scale = moments(u_G)
        for j in range(gates_G.size):
            gates_G[j] = load(x_G[j]) + gain_G[j] * ((load(u_G[j]) - mean) * scale)
        activate(gates_G, c_H, c_SBH[t, b])
        mean, scale_TB[t, b] = moments(c_H)
        for j in range(c_H.size):
            normal_H[j] = (c_H[j] - mean) * scale_TB[t, b]
        for j in range(c_H.size):
            squashed_H[j] = tanh(cell_gain_H[j] * normal_H[j] + cell_shift_H[j])
        output(h_H, gates_G, squashed_H)
        blend(h_H, h_SBH[t, b], kept_PTBH[0, t, b], hold)
        blend(c_H, c_SBH[t, b], kept_PTBH[1, t, b], hold)


@step
def layernorm_backward(
    t: int, grad_y_TBH: Any, from_state_TBG: Any, gain_G: Any, cell_gain_H: Any, kept_PTBH: Any, hold: Any,
    gates_TBG: Any, squashed_TBH: Any, c_SBH: Any, normal_c_TBH: Any, scale_TB: Any,
    dh_BH: Any, dc_BH: Any, dsums_TBG: Any, dstate_TBG: Any, dgain_G: Any, dcell_gain_H: Any, dcell_shift_H: Any,
    scratch_G: Any,
) -> None:  # fmt: skip
    """As `lstm_backward`; `dstate_TBG` are the gradients of U h, `dsums_TBG` those of the normalised sums. The
    gradients of gains and shift are added to."""
    width = dh_BH.shape[1]
    dnew_h_H, dnew_c_H = np.empty_like(dh_BH[0]), np.empty_like(dh_BH[0])
    dsquashed_H, normal_G = np.empty_like(dh_BH[0]), np.empty_like(scratch_G)
    for b in range(dh_BH.shape[0]):
        gates_G, squashed_H, normal_H = gates_TBG[t, b], squashed_TBH[t, b], normal_c_TBH[t, b]
        dh_H, dc_H, dy_H, u_G = dh_BH[b], dc_BH[b], grad_y_TBH[t, b], from_state_TBG[t, b]
        new_gradients(dnew_h_H, dnew_c_H, dh_H, dc_H, dy_H, kept_PTBH[:, t, b], hold)
        o_H = gates_G[3 * width :]
        for j in range(o_H.size):
            dsquashed_H[j] = dnew_h_H[j] * o_H[j] * (_ONE - squashed_H[j] * squashed_H[j])
        for j in range(dsquashed_H.size):
            dcell_shift_H[j] += dsquashed_H[j]
            dcell_gain_H[j] += dsquashed_H[j] * normal_H[j]
        for j in range(dsquashed_H.size):
            dsquashed_H[j] *= cell_gain_H[j]
        normalise_gradient(dsquashed_H, normal_H, scale_TB[t, b])
        for j in range(dnew_c_H.size):
            dnew_c_H[j] += dsquashed_H[j]
        gate_gradients(scratch_G, gates_G, squashed_H, dnew_h_H, dnew_c_H, c_SBH[t, b])
        add_through_forget(dc_H, dnew_c_H, gates_G)
        copy_out(dsums_TBG[t, b], scratch_G)
        mean, scale = moments(u_G)
        for j in range(normal_G.size):
            normal_G[j] = (load(u_G[j]) - mean) * scale
        for j in range(dgain_G.size):
            dgain_G[j] += scratch_G[j] * normal_G[j]
        for j in range(scratch_G.size):
            scratch_G[j] *= gain_G[j]
        normalise_gradient(scratch_G, normal_G, scale)
        copy_out(dstate_TBG[t, b], scratch_G)


@compiled
def modulation(gate_N: Any, sums_N: Any) -> None:
    """gate = 2 sigmoid(sums)."""
    for j in range(gate_N.size):
        gate_N[j] = load(sums_N[j])
    for j in range(gate_N.size):
        gate_N[j] = _TWO * logistic(gate_N[j])


@step
def modulate(t: int, sums_TBN: Any, old_TBN: Any, new_TBN: Any, gate_N: Any) -> None:
    """new = 2 sigmoid(sums) old; `gate_N` is scratch."""
    for b in range(new_TBN.shape[1]):
        old_N, new_N = old_TBN[t, b], new_TBN[t, b]
        modulation(gate_N, sums_TBN[t, b])
        for j in range(new_N.size):
            store(new_N, j, gate_N[j] * load(old_N[j]))


@step
def modulate_backward(t: int, sums_TBN: Any, old_TBN: Any, gate_N: Any, grad_BN: Any, dsums_TBN: Any) -> None:
    """Gradients of the sums; `grad_BN` turns from the gradient of `new` into that of `old`."""
    for b in range(grad_BN.shape[0]):
        old_N, grad_N, dsums_N = old_TBN[t, b], grad_BN[b], dsums_TBN[t, b]
        modulation(gate_N, sums_TBN[t, b])
        for j in range(grad_N.size):
            grad_N[j] *= gate_N[j]
        for j in range(grad_N.size):
            gate_N[j] = grad_N[j] * (_ONE - _HALF * gate_N[j])
        for j in range(grad_N.size):
            store(dsums_N, j, gate_N[j] * load(old_N[j]))
