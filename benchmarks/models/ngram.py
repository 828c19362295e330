"""Kneser-Ney counts on WikiText-2, on the ids that a language model sees; prints JSON.

    python -m benchmarks.models.ngram  orders 2 to 6: perplexities, seconds, n-grams
    python -m benchmarks.models.ngram --run RUN  and mixed with a language model trained on the same ids

Seconds are medians over the rounds; the first round also pays for what is not in memory yet. Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

import seqlab
from seqlab.evaluation import read_text
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.counts.mixture import fit_weights, interpolate, uniform_log_probs
from seqlab.nn import unigram_log_probs
from seqlab.run import Run
from seqlab.text import Corpus

from .. import rows


def wikitext() -> Corpus:
    folder = rows.data("wikitext-2")
    return seqlab.prepare(
        folder / "train.txt", valid=folder / "valid.txt", test=folder / "test.txt", tokenizer="whitespace", quiet=True
    )


def perplexity(log_p_N: np.ndarray) -> float:
    return round(math.exp(-log_p_N.mean()), 2)


def race(corpus: Corpus, order: int, rounds: int) -> tuple[NGramModel, dict]:
    """Train and evaluate a few times; memory is traced in a pass of its own, which it would slow."""
    size, start_id = len(corpus.tokenizer.vocab), corpus.tokenizer.start_id
    seconds: dict[str, list[float]] = {"train": [], "valid": [], "test": []}
    scores = {}
    for _ in range(rounds):
        started = time.perf_counter()
        model = NGramModel.train(corpus.train, size, start_id, order)
        seconds["train"].append(time.perf_counter() - started)
        for split in ("valid", "test"):
            started = time.perf_counter()
            scores[split] = perplexity(model.log_probs(corpus.splits[split]))
            seconds[split].append(time.perf_counter() - started)
    tracemalloc.start()
    NGramModel.train(corpus.train, size, start_id, order)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = {
        "order": order,
        "perplexity": scores,
        "seconds": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
        "megabytes": round(peak / 1e6),
        "ngrams": model.summary["ngrams"],
        "discounts": [[round(d, 4) for d in level] for level in model.summary["discounts"]],
    }
    print(f"order {order}: {result['perplexity']}, {result['seconds']}", file=sys.stderr)
    return model, result


def mixed(corpus: Corpus, model: NGramModel, path: Path) -> dict:
    """Weights fitted on validation, used on test."""
    network, start_id = Run.open(path).load_model(), corpus.tokenizer.start_id
    both = {}
    for split in ("valid", "test"):
        tokens = corpus.splits[split]
        neural_N = read_text(network, tokens, start_id, streams=1).log_p_N  # one stream, as the counts see the text
        both[split] = np.stack([neural_N, model.log_probs(tokens)], axis=1)
    weights = fit_weights(both["valid"])
    return {
        "order": model.order,
        "weight_of_counts": round(float(weights[1]), 4),
        "neural": {split: perplexity(log_p[:, 0]) for split, log_p in both.items()},
        "counts": {split: perplexity(log_p[:, 1]) for split, log_p in both.items()},
        "mixture": {split: perplexity(interpolate(log_p, weights)) for split, log_p in both.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[2, 3, 4, 5, 6])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--run", type=Path, help="a language model on the same ids, to be mixed with the last order")
    rows.add_option(parser)
    options = parser.parse_args()
    corpus = wikitext()
    vocab = corpus.tokenizer.vocab
    held_out = {split: corpus.splits[split] for split in ("valid", "test")}
    result: dict = {
        "benchmark": "ngram",
        "tokens": {name: len(split) for name, split in corpus.splits.items()},
        "vocab_size": len(vocab),
        "uniform": {name: perplexity(uniform_log_probs(split, len(vocab))) for name, split in held_out.items()},
        "unigram": {name: perplexity(unigram_log_probs(vocab.counts)[split[:]]) for name, split in held_out.items()},
        "kneser_ney": [],
    }
    for order in options.orders:
        model, row = race(corpus, order, options.rounds)
        result["kneser_ney"].append(row)
    if options.run:
        result["mixed"] = mixed(corpus, model, options.run)
    lines = {
        f"order {one['order']}": {
            "test perplexity": one["perplexity"]["test"],
            "validation perplexity": one["perplexity"]["valid"],
            "training [s]": one["seconds"]["train"],
            "scoring the test text [s]": one["seconds"]["test"],
            "peak memory [MB]": one["megabytes"],
        }
        for one in result["kneser_ney"]
    }
    rows.record(options.rows, lines)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
