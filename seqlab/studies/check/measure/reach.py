"""What a training costs on this machine, and how far its budget reaches."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ....base.resources.memory import free_memory
from ....config import LanguageModelConfig
from ....models import LanguageModel
from ....text import Corpus
from ....training.machine.memory import needed_bytes
from ....training.machine.rate import STEPS as STEP_SHARE
from ....training.machine.threads import most_threads
from ....training.machine.trial import Trial, candidates
from ....training.planning import budget_of
from ....training.step import PlainWindowReader
from .steps import ShortTraining

SAMPLED_EVERY = 0.002
"""Seconds between two looks at the memory in use."""
LONGEST_STEP = 4.0
"""Seconds of a step whose memory is measured."""


@dataclass(frozen=True)
class ReachFigures:
    """Costs of a step, and what the budget reaches with them.

    Attributes:
        step_seconds, threads, tokens_per_second: of training, with the number of threads that is fastest; the last with
            the time for validation taken off.
        tokens, steps, passes: that the budget reaches.
        parameters: numbers that are learned.
        memory: bytes that training is estimated to need.
        measured: bytes by which a step raised the memory of this process; None where that cannot be seen.
        free: bytes that this process can still have; None where that is unknown.
    """

    step_seconds: float
    threads: int
    tokens_per_second: float
    tokens: float
    steps: float
    passes: float
    parameters: int
    memory: int
    measured: int | None
    free: int | None

    @property
    def tokens_per_parameter(self) -> float:
        """Tokens that training reads for every number it learns."""
        return self.tokens / max(1, self.parameters)


def reach_figures(model: LanguageModel, corpus: Corpus, config: LanguageModelConfig) -> ReachFigures:
    """Time and measure steps on a copy of the model; afterwards torch uses the number of threads that is fastest.

    Args:
        model: as training starts from it; on the training's device.
        corpus: the text.
        config: all settings.
    """
    training, free = config.training, free_memory()
    short = ShortTraining(model, corpus, training)
    batch, fresh_BT = short.read()
    trial = Trial(model.train(), training, PlainWindowReader, batch, fresh_BT)
    trial.compile()
    numbers = candidates(most_threads(training.threads)) if model.device.type == "cpu" and not training.threads else []
    seconds = trial.choose_threads(numbers or [torch.get_num_threads()])[torch.get_num_threads()]
    rate = batch.inputs_BT.shape[0] * trial.width / seconds
    per_step = training.batch_size * training.bptt
    del trial
    measured = step_memory(short) if per_step / rate < LONGEST_STEP else None
    kind, value = budget_of(training)
    tokens = {
        "epochs": value * len(corpus.train),
        "steps": value * per_step,
        "minutes": 60.0 * value * rate * STEP_SHARE,
    }[kind]
    return ReachFigures(
        step_seconds=per_step / rate,
        threads=torch.get_num_threads(),
        tokens_per_second=rate * STEP_SHARE,
        tokens=tokens,
        steps=tokens / per_step,
        passes=tokens / len(corpus.train),
        parameters=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        memory=needed_bytes(model, training),
        measured=measured,
        free=free,
    )


class MemoryPeak:
    """How far the memory of this process rose while it was watched.

    Attributes:
        bytes: the rise; None where it cannot be seen.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None


def step_memory(short: ShortTraining) -> int | None:
    """Bytes by which the first steps of a training raise the memory in use; None where that cannot be seen."""
    with memory_watched(short.model.device) as watched:
        short.take(0.0)
        short.take(0.0)
    return watched.bytes


@contextmanager
def memory_watched(device: torch.device) -> Iterator[MemoryPeak]:
    """Watch the memory in use for as long as this lasts: of a GPU exactly, on Linux by looking often."""
    peak = MemoryPeak()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    before_or_none = resident()
    if before_or_none is None:
        yield peak
        return
    seen, done = [before_or_none], threading.Event()

    def look() -> None:
        while not done.wait(SAMPLED_EVERY):
            seen.append(resident() or 0)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak.bytes = max([*seen, resident() or 0]) - before_or_none


def resident() -> int | None:
    """Bytes of this process that are in memory now; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with open("/proc/self/statm", encoding="ascii") as handle:
            import resource

            return int(handle.read().split()[1]) * resource.getpagesize()
    except (OSError, ImportError):
        return None
