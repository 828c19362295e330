"""What counts beside a network cost and gain; prints JSON.

    python -m benchmarks.models.together cost RUN     a generated token: network alone, both together, counts alone,
                                                      both with a cache of recent tokens
    python -m benchmarks.models.together choice NAME  order and pruning of the counts, by validation loss and size
                                                      (NAME: wikitext-2 or shakespeare)
    python -m benchmarks.models.together train NAME SECONDS ...  a training of so many seconds from its command on:
                                                      perplexity of counts, network, both on held-out text
    python -m benchmarks.models.together updates NAME --try SETTINGS ...  the same of trainings with other settings,
                                                      as JSON such as {"preset": "word", "steps": 24129, "dropout": 0.2}

Processor time, the contestants in turn; medians. Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch

import seqlab
from seqlab.generation.decoding import sample
from seqlab.models.counts.choice import CHARACTER_TYPES, ORDERS
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.counts.ngrams import count_ngrams
from seqlab.text import Corpus

from .. import rows

ROUNDS = 7


def corpus_of(name: str) -> Corpus:
    if name == "shakespeare":
        return seqlab.prepare(rows.data("tinyshakespeare", "input.txt"), tokenizer="char", quiet=True)
    folder = rows.data("wikitext-2")
    texts = {split: folder / f"{split}.txt" for split in ("valid", "test")}
    return seqlab.prepare(folder / "train.txt", tokenizer="whitespace", quiet=True, **texts)


def cost(run: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time for a token, one text and 64 side by side."""
    torch.set_num_threads(1)
    lm = seqlab.load(run)
    contestants = {
        "network": lm.only("network").members.model(),
        "both": lm.members.model(),
        "counts": lm.only("counts").members.model(),
        "both, with a cache": lm.with_cache().members.model(),
    }
    found = {}
    for texts, length in ((1, 200), (64, 20)):
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for seed in range(ROUNDS + 1):
            for name, model in contestants.items():
                began = time.process_time()
                sample(model, [lm.tokenizer.start_id], length, count=texts, seed=seed)
                seconds[name].append((time.process_time() - began) / length)
        medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
        for name, value in medians.items():
            ratio = value / medians["network"]
            found[f"{texts} at a time, {name}"] = {
                "processor time a step [ms]": round(1000 * value, 3),
                "times network": round(ratio, 3),
            }
    return found


def choice(name: str) -> dict[str, dict[str, float]]:
    """Validation loss, perplexity and megabytes by order and pruning."""
    corpus = corpus_of(name)
    size, start_id = len(corpus.tokenizer.vocab), corpus.tokenizer.start_id
    orders = ORDERS[size > CHARACTER_TYPES]
    counted, found = count_ngrams(corpus.train, orders[0], start_id), {}
    for order in orders:
        for prune in (0, 1):
            model = NGramModel.of(counted[:order], size, start_id, prune)
            nats = -float(model.log_probs(corpus.valid).mean())
            found[f"order {order}, {'without what occurs once' if prune else 'all'}"] = {
                "perplexity": round(math.exp(nats), 2),
                "loss [nats per token]": round(nats, 4),
                "size [MB]": round(model.nbytes / 1e6, 1),
            }
    return found


def train(name: str, seconds: list[float], threads: int, cached: bool) -> dict[str, dict[str, float]]:
    """What trainings of so many seconds come to (see `outcome`)."""
    corpus = corpus_of(name)
    return {
        f"{budget:g} s": outcome(corpus, cached, minutes=budget / 60, threads=threads, quiet=True) for budget in seconds
    }


def updates(name: str, tried: list[str], threads: int, cached: bool) -> dict[str, dict[str, float]]:
    """What trainings with other settings come to (see `outcome`)."""
    corpus, found = corpus_of(name), {}
    for one in tried:
        settings = json.loads(one)
        label = ", ".join(f"{key} {value}" for key, value in settings.items())
        found[label] = outcome(corpus, cached, **settings, threads=threads, quiet=True)
    return found


def outcome(corpus: Corpus, cached: bool, **settings: Any) -> dict[str, float]:
    """Perplexity on the test text, or where there is none on validation text that the gate was not fitted to, after a
    training; `cached` adds that of the test text with a cache of recent tokens."""
    began = time.perf_counter()
    lm = seqlab.train_language_model(corpus, **settings)
    whole = time.perf_counter() - began
    scores: dict[str, Any] = lm.evaluate().to_json() if "test" in corpus.splits else lm.summary["valid"]
    counts = scores.get("counts", lm.summary["valid"].get("counts_left_out", {})).get("perplexity", math.nan)
    found = {
        "perplexity": round(scores["perplexity"], 3),
        "share of counts alone": round(scores["perplexity"] / counts, 4),
        "network": round(scores.get("network", scores)["perplexity"], 3),
        "counts": round(counts, 3),
        "loss [nats per token]": round(scores["nats_per_token"], 4),
        "with everything [s]": round(whole, 1),
        "scored tokens": scores["tokens"],
        "training tokens": lm.summary["tokens"],
    }
    if cached:
        whole_model = lm.with_cache().evaluate().to_json()["perplexity"]
        found |= {"with a cache": round(whole_model, 3), "share with a cache": round(whole_model / counts, 4)}
    print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "choice", "train", "updates"])
    parser.add_argument("of")
    parser.add_argument("seconds", type=float, nargs="*", default=[10.0, 60.0])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--cache", action="store_true", help="score the test text with a cache of recent tokens too")
    parser.add_argument("--try", dest="tried", nargs="*", default=[], help="updates: settings as JSON")
    rows.add_option(parser)
    options = parser.parse_args()
    if options.what == "cost":
        found = cost(Path(options.of))
    elif options.what == "choice":
        found = choice(options.of)
    elif options.what == "updates":
        found = updates(options.of, options.tried, options.threads, options.cache)
    else:
        found = train(options.of, options.seconds, options.threads, options.cache)
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
