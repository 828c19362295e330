"""The processor time of tests by file, their processes included: what they take on a machine with other work, too."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SHOWN = 20
"""Files that are named."""


class ProcessorTime:
    """A plugin; the workers of pytest-xdist say with every report what it took."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.mark = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report = yield
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
    return sum(map(int, state.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
