"""hidden W^T + b without gradients, as a step of generation needs it, by whatever is fastest for so many rows.

Libraries lay a matrix out anew for large products. With few rows all that counts is to read it once, in order: a plain
loop reads the output matrix of a word model four times as fast as MKL and oneDNN do (benchmarks/LOG.md).

Shapes: M rows, D width, N numbers out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .lstm import fast_products

FEW = 12
"""Rows up to which the plain loop is faster."""
LARGE = 1 << 17
"""Numbers in a matrix from which it pays to load compiled code."""


def multiplies_few(hidden: Tensor, weight_ND: Tensor) -> bool:
    """Whether `affine` takes the plain loop."""
    return (
        not torch.is_grad_enabled()
        and hidden.numel() <= FEW * hidden.shape[-1]
        and weight_ND.numel() >= LARGE
        and hidden.dtype == weight_ND.dtype == torch.float32
        and hidden.device.type == weight_ND.device.type == "cpu"
    )


def affine(hidden: Tensor, weight_ND: Tensor, bias_N: Tensor) -> Tensor:
    """(..., N) of hidden (..., D)."""
    if multiplies_few(hidden, weight_ND):
        from .affine_kernels import multiply_few

        hidden_MD = hidden.reshape(-1, hidden.shape[-1]).contiguous()
        out_MN = hidden.new_empty(len(hidden_MD), len(weight_ND))
        multiply_few(*(part.numpy(force=True) for part in (hidden_MD, weight_ND, bias_N, out_MN)))
        return out_MN.view(*hidden.shape[:-1], -1)
    if torch.is_grad_enabled() or hidden.device.type != "cpu":
        return F.linear(hidden, weight_ND, bias_N)
    with fast_products(hidden.numel() // hidden.shape[-1]):
        return F.linear(hidden, weight_ND, bias_N)
