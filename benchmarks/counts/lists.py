"""What it brings to count the lines of a list each by itself, instead of as one text; unseen lines, scored exactly.

python -m benchmarks.counts.lists [--rows counts/lists]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import seqlab
from seqlab.models.counts.choice import count_text
from seqlab.text import Corpus

from .. import rows
from ..models.starter import headings


def corpora() -> dict[str, Corpus]:
    path = Path(tempfile.gettempdir()) / "seqlab-counted-headings.txt"
    path.write_text(headings(2000), "utf-8")
    sources = {"32,033 names": (rows.data("names", "names.txt"), "char"), "2,000 headings": (path, "char")}
    return {
        name: seqlab.prepare(source, tokenizer=tokenizer, lines="yes", quiet=True)
        for name, (source, tokenizer) in sources.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows.add_option(parser)
    options = parser.parse_args()
    found: dict[str, dict[str, float | None]] = {}
    for name, corpus in corpora().items():
        assert corpus.valid is not None
        for way in ("as one text", "each line by itself"):
            corpus.train.lines = way != "as one text"
            tokenizer = corpus.tokenizer
            counts = count_text(corpus.train, len(tokenizer.vocab), tokenizer.start_id, corpus.valid)
            found[f"{name}, counted {way}"] = {
                "loss [nats]": round(-float(counts.log_probs(corpus.valid).mean()), 4),
                "order": counts.order,
                "size [kB]": round(counts.nbytes / 1e3),
            }
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
