"""Presets made for a GPU, on a processor, as published but for fewer steps and a smaller batch: that they learn.

    python -m benchmarks.models.presets -o curves/gpu-presets.png

Text: the first 400,000 tokens of the embedded corpus python-docs, words (at most 5,000 types) or characters. The figure
to get below is the perplexity of word frequencies alone. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import seqlab
from seqlab.text import Corpus
from seqlab.training import loop

from .. import rows

STEPS = {"awd-lstm-wt2": 250, "awd-lstm-ptb": 250, "mogrifier-wt2": 250, "char-ptb": 250}


def excerpt(folder: Path, kind: str) -> Corpus:
    """Of python-docs, by characters or words."""
    docs = seqlab.prepare("python-docs", quiet=True, tokenizer=kind, vocab_size=None if kind == "char" else 5_000)
    for part, count in {"train": 400_000, "valid": 4_000}.items():
        (folder / part).write_text(docs.tokenizer.decode(docs.splits[part][:count]), encoding="utf-8")
    return seqlab.prepare(folder / "train", valid=folder / "valid", tokenizer=kind, quiet=True)


def descent(preset: str, steps: int) -> dict[str, Any]:
    """Losses of training and perplexities of validation."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = excerpt(Path(folder), "char" if preset.startswith("char") else "word")
        shorter = {"steps": steps, "batch_size": 20, "bptt": 35, "evaluations": 1, "quiet": True}
        loop.LOG_LINES = steps
        model = seqlab.train_language_model(corpus, Path(folder) / "run", preset=preset, **shorter)
        lines = model.run.metrics()
    return {
        "losses": [round(line["loss"], 4) for line in lines],
        "seconds": model.summary["seconds"],
        "perplexity": round(model.summary["valid"]["perplexity"], 1),
        "unigram": round(model.summary["baselines"]["unigram"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("gpu-presets.png"))
    rows.add_option(parser)
    asked = parser.parse_args()
    found = {}
    for name, steps in STEPS.items():
        found[name] = descent(name, steps)
        print(name, {key: value for key, value in found[name].items() if key != "losses"}, file=sys.stderr, flush=True)
    figure, axes = plt.subplots(2, 2, figsize=(8, 5.5), layout="constrained")
    for axis, (name, run) in zip(axes.flat, found.items(), strict=True):
        width = 10
        smooth = np.convolve(run["losses"], np.full(width, 1 / width), "valid")
        axis.plot(run["losses"], color="lightsteelblue", lw=0.6)
        axis.plot(np.arange(len(smooth)) + width - 1, smooth, color="steelblue")
        axis.axhline(np.log(run["unigram"]), color="black", lw=0.8, ls="--")
        axis.set_title(f"{name}: {run['perplexity']:g}, frequencies {run['unigram']:g}", fontsize=9)
        axis.set(xlabel="step", ylabel="training loss, nats")
    figure.savefig(asked.out, dpi=110)
    lines = {
        name: {"perplexity": run["perplexity"], "frequencies alone": run["unigram"], "time [s]": run["seconds"]}
        for name, run in found.items()
    }
    rows.record(asked.rows, lines)
    print(json.dumps({"benchmark": "presets", "runs": found}))


if __name__ == "__main__":
    main()
