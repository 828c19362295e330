"""Start-up of `seqlab --help` on top of a bare Python, alternated, medians in milliseconds."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
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
    asked = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(asked.rounds):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: round(1000 * statistics.median(values), 1) for name, values in seconds.items()}
    on_top = {name: round(value - medians["python -c pass"], 1) for name, value in medians.items()}
    rows.record(
        asked.rows, {name: {"time [ms]": medians[name], "on top of bare Python [ms]": on_top[name]} for name in medians}
    )
    print(json.dumps({"benchmark": "startup", "median_ms": medians, "help_on_top_ms": on_top["seqlab --help"]}))


if __name__ == "__main__":
    main()
