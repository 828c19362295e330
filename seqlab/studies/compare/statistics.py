"""How sure a difference along a text is: intervals by blocks, because neighbouring tokens are alike, and far ones too.

Two models differ by more in one article or play than in the next, so differences drift along a running text: their
correlation is small at every lag, but never ends. Means over blocks of b tokens then vary like b^(2d - 1), slower than
the 1/b of blocks without memory (d = 0). Documents that were collected one by one do not drift.

Shapes: N tokens or units along the text, K blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
"""Confidence of every interval."""
POWER = 0.8
"""Chance of seeing a difference that is there, for which the length of a text is chosen."""
TIMES = 8.0
"""Autocorrelation times that a block spans at least: the variance of its mean is then known to about an eighth."""
WINDOW = 5.0
"""The autocorrelation is summed up to this many autocorrelation times (Sokal 1997, Monte Carlo methods, section 3)."""
FEWEST_BLOCKS = 10
"""Blocks that a text should give at least; a shorter text has shorter blocks, or fewer."""
MEMORY = 0.25
"""The d of running text: measured at 0.14 to 0.34 on words and characters of articles and plays, from the growth of the
variance of block means (benchmarks/studies_compare.py)."""
FEWEST_CLUSTERS = 20
"""Documents from which on they are what is resampled."""


class Estimate(NamedTuple):
    """A mean along a text and how well it is known.

    mean: per unit of weight. error: standard error by blocks. interval: 95 %, by Student's t with one degree of freedom
    less than blocks. p: that a mean so far from zero comes by chance, two-sided. naive: the 95 % interval if every
    value were independent. blocks, block: how many, and values of one (the mean, where documents differ).
    """

    mean: float
    error: float
    interval: tuple[float, float]
    p: float
    naive: tuple[float, float]
    blocks: int
    block: float
    by: str
    """What a block is: "documents" or "blocks"."""

    @property
    def too_short(self) -> float:
        """How many times shorter the interval of independent values is."""
        own, naive = self.interval[1] - self.interval[0], self.naive[1] - self.naive[0]
        return own / naive if naive > 0 else 1.0

    @property
    def certain(self) -> bool:
        """Whether zero lies outside the interval."""
        return not self.interval[0] <= 0.0 <= self.interval[1]


def autocorrelation_time(values_N: np.ndarray) -> float:
    """How many consecutive values tell as much as one independent value: 1 + 2 x the sum of the autocorrelations.

    Summed up to the first lag that is WINDOW times the sum so far, because farther lags add noise only.
    """
    count = len(values_N)
    centred_N = values_N - values_N.mean()
    size = 1 << max(1, 2 * count - 1).bit_length()
    spectrum = np.fft.rfft(centred_N, size)
    covariances_N = np.fft.irfft(spectrum * spectrum.conj(), size)[:count]
    if covariances_N[0] <= 0:
        return 1.0
    times_N = 2 * np.cumsum(covariances_N / covariances_N[0]) - 1
    enough_N = np.arange(count) >= WINDOW * times_N
    last = int(enough_N.argmax()) if enough_N.any() else count - 1
    return max(1.0, float(times_N[last]))


def block_length(values_N: np.ndarray) -> int:
    """Values of a block: the root of their number, or TIMES autocorrelation times where that is more, but at least
    FEWEST_BLOCKS blocks.

    Blocks that grow with the root make the variance of the mean consistent whatever the correlation (Flegal & Jones
    2010, https://doi.org/10.1214/09-AOS735).
    """
    wanted = max(math.sqrt(len(values_N)), TIMES * autocorrelation_time(values_N))
    return max(1, min(math.ceil(wanted), len(values_N) // FEWEST_BLOCKS))


def block_starts(count: int, length: int, documents: np.ndarray | None = None) -> tuple[np.ndarray, str]:
    """Where blocks of about `length` values begin, and what they are: whole documents where there are many, else
    stretches of equal length."""
    if documents is not None and len(documents) >= FEWEST_CLUSTERS:
        starts, last = [0], 0
        for start in documents[1:].tolist():
            if start - last >= length:
                starts.append(start)
                last = start
        if len(starts) >= FEWEST_CLUSTERS:
            if count - starts[-1] < length / 2:
                starts.pop()
            return np.array(starts), "documents"
    blocks = max(1, count // length)
    return np.linspace(0, count, blocks + 1).astype(np.int64)[:-1], "blocks"


def drift(blocks: int, memory: float) -> float:
    """By how much the standard error of a mean over K blocks exceeds that of independent blocks.

    With block means that vary like b^(2d - 1), the whole text's mean varies K^(2d - 1) times as much as a block's, and
    the variance between blocks falls short of a block's by a factor of (1 - K^(2d - 1)) K / (K - 1).
    """
    if memory == 0 or blocks < 2:
        return 1.0
    whole = blocks ** (2 * memory - 1)
    return math.sqrt(whole * (blocks - 1) / (1 - whole))


def estimate(
    values_N: np.ndarray,
    weights_N: np.ndarray | None = None,
    documents: np.ndarray | None = None,
    memory: float = 0.0,
) -> Estimate | None:
    """The mean along a text and its intervals; None of fewer than two values.

    Args:
        values_N: a value a token, or a total a unit.
        weights_N: tokens or characters of every unit; None: one each. The mean is the sum of the values over the sum of
            the weights, a ratio, whose error is that of the residuals (linearisation).
        documents: (D,) where documents begin; where there are many, they are what varies, and nothing drifts.
        memory: the d of a running text that drifts; its blocks are then as long as FEWEST_BLOCKS of them can be.
    """
    from scipy.stats import t

    count = len(values_N)
    if count < 2:
        return None
    weights_N = np.ones(count) if weights_N is None else weights_N
    total = float(weights_N.sum())
    mean = float(values_N.sum()) / total
    residuals_N = values_N - mean * weights_N
    starts, by = block_starts(count, block_length(residuals_N), documents)
    if by == "blocks" and memory:
        starts, by = block_starts(count, max(1, count // FEWEST_BLOCKS))
    sums_K = np.add.reduceat(residuals_N, starts)
    blocks = len(sums_K)
    drifting = drift(blocks, 0.0 if by == "documents" else memory)
    naive = math.sqrt(count / (count - 1) * float((residuals_N**2).sum())) / total
    error = drifting * math.sqrt(blocks / (blocks - 1) * float((sums_K**2).sum())) / total if blocks > 1 else naive
    freedom = max(1, blocks - 1)
    half, half_naive = float(t.ppf((1 + LEVEL) / 2, freedom)) * error, 1.96 * naive
    p = 2 * float(t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    return Estimate(
        mean,
        error,
        (mean - half, mean + half),
        p,
        (mean - half_naive, mean + half_naive),
        blocks,
        count / blocks,
        by,
    )


def needed(found: Estimate, count: int) -> float | None:
    """Values of a text on which a difference of this size would be seen with a chance of POWER, at 5 %; None where it
    is zero.

    They are of further texts of this kind, not of a longer one. From (z(0.975) + z(0.8))^2 x variance / difference^2;
    the variance is that of the mean by blocks, times the values.
    """
    from scipy.stats import norm

    if found.mean == 0 or found.error == 0:
        return None
    z = float(norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER))
    return (z * found.error / found.mean) ** 2 * count


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for how many there are (Holm 1979): the chance of any false alarm among them stays at 5 %."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def between_groups(a_R: np.ndarray, b_S: np.ndarray) -> tuple[float, float] | None:
    """Standard error of the difference of two means over runs that differ in their seed, and its degrees of freedom
    (Welch 1947); None where neither group has two runs.

    A group of one run borrows the variance of the other.
    """
    variances = [float(group.var(ddof=1)) if len(group) > 1 else None for group in (a_R, b_S)]
    known = [variance for variance in variances if variance is not None]
    if not known:
        return None
    a, b = ((known[0] if variance is None else variance) for variance in variances)
    parts = a / len(a_R), b / len(b_S)
    if sum(parts) == 0:
        return 0.0, float(len(a_R) + len(b_S) - 2)
    if len(known) == 1:
        return math.sqrt(sum(parts)), float(max(len(a_R), len(b_S)) - 1)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a_R) - 1) + parts[1] ** 2 / (len(b_S) - 1))
    return math.sqrt(sum(parts)), freedom
