"""What varies during training, as pure functions of progress, the share of steps (or of the time budget) already used:
learning rate, batch size, and the weight of the KL divergence of variational autoencoders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[float, float], float]
"""(progress in [0, 1] since the warm-up, final share) -> factor on the peak learning rate."""

STAIRS = 4
"""Levels of the step schedule."""
ONE_CYCLE_START = 1 / 25
"""Where the one-cycle schedule begins, as a share of its peak (Smith & Topin 2017)."""
WARMUP = {"one-cycle": 0.3}
"""Share of training during which a schedule rises by default; USUAL_WARMUP for all others."""
USUAL_WARMUP = 0.02


def constant(progress: float, final: float) -> float:
    return 1.0


def linear(progress: float, final: float) -> float:
    return 1.0 + (final - 1.0) * progress


def step(progress: float, final: float) -> float:
    """STAIRS equal stretches of constant rate, each the same factor below the one before, the last at `final`."""
    return final ** (min(int(progress * STAIRS), STAIRS - 1) / (STAIRS - 1))


def exponential(progress: float, final: float) -> float:
    """The same factor in every step, from 1 to `final`."""
    return final**progress


def cosine(progress: float, final: float) -> float:
    """Half a cosine from 1 to `final` (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, no restarts)."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "linear": linear,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "one-cycle": cosine,  # https://arxiv.org/abs/1708.07120: a long rise along a cosine, then down along another
    "plateau": constant,  # the loop multiplies by plateau_factor when validation stops improving
}


def learning_rate_factor(schedule: str, progress: float, warmup: float | None, final: float) -> float:
    """Factor on the peak learning rate: a rise over the first `warmup` of training, then `schedule`.

    The rise is linear from near zero; that of one-cycle follows half a cosine from ONE_CYCLE_START.

    Args:
        progress: share of training done, in [0, 1]; larger values count as 1.
        warmup: share of training during which the factor rises; None: what is usual for the schedule.
        final: factor at the end (all but constant and plateau).
    """
    progress = min(max(progress, 0.0), 1.0)
    if warmup is None:
        warmup = WARMUP.get(schedule, USUAL_WARMUP)
    if progress >= warmup:
        return SCHEDULES[schedule]((progress - warmup) / (1.0 - warmup), final)
    if schedule == "one-cycle":
        return cosine(1.0 - progress / warmup, ONE_CYCLE_START)
    return max(progress, 1e-3 * warmup) / warmup


def batch_size_at(progress: float, batch_size: int, growth: Sequence[tuple[float, int]]) -> int:
    """Streams read at once: the size of the last (share, size) whose share is reached, else `batch_size`."""
    reached = [size for share, size in growth if progress >= share]
    return reached[-1] if reached else batch_size


BATCH_SCALING: dict[str, Callable[[float], float]] = {"none": lambda ratio: 1.0, "linear": float, "sqrt": math.sqrt}
"""How the learning rate follows a batch `ratio` times as large: https://arxiv.org/abs/1706.02677 (linear)."""


CYCLES, RISING = 4, 0.5
"""Cycles of a cyclical annealing, and the share of each during which the weight rises (Fu et al. 2019)."""
STEEPNESS = 12.0
"""Of the logistic annealing: it begins and ends within 0.3 % of 0 and 1."""


def cycle(progress: float) -> float:
    return min(1.0, progress * CYCLES % 1.0 / RISING) if progress < 1.0 else 1.0


def logistic(progress: float) -> float:
    return 1.0 / (1.0 + math.exp(STEEPNESS * (0.5 - progress)))


ANNEALING: dict[str, Callable[[float], float]] = {
    "none": lambda progress: 1.0,
    "linear": lambda progress: progress,
    "logistic": logistic,
    "cyclical": cycle,
}
"""Progress in [0, 1] of the rise -> share of the final weight of the KL divergence."""


def kl_weight(annealing: str, used: float, anneal: float, beta: float) -> float:
    """Weight of the KL divergence when a share `used` of training is over.

    Args:
        annealing: a name of ANNEALING.
        used: share of training done since the divergence counts, in [0, 1]; or passes over the text.
        anneal: share, or passes, over which the weight rises, after which it is `beta`; cyclical fills all of training
            with cycles.
        beta: final weight.
    """
    if annealing == "cyclical":
        return beta * cycle(used)
    return beta * ANNEALING[annealing](used / anneal) if used < anneal else beta
