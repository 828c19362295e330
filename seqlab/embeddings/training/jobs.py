"""How a text is read: jobs, each a range of it with a learning rate and a seed."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

JOBS = 400
"""Fewest jobs a training is cut into, so that the learning rate falls smoothly ..."""
JOB_TOKENS = (1_000, 100_000)
"""... within these sizes. A window ends at the border of a job, so jobs are not made smaller than that."""
FINAL_LR = 1e-4
"""Learning rate at the end as a share of the first."""


class Job(NamedTuple):
    """A range of the text, read with one learning rate and one seed."""

    number: int
    epoch: int
    start: int
    stop: int
    lr: float
    seed: int


def plan_jobs(tokens: int, epochs: int, lr: float, seed: int) -> list[Job]:
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
