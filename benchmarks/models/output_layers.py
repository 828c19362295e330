"""Output layers alone: milliseconds of a training step, of exact evaluation, and peak memory, by vocabulary. One JSON
object on stdout.

python -m benchmarks.models.output_layers [--vocab 10000 33278 100000 267735] [--rounds 5] [--layers full sampled]

N = 700 positions of width 200 (batch 20, bptt 35), targets by Zipf's law, 1,024 samples, 4 softmaxes mixed. Layers
alternate, so that noise hits all; "plain" is nn.Linear and F.cross_entropy. Memory is what a fresh process's peak grows
by in two steps, gradients included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seqlab.nn import SOFTMAXES

from .. import rows

N, WIDTH = 700, 200
LAYERS = {
    "plain": None,
    "full-float32": ("full", {"precision": "float32"}),
    "full-bfloat16": ("full", {"precision": "bfloat16"}),
    "sampled": ("sampled", {}),
    "nce": ("nce", {}),
    "adaptive-tied": ("adaptive", {"tail_shrink": 1.0}),
    "adaptive-own": ("adaptive", {"tail_shrink": 2.0}),
    "mixture": ("mixture", {}),
}


class Plain(nn.Linear):
    def forward(self, hidden, targets):
        return F.cross_entropy(super().forward(hidden), targets)

    def exact_loss_sum(self, hidden, targets):
        return F.cross_entropy(super().forward(hidden), targets, reduction="sum")


def build(name: str, vocab: int):
    """(training step, exact evaluation) of one layer."""
    torch.manual_seed(1)
    if LAYERS[name] is None:
        layer = Plain(WIDTH, vocab)
    else:
        kind, options = LAYERS[name]
        layer = SOFTMAXES[kind](vocab, WIDTH, None, **options)
        layer.start_at_unigram(1e6 / np.arange(1, vocab + 1))
    hidden = torch.randn(N, WIDTH, requires_grad=True)
    p = 1.0 / np.arange(1, vocab + 1)
    targets = torch.from_numpy(np.random.default_rng(1).choice(vocab, N, p=p / p.sum()))

    def step() -> None:
        layer.zero_grad()
        hidden.grad = None
        layer(hidden, targets).backward()

    def evaluate() -> None:
        with torch.inference_mode():
            layer.exact_loss_sum(hidden, targets)

    return step, evaluate


def milliseconds(names: list[str], vocab: int, rounds: int) -> dict[str, dict[str, float]]:
    work = {name: build(name, vocab) for name in names}
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    for number in range(rounds + 1):
        for name, functions in work.items():
            for function, values in zip(functions, seconds[name], strict=True):
                started = time.perf_counter()
                function()
                if number:
                    values.append(time.perf_counter() - started)
    return {
        name: {
            "step": round(1e3 * statistics.median(steps), 1),
            "exact": round(1e3 * statistics.median(evaluations), 1),
        }
        for name, (steps, evaluations) in seconds.items()
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(name: str, vocab: int) -> float:
    """Megabytes by which two training steps raise this process's peak; the libraries are loaded before."""
    build(name, 1000)[0]()
    step, _ = build(name, vocab)
    before = peak()
    step()
    step()
    return peak() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=int, nargs="+", default=[10_000, 33_278, 100_000, 267_735])
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--what", choices=["all", "time", "memory"], default="all")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    rows.add_option(parser)
    options = parser.parse_args()
    if options.memory_of:
        print(memory(options.memory_of, options.vocab[0]))
        return
    results = {}
    for vocab in options.vocab:
        results[vocab] = {name: {} for name in options.layers}
        if options.what != "memory":
            for name, figures in milliseconds(options.layers, vocab, options.rounds).items():
                results[vocab][name].update(figures)
        if options.what != "time":
            for name in options.layers:
                command = [sys.executable, "-m", __spec__.name, "--vocab", str(vocab), "--memory-of", name]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                results[vocab][name]["peak_mb"] = round(float(output))
    names = {"step": "step [ms]", "exact": "exact evaluation [ms]", "peak_mb": "peak memory [MB]"}
    lines = {
        f"{layer}, {vocab:,} types": {names[key]: value for key, value in figures.items()}
        for vocab, layers in results.items()
        for layer, figures in layers.items()
    }
    rows.record(options.rows, lines)
    print(json.dumps({"benchmark": "output layers", "threads": torch.get_num_threads(), "vocab": results}))


if __name__ == "__main__":
    main()
