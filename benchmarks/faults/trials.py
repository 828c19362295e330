"""A part of the campaign is a row of numbered trials; two workers, copies of one process, make them until time is up.

What a trial does depends on the seed and its number alone. A worker that dies is a fault of the trial that it was in
the middle of, and another one goes on after it.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

JOBS = 2
"""Workers at a time."""
SILENT = 300.0
"""Seconds after which a trial that has not ended counts as hanging."""


@dataclass(frozen=True)
class Outcome:
    """What a trial showed: "" or what is wrong, and figures that are added up."""

    fault: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Found:
    """What the trials of one part showed; `faults` maps numbers of trials to what was wrong there."""

    part: str
    planned: int
    trials: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> None:
        """Another trial has ended."""
        self.trials += 1
        self.counts.update(outcome.counts)
        if outcome.fault:
            self.faults[number] = outcome.fault


class Part(ABC):
    """One kind of trial.

    Attributes:
        name: by which it is chosen.
        share: of the campaign's time.
        planned: how many trials the full campaign makes; known after `prepare`.
        quick: how many of them the tests make.
    """

    name: str
    share: float
    planned: int
    quick: int

    def __init__(self, inputs: Path, place: Path, seed: int, short: bool = False):
        self.inputs, self.place, self.seed, self.short = inputs, place, seed, short

    @abstractmethod
    def prepare(self) -> None:
        """Make what all trials need, in the folder `place`, once."""

    @abstractmethod
    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        """Make one trial.

        Args:
            number: from 0; neighbouring numbers are of different kinds, so that a few are a fair sample.
            draw: seeded by the campaign's seed and the number.
            folder: empty, for this trial alone.
        """


def seeded(part: Part, number: int) -> random.Random:
    """The generator of a trial."""
    return random.Random(f"{part.seed} {part.name} {number}")


def run(part: Part, seconds: float, numbers: Iterable[int] | None = None) -> Found:
    """Make the trials of a part, until all are made or time is up.

    Args:
        part: prepared.
        seconds: no trial is begun after them.
        numbers: of the trials; None: all that are planned.
    """
    began = time.monotonic()
    found = Found(part.name, part.planned)
    wanted = list(range(part.planned) if numbers is None else numbers)
    workers = [_Worker(part, wanted[start::JOBS], began + seconds, start) for start in range(JOBS)]
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            worker.start()
            selector.register(worker.pipe, selectors.EVENT_READ, worker)
        while selector.get_map():
            for key, _ in selector.select(5.0):
                worker = key.data
                if worker.read(found):
                    continue
                selector.unregister(worker.pipe)
                if worker.end(found):
                    worker.start()
                    selector.register(worker.pipe, selectors.EVENT_READ, worker)
            for worker in workers:
                worker.stop_if_silent()
    found.seconds = time.monotonic() - began
    return found


class _Worker:
    """A forked process that makes trials in order and says of each that it begins and what it showed."""

    def __init__(self, part: Part, numbers: list[int], deadline: float, place: int):
        self.part, self.numbers, self.deadline = part, numbers, deadline
        self.folder = part.place / f"worker-{place}"
        self.pid, self.pipe, self.rest, self.heard = 0, -1, b"", time.monotonic()
        self.current: int | None = None

    def start(self) -> None:
        self.pipe, writing = os.pipe()
        self.pid, self.rest, self.heard = os.fork(), b"", time.monotonic()
        if not self.pid:
            try:
                os.setpgid(0, 0)
                os.close(self.pipe)
                self.work(writing)
            except BaseException:
                traceback.print_exc()
                os._exit(70)
            os._exit(0)
        os.close(writing)

    def work(self, writing: int) -> None:
        from .commands import emptied

        while self.numbers and time.monotonic() < self.deadline:
            number = self.numbers.pop(0)
            os.write(writing, json.dumps({"begins": number}).encode() + b"\n")
            try:
                outcome = self.part.trial(number, seeded(self.part, number), emptied(self.folder))
            except Exception:
                outcome = Outcome(f"the trial itself failed: {traceback.format_exc()[-1500:]}")
            line = {"number": number, "fault": outcome.fault, "counts": dict(outcome.counts)}
            os.write(writing, json.dumps(line).encode() + b"\n")

    def read(self, found: Found) -> bool:
        """Take in what the worker said; False once it has ended."""
        data = os.read(self.pipe, 1 << 16)
        self.heard = time.monotonic()
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in map(json.loads, lines):
            if "begins" in line:
                self.current = line["begins"]
                self.numbers.remove(self.current)
            else:
                found.add(line["number"], Outcome(line["fault"], line["counts"]))
                self.current = None
        return bool(data)

    def end(self, found: Found) -> bool:
        """The worker has ended: a trial that it did not finish is a fault. Returns whether trials are left."""
        os.close(self.pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if self.current is not None:
            hangs = code in (-signal.SIGKILL, -signal.SIGPROF)
            found.add(self.current, Outcome("hangs" if hangs else f"crashed: exit code {code}"))
            self.current = None
        return bool(self.numbers) and time.monotonic() < self.deadline

    def stop_if_silent(self) -> None:
        if self.current is not None and time.monotonic() - self.heard > SILENT:
            os.killpg(self.pid, signal.SIGKILL)
            self.heard = time.monotonic()
