"""How many threads a training on the CPU uses: timed at its start, and again when its steps have become slow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

import torch

from ...base.cores import available_cores
from .trial import Trial, candidates

MEMORY, FEWEST = 200, 20
"""Steps that the usual time of a step is the median of, and how many there must be."""
SLOW, SLOW_STEPS, SLOW_SECONDS = 3.0, 5, 1.0
"""Threads are timed again when so many steps in a row, over so many seconds, took that many times the usual."""
AGAIN = 120.0
"""Seconds after which threads are timed again while fewer are used than at first: the other work may be over."""


class Threads:
    """The number of threads of a training; torch's own follows it.

    With one seed, one machine and one number of threads a training always gives the same weights, so the number is
    saved with its state.

    Args:
        trial: makes a copy of the model to take timed steps with.
        number: to begin with; 0 times steps to choose it.
        most: threads to try; with 1, or where the person named a number, nothing is ever timed.
    """

    def __init__(self, trial: Callable[[], Trial], number: int = 0, most: int = 1):
        self.trial, self.most = trial, most
        self.timed: dict[int, float] = {}
        """Seconds of a step by number of threads, the last time they were timed."""
        self.taken: deque[float] = deque(maxlen=MEMORY)
        self.slow: list[float] = []
        if number:
            torch.set_num_threads(number)
        elif most > 1:
            self.choose()
        self.first = self.number
        self.last_timed = time.monotonic()

    @property
    def number(self) -> int:
        """In use now."""
        return torch.get_num_threads()

    def choose(self) -> None:
        """Time steps, and use as many threads as are fastest."""
        self.timed = self.trial().choose_threads(candidates(self.most))
        self.taken.clear()
        self.slow.clear()
        self.last_timed = time.monotonic()

    def after_step(self, seconds: float, tokens: int) -> bool:
        """Note a step of training; time the threads again where steps have become slow.

        Args:
            seconds: it took.
            tokens: it trained on.

        Returns:
            Whether another number of threads is used from now on.
        """
        if self.most == 1:
            return False
        pace = seconds / tokens
        usual = median(self.taken) if len(self.taken) >= FEWEST else pace
        self.taken.append(pace)
        if pace > SLOW * usual:
            self.slow.append(seconds)
        else:
            self.slow.clear()
        others_came = len(self.slow) >= SLOW_STEPS and sum(self.slow) >= SLOW_SECONDS
        others_may_have_left = self.number < self.first and time.monotonic() - self.last_timed > AGAIN
        if not (others_came or others_may_have_left):
            return False
        before = self.number
        self.choose()
        return self.number != before

    def sentence(self) -> str:
        """What was timed, for the person watching; empty where nothing was."""
        if not self.timed:
            return ""
        times = ", ".join(f"{threads}: {1e3 * seconds:.0f} ms" for threads, seconds in self.timed.items())
        return f"{self.number} thread{'s' * (self.number > 1)} (a step with {times})"


def most_threads(threads: int) -> int:
    """Threads worth trying, when the setting is `threads`: one named by the person is not questioned."""
    return 1 if threads else min(available_cores(), torch.get_num_threads())
