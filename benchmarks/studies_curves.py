"""What the diagnosis of training curves is worth: trainings with the defaults on many texts, in which nothing should be
wrong, and trainings with one fault each, which should be named.

    OMP_NUM_THREADS=1 python -m benchmarks.studies_curves --rows curves/diagnosis
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from pathlib import Path
from typing import Any

import seqlab

from .rows import add_option, data, record

SECONDS = 25
"""Of a training with the defaults."""


def texts(folder: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Name -> text and settings of a healthy training."""
    articles, wiki = folder / "articles.txt", folder / "wiki.txt"
    with gzip.open(data("text8like", "text8like.gz"), "rt", encoding="utf-8") as handle:
        articles.write_text(handle.read(2_000_000), "utf-8")
    wiki.write_text(data("wikitext-2", "train.txt").read_text("utf-8")[:600_000], "utf-8")
    plays = data("tinyshakespeare", "input.txt")
    return {
        "plays": (plays, {}),
        "plays, gru without dropout": (plays, {"cell": "gru", "dropout": 0.0}),
        "plays, seed 2, no counts": (plays, {"seed": 2, "counts": "no"}),
        "plays, words": (plays, {"tokenizer": "word"}),
        "names": (data("names", "names.txt"), {}),
        "articles, words": (articles, {}),
        "articles, characters": (articles, {"tokenizer": "char"}),
        "wiki, words": (wiki, {"tokenizer": "whitespace"}),
        "wiki, pieces": (wiki, {"tokenizer": "bpe", "vocab_size": 2_000}),
        "wiki, sampled softmax": (wiki, {"tokenizer": "word", "softmax": "sampled", "samples": 256}),
        "documentation": ("python-docs", {}),
        "documentation, sgd": ("python-docs", {"tokenizer": "char", "optimizer": "sgd", "lr": 5.0}),
    }


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rate x100": ("rate-too-high", {"steps": 300, "lr": 0.4}),
    "rate x25, constant": ("rate-too-high", {"steps": 300, "lr": 0.1, "schedule": "constant"}),
    "rate /200": ("rate-too-low", {"steps": 300, "lr": 2e-5}),
    "sgd at 100, no clipping": ("divergence", {"steps": 300, "lr": 100.0, "optimizer": "sgd", "clip": 0.0}),
    "dropout 0.95": ("underfitting", {"steps": 300, "dropout": 0.95}),
    "four layers of sigmoids": ("underfitting", {"steps": 200, "cell": "rnn-sigmoid", "layers": 4}),
    "3,000 characters, 130 passes": ("overfitting", {"steps": 400, "tokenizer": "char"}),
    "rectifiers at a high rate": ("dead-units", {"steps": 200, "cell": "rnn-relu", "lr": 0.05, "clip": 0.0}),
}
"""Fault -> the finding that names it, and settings on the plays."""


def main(rows: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, loud, healthy = Path(name), list[str](), 0
        for title, (text, settings) in texts(folder).items():
            lm = seqlab.train_language_model(text, quiet=True, minutes=SECONDS / 60, **settings)
            found = [(one.name, one.level) for one in lm.diagnosis]
            healthy += 1
            loud += [] if lm.diagnosis.sound else [f"{title}: {found}"]
            print(title, lm.diagnosis.sound, found, flush=True)
        named, missed = 0, list[str]()
        plays = data("tinyshakespeare", "input.txt")
        short = folder / "short.txt"
        short.write_text(plays.read_text("utf-8")[:3_000], "utf-8")
        for title, (expected, settings) in FAULTS.items():
            lm = seqlab.train_language_model(short if "characters" in title else plays, quiet=True, **settings)
            names = [one.name for one in lm.diagnosis]
            named += expected in names
            missed += [] if expected in names else [f"{title}: {names}"]
            print(title, names, flush=True)
    lines: dict[str, dict[str, float | None]] = {
        "healthy trainings": {"with a problem or a warning": len(loud), "trainings": healthy},
        "planted faults": {"named": named, "faults": len(FAULTS)},
    }
    told = "on a text and at settings like those on which the thresholds were set"
    note = {
        "healthy trainings": f"{SECONDS} s each with the defaults; {'; '.join(loud) or 'none had one'}",
        "planted faults": f"one training each, {told}; missed: {'; '.join(missed) or 'none'}",
    }
    record(rows, lines, note=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    main(parser.parse_args().rows)
