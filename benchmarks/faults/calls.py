"""Every call by which a command changes files fails, or the process is killed there; then the command runs again.

The calls are counted by a small library (calls.c) that stands before the C library, so that those of numpy and other
compiled code count as Python's do.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from . import commands
from .trials import Outcome, Part

SOURCE = Path(__file__).with_suffix(".c")
FAULTS = {"killed": -1, "disk full": errno.ENOSPC, "input/output error": errno.EIO, "no permission": errno.EACCES}


def available() -> bool:
    """Whether the library can be built and put before the C library here."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def build(folder: Path) -> Path:
    """Compile the library; the campaign starts itself anew with it in LD_PRELOAD."""
    library = folder / "calls.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def library() -> ctypes.CDLL:
    """The library in this process."""
    found = ctypes.CDLL(None)
    found.faults_count.restype = ctypes.c_long
    found.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    found.faults_room.argtypes = [ctypes.c_char_p, ctypes.c_long]
    return found


class Calls(Part):
    """A trial is one call of one command: it fails, or is the last one; the same command again must succeed."""

    name, share, quick = "calls", 0.3, 9

    def prepare(self) -> None:
        self.expected: dict[str, dict[str, str]] = {}
        self.calls: Counter[str] = Counter()
        trials = []
        reasons = list(FAULTS)[1:]
        for name in commands.COMMANDS:
            folder = commands.emptied(self.place / "whole")
            command = commands.arguments(name, self.inputs)
            with commands.in_folder(folder, folder / "cache"):
                arm, count = library().faults_arm, library().faults_count
                arm(os.fsencode(folder), 0, 0)
                ended = commands.run_here(command)
                self.calls[name] = int(count())
                arm(b"", 0, 0)
                assert ended.code == 0, ended
            self.expected[name] = commands.written(folder)
            for at in range(1, self.calls[name] + 1):
                trials += [(name, at, fault) for fault in ("killed", reasons[at % len(reasons)])]
        self.trials = random.Random(self.seed).sample(trials, len(trials))
        self.planned = len(trials)

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        name, at, fault = self.trials[number]
        wrong = self._wrong(name, at, fault, folder)
        counts = {f"{'kills' if fault == 'killed' else 'failures'} in {name}": 1}
        return Outcome(wrong and f"{name}: {fault} at call {at} of {self.calls[name]}: {wrong}", counts)

    def _wrong(self, name: str, at: int, fault: str, folder: Path) -> str:
        """What is wrong after one fault, "" where nothing is."""
        command, expected = commands.arguments(name, self.inputs), self.expected[name]
        with commands.in_folder(folder, folder / "cache"):
            first = commands.run_forked(
                command, before=lambda: library().faults_arm(os.fsencode(folder), at, FAULTS[fault])
            )
            if fault != "killed" and first.foreign:
                return f"code {first.code}: {first.err[-400:]}"
            if fault == "killed" and first.code not in (commands.KILLED, 0):
                return f"code {first.code} instead of a kill: {first.err[-300:]}"
            found = commands.written(folder) if first.code == 0 else expected
            if fault != "killed" and (wrong := commands.difference(found, expected)):
                return f"ended well with another result: {wrong}"
            return commands.again(command, folder, expected)
