"""Matrices of which most numbers are zero: only the others are stored, with their columns.

Shapes: N rows, D width, K stored numbers, M positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from .base import PackedWeight, Shape
from .levels import Int8

NARROW = 1 << 16
"""Widths whose columns are numbered in 16 bits."""


class Sparse(PackedWeight):
    """The numbers of every row that are not zero, in float32 or as 8-bit codes with a scale for each row."""

    form = "sparse"
    meaning = "only the weights that are left, with their columns"
    types: ClassVar = {
        "values": (torch.float32, torch.int8), "columns": (torch.uint16, torch.int32), "starts": (torch.int64,),
        "scales": (torch.float32,),
    }  # fmt: skip

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        weight = weight_ND.detach().float().numpy(force=True)
        rows, columns = weight.nonzero()
        starts = np.searchsorted(rows, np.arange(len(weight) + 1))
        kind = np.uint16 if weight.shape[1] <= NARROW else np.int32
        parts = {"values": weight[rows, columns], "columns": columns.astype(kind), "starts": starts.astype(np.int64)}
        scales = np.ones(len(weight), np.float32)
        return cls({name: torch.from_numpy(part) for name, part in {**parts, "scales": scales}.items()}, weight.shape)

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        count = stored["values"][:1]
        return {"values": count, "columns": count, "starts": (shape[0] + 1,), "scales": shape[:1]}

    def check(self) -> None:
        super().check()
        starts, columns = self.parts["starts"].numpy(), self.parts["columns"].numpy()
        ordered = starts[0] == 0 and starts[-1] == len(columns) and bool((np.diff(starts) >= 0).all())
        if not ordered or (len(columns) and not 0 <= int(columns.min()) <= int(columns.max()) < self.shape[1]):
            raise ValueError("the places of its weights are not those of a matrix")

    def unpacked(self) -> Tensor:
        return self.rows(torch.arange(len(self)))

    def rows(self, ids: Tensor) -> Tensor:
        from .kernels import sparse_rows

        out = np.zeros((ids.numel(), self.shape[1]), np.float32)
        sparse_rows(*self._arrays(), ids.reshape(-1).numpy(), out)
        return torch.from_numpy(out).view(*ids.shape, self.shape[1])

    def sliced(self, first: int, last: int) -> PackedWeight:
        starts = self.parts["starts"][first : last + 1]
        begin, end = int(starts[0]), int(starts[-1])
        parts = {name: self.parts[name][begin:end] for name in ("values", "columns")}
        parts |= {"starts": starts - begin, "scales": self.parts["scales"][first:last]}
        return type(self)(parts, (last - first, self.shape[1]))

    def with_parts_as(self, form: type[PackedWeight]) -> PackedWeight:
        if form is not Int8:
            return super().with_parts_as(form)
        values, starts = self.parts["values"].float().numpy(), self.parts["starts"].numpy()
        rows = np.repeat(np.arange(len(self)), np.diff(starts))
        top = np.zeros(len(self), np.float32)
        np.maximum.at(top, rows, np.abs(values))
        scales = np.maximum(top, 1e-30) / np.float32(Int8.LEVELS)
        codes = np.rint(values / scales[rows]).astype(np.int8)
        parts = {**self.parts, "values": torch.from_numpy(codes), "scales": torch.from_numpy(scales)}
        return type(self)(parts, tuple(self.shape))

    def products(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        from .kernels import multiply_sparse

        hidden, bias, out = (part.numpy(force=True) for part in (hidden_MD, bias_N, out_MN))
        multiply_sparse(hidden, *self._arrays(), bias, out)

    def _arrays(self) -> list[Any]:
        return [self.parts[name].numpy() for name in ("values", "columns", "starts", "scales")]
