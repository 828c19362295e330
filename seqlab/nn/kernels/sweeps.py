"""Linear recurrences over time, c_t = keep_t c_{t-1} + add_t, and the sweeps of cells built on one.

Shapes: B batch, T time, H hidden width, K sums of a step (H for each gate).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def scan(keep_BTH: Tensor, add_BTH: Tensor) -> Tensor:
    """All c_t = keep_t c_{t-1} + add_t from c = 0, in log2 T parallel rounds (Hillis & Steele 1986,
    https://doi.org/10.1145/7902.7903): after each, a position has composed twice as many steps. Only products and sums
    of the given numbers, never a division, so it is as safe as the loop."""
    reach = 1
    while reach < keep_BTH.shape[1]:
        joined_BTH = keep_BTH[:, reach:] * add_BTH[:, :-reach] + add_BTH[:, reach:]
        add_BTH = torch.cat([add_BTH[:, :reach], joined_BTH], dim=1)
        keep_BTH = torch.cat([keep_BTH[:, :reach], keep_BTH[:, reach:] * keep_BTH[:, :-reach]], dim=1)
        reach *= 2
    return add_BTH


class _LinearRecurrence(torch.autograd.Function):
    """The gradient of a linear recurrence is one backwards in time."""

    @staticmethod
    def forward(ctx: Any, keep_BTH: Tensor, add_BTH: Tensor, start_BH: Tensor) -> Tensor:
        first_B1H = keep_BTH[:, :1] * start_BH[:, None] + add_BTH[:, :1]
        c_BTH = scan(keep_BTH, torch.cat([first_B1H, add_BTH[:, 1:]], dim=1))
        ctx.save_for_backward(keep_BTH, c_BTH, start_BH)
        return c_BTH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BTH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        keep_BTH, c_BTH, start_BH = ctx.saved_tensors
        later_BTH = torch.cat([keep_BTH[:, 1:], torch.zeros_like(keep_BTH[:, :1])], dim=1)
        grad_add_BTH = scan(later_BTH.flip(1), grad_BTH.flip(1)).flip(1)
        before_BTH = torch.cat([start_BH[:, None], c_BTH[:, :-1]], dim=1)
        return grad_add_BTH * before_BTH, grad_add_BTH, grad_add_BTH[:, 0] * keep_BTH[:, 0]


def linear_recurrence(keep_BTH: Tensor, add_BTH: Tensor, start_BH: Tensor) -> Tensor:
    """All c_t = keep_t c_{t-1} + add_t (B, T, H) from c = `start_BH`, on any device."""
    c_BTH: Tensor = _LinearRecurrence.apply(keep_BTH, add_BTH, start_BH)
    return c_BTH


class _Sweep(torch.autograd.Function):
    """A cell's compiled sweep; tensors are contiguous, those a cell has no use for are empty."""

    @staticmethod
    def forward(
        ctx: Any, name: str, sums_BTK: Tensor, weights_K: Tensor, skip_BTH: Tensor, start_BH: Tensor
    ) -> tuple[Tensor, Tensor]:
        from .sweep_kernels import sweeps  # numba, which only these cells wait for

        c_BTH = start_BH.new_empty(*sums_BTK.shape[:2], start_BH.shape[1])
        y_BTH = torch.empty_like(c_BTH) if name in GATED else c_BTH
        sweeps(name)[0](*map(numbers, (sums_BTK, weights_K, skip_BTH, start_BH, c_BTH, y_BTH)))
        ctx.cell = name
        ctx.save_for_backward(sums_BTK, weights_K, skip_BTH, start_BH, c_BTH)
        return y_BTH, c_BTH[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_BTH: Tensor, grad_last_BH: Tensor) -> tuple[None, Tensor, Tensor, Tensor, Tensor]:
        from .sweep_kernels import sweeps

        sums_BTK, weights_K, skip_BTH, start_BH = ctx.saved_tensors[:4]
        carry_BH = grad_last_BH.clone(memory_format=torch.contiguous_format)
        grad_sums_BTK, grad_skip_BTH = torch.empty_like(sums_BTK), torch.empty_like(skip_BTH)
        grad_weights_BK = weights_K.new_zeros(len(start_BH), len(weights_K))
        given = (*ctx.saved_tensors, grad_y_BTH.contiguous())
        sweeps(ctx.cell)[1](*map(numbers, (*given, carry_BH, grad_sums_BTK, grad_weights_BK, grad_skip_BTH)))
        return None, grad_sums_BTK, grad_weights_BK.sum(0), grad_skip_BTH, carry_BH


GATED = ("qrnn", "sru")
"""Cells whose output is another than their value c."""


def sweep(
    name: str, sums_BTK: Tensor, start_BH: Tensor, weights_K: Tensor | None = None, skip_BTH: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A cell's sweep over time on the CPU, compiled: (outputs (B, T, H), last value (B, H)).

    Args:
        name: of `sweep_kernels.STEPS`.
        sums_BTK: W x + b of all steps, in bfloat16 or in the numbers of `start_BH`.
        start_BH: the value before the first step, float32 or float64.
        weights_K: of a cell whose gates see its value.
        skip_BTH: of a cell that passes its input by.
    """
    weights_K = start_BH.new_empty(0) if weights_K is None else weights_K
    skip_BTH = start_BH.new_empty(*sums_BTK.shape[:2], 0) if skip_BTH is None else skip_BTH
    tensors = (tensor.contiguous() for tensor in (sums_BTK, weights_K, skip_BTH, start_BH))
    y_BTH, last_BH = _Sweep.apply(name, *tensors)
    return y_BTH, last_BH


def numbers(tensor: Tensor) -> np.ndarray:
    """A tensor as numpy sees it, without a copy where it is contiguous; bfloat16, which numpy lacks, as uint16."""
    tensor = tensor.detach().contiguous()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
