"""Training steps of language models on a GPU beside plain cuDNN, in a few minutes. One JSON object on stdout.

    python -m benchmarks.models.gpu  tokens/s by shape and build, alternated, medians; word vectors
    python -m benchmarks.models.gpu --device cpu --tiny  the same on a CPU, only to see that it runs

A step is forward, back, clipping and update. Words are drawn from a Zipf distribution over 33,278 types, so no corpus
is needed. The peer is nn.LSTM on cuDNN with nn.Linear, cross-entropy over all types and dense SGD (plain_lstm.py). Then
run the tests (`pytest -m gpu`) and a published recipe for as long as there is time:

    seqlab train lm train.txt --valid valid.txt --test test.txt --preset awd-lstm-wt2 --minutes 5 -o RUN
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqlab.api import train_embeddings_with_report
from seqlab.config import ModelConfig, TrainingConfig
from seqlab.models import LanguageModel
from seqlab.text import Batch
from seqlab.training import PlainWindowReader, TrainingStep
from seqlab.training.machine.graphs import GraphedWindowReader

from .. import rows
from .plain_lstm import PlainLanguageModel

VOCABULARY = 33_278
WINDOWS = 50
SHAPES = {
    "2x200, batch 20, bptt 35": (20, 35, {"embed_dim": 200, "hidden_dim": 200, "layers": 2, "dropout": 0.2}),
    "2x650, batch 20, bptt 35": (20, 35, {"embed_dim": 650, "hidden_dim": 650, "layers": 2, "dropout": 0.5}),
    "AWD-LSTM, batch 80, bptt 70": (
        80,
        70,
        {
            "embed_dim": 400,
            "hidden_dim": 1150,
            "layers": 3,
            "last_dim": 400,
            "locked_dropout": True,
            "dropout": 0.4,
            "weight_drop": 0.5,
        },
    ),
}
BUILDS: dict[str, dict[str, Any]] = {
    "full": {"softmax": "full"},
    "full, bfloat16 products": {"softmax": "full", "precision": "bfloat16"},
    "sampled, 2,048": {"softmax": "sampled", "samples": 2048},
    "full, minGRU": {"softmax": "full", "cell": "mingru"},
    "full, Mogrifier": {"softmax": "full", "cell": "mogrifier"},
}
GRAPHED = ("full", "full, bfloat16 products", "full, minGRU", "full, Mogrifier")
Step = Callable[[int], object]


def windows(batch: int, bptt: int) -> list[Batch]:
    generator = np.random.default_rng(1)
    frequencies = 1.0 / np.arange(1, VOCABULARY + 1)
    ids = generator.choice(VOCABULARY, (WINDOWS, batch, bptt + 1), p=frequencies / frequencies.sum())
    return [Batch(window[:, :-1], window[:, 1:]) for window in ids]


def ours(options: dict[str, Any], graphed: bool, batches: list[Batch], device: str) -> Step:
    if options.get("cell") == "mingru":
        options = {name: value for name, value in options.items() if name != "weight_drop"}
    model = LanguageModel(ModelConfig(**options), VOCABULARY).to(device).train()
    training = TrainingStep(model, TrainingConfig(), PlainWindowReader(model))
    state = [model.init_state(len(batches[0].inputs_BT))]
    windows = GraphedWindowReader(model) if graphed else PlainWindowReader(model)

    def step(index: int) -> None:
        state[0] = training.take(index, batches[index % WINDOWS], state[0], 1e-3, windows=windows).state

    return step


def plain(options: dict[str, Any], batches: list[Batch], device: str) -> Step:
    """The peer at the widest layer's width; it has neither weight drop nor layers of different widths."""
    model = PlainLanguageModel(VOCABULARY, options["hidden_dim"], options["layers"], options["dropout"]).to(device)
    state: list[Any] = [None]

    def step(index: int) -> None:
        inputs_TB, targets_TB = (torch.from_numpy(ids.T.copy()).to(device) for ids in batches[index % WINDOWS])
        carried = None if state[0] is None else tuple(part.detach() for part in state[0])
        model.zero_grad()
        logits, state[0] = model(inputs_TB, carried)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets_TB.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(parameter.grad, alpha=-20.0)

    return step


def finished(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def alternated(contenders: dict[str, Step], rounds: int, steps: int, device: str) -> dict[str, float]:
    """Median seconds of a step of each; what fails is reported and left out."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name in [name for name in contenders if name in seconds]:
            try:
                started = finished(device)
                for index in range(steps):
                    contenders[name](index)
                if number:
                    seconds[name].append((finished(device) - started) / steps)
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
                del seconds[name]
    return {name: statistics.median(values) for name, values in seconds.items()}


def language_models(device: str, rounds: int, steps: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for shape, (batch, bptt, sizes) in SHAPES.items():
        batches = windows(batch, bptt)
        contenders: dict[str, Step] = {"plain cuDNN": plain(sizes, batches, device)}
        for name, build in BUILDS.items():
            contenders[name] = ours({**sizes, **build}, False, batches, device)
            if name in GRAPHED and device.startswith("cuda"):
                contenders[f"{name}, graphs"] = ours({**sizes, **build}, True, batches, device)
        taken = alternated(contenders, rounds, steps, device)
        found[shape] = {
            name: {
                "tokens_per_second": round(batch * bptt / one),
                "ratio": round(taken["plain cuDNN"] / one, 2) if "plain cuDNN" in taken else None,
            }
            for name, one in taken.items()
        }
        print(f"{shape}: {json.dumps(found[shape], indent=1)}", file=sys.stderr, flush=True)
    return found


def word_vectors(device: str, words: int) -> dict[str, Any]:
    """Words/s of the two engines on a text of Zipf's words; quality is the tests' business."""
    generator, rates = np.random.default_rng(2), {}
    frequencies = 1.0 / np.arange(1, 20_001)
    ids = generator.choice(20_000, words, p=frequencies / frequencies.sum())
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(" ".join(f"w{number}" for number in ids), encoding="utf-8")
        for engine, where in (("cpu", "cpu"), ("torch", device)):
            options = {"dim": 100, "epochs": 1, "engine": engine, "device": where, "subwords": False}
            _, report = train_embeddings_with_report(text, Path(folder) / engine, True, options)
            rates[engine] = round(report["words_per_second"])
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--words", type=int, default=2_000_000)
    parser.add_argument("--tiny", action="store_true", help="one round of one step of the smallest shape")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.tiny:
        del SHAPES["2x650, batch 20, bptt 35"], SHAPES["AWD-LSTM, batch 80, bptt 70"]
        asked.rounds = asked.steps = 1
        asked.words = 100_000
    name = torch.cuda.get_device_name() if asked.device.startswith("cuda") else "CPU"
    result = {
        "benchmark": "gpu",
        "device": name,
        "steps": language_models(asked.device, asked.rounds, asked.steps),
        "word_vectors": word_vectors(asked.device, asked.words),
    }
    lines = {
        f"{build}, {shape}": {"speed [tokens/s]": one["tokens_per_second"], "ratio to plain cuDNN": one["ratio"]}
        for shape, builds in result["steps"].items()
        for build, one in builds.items()
    }
    engines = {f"word vectors, {engine}": {"speed [words/s]": rate} for engine, rate in result["word_vectors"].items()}
    rows.record(asked.rows, {**lines, **engines}, note=name)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
