"""What a start from the starter is worth on short texts, at equal steps' time.

    python -m benchmarks.models.starter [--minutes 0.5] [--seeds 1 2]

Headings of WikiText-2 (2,000 of them, one a line) and beginnings of tiny Shakespeare: nats per character of network
and counts together with the default settings, with more dropout alone, and with `init="starter"`, the counts beside
them. The time in which the starter itself is trained, once for a machine, is not in it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import seqlab

from .. import rows

CONTESTANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "dropout 0.3": {"dropout": 0.3},
    "starter": {"init": "starter"},
}


def headings(count: int) -> str:
    """Distinct headings of more than one word, drawn at random, punctuation joined to words as in print."""
    lines = rows.data("wikitext-2", "train.txt").read_text("utf-8").split("\n")
    found = {re.sub(r"^(= )+|( =)+$", "", line.strip()) for line in lines if re.match(r"^ (= )+.*( =)+ ?$", line)}
    chosen = sorted(one for one in found if "<unk>" not in one and "@" not in one and " " in one)
    random.Random(0).shuffle(chosen)
    joined = (re.sub(r"([($]) ", r"\1", re.sub(r" ([),.;:!?'’%])", r"\1", one)) for one in chosen[:count])
    return "\n".join(joined) + "\n"


def texts() -> dict[str, str]:
    play = rows.data("tinyshakespeare", "input.txt").read_text("utf-8")
    return {"2,000 headings": headings(2000), "verse, 60 kB": play[:60_000], "verse, 180 kB": play[:180_000]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    rows.add_option(parser)
    asked = parser.parse_args()
    found: dict[str, dict[str, float | None]] = {}
    with TemporaryDirectory() as folder:
        for name, text in texts().items():
            path = Path(folder) / "text.txt"
            path.write_text(text, "utf-8")
            for contestant, options in CONTESTANTS.items():
                together, counts = [], []
                for seed in asked.seeds:
                    lm = seqlab.train_language_model(
                        path, tokenizer="char", minutes=asked.minutes, seed=seed, quiet=True, **options
                    )
                    together.append(lm.summary["valid"]["nats_per_token"])
                    counts.append(lm.summary["valid"]["counts"]["nats_per_token"])
                nats, alone = fmean(together), fmean(counts)
                share = 100 * (math.exp(nats - alone) - 1)
                found[f"{name}: {contestant}"] = {"loss [nats]": nats, "perplexity against counts [%]": share}
                print(name, contestant, found[f"{name}: {contestant}"], file=sys.stderr, flush=True)
    rows.record(asked.rows, found, note=f"{asked.minutes:g} minutes; mean of {len(asked.seeds)} seeds")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
