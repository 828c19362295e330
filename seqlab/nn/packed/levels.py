"""Weights rounded to a few evenly spaced levels: 8, 4 or 1 to 2 bits a number, with a scale for a row or a group of it.

Shapes: N rows, D width, G groups of a row, L numbers of a group, B bytes of a row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...base.native import Native
from ..kernels.affine import by_threads
from ..kernels.matrices import kernels_of, line_of
from .base import KERNELS, PackedWeight, Shape

GROUP = 64
"""Most numbers that share a scale where four bits have to do."""
BLOCK = 16
"""Bytes that are read at a time, see `planes`; a group is whole blocks."""
SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6)
"""Shares of the largest number that are tried as the outermost level: cutting off a few makes all others finer."""


def nearest_scales(weight_RL: Tensor, levels: int, shrinks: tuple[float, ...] = SHRINKS) -> Tensor:
    """Scales (R,) for codes in [-levels, levels] that leave the smallest squared error of each row."""
    top_R = weight_RL.abs().amax(1).clamp(min=1e-30)
    best_R, least_R = top_R / levels, torch.full_like(top_R, math.inf)
    for shrink in shrinks:
        scale_R1 = (top_R * shrink / levels)[:, None]
        error_R = ((weight_RL / scale_R1).round().clamp(-levels, levels) * scale_R1 - weight_RL).square().sum(1)
        best_R = torch.where(error_R < least_R, scale_R1[:, 0], best_R)
        least_R = torch.minimum(error_R, least_R)
    return best_R


class _Coded(PackedWeight):
    """W = scale * (code - zero), a scale for each row or group of a row."""

    BITS: ClassVar[int]
    ZERO: ClassVar[float] = 0.0
    LEVELS: ClassVar[int]
    """The largest level, in the steps of the kernels."""
    few = 8

    def products_of_many(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        from . import tiles

        if not tiles.TILED:
            super().products_of_many(hidden_MD, bias_N, out_MN)
            return
        codes, scales = self._arrays()
        scales_NG, bias_N = scales.reshape(len(scales), -1), bias_N.contiguous()
        groups = scales_NG.shape[1]
        pairs = math.ceil(codes.shape[1] * 8 / self.BITS / groups / 2)
        for first in range(0, len(hidden_MD), tiles.MANY):
            some = slice(first, first + tiles.MANY)
            hidden, bias, out = (part.numpy(force=True) for part in (hidden_MD[some], bias_N, out_MN[some]))
            rounded = tiles.blocks_of(hidden, self.LEVELS * 2 * pairs * groups, groups, pairs)
            arrays = (*rounded, codes, scales_NG, np.float32(self.ZERO), bias, out)
            by_threads(len(codes), tiles.TILE, partial(tiles.multiply_many[self.BITS], *arrays))

    @property
    def addresses(self) -> tuple[int, int]:
        """Where codes and scales lie."""
        return self.parts["codes"].data_ptr(), self.parts["scales"].data_ptr()

    def _arrays(self) -> list[np.ndarray]:
        return [self.parts[name].numpy() for name in ("codes", "scales")]


class Int8(_Coded):
    """W = scale * code, code in -127 .. 127, a scale for each row."""

    form = "int8"
    kernels = kernels_of(KERNELS, form)
    meaning = "8-bit numbers with a scale for each row: a quarter of the size"
    types: ClassVar = {"codes": (torch.int8,), "scales": (torch.float32,)}
    BITS, LEVELS = 8, 127

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        weight_ND = weight_ND.detach().float()
        scales_N = nearest_scales(weight_ND, cls.LEVELS, (1.0,))
        codes_ND = (weight_ND / scales_N[:, None]).round().clamp(-cls.LEVELS, cls.LEVELS).to(torch.int8)
        return cls({"codes": codes_ND, "scales": scales_N}, tuple(weight_ND.shape))

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        return {"codes": shape, "scales": shape[:1]}

    def unpacked(self) -> Tensor:
        return self.parts["codes"].float() * self.parts["scales"][:, None]

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        return line_of(kernel, *self.addresses, bias_N, self.shape, self.shape[1])


class _Planes(_Coded):
    """Several codes in a byte, a scale for each group of a row."""

    types: ClassVar = {"codes": (torch.uint8,), "scales": (torch.float32,)}
    GROUPED = False
    """Whether a row is cut into groups."""

    @classmethod
    def scales_and_codes(cls, weight_RL: Tensor, within_L: Tensor) -> tuple[Tensor, Tensor]:
        """Scales (R,) and codes (R, L) uint8 of groups; `within_L` (R, L) is False where a group is padded."""
        raise NotImplementedError

    @classmethod
    def group_length(cls, width: int) -> int:
        """Numbers that share a scale."""
        groups = math.ceil(width / GROUP) if cls.GROUPED else 1
        block = BLOCK * 8 // cls.BITS
        return math.ceil(width / groups / block) * block

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        rows, width = weight_ND.shape
        length, planes = cls.group_length(width), 8 // cls.BITS
        groups = math.ceil(width / length)
        padding = (0, groups * length - width)
        weight_RL = F.pad(weight_ND.detach().float(), padding).view(-1, length)
        within_RL = F.pad(torch.ones(1, width, dtype=torch.bool), padding).expand(rows, -1).reshape(-1, length)
        scales_R, codes_RL = cls.scales_and_codes(weight_RL, within_RL)
        codes = codes_RL.view(rows, -1, planes, BLOCK)
        parts = [codes[:, :, plane] << (plane * cls.BITS) for plane in range(planes)]
        codes_NB = torch.stack(parts).sum(0, dtype=torch.uint8).view(rows, -1)
        return cls({"codes": codes_NB, "scales": scales_R.view(rows, -1)}, (rows, width))

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        length = cls.group_length(shape[1])
        groups = math.ceil(shape[1] / length)
        return {"codes": (shape[0], groups * length * cls.BITS // 8), "scales": (shape[0], groups)}

    def unpacked(self) -> Tensor:
        codes_NB, scales_NG = self.parts["codes"], self.parts["scales"]
        blocks = codes_NB.view(len(codes_NB), -1, BLOCK)
        planes = [(blocks >> shift) & (2**self.BITS - 1) for shift in range(0, 8, self.BITS)]
        codes_NGL = torch.stack(planes, dim=2).view(*scales_NG.shape, -1)
        weight_NGL = (codes_NGL.float() - self.ZERO) * scales_NG[:, :, None]
        return weight_NGL.flatten(1)[:, : self.shape[1]].contiguous()

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        return line_of(kernel, *self.addresses, bias_N, self.shape, self.group_length(self.shape[1]))


class Int4(_Planes):
    """W = scale * (code - 8), code in 1 .. 15, a scale for each 64 numbers of a row, chosen for the least squared
    error."""

    form = "int4"
    kernels = kernels_of(KERNELS, form)
    meaning = "4-bit numbers with a scale for each 64: about a sixth of the size"
    BITS, ZERO, LEVELS, GROUPED = 4, 8.0, 7, True

    @classmethod
    def scales_and_codes(cls, weight_RL: Tensor, within_L: Tensor) -> tuple[Tensor, Tensor]:
        scales_R = nearest_scales(weight_RL, cls.LEVELS)
        codes_RL = (weight_RL / scales_R[:, None]).round().clamp(-cls.LEVELS, cls.LEVELS) + cls.ZERO
        return scales_R, codes_RL.to(torch.uint8)


class Ternary(_Planes):
    """W = scale * (code - 1), code in 0 .. 2, a scale for each row: Li et al. 2016, https://arxiv.org/abs/1605.04711.

    What is below 0.7 of a row's mean magnitude becomes 0, the scale is the mean magnitude of the others.
    """

    form = "ternary"
    kernels = kernels_of(KERNELS, form)
    meaning = "-1, 0 or 1 times a scale for each row: a fourteenth of the size; needs retraining"
    BITS, ZERO, LEVELS = 2, 1.0, 1
    THRESHOLD = 0.7

    @classmethod
    def scales_and_codes(cls, weight_RL: Tensor, within_L: Tensor) -> tuple[Tensor, Tensor]:
        size_RL = weight_RL.abs()
        large_RL = size_RL > cls.THRESHOLD * (size_RL.sum(1, keepdim=True) / within_L.sum(1, keepdim=True))
        scales_R = (size_RL * large_RL).sum(1) / large_RL.sum(1).clamp(min=1)
        return scales_R, (torch.sign(weight_RL) * large_RL + cls.ZERO).to(torch.uint8)

    @classmethod
    def nearest(cls, weight_ND: Tensor) -> Tensor:
        size_ND, large_ND = weight_ND.abs(), torch.empty_like(weight_ND)
        torch.gt(size_ND, cls.THRESHOLD * size_ND.mean(1, keepdim=True), out=large_ND)  # in float32: far sooner
        scales_N1 = (size_ND * large_ND).sum(1, keepdim=True) / large_ND.sum(1, keepdim=True).clamp(min=1)
        return torch.sign(weight_ND).mul_(large_ND).mul_(scales_N1)


class Binary(_Planes):
    """W = scale * (2 code - 1), code 0 or 1, the scale a row's mean magnitude: Rastegari et al. 2016,
    https://arxiv.org/abs/1603.05279."""

    form = "binary"
    kernels = kernels_of(KERNELS, form)
    meaning = "-1 or 1 times a scale for each row: a 25th of the size; needs retraining"
    BITS, ZERO, LEVELS = 1, 0.5, 1

    @classmethod
    def scales_and_codes(cls, weight_RL: Tensor, within_L: Tensor) -> tuple[Tensor, Tensor]:
        scales_R = 2 * weight_RL.abs().sum(1) / within_L.sum(1)
        return scales_R, (weight_RL > 0).to(torch.uint8)

    @classmethod
    def nearest(cls, weight_ND: Tensor) -> Tensor:
        above_ND = torch.gt(weight_ND, 0.0, out=torch.empty_like(weight_ND))
        return above_ND.mul_(2).sub_(1).mul_(weight_ND.abs().mean(1, keepdim=True))
