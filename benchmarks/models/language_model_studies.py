"""What training choices cost and bring, on WikiText-2. One JSON object per command on stdout.

python -m benchmarks.models.language_model_studies reach --minutes 0.4 0.8  perplexity after time budgets
python -m benchmarks.models.language_model_studies samples -o gap.png  sampled against full softmax at equal tokens
python -m benchmarks.models.language_model_studies batches  small, large, growing batches, lr scaled or not
python -m benchmarks.models.language_model_studies efficiency  a step against its kernels alone
python -m benchmarks.models.language_model_studies tokens  seconds by tokens trained on

"reach" trains once for every budget given, so that the learning rate has fallen to its end at the time that is
reported; the exact perplexity is that of the whole validation text, whose evaluation is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqlab.config import ModelConfig, TrainingConfig
from seqlab.models import LanguageModel
from seqlab.nn import fast_float32
from seqlab.text import Batches
from seqlab.training import PlainWindowReader, TrainingStep
from seqlab.training.watch import validation

from .. import rows
from .language_model import scores, train, wikitext

SIZES = {"embed_dim": 200, "hidden_dim": 200, "layers": 2}
QUICK = {**SIZES, "softmax": "sampled", "batch_size": 20, "bptt": 35, "dropout": 0.0, "samples": 512, "lr": 8e-3}


def reach(minutes: list[float], options: dict[str, Any]) -> dict[str, Any]:
    corpus = wikitext()
    runs = []
    for budget in minutes:
        valid, wall, summary = train(corpus, minutes=budget, **{**QUICK, **options})
        runs.append({"minutes": budget, "seconds": summary["seconds"], "perplexity": valid["perplexity"]})
        runs[-1] |= {"tokens": summary["tokens"], "wall": round(wall, 1)}
    return {"options": {**QUICK, **options}, "runs": runs}


def samples(out: Path, epochs: float) -> dict[str, Any]:
    """The exact perplexity that sampling costs: equal tokens, equal everything but the output layer's training."""
    import matplotlib.pyplot as plt

    corpus = wikitext()
    same = {**SIZES, "epochs": epochs, "batch_size": 20, "bptt": 35, "dropout": 0.2}
    found: dict[str, Any] = {}
    for name, choice in {
        "full": {"softmax": "full"},
        **{str(count): {"softmax": "sampled", "samples": count} for count in (256, 512, 1024, 2048, 4096, 8192)},
    }.items():
        valid, _, summary = train(corpus, **same, **choice)
        found[name] = {"perplexity": valid["perplexity"], "seconds": summary["seconds"]}
    counts = [int(name) for name in found if name != "full"]
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    axis.plot(counts, [found[str(count)]["perplexity"] for count in counts], "o-", label="sampled softmax")
    axis.axhline(found["full"]["perplexity"], color="black", lw=1, label="full softmax")
    for count in counts:
        entry = found[str(count)]
        axis.annotate(f"{entry['seconds']:.0f} s", (count, entry["perplexity"]), (4, 6), textcoords="offset points")
    axis.set(xscale="log", xlabel="noise words a batch shares", ylabel="exact validation perplexity")
    axis.set_xticks(counts, [f"{count:,}" for count in counts])
    axis.minorticks_off()
    axis.set_title(f"WikiText-2, {epochs:g} epoch: the full softmax took {found['full']['seconds']:.0f} s", fontsize=10)
    axis.legend(frameon=False)
    figure.savefig(out, dpi=130)
    return {"epochs": epochs, "runs": found}


def batches(epochs: float) -> dict[str, Any]:
    """Several batch schedules on one budget of tokens: the exact perplexity in the end, and the seconds until the
    validation loss is that of the small batch, had it stopped halfway or gone to its end."""
    corpus = wikitext()
    same = {**SIZES, "softmax": "sampled", "epochs": epochs, "bptt": 35, "dropout": 0.2, "evaluations": 20}
    grown = [[0.0, 16], [0.3, 32], [0.6, 64]]
    choices = {
        "small (16)": {"batch_size": 16},
        "large (128)": {"batch_size": 128},
        "large (128), lr x 2.8 (sqrt)": {"batch_size": 128, "lr": 4e-3 * 8**0.5},
        "large (128), lr x 8 (linear)": {"batch_size": 128, "lr": 4e-3 * 8},
        "growing 16-32-64": {"batch_size": 16, "batch_schedule": grown},
        "growing 16-32-64, sqrt": {"batch_size": 16, "batch_schedule": grown, "batch_scaling": "sqrt"},
        "growing 16-32-64, linear": {"batch_size": 16, "batch_schedule": grown, "batch_scaling": "linear"},
    }
    found: dict[str, Any] = {}
    targets: list[float] = []
    validation.VALIDATION_SHARE = 0.2  # a curve to read times from
    for name, choice in choices.items():
        valid, _, summary = train(corpus, **{**same, **choice})
        curve = [(line["seconds"], line["valid_loss"]) for line in summary["metrics"] if "valid_loss" in line]
        targets = targets or [curve[len(curve) // 2][1], curve[-1][1]]
        found[name] = {"perplexity": valid["perplexity"], "seconds": summary["seconds"]}
        found[name]["seconds_to_targets"] = [reached(curve, target) for target in targets]
    return {"epochs": epochs, "targets": targets, "runs": found}


def reached(curve: list[tuple[float, float]], target: float) -> float | None:
    """Seconds at which a falling curve of (seconds, loss) first is at the target, by lines between its points."""
    for (start, before), (end, after) in zip(curve, curve[1:], strict=False):
        if after <= target < before:
            return round(start + (end - start) * (before - target) / (before - after), 1)
    return round(curve[0][0], 1) if curve[0][1] <= target else None


def tokens(epochs: list[float]) -> dict[str, Any]:
    """Seconds of training, validation left out as far as one evaluation allows."""
    corpus, runs = wikitext(), []
    validation.VALIDATION_SHARE = 0.001
    for part in epochs:
        options = {"epochs": part, "evaluations": 1, **SIZES}
        _, _, summary = train(corpus, softmax="sampled", batch_size=20, bptt=35, **options)
        runs.append({"tokens": summary["tokens"], "seconds": summary["seconds"]})
    return {"runs": runs}


def efficiency(rounds: int, steps: int, batch: int, time_steps: int, width: int) -> dict[str, Any]:
    """Seconds of a whole step, of its LSTM kernels alone, and of its output products alone, alternated."""
    corpus = wikitext()
    vocab, sizes = len(corpus.tokenizer.vocab), {"embed_dim": width, "hidden_dim": width, "layers": 2}
    model = LanguageModel(ModelConfig(**sizes, softmax="sampled", samples=1024, dropout=0.2), vocab)
    model.output.set_counts(corpus.tokenizer.vocab.counts)
    training, state = TrainingStep(model, TrainingConfig(), PlainWindowReader(model)), [model.init_state(batch)]
    windows = Batches(corpus.train, batch, time_steps, corpus.tokenizer.start_id)
    shapes = (batch, time_steps, width), (batch * time_steps, width), (1024, width), (batch * time_steps, 1024)
    precisions = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    lstms = {name: torch.nn.LSTM(width, width, 2, batch_first=True).to(kind) for name, kind in precisions.items()}
    operands = {name: [torch.randn(shape, dtype=kind) for shape in shapes] for name, kind in precisions.items()}

    def step(index: int) -> None:
        state[0] = training.take(index, windows.window(index), state[0], 1e-3).state

    def kernels(name: str) -> None:
        with fast_float32():
            lstms[name](operands[name][0].requires_grad_())[0].backward(operands[name][0].detach())

    def products(name: str) -> None:
        _, hidden_ND, noise_SD, gradient_NS = operands[name]
        with fast_float32():
            hidden_ND @ noise_SD.T
            gradient_NS @ noise_SD
            gradient_NS.T @ hidden_ND

    contenders: dict[str, Any] = {"step": step}
    for name in precisions:
        contenders |= {f"kernels-{name}": lambda _, name=name: kernels(name)}
        contenders |= {f"products-{name}": lambda _, name=name: products(name)}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            work(0)
            started = time.perf_counter()
            for index in range(steps):
                work(index % 500)
            seconds[name].append((time.perf_counter() - started) / steps)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "milliseconds": {name: round(1000 * value, 2) for name, value in medians.items()},
        "tokens_per_second": round(batch * time_steps / medians["step"]),
        "efficiency": {
            name: round((medians[f"kernels-{name}"] + medians[f"products-{name}"]) / medians["step"], 3)
            for name in precisions
        },
        "spread": {name: round(float(np.ptp(values)) / medians[name], 2) for name, values in seconds.items()},
    }


LINES: dict[str, Any] = {
    "reach": lambda found: (scores({f"{60 * run['minutes']:g} s": run for run in found["runs"]}),),
    "samples": lambda found: (scores(found["runs"]), "full"),
    "batches": lambda found: (scores(found["runs"]), "small (16)"),
    "tokens": lambda found: (
        {f"{run['tokens']:,} tokens": {"training time [s]": run["seconds"]} for run in found["runs"]},
    ),
    "efficiency": lambda found: (
        {
            name: {"share of the step": share, "step [ms]": found["milliseconds"]["step"]}
            for name, share in found["efficiency"].items()
        },
    ),
}
"""Result -> the lines of its table, and the line that the others are compared with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reach", "samples", "batches", "efficiency", "tokens"])
    parser.add_argument("--minutes", type=float, nargs="*", default=[0.4])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="reach: other settings")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--shape", type=int, nargs=3, default=[20, 35, 200], help="efficiency: batch, bptt, width")
    parser.add_argument("-o", "--out", type=Path, default=Path("gap.png"))
    rows.add_option(parser)
    asked = parser.parse_args()
    settings = {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in asked.set)}
    result = {
        "reach": lambda: reach(asked.minutes, settings),
        "samples": lambda: samples(asked.out, asked.epochs),
        "batches": lambda: batches(asked.epochs),
        "tokens": lambda: tokens([0.1, 0.2, 0.4, 0.8]),
        "efficiency": lambda: efficiency(asked.rounds, asked.steps, *asked.shape),
    }[asked.what]()
    rows.record(asked.rows, *LINES[asked.what](result))
    print(json.dumps({"benchmark": asked.what, **result}))


if __name__ == "__main__":
    main()
