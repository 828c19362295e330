"""Dropout, Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, and its variants that reuse a mask.

Shapes: B batch, T time, D width, V words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 1 << 16
"""A unit is dropped where 16 random bits are below `p * LEVELS`."""


def draw_mask(shape: Sequence[int], p: float, like: Tensor) -> Tensor:
    """Factors of `shape`: 0 with probability p, else 1 / (1 - p), so that the mean is 1.

    On the CPU they come from numpy's generator, seeded by one number of torch's: many times faster than torch's own,
    which draws one number after the other, and just as reproducible from torch's seed and state. p is rounded to a
    multiple of 2^-16 there.
    """
    if like.device.type != "cpu":
        return like.new_empty(shape).bernoulli_(1.0 - p).div_(1.0 - p)
    dropped, count = round(p * LEVELS), math.prod(shape)
    seed = int(torch.randint(1 << 62, ()))
    bits = np.random.SFC64(seed).random_raw(-(-count // 4)).view(np.uint16)[:count]
    exact = np.float64 if like.dtype == torch.float64 else np.float32
    # numpy turns booleans into numbers several times faster than torch does
    factors = np.multiply(bits >= dropped, LEVELS / max(1, LEVELS - dropped), dtype=exact)
    return torch.from_numpy(factors).view(*shape).to(like.dtype)


class DropoutLayer(nn.Module):
    """What all variants share: something is zero with probability p in training, the rest is divided by 1 - p."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    @property
    def active(self) -> bool:
        """Whether anything is dropped now."""
        return self.p > 0.0 and self.training

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(DropoutLayer):
    """Drops each number by itself, anew at every call."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.active:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        return x * draw_mask(x.shape, self.p, x)


class HeldDropout(DropoutLayer):
    """Dropout whose mask stays the same within `held_masks`."""

    holding = False
    held: Tensor | None = None

    def mask(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """The mask in use, else a new one."""
        if self.held is not None and self.held.shape == torch.Size(shape) and self.held.dtype == like.dtype:
            return self.held
        mask = draw_mask(shape, self.p, like)
        if self.holding:
            self.held = mask
        return mask


class WeightDropout(HeldDropout):
    """DropConnect: weights are dropped, not units (Wan et al. 2013, https://proceedings.mlr.press/v28/wan13.html)."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask(weight.shape, weight) if self.active else weight


class LockedDropout(HeldDropout):
    """Variational dropout (Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287): a unit is dropped at all time
    steps of (B, T, D) or at none."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask((len(x), 1, x.shape[2]), x) if self.active else x


class WordDropout(HeldDropout):
    """Drops words, not units (Gal & Ghahramani 2016; embedding dropout of Merity et al. 2018,
    https://arxiv.org/abs/1708.02182): the vector of a word is zero wherever the word occurs, or nowhere."""

    def forward(self, x: Tensor, ids: Tensor, words: int) -> Tensor:
        """`x` (..., D) are the vectors of `ids` (...), each below `words` = V. Costs V numbers, not V vectors."""
        return x * F.embedding(ids, self.mask((words, 1), x)) if self.active else x


@contextmanager
def held_masks(model: nn.Module) -> Iterator[None]:
    """Inside, every `HeldDropout` of `model` reuses the first mask it draws: for a window that is read in several
    chunks. Nested blocks have no effect."""
    layers = [part for part in model.modules() if isinstance(part, HeldDropout) and not part.holding]
    for layer in layers:
        layer.holding = True
    try:
        yield
    finally:
        for layer in layers:
            layer.holding, layer.held = False, None
