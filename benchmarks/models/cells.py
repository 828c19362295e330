"""Every cell at equal parameters and equal training time, on tiny Shakespeare and WikiText-2.

    python -m benchmarks.models.cells --minutes 1 -o cells.json  all of them, one after the other, each in a process
    python -m benchmarks.models.cells --cells lstm sru --corpora wikitext-2
    python -m benchmarks.models.cells speed  a cell's forward and back alone, alternated, medians
    python -m benchmarks.models.cells models  steps of whole models by batch size, likewise

The hidden width of each cell is chosen so that the whole model has as nearly as possible the parameters of the LSTM's;
everything else is equal. Perplexity is exact, of the whole validation text; memory is the most that the process held.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seqlab
from seqlab.config import ModelConfig, TrainingConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS, fast_float32
from seqlab.text import Batch
from seqlab.training import PlainWindowReader, TrainingStep

from .. import rows
from .language_model import train, wikitext

TASKS: dict[str, dict[str, Any]] = {
    "tiny-shakespeare": {
        "embed_dim": 128,
        "hidden_dim": 256,
        "layers": 2,
        "tie": False,
        "softmax": "full",
        "dropout": 0.1,
        "batch_size": 32,
        "bptt": 128,
    },
    "wikitext-2": {
        "embed_dim": 200,
        "hidden_dim": 200,
        "layers": 2,
        "softmax": "sampled",
        "samples": 1024,
        "dropout": 0.2,
        "batch_size": 32,
        "bptt": 35,
    },
}


def parameters(options: dict[str, Any], vocab_size: int) -> int:
    """Of the whole model."""
    sizes = {name: value for name, value in options.items() if name in ModelConfig.model_fields}
    with torch.device("meta"):
        return sum(p.numel() for p in LanguageModel(ModelConfig(**sizes), vocab_size).parameters())


def width(options: dict[str, Any], cell: str, vocab_size: int) -> int:
    """The hidden width, a multiple of 8, that brings a model of `cell` nearest to the parameters of the LSTM's."""
    wanted = parameters({**options, "cell": "lstm"}, vocab_size)
    candidates = range(8, 8 * options["hidden_dim"], 8)
    return min(
        candidates, key=lambda h: abs(parameters({**options, "cell": cell, "hidden_dim": h}, vocab_size) - wanted)
    )


def one(cell: str, name: str, minutes: float, lr: float, threads: int) -> dict[str, Any]:
    """Train one cell on one corpus in this process."""
    shakespeare = rows.data("tinyshakespeare", "input.txt")
    corpus = wikitext() if name == "wikitext-2" else seqlab.prepare(shakespeare, tokenizer="char", quiet=True)
    vocab_size, options = len(corpus.tokenizer.vocab), TASKS[name]
    hidden_dim = width(options, cell, vocab_size)
    settings = {**options, "cell": cell, "hidden_dim": hidden_dim, "lr": lr, "threads": threads}
    valid, _, summary = train(corpus, minutes=minutes, quiet=True, **settings)
    return {
        "cell": cell,
        "corpus": name,
        "hidden_dim": hidden_dim,
        "parameters": parameters(settings, vocab_size),
        "nats_per_token": valid["nats_per_token"],
        "perplexity": valid["perplexity"],
        "tokens_per_second": summary["tokens"] / summary["seconds"],
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "threads": torch.get_num_threads(),
    }


def table(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """`one` for every cell and corpus, each in a process of its own."""
    found = []
    for corpus in asked.corpora:
        for cell in asked.cells:
            command = [sys.executable, "-m", __spec__.name, "one", "--cells", cell, "--corpora", corpus]
            command += ["--minutes", str(asked.minutes), "--lr", str(asked.lr), "--threads", str(asked.threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(found[-1], file=sys.stderr)
    return found


def speed(cells: list[str], rounds: int, batch: int = 32, steps: int = 64) -> dict[str, Any]:
    """Tokens/s of one layer alone, forward and back, in training; all alternate, so that noise hits all."""
    rates: dict[str, Any] = {}
    for hidden_dim in (256, 400):
        x_BTD = torch.randn(batch, steps, hidden_dim, requires_grad=True)
        gradient_BTH = torch.randn(batch, steps, hidden_dim)
        layers = {name: CELLS[name](hidden_dim, hidden_dim).train() for name in cells}
        if "lstm" in layers:
            layers["lstm, float32"] = CELLS["lstm"](hidden_dim, hidden_dim, precision="float32").train()
        seconds: dict[str, list[float]] = {name: [] for name in layers}
        for number in range(rounds + 1):
            for name, layer in layers.items():
                started = time.perf_counter()
                for _ in range(5):
                    with fast_float32():
                        layer(x_BTD, layer.init_state(batch))[0].backward(gradient_BTH)
                if number:
                    seconds[name].append((time.perf_counter() - started) / 5)
        found = {name: batch * steps / statistics.median(values) for name, values in seconds.items()}
        rates[f"{batch} x {steps} x {hidden_dim}"] = {
            name: {"tokens_per_second": round(rate), "times_the_lstm": round(rate / found.get("lstm", rate), 2)}
            for name, rate in found.items()
        }
    return {"threads": torch.get_num_threads(), "rates": rates}


def models(cells: list[str], rounds: int, length: int = 128, vocab_size: int = 65) -> dict[str, Any]:
    """Tokens/s of whole training steps of the character models of the table, with the LSTM's parameters (and with its
    width) by the number of streams; all alternate."""
    options = {**TASKS["tiny-shakespeare"], "bptt": length}
    sizes = {name: value for name, value in options.items() if name in ModelConfig.model_fields}
    rates: dict[str, Any] = {}
    for batch in (1, 4, 16, 64):
        ids = np.random.default_rng(1).integers(vocab_size, size=(2, batch, length))
        work: dict[str, Any] = {}
        for cell in cells:
            for name, hidden in {
                cell: width(options, cell, vocab_size),
                f"{cell}, as wide": sizes["hidden_dim"],
            }.items():
                model = LanguageModel(ModelConfig(**{**sizes, "cell": cell, "hidden_dim": hidden}), vocab_size).train()
                work[name] = TrainingStep(model, TrainingConfig(), PlainWindowReader(model))
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for number in range(rounds + 1):
            for name, training in work.items():
                started = time.perf_counter()
                for _ in range(4):
                    training.take(number, Batch(*ids), training.model.init_state(batch), 1e-3)
                if number:
                    seconds[name].append((time.perf_counter() - started) / 4)
        found = {name: batch * length / statistics.median(values) for name, values in seconds.items()}
        rates[f"{batch} x {length}"] = {
            name: {"tokens_per_second": round(rate), "times_the_lstm": round(rate / found["lstm"], 2)}
            for name, rate in found.items()
        }
    return {"threads": torch.get_num_threads(), "rates": rates}


def lines(what: str, result: Any) -> dict[str, dict[str, float | None]]:
    """The rows of a result: a cell on a corpus, or a cell at a shape."""
    if what == "table":
        return {
            f"{one['cell']}, {one['corpus']}": {
                "loss [nats per token]": one["nats_per_token"],
                "width": one["hidden_dim"],
                "speed [tokens/s]": one["tokens_per_second"],
                "memory [MB]": one["memory_mb"],
            }
            for one in result
        }
    return {
        f"{cell}, {shape}": {"speed [tokens/s]": rate["tokens_per_second"], "ratio to lstm": rate["times_the_lstm"]}
        for shape, rates in result["rates"].items()
        for cell, rate in rates.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["table", "one", "speed", "models"], default="table")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--corpora", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, help="where the table goes as JSON too")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.what == "one":
        result: Any = one(asked.cells[0], asked.corpora[0], asked.minutes, asked.lr, asked.threads)
    elif asked.what == "speed":
        result = speed(asked.cells, asked.rounds)
    elif asked.what == "models":
        result = models(list(dict.fromkeys(["lstm", *asked.cells])), asked.rounds)
    else:
        result = table(asked)
    if asked.what != "one":
        rows.record(asked.rows, lines(asked.what, result))
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
