"""The four texts of the study, each with a training, a validation and a test split, and how long to train on them.

Budgets are steps, so that neither a slow nor a busy machine changes a result: those that two quiet AVX2 cores (about
60 GFLOP/s each) take in the time that names them.
"""

from __future__ import annotations

import gzip
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import seqlab
from seqlab.text import TokenFile

from .. import rows

WORK = Path(tempfile.gettempdir()) / "seqlab-counts"
"""Slices of the shared texts, and what was measured; made once."""
TEXTS = ("wikitext-2", "shakespeare", "text8like", "names")
STEPS = {
    "wikitext-2": {"10s": 150, "1m": 900, "5m": 4500, "60m": 54_000},
    "shakespeare": {"10s": 40, "1m": 240, "5m": 1200, "60m": 14_400},
    "text8like": {"10s": 150, "1m": 900, "5m": 4500, "60m": 54_000},
    "names": {"10s": 100, "1m": 600, "5m": 3000, "60m": 36_000},
}
"""By text: time on two quiet AVX2 cores -> steps of the default preset."""
ORDERS = {"wikitext-2": (5,), "text8like": (5,), "shakespeare": (5, 6, 7, 8, 9), "names": (3, 4, 5, 6, 7)}
"""Orders of the counts, the best of which is chosen on validation text."""
STRETCH = 500
"""Tokens that are scored come in stretches of so many, spread over the whole text."""


def written(name: str, text: str) -> Path:
    """A text as a file of WORK."""
    WORK.mkdir(exist_ok=True)
    path = WORK / f"{name}.txt"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def corpus(name: str) -> Any:
    """A prepared text."""
    if name == "wikitext-2":
        wiki = rows.data("wikitext-2")
        parts, tokenizer = [wiki / f"{part}.txt" for part in ("train", "valid", "test")], "whitespace"
    elif name == "shakespeare":
        text, tokenizer = rows.data("tinyshakespeare", "input.txt").read_text("utf-8"), "char"
        parts = pieces(name, text, int(0.9 * len(text)), int(0.95 * len(text)))
    elif name == "text8like":
        with gzip.open(rows.data("text8like", "text8like.gz"), "rt", encoding="utf-8") as file:
            text, tokenizer = file.read(6_600_000), "bpe"
        parts = pieces(name, text, 6_000_000, 6_300_000)
    else:
        lines, tokenizer = rows.data("names", "names.txt").read_text("utf-8").splitlines(keepends=True), "char"
        random.Random(1).shuffle(lines)
        text = "".join(lines)
        parts = pieces(name, text, int(0.8 * len(text)), int(0.9 * len(text)))
    train, valid, test = parts
    return seqlab.prepare(train, valid=valid, test=test, tokenizer=tokenizer, quiet=True)


def pieces(name: str, text: str, train: int, valid: int) -> list[Path]:
    """The files of three consecutive parts of a text, which end at `train` and `valid`."""
    parts = {"train": text[:train], "valid": text[train:valid], "test": text[valid:]}
    return [written(f"{name}-{part}", one) for part, one in parts.items()]


def spread_places(tokens: TokenFile, count: int, most: float = 0.5) -> np.ndarray:
    """Places of `count` tokens in stretches of STRETCH spread evenly over a text; at most a share `most` of it."""
    every, count = len(tokens), min(count, int(most * len(tokens)))
    stretches = max(1, count // STRETCH)
    starts = np.arange(stretches) * every // stretches
    return (starts[:, None] + np.arange(count // stretches)).ravel()
