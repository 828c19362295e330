"""What compressing a trained run costs and brings.

python -m benchmarks.models.compressing sweep RUN STUDY    every method, or those of --methods: size, exact perplexity
                                                           on the validation text or another, speed
python -m benchmarks.models.compressing speed WIDTH        a step of two tied layers over 33,278 types, with 1 and 64
                                                           streams, against the dynamic int8 of torch and of ONNX
                                                           Runtime (whose steps end in log-probabilities, not logits)
python -m benchmarks.models.compressing steps WIDTH ...    the same step of one text by our forms alone, in turn
python -m benchmarks.models.compressing memory RUN OTHER   what opening a run and writing with it takes
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seqlab.compression.models import sweep_model
from seqlab.compression.models.pack import pack_, weight_bytes
from seqlab.compression.models.sweep import SWEEP, tokens_per_second
from seqlab.compression.onnx.export import Session
from seqlab.compression.onnx.network import onnx_of
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn.packed.factors import Factors
from seqlab.nn.packed.row_blocks import RowBlocks
from seqlab.run import Run, set_weights

from .. import rows

Step = Callable[[torch.Tensor, Any], tuple[Any, Any]]
ROUNDS = 3
TYPES = 33_278
STEPS, WARM = 80, 8
"""Tokens that are read, and those of them that count for nothing."""
NOTE = (
    "one pinned core, one thread, other work on it; processor time, the best of ten blocks of 0.1 s in each of three "
    "rounds, medians of rounds"
)


class Plain(nn.Module):
    """The same LSTM in torch's own modules, which is what its dynamic quantisation takes."""

    def __init__(self, model: LanguageModel):
        super().__init__()
        config = model.config
        self.embedding = nn.Embedding.from_pretrained(model.embedding.detach().clone())
        self.lstm = nn.LSTM(config.embed_dim, config.hidden_dim, config.layers)
        for place, cell in enumerate(model.cells):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self.lstm, f"{name}_l{place}").data.copy_(cell.weight(name))
        self.output = nn.Linear(config.hidden_dim, model.vocab_size)
        self.output.weight.data.copy_(model.output.weight)
        self.output.bias.data.copy_(model.output.bias[:, 0])

    def forward(self, ids: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]) -> tuple:
        hidden, state = self.lstm(self.embedding(ids)[None], state)
        return self.output(hidden[0]), state


def peer_speed(step: Step, state: Any, streams: int, seconds: float = 1.0) -> float:
    """As `tokens_per_second`, for a step from ids (B,) and a state to anything and the new state."""
    ids = torch.randint(0, TYPES, (64, streams))
    for place in range(3):
        _, state = step(ids[place], state)
    best = 0.0
    for _ in range(10):
        began, count = time.process_time(), 0
        while (took := time.process_time() - began) < seconds / 10 or not count:
            _, state = step(ids[count % 64], state)
            count += 1
        best = max(best, count * streams / took)
    return best


@torch.inference_mode()
def module_speed(model: Plain, streams: int) -> float:
    """Of torch's modules."""
    zeros = torch.zeros(model.lstm.num_layers, streams, model.lstm.hidden_size)
    return peer_speed(model, (zeros, zeros), streams)


def session_speed(session: Session, streams: int) -> float:
    """Of ONNX Runtime."""
    return peer_speed(
        lambda ids, state: session.read(ids[:, None].numpy(), state), session.init_state(streams), streams
    )


def speed(width: str, table: str | None) -> None:
    """Steps per second of every form that needs no training, and of torch's own; weights as training starts from."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = ModelConfig(embed_dim=int(width), hidden_dim=int(width), layers=2, tie=True, counts=False)
    network = LanguageModel(config, TYPES).eval()
    ours: dict[str, LanguageModel] = {"float32": network}
    for form in ("int8", "int4", "codebook", "ternary", "binary"):
        ours[form] = copy.deepcopy(network)
        pack_(ours[form], form)
    plain = Plain(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(plain, {nn.LSTM, nn.Linear}, dtype=torch.qint8)
    measured: dict[str, Callable[[int], float]] = {
        name: partial(tokens_per_second, model) for name, model in ours.items()
    }
    measured["torch's modules"] = partial(module_speed, plain)
    measured["torch's dynamic int8"] = partial(module_speed, quantised)
    for name, int8 in (("ONNX Runtime, float32", False), ("ONNX Runtime, dynamic int8", True)):
        measured[name] = partial(session_speed, Session(network, onnx_of(network, {}, int8)))
    found: dict[str, dict[int, list[float]]] = {name: {1: [], 64: []} for name in measured}
    for _ in range(ROUNDS):
        for name, step in measured.items():
            for streams in (1, 64):
                found[name][streams].append(step(streams))
    lines = {
        name: {
            "tokens per second, 1 stream [tokens/s]": statistics.median(speeds[1]),
            "tokens per second, 64 streams [tokens/s]": statistics.median(speeds[64]),
            "weights [MB]": weight_bytes(ours[name]) / 1e6 if name in ours else None,
        }
        for name, speeds in found.items()
    }
    _print(lines)
    rows.record(table, lines, "float32", NOTE)


def low_rank(model: LanguageModel) -> LanguageModel:
    """A copy whose embedding has the plan that low-rank=0.5 makes of WikiText-2: a quarter of the rows as they are, the
    others of 53 directions of 200."""
    made, (rows, width) = copy.deepcopy(model), model.embedding.shape
    rank = width * 53 // 200
    rare = Factors(
        {"left": torch.randn(rows - rows // 4, rank), "right": torch.randn(rank, width)}, (rows - rows // 4, width)
    )
    set_weights(made, {"embedding": RowBlocks.of([model.embedding[: rows // 4].clone(), rare])})
    return made


@torch.inference_mode()
def steps(*widths: str, table: str | None) -> None:
    """Processor time of a step of one text by every form, step by step in turn; weights as training starts from."""
    torch.set_num_threads(1)
    lines: dict[str, dict[str, float | None]] = {}
    for width in widths:
        torch.manual_seed(0)
        config = ModelConfig(embed_dim=int(width), hidden_dim=int(width), layers=2, tie=True, counts=False)
        models = {"float32": LanguageModel(config, TYPES).eval()}
        for form in ("int8", "int4", "codebook", "ternary", "binary"):
            models[form] = copy.deepcopy(models["float32"])
            pack_(models[form], form)
        models["low-rank=0.5"] = low_rank(models["float32"])
        models["low-rank=0.5,int8"] = copy.deepcopy(models["low-rank=0.5"])
        pack_(models["low-rank=0.5,int8"], "int8")
        states = {name: model.init_state(1) for name, model in models.items()}
        taken: dict[str, list[float]] = {name: [] for name in models}
        for id in torch.randint(0, TYPES, (STEPS,)):
            for name, model in models.items():
                began = time.thread_time()
                _, states[name] = model.step(id[None], states[name])
                taken[name].append(1e3 * (time.thread_time() - began))
        medians = {name: statistics.median(times[WARM:]) for name, times in taken.items()}
        lines |= {
            f"{width} units, {name}": {
                "processor time a step [ms]": round(value, 3),
                "times float32's rate": round(medians["float32"] / value, 2),
            }
            for name, value in medians.items()
        }
    _print(lines)
    limited = os.environ.get("NUMBA_CPU_NAME")
    where = "one pinned core, one thread, other work on it" + (f", kernels limited to {limited}" if limited else "")
    rows.record(table, lines, where=where)


def sweep(path: str, study: str, options: argparse.Namespace) -> None:
    """Methods on the validation text of a run, or on another text."""
    found = sweep_model(path, study, options.methods, retrain=options.retrain, valid=options.valid)
    lines = {
        point.method: {
            "perplexity": point.perplexity,
            "change [%]": point.change,
            "interval from [%]": point.interval[0],
            "interval to [%]": point.interval[1],
            "weights [MB]": point.bytes / 1e6,
            "times smaller": found.points[0].bytes / point.bytes,
            "tokens per second, 1 stream [tokens/s]": point.tokens_per_second["1"],
            "tokens per second, 64 streams [tokens/s]": point.tokens_per_second["64"],
        }
        for point in found.points
    }
    print(found.text())
    found.picture().save(f"{study}/sweep.png")
    text = "whole validation text" if options.valid is None else f"the text {Path(options.valid).name}"
    rows.record(options.rows, lines, "float32", f"network alone, {text}; {NOTE}")


def memory(path: str, other: str, table: str | None) -> None:
    """Peak memory beyond the imports of a process that opens a run and writes 50 tokens."""
    lines = {}
    for name in (path, other):
        command = [sys.executable, "-m", "benchmarks.models.compressing", "child", name]
        taken = [
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
            for _ in range(3)
        ]
        method = (Run.open(name).compressed or {"method": "float32"})["method"]
        lines[method] = {"peak memory [MB]": statistics.median(taken)}
    _print(lines)
    rows.record(table, lines, "float32", "peak of the process less what its imports take")


def child(path: str) -> None:
    """Print the megabytes that a run takes."""
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = Run.open(path).load_members(counts=False).network
    tokens_per_second(network, 1, 0.1)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)


def _print(lines: dict[str, dict[str, float | None]]) -> None:
    for name, values in lines.items():
        print(f"{name:24}", *(f"{key} {value:,.2f}" for key, value in values.items() if value is not None), sep="  ")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["sweep", "speed", "steps", "memory", "child"])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--retrain", type=float)
    parser.add_argument("--methods", nargs="+", default=SWEEP)
    parser.add_argument("--valid")
    rows.add_option(parser)
    options = parser.parse_args()
    if options.part == "sweep":
        sweep(*options.paths, options)
    elif options.part == "speed":
        speed(*options.paths, options.rows)
    elif options.part == "steps":
        steps(*options.paths, table=options.rows)
    elif options.part == "memory":
        memory(*options.paths, options.rows)
    else:
        child(*options.paths)


if __name__ == "__main__":
    main()
