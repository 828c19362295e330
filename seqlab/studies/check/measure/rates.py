"""Is the learning rate of the right order? Short trainings from the same start, at rates a factor of ten apart."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from ....config import TrainingConfig
from ....models import LanguageModel
from ....text import Batch, Corpus
from .steps import ShortTraining, exact_loss

FACTORS, FARTHEST = (1.0, 0.1, 10.0, 0.01, 100.0), 1e4
"""Multiples of the configured rate; farther ones follow while the best lies at an end, up to that multiple or share."""
STEPS, RISE, FEWEST, SECONDS = 24, 6, 8, 3.0
"""Steps at each rate, in the first of which it rises; fewer where they take long, but not fewer than some."""
STEP_TOKENS, SHORTEST = 1_024, 16
"""Tokens of a step: windows are cut to that, but not shorter than some."""
JUDGED = 2_048
"""Training tokens on which the rates are judged: the last ones, which no step reads in a text of some length."""


@dataclass(frozen=True)
class RateFigures:
    """What was learned at several rates in the same number of steps.

    Attributes:
        lr: the configured peak.
        steps: taken at each rate.
        gained: by multiple of `lr`, by how many nats per token the loss of some training tokens fell; minus infinity
            where it was no longer a number.
    """

    lr: float
    steps: int
    gained: dict[float, float]

    @property
    def best(self) -> float:
        """The rate that learned most."""
        return self.lr * max(self.gained, key=lambda factor: self.gained[factor])

    @property
    def lower(self) -> float:
        """Most that was gained at a lower rate."""
        return max(gain for factor, gain in self.gained.items() if factor < 1.0)

    @property
    def far_higher(self) -> float:
        """Most that was gained at a rate a hundred times as high or more: ten times learns faster at first on many a
        healthy training, and less in the end."""
        return max(gain for factor, gain in self.gained.items() if factor >= 100.0)


def rate_figures(
    model: LanguageModel, corpus: Corpus, config: TrainingConfig, most: int, until: float = math.inf
) -> RateFigures | None:
    """Train copies of a model for some steps at each of FACTORS.

    Args:
        model: it is copied, not touched.
        corpus: the text.
        config: of the training.
        most: tokens of a window at most.
        until: when it ends at the latest, on the monotonic clock.

    Returns:
        The figures; None where there was no time for all of FACTORS.
    """
    width = min(most, max(SHORTEST, STEP_TOKENS // config.batch_size))
    first, steps, gained = None, STEPS, dict[float, float]()
    left = list(FACTORS)
    while left:
        factor = left.pop(0)
        training = ShortTraining(model, corpus, config, width)
        batch = last_tokens(training)
        if first is None:
            first = exact_loss(training.model, batch)
        began = time.monotonic()
        while training.taken < steps:
            if time.monotonic() > until:
                return RateFigures(config.lr, steps, dict(sorted(gained.items()))) if enough(gained) else None
            training.take(factor * config.lr * min(1.0, (training.taken + 1) / RISE))
            if factor == 1.0 and training.taken >= FEWEST and time.monotonic() - began > SECONDS:
                steps = training.taken
        training.step.settle(0.0)
        loss = exact_loss(training.model, batch)
        gained[factor] = first - loss if math.isfinite(loss) else -math.inf
        left = left or farther(gained)
    return RateFigures(config.lr, steps, dict(sorted(gained.items())))


def enough(gained: dict[float, float]) -> bool:
    """Whether all of FACTORS were tried."""
    return gained.keys() >= set(FACTORS)


def farther(gained: dict[float, float]) -> list[float]:
    """The next multiple to try, where the best so far is the highest or the lowest: none elsewhere."""
    best = max(gained, key=lambda factor: gained[factor])
    if best == max(gained) and best < FARTHEST:
        return [round(best * 10.0)]
    if best == min(gained) and best > 1.0 / FARTHEST:
        return [best / 10.0]
    return []


def last_tokens(training: ShortTraining) -> Batch:
    """The end of every stream, about JUDGED tokens together."""
    reader = training.reader
    width = max(1, min(reader.length, JUDGED // reader.batch_size))
    at, reader.offset = reader.offset, reader.length - width
    batch = reader.read(width)
    reader.offset = at
    return batch
