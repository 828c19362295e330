"""Start-up on top of a bare Python, alternated, medians in milliseconds: elapsed and processor time.

With --run RUN also `seqlab generate` of that run, next to importing torch, which is most of it; with --train TEXT a
training of half a second on that text. With --first each of these where no kernel has been compiled yet, and once more;
--before PROGRAM takes the `seqlab` of an earlier commit in turn with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from . import rows

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "seqlab --help": [str(Path(sys.executable).with_name("seqlab")), "--help"],
    "seqlab train lm --help": [str(Path(sys.executable).with_name("seqlab")), "train", "lm", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rows.add_option(parser)
    parser.add_argument("--run", help="A run folder to generate 50 tokens of.")
    parser.add_argument("--train", help="A text to train on.")
    parser.add_argument("--first", action="store_true", help="Measure with an empty cache of kernels, too.")
    parser.add_argument("--before", help="A seqlab program of an earlier commit, with --first.")
    asked = parser.parse_args()
    if asked.first:
        first(asked)
        return
    commands = dict(COMMANDS)
    if asked.run:
        commands["import torch"] = [sys.executable, "-c", "import torch"]
        generate = [COMMANDS["seqlab --help"][0], "generate", asked.run, "--length", "50", "--seed", "1"]
        commands["seqlab generate RUN --length 50"] = generate
    if asked.train:
        commands["import torch"] = [sys.executable, "-c", "import torch"]
        train = [COMMANDS["seqlab --help"][0], "train", "lm", asked.train, "--minutes", "0.0083", "-q", "-o"]
        commands["seqlab train lm TEXT, half a second"] = train
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(asked.rounds):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(measured([*command, f"{folder}/run"] if command[-1] == "-o" else command))
    figures = {}
    for name, values in seconds.items():
        elapsed, processor = (round(1000 * statistics.median(one), 1) for one in zip(*values, strict=True))
        figures[name] = {"time [ms]": elapsed, "processor time [ms]": processor}
    bare = figures["python -c pass"]
    for name in figures.keys() - {"python -c pass"}:
        figures[name]["on top of bare Python [ms]"] = round(figures[name]["time [ms]"] - bare["time [ms]"], 1)
    rows.record(asked.rows, figures)
    print(json.dumps({"benchmark": "startup", "medians": figures}))


def first(asked: argparse.Namespace) -> None:
    """Processor time of commands by programs in turn, with an empty cache of kernels and with a full one."""
    programs = {"now": COMMANDS["seqlab --help"][0]} | ({"before": asked.before} if asked.before else {})
    commands = {}
    if asked.run:
        commands["generate"] = ["generate", asked.run, "--length", "50", "--seed", "1"]
    if asked.train:
        commands["train lm, half a second"] = ["train", "lm", asked.train, "--minutes", "0.0083", "-q", "-o"]
        commands["train embeddings, one pass"] = ["train", "embeddings", asked.train, "--epochs", "1", "-q", "-o"]
    seconds: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(asked.rounds):
        for name, command in commands.items():
            for program, path in programs.items():
                with tempfile.TemporaryDirectory() as folder:
                    for when in ("first", "again"):
                        whole = [path, *command, *([f"{folder}/{when}"] if command[-1] == "-o" else [])]
                        _, processor = measured(whole, {"NUMBA_CACHE_DIR": f"{folder}/kernels"})
                        seconds.setdefault((name, program, when), []).append(processor)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    figures = {
        f"{name}, {program}": {
            "first [s]": round(medians[name, program, "first"], 2),
            "again [s]": round(medians[name, program, "again"], 2),
            "compiling [s]": round(medians[name, program, "first"] - medians[name, program, "again"], 2),
        }
        for name in commands
        for program in programs
    }
    limited = os.environ.get("NUMBA_CPU_NAME")
    rows.record(asked.rows, figures, where=f"libraries and kernels limited to {limited}" if limited else "")
    print(json.dumps({"benchmark": "first start", "medians": figures}))


def measured(command: list[str], variables: Mapping[str, str] = MappingProxyType({})) -> tuple[float, float]:
    """Seconds a command takes: elapsed, and of processors."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, env={**os.environ, **variables})
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, processor


if __name__ == "__main__":
    main()
