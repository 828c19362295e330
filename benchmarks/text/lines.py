"""What reading a list as lines brings: three ways to read the same lines, equal steps, exact scores of unseen lines.

    python -m benchmarks.text.lines names
    python -m benchmarks.text.lines headings --rows lines

Every way trains on the same ids, about 2,048 of them a step, on one thread; unseen lines are always scored each from
its own beginning, which is how items are generated.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import seqlab
from benchmarks import rows
from seqlab.text.ids.batches import StreamReader
from seqlab.training import loop

OPTIONS: Mapping[str, Any] = {
    "embed_dim": 64, "hidden_dim": 128, "layers": 1, "tie": False, "softmax": "full", "dropout": 0.1,
    "batch_size": 32, "bptt": 64, "lr": 4e-3, "evaluations": 4, "threads": 1,
}  # fmt: skip
WAYS = {
    "lines": "in another order every pass, end to end, state carried on",
    "in order": "in the order of the list, state carried on: what a text is read like",
    "cut windows": "in the order of the list with reset_state=documents: the state is zero at every line",
}


def text_of(name: str) -> Path:
    """First names, or the headings of WikiText-2: from characters and short, to words and longer."""
    if name == "names":
        return rows.data("names", "names.txt")
    lines = rows.data("wikitext-2", "train.txt").read_text("utf-8").splitlines()
    out = Path(tempfile.gettempdir()) / "seqlab-headings.txt"
    out.write_text(
        "\n".join(dict.fromkeys(line.strip(" =") for line in lines if line.startswith(" ="))) + "\n", "utf-8"
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", choices=("names", "headings"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    rows.add_option(parser)
    options = parser.parse_args()
    corpus = seqlab.prepare(text_of(options.text), lines="yes", tokenizer="char", quiet=True)
    original: Any = loop.LineReader
    results: dict[str, dict[str, float | None]] = {}
    for way in WAYS:
        measured = []
        for seed in options.seeds:
            loop.LineReader = original if way == "lines" else StreamReader
            state = "documents" if way == "cut windows" else "never"
            began = time.process_time()
            lm = seqlab.train_language_model(
                corpus, **OPTIONS, steps=options.steps, seed=seed, reset_state=state, quiet=True
            )
            measured.append((lm.summary["valid"]["nats_per_token"], time.process_time() - began, lm.summary["tokens"]))
        nats, seconds, tokens = np.mean(measured, axis=0)
        results[f"{options.text}: {way}"] = {
            "unseen lines [nats per character]": float(nats),
            "CPU time [s]": float(seconds),
            "tokens": float(tokens),
        }
        print(f"{way:16} {nats:.4f} nats, {seconds:.1f} s of CPU time, {tokens:,.0f} tokens", flush=True)
    loop.LineReader = original
    notes = {f"{options.text}: {way}": about for way, about in WAYS.items()}
    rows.record(options.rows, results, f"{options.text}: lines", notes, where="one thread, shared with other work")


if __name__ == "__main__":
    main()
