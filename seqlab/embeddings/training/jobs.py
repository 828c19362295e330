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


def plan_jobs(tokens: int, epochs: float, lr: float, seed: int) -> list[Job]:
    """Jobs in order; the learning rate falls linearly from `lr` over all of them.

    Args:
        tokens: of the text.
        epochs: passes over it; what a part of a pass reads is spread evenly over the text.
        lr: the first learning rate.
        seed: that the seeds of the jobs are drawn from.
    """
    smallest, largest = JOB_TOKENS
    size = min(largest, max(smallest, int(tokens * epochs) // JOBS))
    whole = [*pairwise([*range(0, tokens, size), tokens])]
    part = round(epochs % 1 * len(whole)) or int(epochs < 1)
    spread = [whole[place * len(whole) // part] for place in range(part)]
    ranges = [(epoch, *pair) for epoch in range(int(epochs)) for pair in whole]
    ranges += [(int(epochs), *pair) for pair in spread]
    seeds = np.random.default_rng(seed).integers(1 << 63, size=len(ranges)).tolist()
    return [
        Job(number, epoch, start, stop, lr * max(FINAL_LR, 1 - number / len(ranges)), seeds[number])
        for number, (epoch, start, stop) in enumerate(ranges)
    ]


def document_starts(documents: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Offsets in [start, stop) at which a document, or the range itself, starts; relative to `start`."""
    first, last = np.searchsorted(documents, [start + 1, stop])
    return np.concatenate([[0], documents[first:last] - start]).astype(np.int64)
