"""The learning rate rises exponentially for a few hundred steps, and everything is then put back as it was.

Shapes: N steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...nn import unigram_log_probs
from ...text.ids.batches import IGNORE
from ...training import LanguageModelTrainer
from ...training.state import has_arrays, has_numbers

EMA = 0.95
"""Share of its value that the smoothed loss keeps in a step."""
DIVERGED = 4.0
"""The ramp ends where the smoothed loss is that many times its best; fastai and Lightning stop there too."""


def exponential_rates(low: float, high: float, steps: int) -> np.ndarray:
    """(N,) learning rates from `low` to `high`, each the same factor above the one before."""
    return low * (high / low) ** (np.arange(steps) / (steps - 1))


def smoothed(losses_N: Sequence[float] | np.ndarray, memory: float = EMA) -> np.ndarray:
    """(N,) exponential moving average, with the bias of its start taken out as Adam does it (Kingma & Ba 2015)."""
    mean, found = 0.0, []
    for number, loss in enumerate(losses_N, 1):
        mean = memory * mean + (1.0 - memory) * float(loss)
        found.append(mean / (1.0 - memory**number))
    return np.array(found)


@contextmanager
def put_back(trainer: LanguageModelTrainer) -> Iterator[None]:
    """Inside, a training may take steps; afterwards weights, optimiser, averages, generators, carried state and the
    position in the text have the bits they had before."""
    parts = trainer.checkpoint.parts
    arrays = {
        name: {key: array.detach().cpu().clone() for key, array in part.arrays().items()}
        for name, part in parts.items()
        if has_arrays(part)
    }
    numbers = {name: part.numbers() for name, part in parts.items() if has_numbers(part)}
    try:
        yield
    finally:
        for name, part in parts.items():
            if has_arrays(part):
                part.load_arrays(arrays[name])
            if has_numbers(part):
                part.load_numbers(numbers[name])


def climb(step: Callable[[float], float], rates_N: np.ndarray) -> np.ndarray:
    """Take a step with each of these rates, as long as the loss stays within bounds.

    Args:
        step: takes a step at a rate; returns the loss before it.
        rates_N: ascending.

    Returns:
        (M,) losses, M <= N: up to where the smoothed loss was DIVERGED times its best, or no longer finite.
    """
    losses: list[float] = []
    mean, best = 0.0, math.inf
    for rate in rates_N.tolist():
        loss = step(rate)
        if not math.isfinite(loss):
            break
        losses.append(loss)
        mean = EMA * mean + (1.0 - EMA) * loss
        now = mean / (1.0 - EMA ** len(losses))
        best = min(best, now)
        if now > DIVERGED * best:
            break
    return np.array(losses)


def ramp(
    trainer: LanguageModelTrainer, rates_N: np.ndarray, after_step: Callable[[int], Any] = lambda done: None
) -> np.ndarray:
    """Train with these learning rates, one a step, with dropout and carried state as in training.

    Some windows are harder than others, which would hide a loss that falls slowly: what predicting each window by the
    frequencies of tokens alone costs, less the mean of that over the text, is subtracted from its loss. The training is
    afterwards as if nothing had happened.

    Args:
        trainer: at its start.
        rates_N: learning rates.
        after_step: called with the number of steps taken.

    Returns:
        (M,) training losses before each update, in nats per token, M <= N, see `climb`.
    """
    log_probs = unigram_log_probs(trainer.corpus.tokenizer.vocab.counts)
    usual = float((np.exp(log_probs) * log_probs).sum())

    def step(rate: float) -> float:
        targets = trainer.read(min(trainer.window_width(), trainer.reader.remaining))[0].targets_BT
        loss = float(trainer.train_step(rate))
        after_step(trainer.position.step)
        return loss + float(log_probs[targets[targets != IGNORE]].mean()) - usual

    trainer.model.train()
    with put_back(trainer), trainer.model.extra_words(trainer.corpus.train.extra_words):
        return climb(step, rates_N)
