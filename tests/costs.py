"""What tests cost: which of their cases are usual, and how much processor time each file takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

SHOWN = 20
"""Files that are named."""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1
"""By which Linux counts a second of the processor."""


def usual(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """All cases for `parametrize`; those that are not chosen are slow. A tuple is a case of several names."""
    cases = list(cases)
    assert all(one in cases for one in chosen), f"not all of {chosen} are among {cases}"
    slow = {"marks": pytest.mark.slow}
    split = (case if isinstance(case, tuple) else (case,) for case in cases)
    return [pytest.param(*case, **({} if one in chosen else slow)) for one, case in zip(cases, split, strict=True)]


class ProcessorTime:
    """A plugin that adds it up, with that of started processes; workers of pytest-xdist say with every report what it
    took."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.mark = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        report = yield
        if call.when == "teardown":  # what the test has replaced, of `os` for instance, is back
            now = spent()
            report.processor_seconds = now - self.mark
            self.mark = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.files[report.nodeid.split("::")[0]] += getattr(report, "processor_seconds", 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Importing and collecting count for the first test of a process."""
        terminalreporter.section(f"{self.files.total():,.0f} seconds of the processor")
        for file, seconds in self.files.most_common(SHOWN):
            terminalreporter.line(f"{seconds:7.1f} {file}")


def spent() -> float:
    """Seconds of the processor that this process has had, and all that it has started: those that still run on Linux
    only."""
    return sum(os.times()[:4]) + sum(map(_seconds, _descendants(os.getpid())))


def _descendants(pid: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _descendants(child)


def _seconds(pid: int) -> float:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, state.rpartition(")")[2].split()[11:15])) / TICKS
