"""Where the time of a training goes, from its command to its last line; one JSON object on stdout.

    python -m benchmarks.models.elapsed TEXT SECONDS ...  TEXT: shakespeare or wikitext-2, prepared before

Seconds of the training clock by part (steps, validation, lines of metrics, saving), and of what is before it and after
it (counting, compiling and timing threads; the report). Wall time: nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import seqlab
from seqlab.training import train as train_module
from seqlab.training.loop import Trainer

from .. import rows
from .together import corpus_of

PARTS = {
    "steps": (Trainer, "train_step"),
    "validation": (Trainer, "validate_if_due"),
    "metrics": (Trainer, "write_line"),
    "saving": (Trainer, "save"),
    "counting": (train_module, "counts_of"),
    "compiling and timing threads": (Trainer, "warm_up"),
    "report": (train_module, "report"),
}
"""What is timed, and the function that does it."""
WITHIN = ("steps", "validation", "metrics", "saving")
"""Parts of the training clock."""


def timed(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[part] += time.perf_counter() - began

    return run


def measure(name: str, seconds: float) -> dict[str, float]:
    """One training of so many seconds."""
    corpus, spent = corpus_of(name), dict.fromkeys(PARTS, 0.0)
    with ExitStack() as stack:
        for part, (owner, attribute) in PARTS.items():
            stack.enter_context(patch.object(owner, attribute, timed(getattr(owner, attribute), spent, part)))
        began = time.perf_counter()
        lm = seqlab.train_language_model(corpus, minutes=seconds / 60, quiet=True)
        whole = time.perf_counter() - began
    clock = lm.summary["seconds"]
    shares = {f"{part} [%]": round(100 * spent[part] / clock, 1) for part in WITHIN}
    outside = {f"{part} [s]": round(spent[part], 2) for part in PARTS if part not in WITHIN}
    return {**shares, "training [s]": clock, **outside, "whole command [s]": round(whole, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("of", choices=["shakespeare", "wikitext-2"])
    parser.add_argument("seconds", type=float, nargs="+")
    rows.add_option(parser)
    options = parser.parse_args()
    found = {f"{seconds:g} s": measure(options.of, seconds) for seconds in options.seconds}
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
