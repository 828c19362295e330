"""Can the model memorise one small batch? One that cannot has something in its way that no text will mend.

Karpathy's recipe (http://karpathy.github.io/2019/04/25/recipe/) begins with it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from torch import nn

from ....config import TrainingConfig
from ....models import LanguageModel
from ....nn import DropoutLayer
from ....text import Batch, Corpus
from ....training.step import StepResult
from .steps import ShortTraining, exact_loss

STREAMS, WIDTH = 4, 16
"""The batch: short, so that its first tokens, which no context tells, weigh little, and quickly learned."""
STEPS, SECONDS, FEWEST = 200, 8.0, 40
"""Steps at most, unless they take longer than that, but some in any case."""
LR = 0.01
"""Of Adam, which brings healthy models of every kind and size down within the steps."""
LEARNED = 0.1
"""Share of its first loss at which the batch counts as memorised."""


@dataclass(frozen=True)
class MemoriseFigures:
    """One batch, trained on again and again without dropout.

    Attributes:
        tokens: of the batch.
        steps: taken; fewer than planned where it was memorised sooner.
        first, last: exact loss of the batch before and after, in nats per token; the last the lowest.
        whole: whether there was time for all steps that it needed.
    """

    tokens: int
    steps: int
    first: float
    last: float
    whole: bool

    @property
    def left(self) -> float:
        """Share of the first loss that is left."""
        return self.last / max(self.first, 1e-9)


def memorise(
    model: LanguageModel, corpus: Corpus, config: TrainingConfig, until: float = math.inf
) -> MemoriseFigures | None:
    """Overfit one batch with a copy of the model, at a rate that suits any, dropout and all penalties off.

    Args:
        model: it is copied, not touched.
        corpus: whose first tokens are the batch.
        config: of the training; of it only seed and device matter.
        until: when it ends at the latest, on the monotonic clock.

    Returns:
        The figures; None where there was no time for FEWEST steps.
    """
    streams = min(STREAMS, len(corpus.train))
    width = max(1, min(WIDTH, len(corpus.train) // streams))
    plain = TrainingConfig(optimizer="adam", lr=LR, clip=1.0, batch_size=streams, bptt=width, seed=config.seed)
    training = ShortTraining(model, corpus, plain)
    without_dropout(training.model)
    batch, _ = training.read()
    first = last = exact_loss(training.model, batch)
    began, steps = time.monotonic(), 0
    while steps < STEPS and last > LEARNED * first and (steps < FEWEST or time.monotonic() - began < SECONDS):
        if time.monotonic() > until:
            break
        take(training, batch, LR * min(1.0, (steps + 1) / 10))
        steps += 1
        if steps % 10 == 0:
            now = exact_loss(training.model, batch)
            last = min(last, now) if now == now else last
    whole = steps == STEPS or last <= LEARNED * first
    if not whole and steps < FEWEST:
        return None
    return MemoriseFigures(batch.inputs_BT.size, steps, first, last, whole)


def take(training: ShortTraining, batch: Batch, lr: float) -> StepResult:
    """A step on a batch, from the state before any token."""
    return training.step.take(training.taken, batch, training.model.init_state(len(batch.inputs_BT)), lr)


def without_dropout(model: nn.Module) -> None:
    """Turn off whatever is dropped by chance, for good."""
    for module in model.modules():
        if isinstance(module, DropoutLayer):
            module.p = 0.0
