"""Seconds to prepare a text (vocabulary and ids), against gensim's vocabulary scan alone; prints one JSON object.

    python -m benchmarks.text.prepare_time text8like.gz

The plain and the gzipped file, alternated with gensim's `build_vocab` of the plain one as a corpus file (its fastest
way), medians over rounds; both sides use all cores they can.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gensim.models import Word2Vec

import seqlab

from .. import rows

LINE = 1000
"""Words a line of gensim's corpus file."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a gzipped text of words")
    parser.add_argument("--rounds", type=int, default=5)
    rows.add_option(parser)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = gzip.decompress(asked.source.read_bytes()).decode().split()
        (folder / "plain.txt").write_text(" ".join(words))
        (folder / "lines.txt").write_text("\n".join(" ".join(words[i : i + LINE]) for i in range(0, len(words), LINE)))

        def ours(source: Path, number: int) -> None:
            seqlab.prepare(source, folder / f"{source.suffix}{number}", tokenizer="word", quiet=True)

        contestants = {
            "plain": lambda number: ours(folder / "plain.txt", number),
            "gzipped": lambda number: ours(asked.source, number),
            "gensim": lambda _: Word2Vec(workers=2).build_vocab(corpus_file=str(folder / "lines.txt")),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(asked.rounds):
            for contestant, work in contestants.items():
                started = time.perf_counter()
                work(number)
                seconds[contestant].append(time.perf_counter() - started)
                print(contestant, round(seconds[contestant][-1], 2), file=sys.stderr, flush=True)
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
    rows.record(asked.rows, {name: {"time [s]": value} for name, value in medians.items()}, "gensim")
    print(json.dumps({"benchmark": "prepare", "words": len(words), "seconds": medians, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
