"""Whole sequences of LSTM kinds on the CPU, differentiated by hand.

torch differentiates a loop of Python step by step, at tens of small operations each. Here a step is one matrix product
and one compiled pass (lstm_kernels.py), forward and backward; the gradients of all weights are products over all time
steps at the end. Products are made in the numbers of the inputs, bfloat16 among them; states, gates and their gradients
are float32 then.

Shapes: B batch, T time, S = T + 1 states, D input width, H hidden width, G = 4 H (gates i, f, g, o), P = 2 (h, c).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..products import fast_float32
from ..zoneout import Kept
from .sweeps import numbers

ONEDNN_ROWS = 16
"""Streams from which oneDNN makes the float32 products of a step sooner; with one it takes up to four times as long."""


def fresh(tensor: Tensor) -> Tensor:
    """A contiguous copy, for a kernel to change."""
    return tensor.clone(memory_format=torch.contiguous_format)


class Trajectory:
    """What a sequence leaves for its gradients.

    Attributes:
        h_SBH, c_SBH: states, from the initial one.
        gates_TBG, squashed_TBH: the gates and tanh(c) before zoneout.
        kept_PTBH, hold: of `Kept`, for a kernel.
    """

    def __init__(self, length: int, h_BH: Tensor, c_BH: Tensor, kept: Kept):
        batch, width = h_BH.shape
        self.h_SBH, self.c_SBH = h_BH.new_empty(2, length + 1, batch, width).unbind(0)
        self.h_SBH[0], self.c_SBH[0] = h_BH, c_BH
        self.gates_TBG = h_BH.new_empty(length, batch, 4 * width)
        self.squashed_TBH = h_BH.new_empty(length, batch, width)
        self.kept_PTBH = numbers(kept.mask_PTBH)
        self.hold = self.h_SBH.numpy().dtype.type(kept.hold)

    @property
    def outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """h of all steps (T, B, H), and the last h and c."""
        return self.h_SBH[1:], self.h_SBH[-1].clone(), self.c_SBH[-1].clone()

    @property
    def forward_arrays(self) -> list[np.ndarray]:
        """What every forward kernel fills."""
        return [numbers(part) for part in (self.gates_TBG, self.squashed_TBH, self.h_SBH, self.c_SBH)]

    @property
    def backward_arrays(self) -> list[np.ndarray]:
        """What every backward kernel reads of it."""
        return [numbers(part) for part in (self.gates_TBG, self.squashed_TBH, self.c_SBH)]

    def before(self, dtype: torch.dtype) -> Tensor:
        """h before every step, (T, B, H)."""
        return self.h_SBH[:-1].to(dtype)


def fast_products(batch: int) -> AbstractContextManager[None]:
    """The faster library for the products of a sequence of so many streams."""
    return fast_float32() if batch >= ONEDNN_ROWS else nullcontext()


def weight_gradient(grad_TBN: Tensor, factor_TBM: Tensor) -> Tensor:
    """(N, M), the sum over time and batch of the outer products."""
    return grad_TBN.flatten(0, 1).T @ factor_TBM.flatten(0, 1)


class LSTMSequence(torch.autograd.Function):
    """(y_TBH, last h, last c) from the sums W x + b (T, B, G), a state, U (G, H) and what zoneout keeps."""

    @staticmethod
    def forward(ctx: Any, x_TBG: Tensor, h_BH: Tensor, c_BH: Tensor, weight_GH: Tensor, kept: Kept) -> Any:
        from .lstm_kernels import lstm_forward

        done = Trajectory(len(x_TBG), h_BH, c_BH, kept)
        product_BG = torch.empty_like(x_TBG[0], memory_format=torch.contiguous_format)
        arrays = numbers(product_BG), numbers(x_TBG), done.kept_PTBH, done.hold, *done.forward_arrays
        with fast_products(len(h_BH)):
            for t in range(len(x_TBG)):
                torch.mm(done.h_SBH[t].to(weight_GH.dtype), weight_GH.T, out=product_BG)
                lstm_forward(t, *arrays)
        ctx.save_for_backward(weight_GH)
        ctx.done = done
        return done.outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_TBH: Tensor, grad_h_BH: Tensor, grad_c_BH: Tensor) -> Any:
        from .lstm_kernels import lstm_backward

        (weight_GH,), done = ctx.saved_tensors, ctx.done
        dh_BH, dc_BH = fresh(grad_h_BH), fresh(grad_c_BH)
        dsums_TBG = torch.empty_like(done.gates_TBG, dtype=weight_GH.dtype)
        arrays = [
            numbers(grad_y_TBH), done.kept_PTBH, done.hold, *done.backward_arrays,
            numbers(dh_BH), numbers(dc_BH), numbers(dsums_TBG), numbers(torch.empty_like(done.gates_TBG[0, 0])),
        ]  # fmt: skip
        with fast_products(len(dh_BH)):
            for t in reversed(range(len(grad_y_TBH))):
                lstm_backward(t, *arrays)
                dh_BH += dsums_TBG[t] @ weight_GH
            return dsums_TBG, dh_BH, dc_BH, weight_gradient(dsums_TBG, done.before(weight_GH.dtype)), None


class LayerNormSequence(torch.autograd.Function):
    """As `LSTMSequence` with U h and c normalised: inputs are the normalised W x with both shifts (T, B, G), a state,
    U, the gain of U h (G), gain and shift of c (H), and what zoneout keeps."""

    @staticmethod
    def forward(
        ctx: Any, x_TBG: Tensor, h_BH: Tensor, c_BH: Tensor, weight_GH: Tensor,
        gain_G: Tensor, cell_gain_H: Tensor, cell_shift_H: Tensor, kept: Kept,
    ) -> Any:  # fmt: skip
        from .lstm_kernels import layernorm_forward

        done = Trajectory(len(x_TBG), h_BH, c_BH, kept)
        products_TBG = torch.empty_like(x_TBG, memory_format=torch.contiguous_format)
        normal_c_TBH = torch.empty_like(done.squashed_TBH)
        scale_TB = h_BH.new_empty(x_TBG.shape[:2])
        arrays = [
            *(numbers(part) for part in (products_TBG, x_TBG, gain_G, cell_gain_H, cell_shift_H)),
            done.kept_PTBH, done.hold, *done.forward_arrays, numbers(normal_c_TBH), numbers(scale_TB),
        ]  # fmt: skip
        with fast_products(len(h_BH)):
            for t in range(len(x_TBG)):
                torch.mm(done.h_SBH[t].to(weight_GH.dtype), weight_GH.T, out=products_TBG[t])
                layernorm_forward(t, *arrays)
        ctx.save_for_backward(weight_GH, gain_G, cell_gain_H)
        ctx.done, ctx.normal = done, (products_TBG, normal_c_TBH, scale_TB)
        return done.outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_TBH: Tensor, grad_h_BH: Tensor, grad_c_BH: Tensor) -> Any:
        from .lstm_kernels import layernorm_backward

        (weight_GH, gain_G, cell_gain_H), done = ctx.saved_tensors, ctx.done
        products_TBG, normal_c_TBH, scale_TB = ctx.normal
        dh_BH, dc_BH = fresh(grad_h_BH), fresh(grad_c_BH)
        dsums_TBG, dproducts_TBG = (torch.empty_like(products_TBG) for _ in range(2))
        dgain_G, dcell_gain_H, dcell_shift_H = (torch.zeros_like(part) for part in (gain_G, cell_gain_H, cell_gain_H))
        arrays = [
            *(numbers(part) for part in (grad_y_TBH, products_TBG, gain_G, cell_gain_H)), done.kept_PTBH, done.hold,
            *done.backward_arrays, numbers(normal_c_TBH), numbers(scale_TB),
            *(numbers(part) for part in (dh_BH, dc_BH, dsums_TBG, dproducts_TBG, dgain_G, dcell_gain_H, dcell_shift_H)),
            numbers(torch.empty_like(gain_G)),
        ]  # fmt: skip
        with fast_products(len(dh_BH)):
            for t in reversed(range(len(grad_y_TBH))):
                layernorm_backward(t, *arrays)
                dh_BH += dproducts_TBG[t] @ weight_GH
            dweight_GH = weight_gradient(dproducts_TBG, done.before(weight_GH.dtype))
        return dsums_TBG, dh_BH, dc_BH, dweight_GH, dgain_G, dcell_gain_H, dcell_shift_H, None


class MogrifierSequence(torch.autograd.Function):
    """As `LSTMSequence`, but from inputs (T, B, D), W (G, D) and a bias (G), and with the matrices of the rounds in
    turn: Q (D, H), R (H, D), Q, ..."""

    @staticmethod
    def forward(
        ctx: Any, x_TBD: Tensor, h_BH: Tensor, c_BH: Tensor, weight_ih_GD: Tensor, weight_hh_GH: Tensor,
        bias_G: Tensor, kept: Kept, *rounds: Tensor,
    ) -> Any:  # fmt: skip
        from .lstm_kernels import lstm_forward, modulate

        done, dtype = Trajectory(len(x_TBD), h_BH, c_BH, kept), weight_hh_GH.dtype
        from_input_TBG = torch.empty_like(done.gates_TBG, dtype=dtype)
        from_state_BG = torch.empty_like(from_input_TBG[0])
        inputs = [x_TBD.contiguous(), torch.empty_like(done.squashed_TBH, dtype=dtype)]
        values = [*inputs, *(torch.empty_like(inputs[i % 2]) for i in range(len(rounds)))]
        sums = [torch.empty_like(value) for value in values[2:]]
        arrays = numbers(from_state_BG), numbers(from_input_TBG), done.kept_PTBH, done.hold, *done.forward_arrays
        modulations = [
            [numbers(part) for part in (summed, old, new, h_BH.new_empty(new.shape[2]))]
            for summed, old, new in zip(sums, values, values[2:], strict=False)
        ]
        # values: x, h, x', h', x'', ...: each round modulates the value two places before by the one just made
        last_x, last_h = last_of(values)
        with fast_products(len(h_BH)):
            for t in range(len(x_TBD)):
                values[1][t] = done.h_SBH[t]
                for i, weight in enumerate(rounds):
                    torch.mm(values[i + 1][t], weight.T, out=sums[i][t])
                    modulate(t, *modulations[i])
                torch.addmm(bias_G, last_x[t], weight_ih_GD.T, out=from_input_TBG[t])
                torch.mm(last_h[t], weight_hh_GH.T, out=from_state_BG)
                lstm_forward(t, *arrays)
        ctx.save_for_backward(weight_ih_GD, weight_hh_GH, *rounds)
        ctx.done, ctx.values, ctx.sums = done, values, sums
        return done.outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_TBH: Tensor, grad_h_BH: Tensor, grad_c_BH: Tensor) -> Any:
        from .lstm_kernels import lstm_backward, modulate_backward

        (weight_ih_GD, weight_hh_GH, *rounds), done = ctx.saved_tensors, ctx.done
        values, sums = ctx.values, ctx.sums
        last_x, last_h = last_of(values)
        dh_BH, dc_BH = fresh(grad_h_BH), fresh(grad_c_BH)
        dsums_TBG = torch.empty_like(done.gates_TBG, dtype=weight_hh_GH.dtype)
        dx_TBD = torch.empty(values[0].shape, dtype=dh_BH.dtype)
        modulated_BH = torch.empty_like(dh_BH)
        dsums = [torch.empty_like(part) for part in sums]
        arrays = [
            numbers(grad_y_TBH), done.kept_PTBH, done.hold, *done.backward_arrays,
            numbers(dh_BH), numbers(dc_BH), numbers(dsums_TBG), numbers(torch.empty_like(done.gates_TBG[0, 0])),
        ]  # fmt: skip
        modulations = [
            [numbers(part) for part in (summed, old, dh_BH.new_empty(old.shape[2]))]
            for summed, old in zip(sums, values, strict=False)
        ]
        dsum_arrays = [numbers(part) for part in dsums]
        dx_array_TBD, dh_array_BH = numbers(dx_TBD), numbers(modulated_BH)
        with fast_products(len(dh_BH)):
            for t in reversed(range(len(grad_y_TBH))):
                lstm_backward(t, *arrays)
                dx_BD = dx_TBD[t].copy_(dsums_TBG[t] @ weight_ih_GD)
                modulated_BH.copy_(dsums_TBG[t] @ weight_hh_GH)
                for i in reversed(range(len(rounds))):
                    of_input = i % 2 == 0
                    grad_BN = dx_array_TBD[t] if of_input else dh_array_BH
                    modulate_backward(t, *modulations[i], grad_BN, dsum_arrays[i])
                    (modulated_BH if of_input else dx_BD).add_(dsums[i][t] @ rounds[i])
                dh_BH += modulated_BH
            weights = weight_gradient(dsums_TBG, last_x), weight_gradient(dsums_TBG, last_h)
            dbias_G = dsums_TBG.sum((0, 1), dtype=dh_BH.dtype).to(dsums_TBG.dtype)
            drounds = [weight_gradient(grad, driver) for grad, driver in zip(dsums, values[1:], strict=False)]
        return dx_TBD.to(values[0].dtype), dh_BH, dc_BH, *weights, dbias_G, None, *drounds


def last_of(values: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The last of the inputs and the last of the states of x, h, x', h', ..."""
    return values[0::2][-1], values[1::2][-1]


def unrolled(step: Any, x_BTD: Tensor, state: tuple[Tensor, ...], kept: Kept) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run any cell step by step, on any device.

    Args:
        step: (x_BD, state) -> (output, new state).
        x_BTD: inputs.
        state: before them.
        kept: what zoneout keeps.

    Returns:
        Outputs (B, T, H) and the last state.
    """
    outputs = []
    for t in range(x_BTD.shape[1]):
        state = kept.blend(t, step(x_BTD[:, t], state)[1], state)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state
