"""Start-up on top of a bare Python, alternated, medians in milliseconds: elapsed and processor time.

With --run RUN also `seqlab generate` of that run, next to importing torch, which is most of it; with --train TEXT a
training of half a second on that text.
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
from pathlib import Path

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
    asked = parser.parse_args()
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


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds a command takes: elapsed, and of processors."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, processor


if __name__ == "__main__":
    main()
