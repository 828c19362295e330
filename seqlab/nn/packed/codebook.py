"""Weights that share 16 values: Han et al. 2016, https://arxiv.org/abs/1510.00149.

Shapes: N rows, D width, B bytes of a row, K values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ...base.native import Native
from ..kernels.matrices import kernels_of, line_of
from .base import KERNELS, PackedWeight, Shape

VALUES = 16
ROUNDS, FOLLOWING = 30, 3
"""Of k-means, at first and from values that were right a moment ago."""


def middles(values_K: Tensor) -> np.ndarray:
    """The borders (K - 1,) between ascending values: what lies on one belongs to the lower value."""
    found: np.ndarray = ((values_K[1:] + values_K[:-1]) / 2).numpy()
    return found


def nearest_codes(numbers: Tensor, values_K: Tensor) -> Tensor:
    """The index of the nearest of ascending values, uint8, of numbers on the CPU."""
    from .kernels import write_codes

    codes = torch.empty_like(numbers, dtype=torch.uint8, memory_format=torch.contiguous_format)
    write_codes(numbers.contiguous().view(-1).numpy(), middles(values_K), codes.view(-1).numpy())
    return codes


def nearest_values(numbers: Tensor, values_K: Tensor) -> Tensor:
    """The nearest of ascending values, of numbers on the CPU."""
    from .kernels import write_values

    found = torch.empty_like(numbers, memory_format=torch.contiguous_format)
    arrays = numbers.contiguous().view(-1).numpy(), middles(values_K), values_K.numpy(), found.view(-1).numpy()
    write_values(*arrays)
    return found


def shared_values(weight: Tensor, before_K: Tensor | None = None, importance_N1: Tensor | None = None) -> Tensor:
    """The values with the least squared distance to the numbers of a matrix: k-means in one dimension.

    Args:
        weight: (N, D).
        before_K: where it begins; None: between their quantiles and even steps.
        importance_N1: of each row, which its distances are multiplied by; None where all count alike.

    Returns:
        (K,), ascending.
    """
    numbers_L = weight.detach().float().flatten()
    distinct = torch.unique(numbers_L[: 4 * VALUES])
    if len(distinct) <= VALUES and len(distinct := torch.unique(numbers_L)) <= VALUES:
        return torch.cat([distinct, distinct[-1:].expand(VALUES - len(distinct))])
    first = before_K is None
    if before_K is None:
        ordered = numbers_L.sort().values
        low, high = ordered[0], ordered[-1]
        even = torch.linspace(float(low), float(high), VALUES)  # sets out evenly, so that the ends keep their values
        places = ((torch.arange(VALUES) + 0.5) / VALUES * len(ordered)).long()
        before_K = ((even + ordered[places]) / 2).sort().values
    values_K, products_L, parts_L = before_K.double(), numbers_L.double(), torch.ones(len(numbers_L)).double()
    if importance_N1 is not None:
        parts_L = importance_N1.double().square().expand_as(weight).flatten()
        products_L = products_L * parts_L
    for _ in range(ROUNDS if first else FOLLOWING):
        codes_L = nearest_codes(numbers_L, values_K.float()).int()
        counts_K = torch.bincount(codes_L, weights=parts_L, minlength=VALUES)
        sums_K = torch.bincount(codes_L, weights=products_L, minlength=VALUES)
        values_K = torch.where(counts_K > 0, sums_K / counts_K.clamp(min=1e-30), values_K).sort().values
    return values_K.float()


class Codebook(PackedWeight):
    """W = values[code], two codes in a byte: column k in the low bits, column k + B in the high ones."""

    form = "codebook"
    kernels = kernels_of(KERNELS, form)
    meaning = "16 values that all weights of a matrix share: an eighth of the size"
    types: ClassVar = {"codes": (torch.uint8,), "values": (torch.float32,)}

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        rows, width = weight_ND.shape
        values_K, half = shared_values(weight_ND), math.ceil(width / 2)
        codes_ND = nearest_codes(weight_ND.detach().float(), values_K)
        codes_ND = torch.nn.functional.pad(codes_ND, (0, 2 * half - width))
        codes_NB = codes_ND[:, :half] | (codes_ND[:, half:] << 4)
        return cls({"codes": codes_NB.contiguous(), "values": values_K}, (rows, width))

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        return {"codes": (shape[0], math.ceil(shape[1] / 2)), "values": (VALUES,)}

    def unpacked(self) -> Tensor:
        return self.rows(torch.arange(len(self)))

    def sliced(self, first: int, last: int) -> PackedWeight:
        return type(self)({**self.parts, "codes": self.parts["codes"][first:last]}, (last - first, self.shape[1]))

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        codes, values = (self.parts[name].data_ptr() for name in ("codes", "values"))
        return line_of(kernel, codes, values, bias_N, self.shape, self.shape[1])
