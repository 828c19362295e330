"""Short texts written while a model is trained: what it has learned so far, as a person sees it."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from ...base.printing import printable
from ...generation import TextGenerator
from ...run import MODEL, Run

CHARACTERS = 200
"""Of a sample, about: a few lines."""


class TimedSample(NamedTuple):
    """A sample with its heading, and the seconds that writing it took."""

    text: str
    seconds: float


class SampleWriter:
    """Writes a short text every so many minutes, by the best weights so far; the training is as if it had not.

    Args:
        run: in training. Before its first validation it has no weights to write with.
        minutes: between two samples; None writes none.
    """

    def __init__(self, run: Run, minutes: float | None):
        self.run, self.minutes, self.due = run, minutes, 60 * (minutes or 0.0)

    def after_step(self, seconds: float, step: int) -> TimedSample | None:
        """A sample when the next one is due, else None.

        Args:
            seconds: of training so far.
            step: the last one, which is also the seed of the sample.
        """
        if self.minutes is None or seconds < self.due or not (self.run.path / MODEL).exists():
            return None
        began = time.monotonic()
        self.due = seconds + 60 * self.minutes
        with torch.random.fork_rng([]):
            generator = TextGenerator(self.run.load_members("cpu").model(), self.run.tokenizer, self.run.lead_ins)
            sample = generator.generate(length=self.length(), seed=step)[0]
        lines = map(printable, sample.text.strip().splitlines())
        return TimedSample("\n".join([f"a sample at step {step:,}:", *lines, ""]), time.monotonic() - began)

    def length(self) -> int:
        """Tokens of a sample."""
        vocab = self.run.tokenizer.vocab
        shown = sum(len(text) * count for text, count in zip(vocab.itos, vocab.counts.tolist(), strict=True))
        return max(20, round(CHARACTERS / max(1.0, shown / max(1, vocab.counts.sum()))))
