"""Large matrix products on the CPU at the rate the CPU has.

torch hands float32 products to MKL, which on some CPUs reaches half of the rate that oneDNN's kernels reach on
the same float32 numbers. torch calls oneDNN when its float32 setting permits bfloat16 rounding; on CPUs without
matrix tiles oneDNN makes no use of that permission, which is checked here once by a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

BFLOAT16_VOCABULARY = 512
"""Types from which bfloat16 products pay for the conversions around them."""


def _settings() -> Any:
    """torch's settings of oneDNN's products; None in versions that have none, such as 2.6."""
    return getattr(torch.backends.mkldnn, "matmul", None)


@contextmanager
def _onednn() -> Iterator[None]:
    settings = _settings()
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


@lru_cache(maxsize=1)
def onednn_keeps_float32() -> bool:
    """Whether oneDNN multiplies float32 numbers without rounding them to bfloat16 on this CPU."""
    if not torch.backends.mkldnn.is_available() or _settings() is None:
        return False
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 256, generator=generator) for _ in range(2))
    with torch.no_grad(), _onednn():
        error = (left @ right).double() - left.double() @ right.double()
    return float(error.abs().max()) < 1e-3


@contextmanager
def fast_float32() -> Iterator[None]:
    """float32 products inside go to the faster library, with float32 results all the same; a no-op where there is
    none. The setting is torch's, for the whole process."""
    if onednn_keeps_float32():
        with _onednn():
            yield
    else:
        yield


@lru_cache(maxsize=1)
def has_bfloat16_products() -> bool:
    """Whether the CPU has instructions that multiply bfloat16 and add in float32."""
    tell = getattr(torch.cpu, "get_capabilities", None)  # torch 2.6 cannot say
    features = tell() if tell is not None else {}
    return torch.backends.mkldnn.is_available() and bool(features.get("avx512_bf16") or features.get("amx_bf16"))


class Products:
    """The three products of a softmax layer, in the numbers of its weight.

    Args:
        weight_VD: (V, D).
        rows: most positions at a time.

    Shapes: M positions, D width, V vocabulary.
    """

    def __init__(self, weight_VD: Tensor, rows: int):
        self.weight_VD = weight_VD
        self.buffer_MV = weight_VD.new_empty(rows, len(weight_VD))

    def logits(self, hidden_MD: Tensor, bias_V: Tensor) -> Tensor:
        """hidden W^T + b (M, V), in a buffer that the next call overwrites."""
        return torch.mm(hidden_MD, self.weight_VD.T, out=self.buffer_MV[: len(hidden_MD)]).add_(bias_V)

    def grad_hidden(self, grad_MV: Tensor) -> Tensor:
        """grad W (M, D)."""
        return grad_MV @ self.weight_VD

    def add_grad_weight(self, grad_MV: Tensor, hidden_MD: Tensor, total_VD: Tensor) -> None:
        """total += grad^T hidden, for the `grad_MV` last given to `grad_hidden`."""
        total_VD.addmm_(grad_MV.T, hidden_MD)


class BFloat16Products(Products):
    """The same with factors rounded to bfloat16; sums, bias and exponentials stay float32."""

    ROWS = 2048
    """Vocabulary rows of a gradient made at once, so that they are still in cache when they are added."""

    def __init__(self, weight_VD: Tensor, rows: int):
        super().__init__(weight_VD, rows)
        self.weight_VD = weight_VD.bfloat16()
        self.rounded_MV = torch.empty_like(self.buffer_MV, dtype=torch.bfloat16)

    def logits(self, hidden_MD: Tensor, bias_V: Tensor) -> Tensor:
        count = len(hidden_MD)
        product_MV = torch.mm(hidden_MD.bfloat16(), self.weight_VD.T, out=self.rounded_MV[:count])
        return self.buffer_MV[:count].copy_(product_MV).add_(bias_V)

    def grad_hidden(self, grad_MV: Tensor) -> Tensor:
        return (self.rounded_MV[: len(grad_MV)].copy_(grad_MV) @ self.weight_VD).float()

    def add_grad_weight(self, grad_MV: Tensor, hidden_MD: Tensor, total_VD: Tensor) -> None:
        rounded_MV, hidden_MD = self.rounded_MV[: len(grad_MV)], hidden_MD.bfloat16()
        for part_MR, part_RD in zip(rounded_MV.split(self.ROWS, 1), total_VD.split(self.ROWS), strict=True):
            part_RD.add_(part_MR.T @ hidden_MD)


def products_for(weight_VD: Tensor, rows: int, precision: str) -> Products:
    """The products to train with. `precision` "auto" rounds to bfloat16 where the CPU has it and V is large."""
    if precision == "bfloat16":
        rounds = weight_VD.dtype == torch.float32
    else:
        plain = weight_VD.device.type != "cpu" or weight_VD.dtype != torch.float32 or precision == "float32"
        rounds = not plain and len(weight_VD) >= BFLOAT16_VOCABULARY and has_bfloat16_products()
    return (BFloat16Products if rounds else Products)(weight_VD, rows)
