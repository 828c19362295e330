"""Whole sequences of a GRU on the CPU, differentiated by hand, as lstm.py has those of LSTMs: torch's own
kernel knows no bfloat16.

Shapes: B batch, T time, S = T + 1 states, H hidden width, K = 3 H (gates r, z, n).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .lstm import fast_products, fresh, weight_gradient
from .sweeps import numbers


class GRUSequence(torch.autograd.Function):
    """(y_TBH, last h) from the sums W x + b (T, B, K), a state, U (K, H), and the bias (H,) that is added to the part
    of U h before r lets it through; those of r and z are part of b. Products are made in the numbers of
    the sums, bfloat16 among them; states, gates and their gradients are float32 then."""

    @staticmethod
    def forward(ctx: Any, x_TBK: Tensor, h_BH: Tensor, weight_KH: Tensor, bias_H: Tensor) -> Any:
        from .gru_kernels import gru_forward

        length, batch, width = len(x_TBK), *h_BH.shape
        h_SBH = h_BH.new_empty(length + 1, batch, width)
        h_SBH[0] = h_BH
        gates_TBK, state_TBH = h_BH.new_empty(length, batch, 3 * width), h_BH.new_empty(length, batch, width)
        product_BK = torch.empty_like(x_TBK[0], memory_format=torch.contiguous_format)
        arrays = [numbers(part) for part in (product_BK, x_TBK, bias_H, gates_TBK, state_TBH, h_SBH)]
        with fast_products(batch):
            for t in range(length):
                torch.mm(h_SBH[t].to(weight_KH.dtype), weight_KH.T, out=product_BK)
                gru_forward(t, *arrays)
        ctx.save_for_backward(weight_KH)
        ctx.done = gates_TBK, state_TBH, h_SBH
        return h_SBH[1:], h_SBH[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_TBH: Tensor, grad_h_BH: Tensor) -> Any:
        from .gru_kernels import gru_backward

        (weight_KH,), (gates_TBK, state_TBH, h_SBH) = ctx.saved_tensors, ctx.done
        dh_BH = fresh(grad_h_BH)
        dinput_TBK, dstate_TBK = (torch.empty_like(gates_TBK, dtype=weight_KH.dtype) for _ in range(2))
        scratch_K = torch.empty_like(gates_TBK[0, 0])
        arrays = [
            numbers(part)
            for part in (grad_y_TBH, gates_TBK, state_TBH, h_SBH, dh_BH, dinput_TBK, dstate_TBK, scratch_K)
        ]
        with fast_products(len(dh_BH)):
            for t in reversed(range(len(grad_y_TBH))):
                gru_backward(t, *arrays)
                dh_BH += dstate_TBK[t] @ weight_KH
            dweight_KH = weight_gradient(dstate_TBK, h_SBH[:-1].to(weight_KH.dtype))
        dbias_H = dstate_TBK[..., 2 * dh_BH.shape[1] :].sum((0, 1), dtype=dh_BH.dtype)
        return dinput_TBK, dh_BH, dweight_KH, dbias_H
