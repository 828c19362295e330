"""Compressed word vectors: size, neighbours and analogies that are left, and the time of a query.

    python -m benchmarks.vectors.compressing VECTORS [--methods pq ...] [--rows compression/vectors]

A query is `neighbors` of one word, k = 10, processor time on one thread, methods in turn, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from seqlab import load_vectors
from seqlab.compression.vectors.compress import compress_vectors
from seqlab.embeddings.evaluation.evaluate import evaluate_analogies
from seqlab.embeddings.packed import matrix as packing

from .. import rows

METHODS = ("int8", "int4", "pq=2", "pq", "2bit", "1bit", "dim=50", "dim=50,int8", "words=30000,int8")
ROUNDS, QUERIES = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    rows.add_option(parser)
    arguments = parser.parse_args()
    os.environ["SEQLAB_QUIET"] = "1"
    packing.PATIENCE = -1  # compiled from the first query, as in a program that asks many
    questions = rows.data("questions", "questions-words.txt")
    similarity = rows.data("similarity", "EN-WS-353-ALL.txt")
    original = load_vectors(arguments.vectors)
    opened, lines = {"float32": original}, {}
    accuracy = evaluate_analogies(original, questions)["accuracy"]
    whole = original.stored.nbytes
    lines["float32"] = {
        "recall@10": 1.0,
        "matrix [MB]": whole / 1e6,
        "smaller [x]": 1.0,
        "analogies [%]": accuracy,
        "WordSim-353 [x 100]": None,
    }
    with tempfile.TemporaryDirectory() as folder:
        for method in arguments.methods:
            out = Path(folder) / method
            done = compress_vectors(original, out, method, questions=[questions], similarity=[similarity], quiet=True)
            by_kind = {one.kind: one for one in done.scores}
            scored = next(one for one in done.scores if one.name == str(questions))
            lines["float32"]["WordSim-353 [x 100]"] = by_kind["similarity"].before
            lines[method] = {
                "recall@10": done.recall_at_10,
                "matrix [MB]": done.matrix_bytes / 1e6,
                "smaller [x]": whole / done.matrix_bytes,
                "analogies [%]": scored.after,
                "WordSim-353 [x 100]": by_kind["similarity"].after,
            }
            opened[method] = load_vectors(out)
            print(method, json.dumps(lines[method]), flush=True)
        words = original.words[100 : 100 + QUERIES]
        seconds: dict[str, list[float]] = {name: [] for name in opened}
        for number in range(ROUNDS + 1):
            for name, vectors in opened.items():
                began = time.process_time()
                for word in words:
                    vectors.neighbors(word)
                if number:
                    seconds[name].append((time.process_time() - began) / QUERIES)
    for name, found in seconds.items():
        lines[name]["query [ms]"] = 1000 * median(found)
    print(json.dumps(lines, indent=1))
    note = f"{len(original):,} words, {original.dim} dimensions"
    rows.record(arguments.rows, lines, "float32", note, where="one thread, busy")


if __name__ == "__main__":
    main()
