"""Start-up of `seqlab --help` on top of a bare Python, alternated, medians in milliseconds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "seqlab --help": [str(Path(sys.executable).with_name("seqlab")), "--help"],
    "seqlab train lm --help": [str(Path(sys.executable).with_name("seqlab")), "train", "lm", "--help"],
}


def main(rounds: int = 21) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: round(1000 * statistics.median(values), 1) for name, values in seconds.items()}
    extra = round(medians["seqlab --help"] - medians["python -c pass"], 1)
    print(json.dumps({"benchmark": "startup", "median_ms": medians, "help_on_top_ms": extra}))


if __name__ == "__main__":
    main()
