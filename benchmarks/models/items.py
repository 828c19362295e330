"""How the items of a list read by temperature: words that exist, items that are new, items that differ; prints JSON.

    python -m benchmarks.models.items NAME=RUN ... [--rows generation/items]

A word exists if WikiText-2 has it or the list itself. 300 items each, one seed.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import seqlab

from .. import rows

TEMPERATURES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
ITEMS = 300
WORD = re.compile(r"[^\W\d_]+")


def words_of(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    rows.add_option(parser)
    options = parser.parse_args()
    texts = [rows.data("wikitext-2", f"{part}.txt").read_text("utf-8") for part in ("train", "valid", "test")]
    english, found = set(words_of(" ".join(texts))), {}
    for name, _, path in (one.partition("=") for one in options.runs):
        lm = seqlab.load_language_model(Path(path))
        corpus = seqlab.Corpus.open(lm.run.record["corpus"]["path"])
        known = english | set(words_of(corpus.decode(0, len(corpus.train))))
        for temperature in TEMPERATURES:
            items = lm.items(ITEMS, temperature=temperature, seed=1)
            written = [words_of(item.text) for item in items]
            every = [word for words in written for word in words]
            existing = [item for item, words in zip(items, written, strict=True) if known.issuperset(words)]
            found[f"{name}, temperature {temperature:g}"] = {
                "items of existing words [%]": round(100 * len(existing) / len(items), 1),
                "existing words [%]": round(100 * sum(word in known for word in every) / len(every), 1),
                "new items [%]": round(100 * (1 - len(items.seen) / len(items)), 1),
                "texts drawn for an item": round(items.drawn / len(items), 3),
            }
            print(name, temperature, found[f"{name}, temperature {temperature:g}"], flush=True)
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
