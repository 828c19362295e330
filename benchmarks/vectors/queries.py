"""Time of questions to word vectors, seqlab and gensim alternated in one run on the same vectors; prints JSON.

    python -m benchmarks.vectors.queries  68,000 random vectors of 100 dimensions
    python -m benchmarks.vectors.queries vectors.bin --questions questions-words.txt

Both have the same number of BLAS threads: set OMP_NUM_THREADS. Medians over rounds, in milliseconds; every time has
seqlab first and gensim second. A question asked many times is timed as a whole and divided. What both keep after a
first question, such as lengths, is made before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import KeyedVectors

from seqlab.embeddings import WordVectors, evaluate_analogies, load_vectors

from .. import rows

Contestant = Callable[[], Any]
PAUSE = 0.1
"""Seconds before each: BLAS threads spin for a while after their work and would be in the way of the other."""


def random_vectors(words: int, dim: int) -> WordVectors:
    """Normal vectors whose lengths vary as those of trained ones do, and the counts of Zipf's law."""
    random = np.random.default_rng(1)
    lengths = random.gamma(6.0, 0.5, size=(words, 1))
    counts = words // np.arange(1, words + 1)
    return WordVectors([f"w{i}" for i in range(words)], random.normal(size=(words, dim)) * lengths, counts)


def races(
    vectors: WordVectors, folder: Path, asked: argparse.Namespace
) -> dict[str, tuple[int, Contestant, Contestant]]:
    """Name -> how often the question is asked at once, seqlab, gensim."""
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    keyed.save(str(folder / "gensim"), separately=["vectors"])
    vectors.save(folder / "seqlab")
    chosen = np.random.default_rng(2).choice(min(len(vectors), 20_000), asked.queries, replace=False)
    words = [vectors.words[row] for row in chosen]
    triples = list(zip(words, words[1:], words[2:], strict=False))[:50]
    found: dict[str, tuple[int, Contestant, Contestant]] = {
        "one neighbors query": (
            50,
            lambda: [vectors.neighbors(word) for word in words[:50]],
            lambda: [keyed.most_similar(word) for word in words[:50]],
        ),
        "one analogy query": (
            len(triples),
            lambda: [vectors.analogy(*triple, k=10) for triple in triples],
            lambda: [keyed.most_similar([b, c], [a]) for a, b, c in triples],
        ),
        f"{asked.queries:,} neighbors queries": (
            1,
            lambda: vectors.neighbors_of_each(words),
            lambda: [keyed.most_similar(word) for word in words],
        ),
        "opening memory-mapped": (
            1,
            lambda: WordVectors.load(folder / "seqlab", mapped=True),
            lambda: KeyedVectors.load(str(folder / "gensim"), mmap="r"),
        ),
        "opening memory-mapped, and a first query": (
            1,
            lambda: WordVectors.load(folder / "seqlab", mapped=True).neighbors(words[0]),
            lambda: KeyedVectors.load(str(folder / "gensim"), mmap="r").most_similar(words[0]),
        ),
    }
    if asked.questions:
        found["evaluation of the questions"] = (
            1,
            lambda: evaluate_analogies(vectors, asked.questions),
            lambda: keyed.evaluate_word_analogies(str(asked.questions), restrict_vocab=30_000),
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, nargs="?", help="any file or folder seqlab reads")
    parser.add_argument("--words", type=int, default=68_000, help="of random vectors")
    parser.add_argument("--dim", type=int, default=100, help="of random vectors")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--only", default="", help="questions whose name holds this")
    rows.add_option(parser)
    asked = parser.parse_args()
    vectors = load_vectors(asked.vectors) if asked.vectors else random_vectors(asked.words, asked.dim)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, (times, *contestants) in races(vectors, Path(temporary), asked).items():
            if asked.only not in name:
                continue
            taken: list[list[float]] = [[], []]
            for number in range(asked.rounds + 1):
                for one, contestant in zip(taken, contestants, strict=True):
                    time.sleep(PAUSE)
                    started = time.perf_counter()
                    contestant()
                    if number:  # the first is for caches
                        one.append(1e3 * (time.perf_counter() - started) / times)
            ours, theirs = map(statistics.median, taken)
            spread = [round(float(np.ptp(one)) / statistics.median(one), 2) for one in taken]
            results[name] = {
                "seqlab_ms": round(ours, 3),
                "gensim_ms": round(theirs, 3),
                "times_sooner": round(theirs / ours, 2),
                "best_ms": [round(min(one), 3) for one in taken],
                "spread": spread,
            }
            print(f"{name}: {ours:.3f} ms, gensim {theirs:.3f} ms", file=sys.stderr)
    lines = {
        name: {
            "seqlab [ms]": one["seqlab_ms"],
            "gensim [ms]": one["gensim_ms"],
            "gensim over seqlab": one["times_sooner"],
        }
        for name, one in results.items()
    }
    rows.record(asked.rows, lines)
    machine = {"cores": os.cpu_count(), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    print(json.dumps({"words": len(vectors), "dim": vectors.dim, "times": results, "machine": machine}, indent=1))


if __name__ == "__main__":
    main()
