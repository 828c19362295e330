"""Sizes, windows and rates of short trainings at equal time: what the presets of short trainings are chosen by.

    python -m benchmarks.models.equal_time --seconds 10 40

Tiny Shakespeare by characters, its last tenth for validation. The budget of each line is in steps: seconds times the
rate that one idle core had when this was measured (TOKENS_PER_SECOND, AVX-512 with bfloat16 products), so a busy
machine changes nothing; a machine without these instructions gives the small networks a larger lead. Exact loss on the
validation text at the end, one seed. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import seqlab

from .. import rows

SAME = {"tie": False, "softmax": "full", "dropout": 0.0, "evaluations": 1, "threads": 1, "seed": 1, "quiet": True}
SIZES = {
    "1x128": {"embed_dim": 64, "hidden_dim": 128, "layers": 1},
    "1x256": {"embed_dim": 64, "hidden_dim": 256, "layers": 1},
    "2x256": {"embed_dim": 128, "hidden_dim": 256, "layers": 2},
}
TOKENS_PER_SECOND = {
    ("1x128", 16, 32): 98_554,
    ("1x128", 16, 64): 129_251,
    ("1x256", 16, 32): 39_628,
    ("1x256", 16, 64): 49_622,
    ("2x256", 16, 64): 24_363,
    ("2x256", 32, 128): 29_724,
}
"""By size, streams and window."""
LINES = {
    10: [
        ("1x128", 16, 32, 0.004),
        ("1x128", 16, 32, 0.01),
        ("1x128", 16, 32, 0.02),
        ("1x256", 16, 32, 0.01),
        ("2x256", 16, 64, 0.01),
    ],
    40: [("1x128", 16, 32, 0.01), ("1x256", 16, 64, 0.008), ("2x256", 16, 64, 0.008), ("2x256", 16, 64, 0.004)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=list(LINES), choices=list(LINES))
    rows.add_option(parser)
    asked = parser.parse_args()
    corpus = seqlab.prepare(rows.data("tinyshakespeare", "input.txt"), tokenizer="char", quiet=True)
    found: dict[str, dict[str, Any]] = {}
    for seconds in asked.seconds:
        for size, streams, width, lr in LINES[seconds]:
            steps = int(seconds * TOKENS_PER_SECOND[size, streams, width] / (streams * width))
            options = {**SAME, **SIZES[size], "batch_size": streams, "bptt": width, "lr": lr, "steps": steps}
            model = seqlab.train_language_model(corpus, **options)
            line = {"loss [nats]": model.summary["valid"]["nats_per_token"], "updates": steps}
            line["passes"] = steps * streams * width / len(corpus.train)
            name = f"{seconds} s: {size}, {streams} streams of {width}, rate {lr:g}"
            found[name] = line
            print(name, line, file=sys.stderr, flush=True)
    rows.record(asked.rows, found, note="steps of one idle core's seconds; one seed")
    print(json.dumps({"benchmark": "equal time", "lines": found}))


if __name__ == "__main__":
    main()
