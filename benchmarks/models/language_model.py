"""Language models against the plain build, on the shared corpora. One JSON object per command on stdout.

python -m benchmarks.models.language_model throughput  tokens/s of a training step, alternated, medians
python -m benchmarks.models.language_model epoch [--plain]  WikiText-2 validation perplexity after one epoch
python -m benchmarks.models.language_model embeddings  with and without word vectors at equal training time
python -m benchmarks.models.language_model shakespeare  nats per character after a time budget
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import seqlab
from seqlab.config import ModelConfig, TrainingConfig
from seqlab.models import LanguageModel
from seqlab.text import Batches
from seqlab.training import PlainWindowReader, TrainingStep

from .. import rows
from .plain_lstm import PlainTrainer

RECIPE = {
    "embed_dim": 200,
    "hidden_dim": 200,
    "layers": 2,
    "softmax": "sampled",
    "dropout": 0.2,
    "batch_size": 20,
    "bptt": 35,
}


def wikitext():
    folder = rows.data("wikitext-2")
    return seqlab.prepare(
        folder / "train.txt", valid=folder / "valid.txt", test=folder / "test.txt", tokenizer="whitespace"
    )


def throughput(rounds: int, steps: int) -> dict:
    """Tokens/s of whole training steps; plain and sampled alternate, so that noise hits both."""
    corpus = wikitext()
    vocab = len(corpus.tokenizer.vocab)
    plain = PlainTrainer(np.asarray(corpus.train[:400_000]), vocab)
    batches = Batches(corpus.train, 20, 35, corpus.tokenizer.start_id)
    tokens = 20 * 35

    def ours(samples: int):
        options = {k: v for k, v in RECIPE.items() if k in ModelConfig.model_fields}
        model = LanguageModel(ModelConfig(**options, samples=samples), vocab)
        training, state = TrainingStep(model, TrainingConfig(), PlainWindowReader(model)), [model.init_state(20)]

        def step(index: int) -> None:
            state[0] = training.take(index, batches.window(index), state[0], 1e-3).state

        return step

    contenders = {"plain": plain.step, **{f"sampled-{s}": ours(s) for s in (512, 1024, 2048)}}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(rounds):
        for name, step in contenders.items():
            count = max(2, steps // 8) if name == "plain" else steps
            step(0)
            started = time.perf_counter()
            for index in range(count):
                step(1 + (round_number * count + index) % 500)
            seconds[name].append((time.perf_counter() - started) / count)
    rates = {name: tokens / statistics.median(values) for name, values in seconds.items()}
    return {
        "tokens_per_second": {name: round(rate) for name, rate in rates.items()},
        "ratio": {name: round(rate / rates["plain"], 2) for name, rate in rates.items()},
        "threads": torch.get_num_threads(),
    }


def train(corpus, **options):
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        model = seqlab.train_language_model(corpus, Path(folder) / "run", **options)
        seconds = time.perf_counter() - started
        return model.summary["valid"], seconds, {**model.summary, "metrics": model.run.metrics()}


def epoch(plain: bool, samples: int, lr: float) -> dict:
    corpus = wikitext()
    valid, wall, summary = train(corpus, epochs=1, samples=samples, lr=lr, **RECIPE)
    result = {
        "samples": samples,
        "lr": lr,
        "seqlab": {"perplexity": valid["perplexity"], "seconds": summary["seconds"], "wall": wall},
    }
    if plain:
        peer = PlainTrainer(np.asarray(corpus.train[:]), len(corpus.tokenizer.vocab))
        seconds = peer.epoch()
        result["plain"] = {"perplexity": peer.perplexity(np.asarray(corpus.valid[:])), "seconds": seconds}
    return result


def embeddings(minutes: float) -> dict:
    corpus = wikitext()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        seqlab.train_embeddings(corpus, Path(folder) / "vectors", dim=200, min_count=2)
        spent = time.perf_counter() - started
        vectors = str(Path(folder) / "vectors")
        runs = {
            "without": {},
            "with": {"embeddings": vectors},
            "with-less-time": {"embeddings": vectors, "minutes": max(0.1, minutes - spent / 60)},
        }
        results = {}
        for name, more in runs.items():
            valid, _, summary = train(corpus, **{**RECIPE, "minutes": minutes, "batch_size": 32, **more})
            results[name] = {"perplexity": valid["perplexity"], "seconds": summary["seconds"]}
    return {"minutes": minutes, "vector_seconds": spent, **results}


def shakespeare(minutes: float) -> dict:
    corpus = seqlab.prepare(rows.data("tinyshakespeare", "input.txt"), tokenizer="char")
    valid, wall, summary = train(corpus, minutes=minutes)
    return {
        "minutes": minutes,
        "nats_per_char": valid["nats_per_token"],
        "bits_per_char": valid["bits_per_char"],
        "tokens_per_second": summary["tokens"] / summary["seconds"],
        "wall": wall,
    }


def scores(runs: dict) -> dict:
    """Perplexity and seconds of every run, as lines of a table."""
    return {name: {"perplexity": run["perplexity"], "training time [s]": run["seconds"]} for name, run in runs.items()}


LINES = {
    "throughput": lambda found: (
        {name: {"speed [tokens/s]": rate} for name, rate in found["tokens_per_second"].items()},
        "plain",
    ),
    "epoch": lambda found: (
        scores({name: found[name] for name in ("plain", "seqlab") if name in found}),
        "plain" if "plain" in found else None,
    ),
    "embeddings": lambda found: (scores({name: run for name, run in found.items() if "with" in name}), "without"),
    "shakespeare": lambda found: (
        {
            f"{found['minutes']:g} minutes": {
                "loss [nats per character]": found["nats_per_char"],
                "speed [tokens/s]": found["tokens_per_second"],
            }
        },
    ),
}
"""Result -> the lines of its table, and the line that the others are compared with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["throughput", "epoch", "embeddings", "shakespeare"])
    parser.add_argument("--plain", action="store_true", help="epoch: train the plain build too (a quarter of an hour)")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    rows.add_option(parser)
    options = parser.parse_args()
    result = {
        "throughput": lambda: throughput(options.rounds, options.steps),
        "epoch": lambda: epoch(options.plain, options.samples, options.lr),
        "embeddings": lambda: embeddings(options.minutes),
        "shakespeare": lambda: shakespeare(options.minutes),
    }[options.what]()
    rows.record(options.rows, *LINES[options.what](result))
    print(json.dumps({"benchmark": options.what, **result}))


if __name__ == "__main__":
    main()
