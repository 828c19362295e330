"""Which size and which dropout for how many passes over a text: the table that `data/presets.toml` chooses by.

    python -m benchmarks.models.passes chars words -o passes.jsonl
    python -m benchmarks.models.passes windows -o passes.jsonl  one pass of 1x128 with other streams, windows and rates
    python -m benchmarks.models.passes rows -o passes.jsonl  adds them to benchmarks/rows/lm.jsonl

Each cell trains for a number of passes, so that neither a slow nor a busy machine changes the result: exact loss on the
validation text at the end, one thread, one seed. Texts: 260,000 characters of tiny Shakespeare, 170,000 words of
WikiText-2 (8,000 types). Results are kept in a file, so an interrupted study continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import seqlab

from .. import rows
from ..studies import corpus

PLAIN = ("1x128", 0.0, 1.0)
PASSES = (0.3, 1.0, 3.0, 10.0)
DROPOUTS = (0.0, 0.2, 0.4)
BASE: dict[str, dict[str, Any]] = {
    "chars": {"tie": False, "softmax": "full", "batch_size": 32, "bptt": 64},
    "words": {"tie": True, "softmax": "sampled", "samples": 512, "batch_size": 32, "bptt": 35},
}
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "chars": {
        "1x128": {"embed_dim": 64, "hidden_dim": 128, "layers": 1},
        "2x256": {"embed_dim": 128, "hidden_dim": 256, "layers": 2},
    },
    "words": {
        "1x128": {"embed_dim": 128, "hidden_dim": 128, "layers": 1},
        "2x200": {"embed_dim": 200, "hidden_dim": 200, "layers": 2},
    },
}
WINDOWS: dict[str, list[dict[str, Any]]] = {
    "chars": [
        {"batch_size": 16},
        {"batch_size": 16, "bptt": 32},
        {"batch_size": 32, "bptt": 32},
        {"batch_size": 16, "bptt": 32, "lr": 8e-3},
    ],
    "words": [{"batch_size": 16}, {"batch_size": 16, "bptt": 20}, {"batch_size": 16, "bptt": 20, "lr": 8e-3}],
}


def trained(text: str, size: str, dropout: float, passes: float, **other: Any) -> dict[str, Any]:
    """One cell of the table."""
    more = {"threads": 1, "evaluations": 5, "seed": 1, "lr": 4e-3, "dropout": dropout, "epochs": passes, "quiet": True}
    model = seqlab.train_language_model(corpus(text), **{**BASE[text], **SIZES[text][size], **more, **other})
    line = {"text": text, "size": size, "dropout": dropout, "passes": passes}
    seconds = model.summary["seconds"]
    return {**line, "nats": model.summary["valid"]["nats_per_token"], "seconds": seconds}


def table(lines: list[dict[str, Any]], where: str) -> None:
    """The rows of every text: a line for each size and dropout."""
    for text in BASE:
        found: dict[str, dict[str, float]] = {}
        others = {}
        for line in lines:
            other = {**{"batch_size": 32, "bptt": BASE[text]["bptt"], "lr": 4e-3}, **line.get("other", {})}
            if line["text"] != text:
                continue
            if line.get("other") or (line["size"], line["dropout"], line["passes"]) == PLAIN:
                name = f"{other['batch_size']} streams of {other['bptt']}, rate {other['lr']:g}"
                others[name] = {"1 pass [nats]": line["nats"]}
            if not line.get("other"):
                name = f"{line['size']}, dropout {line['dropout']:g}"
                found.setdefault(name, {})[f"{line['passes']:g} passes [nats]"] = line["nats"]
        command = f"python -m benchmarks.models.passes {text}"
        if found:
            rows.record(f"lm/passes-{text}", found, note="one seed", where=where, argv=command)
        if others:
            rows.record(f"lm/windows-{text}", others, note="1x128, one seed", where=where, argv=f"{command} windows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", choices=[*BASE, "windows", "rows"])
    parser.add_argument("-o", "--out", type=Path, default=Path("passes.jsonl"))
    parser.add_argument("--where", default="", help="a note on the machine")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    if asked.texts == ["rows"]:
        table(lines, asked.where)
        return
    if "windows" in asked.texts:
        for text in BASE:
            for other in WINDOWS[text]:
                line = {**trained(text, "1x128", 0.0, 1.0, **other), "other": other}
                with open(asked.out, "a") as handle:
                    handle.write(json.dumps(line) + "\n")
        return
    done = {(line["text"], line["size"], line["dropout"], line["passes"]) for line in lines}
    cells = [
        (text, size, dropout, passes)
        for passes in PASSES
        for text in asked.texts
        for size in SIZES[text]
        for dropout in DROPOUTS
        if passes < PASSES[-1] or size.startswith("1x")
    ]
    for cell in cells:
        if cell not in done:
            line = trained(*cell)
            print(json.dumps(line), flush=True)
            with open(asked.out, "a") as handle:
                handle.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
