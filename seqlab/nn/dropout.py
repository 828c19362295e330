"""Dropout, Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 1 << 16
"""A unit is dropped where 16 random bits are below `p * LEVELS`."""


class Dropout(nn.Module):
    """Zeroes each number with probability p in training and divides the rest by what is kept of the probability.

    On the CPU the mask comes from numpy's generator, seeded by one number of torch's: many times faster than torch's
    own, which draws one number after the other, and just as reproducible from torch's seed and state. p is rounded to
    a multiple of 2^-16 there.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.p)
        dropped = round(self.p * LEVELS)
        seed = int(torch.randint(1 << 62, ()))
        bits = np.random.Generator(np.random.SFC64(seed)).integers(LEVELS, size=x.numel(), dtype=np.uint16)
        kept = torch.from_numpy(bits >= dropped).view(x.shape)
        return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped))

    def extra_repr(self) -> str:
        return f"p={self.p}"
