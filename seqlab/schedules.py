"""Learning-rate schedules: pure functions of progress, the share of steps (or of the time budget) already used."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float, float], float]
"""(progress in [0, 1], final share) -> factor on the peak learning rate."""


def constant(progress: float, final: float) -> float:
    return 1.0


def linear(progress: float, final: float) -> float:
    return 1.0 + (final - 1.0) * progress


def cosine(progress: float, final: float) -> float:
    """Half a cosine from 1 to `final` (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, no restarts)."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "plateau": constant,  # the loop multiplies by plateau_factor when validation stops improving
}


def learning_rate_factor(schedule: str, progress: float, warmup: float, final: float) -> float:
    """Factor on the peak learning rate: a linear rise over the first `warmup` of training, then `schedule`.

    Args:
        progress: share of training done, in [0, 1]; larger values count as 1.
        warmup: share of training during which the factor rises from near zero.
        final: factor at the end (linear, cosine).
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return max(progress, 1e-3 * warmup) / warmup
    return SCHEDULES[schedule]((progress - warmup) / (1.0 - warmup), final)
