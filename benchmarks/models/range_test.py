"""The learning rate that a range test suggests, against the best of a fine grid at an equal small budget.

    python -m benchmarks.models.range_test grid TEXT ... --schedules cosine constant -o rates.jsonl
    python -m benchmarks.models.range_test ramps TEXT ... -o rates.jsonl
    python -m benchmarks.models.range_test report -o rates.jsonl --rows tune/range-test

Texts: 500,000 characters of tiny Shakespeare; 2 MB of WikiText-2, 8,000 types; python-docs in 2,000 word pieces; a list
of names; and German, the messages of an editor's catalogue, which --german names. Each is trained by the preset that
seqlab chooses for it, network alone, on one thread, for a number of steps with each rate of a grid of factor 1.5; what
counts is the exact validation loss at the end. The rules of other programs read the same curves, as they publish them:
fastai's valley and minimum, Lightning's steepest point against the rate itself. A file keeps the results, so an
interrupted run continues.
"""

from __future__ import annotations

import argparse
import gettext
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seqlab
from seqlab.base.devices import torch_globals_restored
from seqlab.studies.tune.range_test import range_test, share_of
from seqlab.training import LanguageModelTrainer
from seqlab.training.planning import start

from .. import rows
from ..studies import WORK

TEXTS = ("shakespeare", "wiki", "names", "german", "pydocs")
GRID = [1e-3 * 1.5**power for power in range(13)]
FACTOR = {"sgd": 300.0, "momentum": 30.0, "adagrad": 10.0}
"""How many times the grid's rates an optimiser is given."""
SEEDS = (1, 2, 3)


def corpus(name: str, german: Path) -> Any:
    """One of TEXTS, prepared."""
    if name == "shakespeare":
        text = rows.data("tinyshakespeare", "input.txt").read_text("utf-8")[:500_000]
        return seqlab.prepare(written(name, text), tokenizer="char", quiet=True)
    if name == "wiki":
        text = rows.data("wikitext-2", "train.txt").read_text("utf-8")[:2_000_000]
        return seqlab.prepare(written(name, text), tokenizer="whitespace", vocab_size=8000, quiet=True)
    if name == "pydocs":
        return seqlab.prepare("python-docs", tokenizer="bpe", vocab_size=2000, quiet=True)
    if name == "names":
        return seqlab.prepare(rows.data("names", "names.txt"), quiet=True)
    with open(german, "rb") as handle:
        catalogue: Any = gettext.GNUTranslations(handle)
    messages = [one for one in catalogue._catalog.values() if isinstance(one, str) and len(one) > 3]
    return seqlab.prepare(written(name, "\n".join(messages)), tokenizer="char", quiet=True)


def written(name: str, text: str) -> Path:
    """A file with this text."""
    WORK.mkdir(exist_ok=True)
    path = WORK / f"rates-{name}.txt"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def trainer_of(text: Any, **training: Any) -> LanguageModelTrainer:
    """A training of the network alone on one thread."""
    fixed = {"threads": 1, "evaluations": 1, "device": "cpu"}
    given = {"training": {**fixed, **training}, "model": {"counts": False}}
    run, model, prepared = start(text, None, quiet=True, given=given)
    return LanguageModelTrainer(run, model, prepared, quiet=True)


def grid_point(text: Any, **training: Any) -> float:
    """Exact validation loss at the end of a training, infinite where it diverged."""
    with torch_globals_restored():
        try:
            return trainer_of(text, **training).fit().best
        except seqlab.SeqlabError:
            return math.inf


def ramp_of(text: Any, **training: Any) -> dict[str, Any]:
    """What a range test and the rules of other programs read from one curve."""
    with torch_globals_restored():
        found = range_test(trainer_of(text, **training))
    rules = others(np.array(found.rates), np.array(found.losses))
    return {"edge": found.edge, "lowest": found.lowest, "rules": {"fastai valley": found.valley, **rules}}


def others(rates_N: np.ndarray, losses_N: np.ndarray) -> dict[str, float]:
    """The published rules of fastai 2.8 and Lightning 2.6; both smooth with a memory of 0.98."""
    mean, smooth = 0.0, []
    for number, loss in enumerate(losses_N, 1):
        mean = 0.98 * mean + 0.02 * loss
        smooth.append(mean / (1.0 - 0.98**number))
    smooth_N = np.array(smooth)
    middle = slice(10, -1)
    linear = np.gradient(smooth_N[middle], rates_N[middle])
    logarithmic = np.gradient(smooth_N[middle], np.log(rates_N[middle]))
    return {
        "fastai minimum / 10": float(rates_N[smooth_N.argmin()] / 10),
        "fastai steep": float(rates_N[middle][logarithmic.argmin()]),
        "Lightning": float(rates_N[middle][linear.argmin()]),
    }


def report(lines: list[dict[str, Any]], table: str | None, where: str) -> None:
    """Rows of the suggestion against the grid, and of the best share of every schedule."""
    grids: dict[tuple[Any, ...], dict[float, float]] = defaultdict(dict)
    ramps: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if "loss" in line:
            grids[line["text"], line["opt"], line["steps"], line["schedule"]][line["lr"]] = line["loss"]
        else:
            ramps[line["text"], line["opt"]].append(line)
    found: dict[str, dict[str, float | None]] = {}
    for (text, opt, steps, schedule), by_rate in grids.items():
        if (text, opt) not in ramps:
            continue
        best = min(by_rate, key=lambda rate: by_rate[rate])
        edges = [one["edge"] for one in ramps[text, opt]]
        suggestion = share_of(opt, schedule, steps) * edges[0]
        name = f"{text}, {opt}, {schedule}, {steps} steps"
        near = min(by_rate, key=lambda rate: abs(math.log(rate / suggestion)))
        rules = ramps[text, opt][0]["rules"]
        found[name] = {
            "suggested over the grid's best": suggestion / best,
            "grid's best rate": best,
            "loss at the grid's best [nats per token]": by_rate[best],
            "loss at the grid's rate nearest to the suggestion [nats per token]": by_rate[near],
            "grid's best over the edge": best / float(np.median(edges)),
            "highest over lowest edge, three seeds": max(edges) / min(edges),
            **{f"{rule} over the grid's best": rate / best for rule, rate in rules.items()},
        }
    for name, figures in found.items():
        print(name, {key: round(value, 4) for key, value in figures.items() if value is not None})
    rows.record(table, found, where=where, argv="python -m benchmarks.models.range_test report")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["grid", "ramps", "report"])
    parser.add_argument("texts", nargs="*", default=list(TEXTS), help=", ".join(TEXTS))
    parser.add_argument("--schedules", nargs="+", default=["cosine"])
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="of the grid")
    parser.add_argument("--german", type=Path, default=Path("de.mo"), help="a catalogue of German messages (.mo)")
    parser.add_argument("-o", "--out", type=Path, default=Path("rates.jsonl"))
    parser.add_argument("--where", default="", help="a note on the machine")
    rows.add_option(parser)
    asked = parser.parse_args()
    if unknown := set(asked.texts) - set(TEXTS):
        parser.error(f"no such texts: {', '.join(sorted(unknown))}")
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    if asked.what == "report":
        report(lines, asked.rows, asked.where)
        return
    torch.set_num_threads(1)
    done = {json.dumps({key: line.get(key) for key in KEYS}) for line in lines}
    opt = asked.optimizer
    for text in asked.texts:
        if asked.what == "grid":
            rates = [rate * FACTOR.get(opt, 1.0) for rate in GRID[asked.first :]]
            wanted = [{"schedule": one, "lr": rate, "steps": asked.steps} for one in asked.schedules for rate in rates]
        else:
            wanted = [{"seed": seed} for seed in SEEDS]
        for one in wanted:
            line = {"text": text, "opt": opt, **one}
            if json.dumps({key: line.get(key) for key in KEYS}) in done:
                continue
            prepared, training = corpus(text, asked.german), {"optimizer": opt, "steps": asked.steps, **one}
            measured = {"loss": grid_point(prepared, **training)} if "lr" in one else ramp_of(prepared, **training)
            print(json.dumps({**line, **measured}), flush=True)
            with open(asked.out, "a") as handle:
                handle.write(json.dumps({**line, **measured}) + "\n")


KEYS = ("text", "opt", "schedule", "lr", "steps", "seed")
"""What a line of the file is told by."""


if __name__ == "__main__":
    main()
