"""The noise distribution q(w) of sampled objectives, and the alias table that draws from it in constant time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ONE = 1 << 32


def unigram_noise(counts: np.ndarray, power: float) -> np.ndarray:
    """q (V,) float64, proportional to counts ** power (0.75 in Mikolov et al. 2013, https://arxiv.org/abs/1310.4546)."""
    weights = counts.astype(np.float64) ** power
    return weights / weights.sum()


def log_uniform_noise(counts: np.ndarray, power: float) -> np.ndarray:
    """q (V,) float64, log((i + 2) / (i + 1)) / log(V + 1) of the word of rank i, whatever its count: Zipf's law
    (Jozefowicz et al. 2016, https://arxiv.org/abs/1602.02410)."""
    rank = np.arange(1.0, len(counts) + 1)
    return np.log1p(1 / rank) / np.log(len(counts) + 1.0)


NOISE_POWER = 0.75
"""Exponent of the counts that unigram noise is drawn by (Mikolov et al. 2013)."""
SUBSAMPLE = 1e-4
"""Share from which words are thinned out; below 10,000 words the even share. Of 24 words each has 400 times as much as
this, and next to nothing would be left to train on."""
WORD_NOISE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "unigram": unigram_noise,
    "log-uniform": log_uniform_noise,
}
"""Name -> function of counts (V,) in descending order, and a power, giving q (V,)."""


def alias_table(probabilities: np.ndarray) -> np.ndarray:
    """VectorTable (V, 2) uint32 for drawing from `probabilities` (V,) with one random row r and one 32-bit integer x:
    r where x < table[r, 0], else table[r, 1].

    Alias method: Walker 1977, built as in Vose 1991, doi:10.1109/32.92917.
    """
    size = len(probabilities)
    heights = (probabilities * size).tolist()
    alias = np.arange(size)
    small = [row for row, height in enumerate(heights) if height < 1.0]
    large = [row for row, height in enumerate(heights) if height >= 1.0]
    while small and large:
        low, high = small.pop(), large[-1]
        alias[low] = high
        heights[high] -= 1.0 - heights[low]
        if heights[high] < 1.0:
            small.append(large.pop())
    for row in small + large:  # exactly 1 but for rounding
        heights[row] = 1.0
    thresholds = np.minimum(np.asarray(heights) * _ONE, _ONE - 1)
    return np.stack([thresholds.astype(np.uint32), alias.astype(np.uint32)], axis=1)


def default_subsample(vocabulary: int) -> float:
    """Share of the text from which words are thinned out, where so many get vectors."""
    return max(SUBSAMPLE, 1 / vocabulary)


def keep_probabilities(counts: np.ndarray, threshold: float | None) -> np.ndarray:
    """Probability (V,) to keep an occurrence of each word: min(1, sqrt(t / f) + t / f), f its share of the text.

    The formula of the word2vec program; the paper's differs. A threshold of 0 keeps everything, None is the default.
    """
    if threshold is None:
        threshold = default_subsample(len(counts))
    if threshold == 0:
        return np.ones(len(counts))
    ratio = threshold * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def as_threshold(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as uint32: an event happens where 32 random bits are below it."""
    return np.minimum(probabilities * _ONE, _ONE - 1).astype(np.uint32)
