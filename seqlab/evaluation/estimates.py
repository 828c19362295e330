"""What a sample of a text says of all of it, and how surely.

A sample misses by as much as its tokens are easier or harder than the others. Counts read a whole text in no time and
know much of that: by how much they find the sample easier than all of the text, the mean of the sample is corrected, as
far as model and counts agree on what is easy (the regression estimator: Cochran, Sampling Techniques, 1977, chapter 7).
On a play, an encyclopedia and a list of names its standard error was a third to a fifth of that of the sample's mean
for network and counts together, and 0.45 to 0.9 of it for the network alone.

Shapes: N tokens of the sample, in their order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..models.counts.kneser_ney import NGramModel
from ..text import TokenFile

BLOCK = 128
"""Consecutive tokens whose mean is one observation: neighbours in a text are alike."""
MOST_COUNTED = 1_000_000
"""Tokens of a text that the counts read at most; of a longer one so many, spread over it."""
STRETCHES = 1_000
"""In how many stretches these are read."""


class TextEstimate(NamedTuple):
    """Nats per token of a whole text.

    nats: the estimate. error: its standard error; 0 where all of the text was read.
    """

    nats: float
    error: float = 0.0

    @property
    def interval(self) -> list[float]:
        """The 95 % interval of the perplexity."""
        return [math.exp(min(700.0, self.nats + sign * 1.96 * self.error)) for sign in (-1, 1)]

    def margin(self) -> dict[str, float]:
        """What a line of metrics says of how surely a validation loss is known; nothing of one of the whole text."""
        return {"valid_error": self.error} if self.error else {}


class Yardstick:
    """The counts as a measure of how hard a text is.

    Args:
        counts: of a training text.
        tokens: a text.

    Attributes:
        mean: nats per token of all of the text by the counts; of a text of more than MOST_COUNTED tokens, of so many,
            spread over it, whose own error is not counted.
    """

    def __init__(self, counts: NGramModel, tokens: TokenFile):
        places = np.arange(len(tokens))
        if len(tokens) > MOST_COUNTED:
            length = MOST_COUNTED // STRETCHES
            places = np.add.outer(np.linspace(0, len(tokens) - length, STRETCHES, dtype=int), np.arange(length)).ravel()
        self.mean = -float(counts.score_places(tokens, places)[0].mean())

    def estimate(self, log_p_N: np.ndarray, counts_N: np.ndarray, tokens: TokenFile) -> TextEstimate:
        """`estimate`, steadied by the counts.

        Args:
            log_p_N: of the sample by a model.
            counts_N: of the same tokens by the counts.
            tokens: the text.
        """
        if len(log_p_N) == len(tokens):
            return estimate(log_p_N, tokens)
        if log_p_N is counts_N:
            return TextEstimate(self.mean)
        counts_M, slope = block_means(counts_N), 0.0
        if variance := float(counts_M.var()):
            covariance = float(np.cov(block_means(log_p_N), counts_M, ddof=0)[0, 1])
            slope = min(1.0, max(0.0, covariance / variance))
        beside = estimate(log_p_N - slope * counts_N, tokens)
        return TextEstimate(beside.nats + slope * self.mean, beside.error)


def estimate(log_p_N: np.ndarray, tokens: TokenFile) -> TextEstimate:
    """Nats per token of a text, from those of a sample of its tokens.

    Args:
        log_p_N: log-probabilities of the sample.
        tokens: the text.
    """
    nats, unread = -float(log_p_N.mean()), 1.0 - len(log_p_N) / len(tokens)
    return TextEstimate(nats, standard_error(log_p_N) * math.sqrt(unread) if unread > 0.0 else 0.0)


def estimate_of_lines(nats_L: np.ndarray, tokens_L: np.ndarray, lines: int) -> TextEstimate:
    """Nats per token of a list, from those of lines drawn from it, each an observation by itself (the ratio estimator:
    Cochran, Sampling Techniques, 1977, chapter 6).

    Args:
        nats_L: of the drawn lines.
        tokens_L: of the same.
        lines: of the whole list.
    """
    nats = float(nats_L.sum() / tokens_L.sum())
    error = mean_error(nats_L - nats * tokens_L, lines) / float(tokens_L.mean())
    return TextEstimate(nats, error)


def mean_error(values_L: np.ndarray, of: int) -> float:
    """Standard error of a mean over things drawn by chance from `of` things; 0 where all were drawn."""
    drawn = len(values_L)
    return float(values_L.std(ddof=1) * math.sqrt((1.0 - drawn / of) / drawn)) if 1 < drawn < of else 0.0


def block_means(values_N: np.ndarray) -> np.ndarray:
    """Means of consecutive blocks: neighbours in a text are alike, blocks hardly."""
    count = max(2, len(values_N) // BLOCK)
    return np.array([part.mean() for part in np.array_split(values_N, count)])


def standard_error(values_N: np.ndarray) -> float:
    """Of the mean of values along a text."""
    means = block_means(values_N)
    return float(means.std(ddof=1) / math.sqrt(len(means)))
