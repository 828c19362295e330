"""How a text is gone through: jobs, their learning rates, and the defaults that follow from its size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...config import EmbeddingsConfig

JOBS = 400
"""Fewest jobs a training is cut into, so that the learning rate falls smoothly ..."""
JOB_TOKENS = (1_000, 100_000)
"""... within these sizes. A window ends at the border of a job, so jobs are not made smaller than that."""
FINAL_LR = 1e-4
"""Learning rate at the end as a share of the first."""
EPOCHS, EPOCHS_WORDS = 8, 17e6
"""Default epochs for a text of so many words; others get EPOCHS sqrt(EPOCHS_WORDS / words)."""
MOST_EPOCHS = 50
BUCKETS_PER_WORD, MOST_BUCKETS = 1.5, 2_000_000
"""Five times as many buckets for 68,000 words gave the same analogies at two thirds of the speed."""


class Job(NamedTuple):
    """A range of the text, read with one learning rate and one seed."""

    number: int
    epoch: int
    start: int
    stop: int
    lr: float
    seed: int


def default_epochs(words: int) -> int:
    """Passes over a text of so many words: 8 for 17 million, more for less, as small texts need."""
    return min(MOST_EPOCHS, max(1, round(EPOCHS * math.sqrt(EPOCHS_WORDS / max(1, words)))))


def default_lr(config: EmbeddingsConfig) -> float:
    """First learning rate. A corrected CBOW update is smaller by the number of contexts."""
    return 0.2 if config.model == "cbow" and config.cbow_update == "corrected" else 0.05


def settled(config: EmbeddingsConfig, running_words: int, vocabulary: int) -> EmbeddingsConfig:
    """The settings with everything chosen that was left open."""
    return config.model_copy(
        update={
            "epochs": config.epochs or default_epochs(running_words),
            "samples": config.samples or (12 if config.model == "cbow" else 15),
            "lr": config.lr or default_lr(config),
            "subwords": config.model == "skipgram" if config.subwords is None else config.subwords,
            "buckets": config.buckets or min(MOST_BUCKETS, math.ceil(BUCKETS_PER_WORD * vocabulary)),
        }
    )


def plan(tokens: int, epochs: int, lr: float, seed: int) -> list[Job]:
    """Jobs in order; the learning rate falls linearly from `lr` over all of them."""
    smallest, largest = JOB_TOKENS
    size = min(largest, max(smallest, tokens * epochs // JOBS))
    ranges = [pair for _ in range(epochs) for pair in pairwise([*range(0, tokens, size), tokens])]
    seeds = np.random.default_rng(seed).integers(1 << 63, size=len(ranges)).tolist()
    return [
        Job(
            number,
            number * epochs // len(ranges),
            start,
            stop,
            lr * max(FINAL_LR, 1 - number / len(ranges)),
            seeds[number],
        )
        for number, (start, stop) in enumerate(ranges)
    ]


def document_starts(documents: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Offsets in [start, stop) at which a document, or the range itself, starts; relative to `start`."""
    first, last = np.searchsorted(documents, [start + 1, stop])
    return np.concatenate([[0], documents[first:last] - start]).astype(np.int64)
