"""Every call by which a command changes files fails, or the process is killed there; then the command runs again.

The calls are counted by a small library (calls.c) that stands before the C library, so that those of numpy and other
compiled code count as Python's do. One process imports everything; each trial is a copy of it.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import commands

HERE = Path(__file__).resolve().parent
KILLED = -9
FAULTS = {"killed": -1, "disk full": errno.ENOSPC, "input/output error": errno.EIO, "no permission": errno.EACCES}


@dataclass
class Found:
    """What the trials of one command showed."""

    command: str
    calls: int = 0
    trials: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def available() -> bool:
    """Whether the library can be built and put before the C library here."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def campaign(names: Iterable[str], most: int | None = None, seed: int = 1) -> list[Found]:
    """Try commands of `commands.COMMANDS`, each in a process of its own.

    Args:
        names: of the commands.
        most: trials of a command, drawn at random; None tries every call with being killed and one failure.
        seed: of the draw.
    """
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        library = Path(place) / "calls.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "calls.c", "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1", "SEQLAB_QUIET": "1"}
        work = [sys.executable, "-m", "benchmarks.faults.calls", place, *names, "--seed", str(seed)]
        work += ["--most", str(most)] if most is not None else []
        done = subprocess.run(work, cwd=HERE.parents[1], env=environment, stdout=subprocess.PIPE, check=True, text=True)
        return [Found(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def try_command(name: str, place: Path, most: int | None, seed: int) -> Found:
    """All trials of one command."""
    began, found = time.monotonic(), Found(name)
    inputs, folder = place / "inputs", place / "trial"
    command = commands.arguments(name, inputs)
    commands.emptied(folder)
    with commands.in_folder(folder, folder / "cache"):
        ended = commands.run_here(command)  # warms what is compiled at the first call
        assert ended.code == 0, ended
    expected = commands.written(folder)
    found.calls = _calls(command, folder)
    draw = random.Random(seed)
    reasons = list(FAULTS)[1:]
    trials = [(at, fault) for at in range(1, found.calls + 1) for fault in ("killed", reasons[at % len(reasons)])]
    if most is not None and most < len(trials):
        trials = sorted(draw.sample(trials, most))
    for at, fault in trials:
        found.trials += 1
        if wrong := _trial(command, folder, at, fault, expected):
            found.faults.append(f"{fault} at call {at}: {wrong}")
    found.seconds = round(time.monotonic() - began, 1)
    return found


def _calls(command: list[str], folder: Path) -> int:
    """How many calls an undisturbed command makes."""
    commands.emptied(folder)
    library = _library()
    with commands.in_folder(folder, folder / "cache"):
        library.faults_arm(os.fsencode(folder), 0, 0)
        ended = commands.run_here(command)
        calls = int(library.faults_count())
        library.faults_arm(b"", 0, 0)
        assert ended.code == 0, ended
    return calls


def _trial(command: list[str], folder: Path, at: int, fault: str, expected: dict[str, str]) -> str:
    """What is wrong after one fault, "" where nothing is."""
    commands.emptied(folder)
    with commands.in_folder(folder, folder / "cache"):
        first = commands.run_forked(
            command, before=lambda: _library().faults_arm(os.fsencode(folder), at, FAULTS[fault])
        )
        if fault != "killed" and first.foreign:
            return f"code {first.code}: {first.err[-400:]}"
        if fault == "killed" and first.code not in (KILLED, 0):
            return f"code {first.code} instead of a kill: {first.err[-300:]}"
        if fault != "killed" and first.code == 0 and (wrong := _difference(commands.written(folder), expected)):
            return f"ended well with another result: {wrong}"
        again = commands.run_forked(command)
        if again.code:
            return f"the same command again ends with code {again.code}: {again.err[-400:]}"
        if wrong := _difference(commands.written(folder), expected):
            return f"another result after the same command again: {wrong}"
        if left := commands.strays(folder):
            return f"left behind: {left}"
        try:
            commands.opens(folder)
        except Exception as error:
            return f"what was written does not open: {error}"
    return ""


def _difference(found: dict[str, str], expected: dict[str, str]) -> str:
    """Names of what differs, but for hidden files: what could not be removed is left to the next start."""
    names = [name for name in sorted(found.keys() | expected.keys()) if not Path(name).name.startswith(".")]
    return ", ".join(name for name in names if found.get(name) != expected.get(name))


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.faults_count.restype = ctypes.c_long
    library.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    return library


def main(given: Sequence[str] | None = None) -> None:
    """The process in which the library stands before the C library."""
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--most", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(given)

    import torch

    from seqlab.embeddings.training import loop

    torch.set_num_threads(1)
    loop.SAVE_EVERY = 0.0
    place = Path(os.path.realpath(options.place))
    commands.make_inputs(place / "inputs")
    for name in options.names or commands.COMMANDS:
        print(json.dumps(asdict(try_command(name, place, options.most, options.seed))), flush=True)


if __name__ == "__main__":
    main()
