"""Equal time against faster-rnnlm with its direct features, one core each; one JSON object on stdout.

    python -m benchmarks.models.faster_rnnlm PROGRAM --seconds 10 60 300 600 [--nce 20] [--only theirs]

PROGRAM is its `rnnlm`, built on this machine from its source. WikiText-2 without empty lines, which it cannot read; one
thread for each, one after the other. Its time is the processor time of its training alone; ours is the training's
budget, counting and compiling beside it stated. Its model is saved when a part of the text is done, and the last one
within the budget is scored on the test text.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import seqlab

from .. import rows

SIZES = "--hidden 200 --hidden-type gru --direct 50 --direct-order 4 --threads 1 --seed 1"
PASS = 100
"""Budgets below so many seconds have it look at validation text after every eighth of the text, longer ones after every
pass; its rate falls by its own rule then, without which it is worse."""
RULES = {True: "--epoch-per-file 8 --retry 8", False: "--epoch-per-file 1 --retry 4"}
SHORT_VALID = 1_000
"""Lines of validation text for noise contrastive estimation, whose exact scores cost a product over all words."""


def texts(folder: Path) -> dict[str, Path]:
    """WikiText-2 without its empty lines."""
    found = {}
    for split in ("train", "valid", "test"):
        lines = rows.data("wikitext-2", f"{split}.txt").read_text("utf-8").split("\n")
        found[split] = folder / f"{split}.txt"
        found[split].write_text("\n".join(" ".join(line.split()) for line in lines if line.strip()) + "\n", "utf-8")
    found["short"] = folder / "short.txt"
    found["short"].write_text("".join(found["valid"].read_text("utf-8").splitlines(True)[:SHORT_VALID]), "utf-8")
    return found


def processor_time(process: int) -> float:
    """Seconds of processor time that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def saved(
    program: Path, data: dict[str, Path], folder: Path, nce: int, more: list[str], most: float
) -> Iterator[float]:
    """Train; after each part the seconds of training so far, with the model of then on disk, `folder`/model*."""
    valid = data["short" if nce else "valid"]
    files = ["--rnnlm", str(folder / "model"), "--train", str(data["train"]), "--valid", str(valid)]
    noise = ["--nce", str(nce)] if nce else []
    command = [str(program), *files, *noise, *SIZES.split(), *RULES[most < PASS].split(), *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=folder)
    assert process.stderr is not None
    spent, now, text, ended = 0.0, 0.0, "", False
    try:
        while chunk := os.read(process.stderr.fileno(), 4096):
            text += chunk.decode("utf-8", "replace")
            if found := re.search(r"elapsed: ([\d.]+)s\+([\d.]+)s[^\n]*\n", text):
                training, validating, before, now = float(found[1]), float(found[2]), now, processor_time(process.pid)
                spent += (now - before) * training / (training + validating)
                text, ended = text[found.end() :], True
            elif "Initial entropy" in text and not now:
                now = processor_time(process.pid)
            if ended and "lr:" in text:  # the next part has begun, so the model is on disk
                ended = False
                yield spent
                if spent > most:
                    return
        yield spent
    finally:
        process.kill()
        process.wait()


def perplexity(program: Path, model: Path, test: Path, accurate: bool) -> float:
    """Of the test text, by its own words: bits a word, the ends of lines included."""
    more = ["--nce-accurate-test", "1"] if accurate else []
    command = [str(program), "--rnnlm", str(model), "--test", str(test), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(2 ** float(re.findall(r"Test entropy ([\d.]+)", done.stderr)[-1]))


def theirs(
    program: Path, data: dict[str, Path], seconds: list[float], nce: int, extra: list[str]
) -> dict[str, dict[str, float]]:
    """By budget: perplexity of the last model that was trained within it."""
    short, long = [one for one in seconds if one < PASS], [one for one in seconds if one >= PASS]
    if short and long:
        return theirs(program, data, short, nce, extra) | theirs(program, data, long, nce, extra)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept: list[tuple[float, Path]] = []
        for spent in saved(program, data, folder, nce, extra, max(seconds)):
            copy = folder / f"kept-{len(kept)}"
            for file in folder.glob("model*"):
                shutil.copy(file, copy.with_name(file.name.replace("model", copy.name, 1)))
            kept.append((spent, copy))
        for budget in seconds:
            within = [one for one in kept if one[0] <= budget] or kept[:1]
            spent, model = within[-1]
            score = perplexity(program, model, data["test"], bool(nce))
            label = f"faster-rnnlm, {f'NCE {nce}' if nce else 'hierarchical softmax'}, {budget:g} s"
            found[label] = {"perplexity": round(score, 2), "training [s]": round(spent, 1)}
            print(label, found[label], flush=True)
    return found


def ours(data: dict[str, Path], seconds: list[float]) -> dict[str, dict[str, float]]:
    """By budget: perplexity of network and counts."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        held_out = {split: data[split] for split in ("valid", "test")}
        corpus = seqlab.prepare(data["train"], Path(name) / "corpus", tokenizer="whitespace", quiet=True, **held_out)
        for budget in seconds:
            began = time.perf_counter()
            lm = seqlab.train_language_model(corpus, minutes=budget / 60, threads=1, quiet=True)
            whole = time.perf_counter() - began
            score = lm.evaluate().to_json()
            found[f"seqlab, {budget:g} s"] = {
                "perplexity": round(score["perplexity"], 2),
                "training [s]": round(lm.summary["seconds"], 1),
                "with counting, compiling and the report [s]": round(whole, 1),
                "counts": round(score["counts"]["perplexity"], 2),
                "network": round(score["network"]["perplexity"], 2),
            }
            print(f"seqlab, {budget:g} s", found[f"seqlab, {budget:g} s"], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 60.0, 300.0, 600.0])
    parser.add_argument("--nce", type=int, default=0, help="noise words; 0: hierarchical softmax")
    parser.add_argument("--only", choices=["ours", "theirs"])
    parser.add_argument("--extra", default="", help="more of its options, in quotes")
    rows.add_option(parser)
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        data = texts(Path(name))
        if options.only != "ours":
            found |= theirs(options.program.resolve(), data, options.seconds, options.nce, options.extra.split())
        if options.only != "theirs":
            found |= ours(data, options.seconds)
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
