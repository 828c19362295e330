"""Zoneout, Krueger et al. 2016, https://arxiv.org/abs/1606.01305: units keep their value of the step before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .dropout import DropoutLayer, draw_mask


class Kept(NamedTuple):
    """Which units keep their old value, by what share: new state = (1 - m) new + m old with m = hold * mask.

    Shapes: P tensors of a state, T time, B batch, H hidden width.
    """

    mask_PTBH: Tensor
    """bool"""
    hold: float

    def blend(self, t: int, new: Sequence[Tensor], old: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The state after step t from what the cell made and the state before, P tensors (B, H) each."""
        shares = (self.hold * mask_BH.to(new[0].dtype) for mask_BH in self.mask_PTBH[:, t])
        return tuple((1 - m) * n + m * o for m, n, o in zip(shares, new, old, strict=True))


class Zoneout(DropoutLayer):
    """With probability p a unit keeps its old value in training; in evaluation every unit takes the expectation,
    p old + (1 - p) new. Masks follow torch's generator, see `draw_mask`."""

    def forward(self, shape: Sequence[int], like: Tensor) -> Kept:
        """What to keep in a window; `shape` is (P, T, B, H)."""
        if self.active:
            return Kept(draw_mask(shape, self.p, like) == 0, 1.0)
        return Kept(torch.ones(tuple(shape), dtype=torch.bool, device=like.device), self.p)
