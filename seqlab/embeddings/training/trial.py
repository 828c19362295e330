"""How fast this machine trains, and which engine is faster: each trains on the first words of the text for a second.

With a CUDA device the compiled loops on the CPU may still win: next to a laptop's GPU, or on a CPU with many
cores. So the compiled loops are used unless torch is measured faster. Nothing of a trial enters the training: its
engines are thrown away, and the one that is chosen starts anew from the seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ...base.cores import available_cores
from ...base.errors import InputError
from ...config import EmbeddingsConfig
from ..engines.table import Engine, RunningEngine, build_engine, possible_engines
from ..material.parts import WordParts
from ..material.words import ChosenWords, TrainingText
from .checks import memory_needed
from .jobs import Job, document_starts, plan_jobs

SECONDS = 1.0
"""Of training for each engine; compiling and a first job come before."""
Build = Callable[[ChosenWords, EmbeddingsConfig, WordParts], Engine]
Clock = Callable[[], float]


class Choice(NamedTuple):
    """The engine to train with, and why."""

    engine: RunningEngine
    sentence: str
    """What was measured, for the person watching; empty where there was nothing to choose."""
    rate: float = 0.0
    """Tokens a second; 0 where nothing was timed."""


def choose_engine(
    text: TrainingText,
    words: ChosenWords,
    config: EmbeddingsConfig,
    build: Build = build_engine,
    clock: Clock = time.perf_counter,
    timed: bool = False,
) -> Choice:
    """Choose the engine for a training.

    Args:
        text: what is to be trained on.
        words: those that get vectors.
        config: resolved settings.
        build: makes an engine for words, settings and parts.
        clock: seconds.
        timed: time the only possible engine too.

    Returns:
        The only possible engine; of two, torch where it trains on more words a second, else the compiled loops.
    """
    first, *others = possible_engines(config)
    if not others and not timed:
        return Choice(first, "")
    parts = WordParts.of(words.words, config)
    jobs = plan_jobs(len(text.train), config.epochs or 1, config.lr or 0.0, config.seed)
    best, fastest, measured = first, 0.0, []
    for name in (first, *others):
        named = config.model_copy(update={"engine": name})
        try:
            memory_needed(len(words.words), named)
            rate = speed(build(words, named, parts), text, jobs, config.workers, clock)
        except (InputError, RuntimeError) as error:  # a GPU that is too small or does not work is no reason to stop
            if name == first:
                raise
            measured.append(f"{name} failed ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
            continue
        measured.append(f"{name} {rate:,.0f}")
        if rate > fastest:
            best, fastest = name, rate
    rates = f"words a second on this machine: {', '.join(measured)}; the {best} engine is used." if others else ""
    return Choice(best, rates, fastest)


def speed(engine: Engine, text: TrainingText, jobs: Sequence[Job], workers: int, clock: Clock) -> float:
    """Tokens a second on the first jobs until SECONDS have passed, with as many threads as training has."""
    engine.compile()
    threads = (workers or available_cores()) if engine.concurrent else 1

    def work(job: Job) -> int:
        starts = document_starts(text.train.documents, job.start, job.stop)
        engine.run(text.train[job.start : job.stop], starts, job.lr, job.seed)
        return job.stop - job.start

    work(jobs[0])  # loads what only a real job loads
    tokens = done = 0
    begun = clock()
    with ThreadPoolExecutor(threads) as pool:
        while True:
            tokens += sum(pool.map(work, [jobs[(done + thread) % len(jobs)] for thread in range(threads)]))
            done += threads
            seconds = clock() - begun
            if seconds >= SECONDS:
                return tokens / seconds
