"""Matrices of low rank as the product of two thin ones.

Shapes: N rows, D width, R rank, M positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ...base.native import Native
from ..kernels.affine import affine
from ..kernels.matrices import kernels_of, line_of
from ..products import fast_float32
from .base import KERNELS, WIDEST, Lines, PackedWeight, Shape, dense, is_packed, line


class Factors(PackedWeight):
    """W = left (N, R) right (R, D), each of which may be packed itself."""

    form = "factors"
    kernels = kernels_of(KERNELS, form)
    meaning = "the product of two thin matrices"
    types: ClassVar = {"left": (torch.float32,), "right": (torch.float32,)}

    @property
    def compiled(self) -> bool:
        parts = [part.compiled for part in self.parts.values() if is_packed(part)]
        return all(parts) and max(self.shape[1], *self.parts["right"].shape) <= WIDEST

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        left, right = self._thin
        first = kernel is self.kernels.rows
        zeros = torch.zeros(len(right))
        lines = self.__dict__.setdefault("lines", Lines())
        address = lines.at([line(right, zeros, first), line(left, bias_N, first)], zeros)
        return line_of(kernel, address, 0, bias_N, self.shape, 0)

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        """A matrix as it is, so far as its rank is below full."""
        return cls.of(weight_ND, int(torch.linalg.matrix_rank(weight_ND.detach().float())))

    @classmethod
    def of(cls, weight_ND: Tensor, rank: int) -> Self:
        """The nearest matrix of a rank: Eckart & Young 1936, https://doi.org/10.1007/BF02288367."""
        weight_ND = weight_ND.detach().float()
        left_NK, sizes_K, right_KD = torch.linalg.svd(weight_ND.double(), full_matrices=False)
        root_R = sizes_K[:rank].sqrt()
        parts = {"left": left_NK[:, :rank] * root_R, "right": root_R[:, None] * right_KD[:rank]}
        return cls({name: part.float().contiguous() for name, part in parts.items()}, tuple(weight_ND.shape))

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        rank = next(part[0] for name, part in stored.items() if name.split(".")[0] == "right")
        return {"left": (shape[0], rank), "right": (rank, shape[1])}

    @property
    def _thin(self) -> tuple[Any, Any]:
        return self.parts["left"], self.parts["right"]

    def unpacked(self) -> Tensor:
        left, right = map(dense, self._thin)
        with torch.no_grad(), fast_float32():
            product: Tensor = left @ right
            return product

    def rows(self, ids: Tensor) -> Tensor:
        left, right = self._thin
        rows = left.rows(ids) if is_packed(left) else left[ids]
        product: Tensor = rows @ dense(right)
        return product

    def sliced(self, first: int, last: int) -> PackedWeight:
        left, right = self._thin
        return type(self)({"left": left[first:last], "right": right}, (last - first, self.shape[1]))

    def with_parts_as(self, form: type[PackedWeight]) -> PackedWeight:
        parts = {name: form.pack(dense(part)) for name, part in self.parts.items()}
        return type(self)(parts, tuple(self.shape))

    def affine(self, hidden: Tensor, bias_N: Tensor | None) -> Tensor:
        left, right = self._thin
        narrow = affine(hidden.float(), right, hidden.new_zeros(len(right)))
        return affine(narrow, left, hidden.new_zeros(len(left)) if bias_N is None else bias_N)

    def products(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        out_MN[:] = self.affine(hidden_MD, bias_N)
