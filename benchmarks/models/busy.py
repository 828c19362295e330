"""Training steps beside other work: how much slower they get, and how long the longest one takes.

    python -m benchmarks.models.busy --busy 0 2

Each line is a process of its own that trains a word model (2 x 200, 33,000 types, sampled softmax) for some seconds,
beside so many processes that never rest: as the libraries would have it (`GOMP_SPINCOUNT=300000`), and as seqlab sets
them. The times of the steps and the processor time that one takes. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import mean, median
from typing import Any

from .. import rows

TYPES, STREAMS, WIDTH = 33_000, 32, 35
SPINNING = {"spins as long as the library likes": "300000", "as seqlab sets it": "1000"}


def steps(seconds: float) -> dict[str, float]:
    """Times of a few training steps in this process, in milliseconds."""
    import numpy as np

    from seqlab.config import LanguageModelConfig
    from seqlab.models import LanguageModel
    from seqlab.text import Batch
    from seqlab.training.step import PlainWindowReader, TrainingStep

    sizes = {"embed_dim": 200, "hidden_dim": 200, "softmax": "sampled", "samples": 1024, "layers": 2}
    config = LanguageModelConfig.build({"model": sizes, "training": {"batch_size": STREAMS, "bptt": WIDTH}})
    model = LanguageModel(config.model, TYPES, 1).train()
    step = TrainingStep(model, config.training, PlainWindowReader(model))
    state, generator = model.init_state(STREAMS), np.random.default_rng(1)
    wall, cpu = [], []
    end = time.perf_counter() + seconds
    for number in range(1_000_000):
        ids_BT = generator.integers(0, TYPES, (STREAMS, WIDTH + 1))
        before = time.perf_counter(), time.process_time()
        state = step.take(number, Batch(ids_BT[:, :-1], ids_BT[:, 1:]), state, 1e-3).state
        if number < 3:  # what only the first steps do
            end = time.perf_counter() + seconds
            continue
        wall.append(1e3 * (time.perf_counter() - before[0]))
        cpu.append(1e3 * (time.process_time() - before[1]))
        if time.perf_counter() > end:
            break
    return {
        "step [ms]": median(wall),
        "longest step [medians]": max(wall) / median(wall),
        "processor time of a step [ms]": mean(cpu),
        "steps": len(wall),
    }


def measured(busy: int, spin: str, seconds: float) -> dict[str, float]:
    """The steps of another process beside `busy` processes that never rest."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        command = [sys.executable, "-m", "benchmarks.models.busy", "--steps", str(seconds)]
        environment = {**os.environ, "GOMP_SPINCOUNT": spin}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    finally:
        for other in others:
            other.kill()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2], metavar="N", help="processes beside it")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each training")
    parser.add_argument("--steps", type=float, help="train in this process for so many seconds")
    parser.add_argument("--where", default="", help="a note on the machine")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.steps:
        print(json.dumps(steps(asked.steps)))
        return
    lines: dict[str, dict[str, Any]] = {}
    for busy in asked.busy:
        for name, spin in SPINNING.items():
            lines[f"{busy} beside, {name}"] = measured(busy, spin, asked.seconds)
            print(busy, name, lines[f"{busy} beside, {name}"], file=sys.stderr, flush=True)
    rows.record(asked.rows, lines, next(iter(lines)), where=asked.where)
    print(json.dumps({"benchmark": "busy", "lines": lines}))


if __name__ == "__main__":
    main()
