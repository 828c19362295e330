"""Steps on a copy of the model: they compile what training needs and show how long a step takes with how many threads.

Training is as if they had not been taken: weights, optimiser, generators and the position in the text are untouched.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Generic

import numpy as np
import torch

from ...config import TrainingConfig
from ...models.network import M, Network
from ...text import Batch
from ..step import TrainingStep, WindowReader

FIRST_WIDTH = 4
"""Tokens of the windows that compile: every kernel runs, and little else."""
COMPILED = 2.0
"""Seconds of a first step beyond a second one, from which on compiling is worth a line."""
STEP_SECONDS = 0.15
"""Longest time of a timed step: its window is cut to that."""
FEWEST_STEPS, SECONDS = 3, 0.4
"""Timed steps for each number of threads: at least so many, and until so much time has passed."""
GAIN = 1.1
"""More threads are used where they make a step faster by this factor; fewer leave more to other work."""


class Trial(Generic[M]):
    """A copy of a model that takes trial steps.

    Args:
        model: to be trained; it is copied, not touched.
        config: of its training.
        batch: a window of this process's streams.
        fresh_BT: where in it documents begin, if that matters.
        windows: makes what makes the loss, given the copy.
    """

    def __init__(
        self,
        model: M,
        config: TrainingConfig,
        windows: Callable[[M], WindowReader],
        batch: Batch,
        fresh_BT: np.ndarray | None = None,
    ):
        self.config, self.batch, self.fresh_BT = config, batch, fresh_BT
        with untouched(model):
            self.model = copy.deepcopy(model)
            self.step = TrainingStep(self.model, config, windows(self.model))
        self.width = min(FIRST_WIDTH, batch.inputs_BT.shape[1])

    def take(self) -> float:
        """Seconds of one step on the first `width` tokens of the window."""
        batch = Batch(*(ids_BT[:, : self.width] for ids_BT in self.batch))
        fresh_BT = None if self.fresh_BT is None else self.fresh_BT[:, : self.width]
        with untouched(self.model):
            began = time.perf_counter()
            state = self.model.init_state(len(batch.inputs_BT))
            loss = self.step.take(0, batch, state, 0.0, fresh_BT).loss
            self.step.observe(1.0)
            loss.item()  # waits for the device
            return time.perf_counter() - began

    def compile(self, score: Callable[[M], object] | None = None) -> float:
        """Take a first step, and do whatever else training needs that compiles something.

        Args:
            score: validates the copy on a few tokens.

        Returns:
            Seconds that compiling took.
        """
        began = time.perf_counter()
        self.take()
        if score is not None:
            with untouched(self.model):
                score(self.model)
            self.model.train()
        first = time.perf_counter() - began
        return first - self.take() if first > COMPILED else first

    def choose_threads(self, numbers: Sequence[int]) -> dict[int, float]:
        """Time steps with each of these numbers of threads, ascending.

        torch's number of threads afterwards is the one chosen: the fewest that come within GAIN of the fastest.

        Returns:
            Seconds of a step by number of threads.
        """
        whole = self.batch.inputs_BT.shape[1]
        self.width = max(1, min(whole, int(self.width * STEP_SECONDS / self.take())))
        seconds = {threads: self.seconds(threads) for threads in numbers}
        fastest = min(seconds.values())
        torch.set_num_threads(next(threads for threads, took in seconds.items() if took <= GAIN * fastest))
        return seconds

    def seconds(self, threads: int) -> float:
        """Median time of a step with so many threads."""
        torch.set_num_threads(threads)
        self.take()  # what only the first step with so many threads does
        taken: list[float] = []
        end = time.perf_counter() + SECONDS
        while len(taken) < FEWEST_STEPS or time.perf_counter() < end:
            taken.append(self.take())
        return median(taken)


def candidates(most: int) -> list[int]:
    """Numbers of threads to try: the powers of two below `most`, and `most`."""
    return [*(1 << power for power in range(most.bit_length()) if 1 << power < most), most]


@contextmanager
def untouched(model: Network) -> Iterator[None]:
    """Leave torch's generators as they were."""
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield
