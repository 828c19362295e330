"""What every feature of training brings: small models, equal steps, several seeds, the difference beside its noise.

    python -m benchmarks.studies list
    python -m benchmarks.studies optimizers-char schedules-char -o results.jsonl
    python -m benchmarks.studies report -o results.jsonl  tables of what was measured
    python -m benchmarks.studies rows -o results.jsonl  adds them to benchmarks/rows/features.jsonl

Each study trains its variants on one small text for the same number of steps on one thread, so that neither a slow nor
a busy machine changes the result. A variant given as a list is tuned first: the best entry with seed 1 is trained again
with the seeds 2 and 3, and only these two count; variants without a list are then compared on the same two seeds.
Results are kept in a file, so an interrupted study continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import seqlab

from . import rows

Options = dict[str, Any]
SEEDS = (1, 2)
WORK = Path(tempfile.gettempdir()) / "seqlab-features"
"""Slices of the shared texts; made once."""


def slice_of(path: Path, name: str, tokens: int, *, skip: int = 0, documents: bool = False) -> Path:
    """A file with the first whole lines of a text that hold `tokens` words, or one JSON record an article."""
    out = WORK / f"{name}{'.jsonl' if documents else '.txt'}"
    if out.exists():
        return out
    WORK.mkdir(exist_ok=True)
    taken, count = [], 0
    for line in path.read_text("utf-8").splitlines(keepends=True):
        count += len(line.split()) + 1
        if count > skip + tokens:
            break
        if count > skip:
            taken.append(line)
    text = "".join(taken)
    if documents:
        articles = re.split(r"(?m)^(?= = [^=]+ = $)", text)
        text = "".join(json.dumps({"text": article}) + "\n" for article in articles if article.strip())
    out.write_text(text, encoding="utf-8", newline="\n")
    return out


@cache
def corpus(name: str) -> Any:
    """A prepared text: characters; words of WikiText-2; the same by articles; few words, to be read many times; or tiny
    Shakespeare with another tokenizer."""
    if name.startswith("text-"):
        return seqlab.prepare(shakespeare("train"), valid=shakespeare("valid"), tokenizer=name[5:], quiet=True)
    if name == "chars":
        return seqlab.prepare(shakespeare("train"), valid=shakespeare("valid"), tokenizer="char", quiet=True)
    wiki, documents = rows.data("wikitext-2"), name == "articles"
    tokens, types = {"words": (170_000, 8_000), "articles": (170_000, 8_000), "few": (16_000, 1_500)}[name]
    train = slice_of(wiki / "train.txt", f"wiki-{tokens}", tokens, documents=documents)
    valid = slice_of(wiki / "valid.txt", "wiki-valid", 12_000, documents=documents)
    return seqlab.prepare(train, valid=valid, tokenizer="whitespace", vocab_size=types, quiet=True)


def shakespeare(part: str) -> Path:
    """The first 260,000 characters, or 20,000 from near the end."""
    text = rows.data("tinyshakespeare", "input.txt").read_text("utf-8")
    out = WORK / f"shakespeare-{part}.txt"
    WORK.mkdir(exist_ok=True)
    out.write_text(text[:260_000] if part == "train" else text[1_000_000:1_020_000], encoding="utf-8", newline="\n")
    return out


@dataclass
class Study:
    """Variants of one base setting on one text; the first is what the others are compared with.

    unit: of `metric`. about: what the table says above itself.
    """

    about: str
    corpus: str
    base: Options
    variants: dict[str, Options | list[Options]]
    metric: str = "nats_per_token"
    corpora: dict[str, str] = field(default_factory=dict)


CHARS: Options = {
    "embed_dim": 64, "hidden_dim": 128, "layers": 1, "tie": False, "softmax": "full", "dropout": 0.0,
    "batch_size": 16, "bptt": 64, "steps": 240, "lr": 4e-3, "evaluations": 2, "threads": 1,
}  # fmt: skip
WORDS: Options = {
    "embed_dim": 128, "hidden_dim": 128, "layers": 1, "tie": True, "softmax": "sampled", "samples": 512, "dropout": 0.0,
    "batch_size": 20, "bptt": 35, "steps": 240, "lr": 4e-3, "evaluations": 2, "threads": 1,
}  # fmt: skip
FEW: Options = {
    **WORDS, "embed_dim": 96, "hidden_dim": 96, "layers": 2, "softmax": "full", "batch_size": 10, "steps": 320,
    "evaluations": 8,
}  # fmt: skip
"""Seven passes over 16,000 words: a model that learns its text by heart unless something keeps it from that."""


def grid(name: str, *values: Any, **more: Any) -> list[Options]:
    return [{name: value, **more} for value in values]


def optimizers(adaptive: float) -> dict[str, Options | list[Options]]:
    """Every optimiser at three rates, around `adaptive` for those that scale the gradient themselves."""
    around = [adaptive / 3, adaptive, 3 * adaptive]
    return {
        "adamw": grid("lr", *around, optimizer="adamw"),
        "adam": grid("lr", *around, optimizer="adam"),
        "rmsprop": grid("lr", *(rate / 2 for rate in around), optimizer="rmsprop"),
        "adagrad": grid("lr", *(rate * 4 for rate in around), optimizer="adagrad"),
        "sgd": grid("lr", 2.0, 8.0, 30.0, optimizer="sgd"),
        "momentum": grid("lr", 0.3, 1.0, 3.0, optimizer="momentum"),
        "nesterov": grid("lr", 0.3, 1.0, 3.0, optimizer="nesterov"),
    }


SCHEDULES: dict[str, Options | list[Options]] = {
    "constant": {"schedule": "constant"},
    **{name: {"schedule": name} for name in ("linear", "step", "exponential", "cosine", "one-cycle")},
    "plateau": {"schedule": "plateau", "evaluations": 10},
    "cosine, no warm-up": {"schedule": "cosine", "warmup": 0.0},
}
AVERAGES: dict[str, Options | list[Options]] = {
    "none": {"average": "none"},
    "ema": {"average": "ema", "average_decay": 0.98},
    "swa": {"average": "swa"},
    "asgd": {"average": "asgd"},
    "nt-asgd": {"average": "nt-asgd", "average_patience": 2, "evaluations": 15},
}
DROPOUTS: dict[str, Options | list[Options]] = {
    "none": {},
    "dropout (input, hidden, output)": grid("dropout", 0.2, 0.5),
    "the same, locked": grid("dropout", 0.2, 0.5, locked_dropout=True),
    "input_dropout alone": grid("input_dropout", 0.2, 0.5),
    "hidden_dropout alone": grid("hidden_dropout", 0.2, 0.5),
    "output_dropout alone": grid("output_dropout", 0.2, 0.5),
    "embedding_dropout": grid("embedding_dropout", 0.1, 0.4),
    "weight_drop": grid("weight_drop", 0.2, 0.5),
    "zoneout": grid("zoneout", 0.05, 0.2),
}
PENALTIES: dict[str, Options | list[Options]] = {
    "none": {},
    "l1": grid("l1", 2e-6, 1e-5),
    "l2": grid("l2", 3e-5, 3e-4),
    "l1 and l2": [{"l1": 2e-6, "l2": 3e-5}, {"l1": 1e-5, "l2": 1e-4}],
    "weight_decay": grid("weight_decay", 0.1, 1.0),
    "label_smoothing": grid("label_smoothing", 0.03, 0.1),
    "activation_penalty": grid("activation_penalty", 0.5, 4.0),
    "temporal_penalty": grid("temporal_penalty", 0.5, 4.0),
}
STUDIES = {
    "optimizers-char": Study("optimisers", "chars", CHARS, optimizers(6e-3)),
    "optimizers-word": Study("optimisers", "words", WORDS, optimizers(6e-3)),
    "schedules-char": Study("schedules", "chars", CHARS, SCHEDULES),
    "schedules-word": Study("schedules", "words", WORDS, SCHEDULES),
    "averages-constant": Study("averages", "chars", {**CHARS, "schedule": "constant", "lr": 8e-3}, AVERAGES),
    "averages-cosine": Study("averages", "chars", {**CHARS, "lr": 8e-3}, AVERAGES),
    "averages-sgd": Study(
        "averages, plain SGD",
        "chars",
        {**CHARS, "optimizer": "sgd", "schedule": "constant", "lr": 8.0, "evaluations": 15},
        {
            name: {**options, "evaluations": 15}
            for name, options in AVERAGES.items()
            if name in ("none", "asgd", "nt-asgd")
        },
    ),
    "dropouts": Study("kinds of dropout", "few", FEW, DROPOUTS),
    "penalties": Study("penalties", "few", FEW, PENALTIES),
    "penalties-dropout": Study(
        "penalties beside dropout",
        "few",
        {**FEW, "dropout": 0.4, "locked_dropout": True},
        {name: PENALTIES[name] for name in ("none", "l1", "l2", "weight_decay", "label_smoothing")},
    ),
    "patience": Study(
        "early stopping",
        "few",
        {**FEW, "steps": 640, "evaluations": 32, "schedule": "constant"},
        {"patience 0": {}, "patience 3": {"patience": 3}},
    ),
    "clipping": Study(
        "clipping, plain SGD and a rectified cell",
        "chars",
        {**CHARS, "optimizer": "sgd", "cell": "rnn-relu", "clip": 0.0},
        {
            "none": grid("lr", 0.1, 0.5),
            "clip": [{"lr": 0.5, "clip": 1.0}, {"lr": 3.0, "clip": 1.0}, {"lr": 3.0, "clip": 0.1}],
            "clip_value 0.01": grid("lr", 0.5, 3.0, clip_value=0.01),
            "clip_value 0.1": grid("lr", 0.5, 3.0, clip_value=0.1),
        },
    ),
    "residual": Study(
        "deep stacks",
        "chars",
        {**CHARS, "embed_dim": 96, "hidden_dim": 96, "layers": 6, "cell": "gru"},
        {"6 layers": {}, "6 layers, residual": {"residual": True}, "2 layers": {"layers": 2}},
    ),
    "reset-state": Study(
        "when the state is forgotten",
        "articles",
        {**WORDS, "bptt": 20, "steps": 420},
        {name: {"reset_state": name} for name in ("never", "documents", "windows")},
    ),
    "window": Study(
        "length of windows",
        "words",
        WORDS,
        {"35": {}, "random around 35": {"random_bptt": True}, "10": {"bptt": 10, "steps": 840}},
    ),
    "input": Study(
        "words by their characters",
        "words",
        {**WORDS, "tie": False},
        {"embedding": {}, "characters": {"input": "characters"}, "embedding, tied": {"tie": True}},
    ),
    "softmaxes": Study(
        "output layers",
        "words",
        WORDS,
        {
            "full": {"softmax": "full"},
            "sampled": {},
            "nce": {"softmax": "nce"},
            "adaptive": {"softmax": "adaptive"},
            "mixture": {"softmax": "mixture"},
        },
    ),
    "noise": Study(
        "noise words of the sampled softmax",
        "words",
        {**WORDS, "samples": 256},
        {
            "log-uniform": {},
            "unigram": {"noise": "unigram"},
        },
    ),
    "tokenizers": Study(
        "tokenizers, equal passes over the text",
        "chars",
        {key: value for key, value in CHARS.items() if key != "steps"} | {"epochs": 1},
        {name: {} for name in ("char", "byte", "bpe", "word", "whitespace")},
        "nats_per_char",
        {name: f"text-{name}" for name in ("char", "byte", "bpe", "word", "whitespace")},
    ),
}


def train(study: Study, variant: str, options: Options, seed: int) -> dict[str, Any]:
    """Train one model; its validation loss, and what it took."""
    text = corpus(study.corpora.get(variant, study.corpus))
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        model = seqlab.train_language_model(
            text, Path(folder) / "run", quiet=True, **{**study.base, **options, "seed": seed}
        )
        seconds = time.process_time() - started
        summary = model.summary
        return {
            "value": summary["valid"][study.metric],
            "unknown_rate": summary["valid"].get("unknown_rate"),
            "steps": summary["steps"],
            "tokens": summary["tokens"],
            "cpu_seconds": round(seconds, 2),
            "parameters": sum(parameter.numel() for parameter in model.model.parameters()),
        }


class Results:
    """Trainings done so far, in a file of JSON lines."""

    def __init__(self, path: Path):
        self.path, self.done = path, {}
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            entry = json.loads(line)
            self.done[self.key(entry["study"], entry["variant"], entry["options"], entry["seed"])] = entry

    @staticmethod
    def key(study: str, variant: str, options: Options, seed: int) -> str:
        return json.dumps([study, variant, options, seed], sort_keys=True)

    def of(self, name: str, variant: str, options: Options, seed: int) -> dict[str, Any]:
        """One training, from the file or now. A training that fails counts as infinitely bad."""
        key = self.key(name, variant, options, seed)
        if key not in self.done:
            entry = {"study": name, "variant": variant, "options": options, "seed": seed}
            try:
                entry |= train(STUDIES[name], variant, options, seed)
            except Exception as error:
                entry |= {"value": float("inf"), "failed": str(error)}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            self.done[key] = entry
            print(f"{name}: {variant} {options} seed {seed}: {entry['value']:.4f}", file=sys.stderr, flush=True)
        return self.done[key]

    def run(self, name: str, seed: int) -> None:
        """All trainings of a study with one seed."""
        for variant in STUDIES[name].variants:
            self.of(name, variant, self.chosen(name, variant), seed)

    def chosen(self, name: str, variant: str) -> Options:
        """The options of a variant, the best with seed 1 where there are several."""
        options = STUDIES[name].variants[variant]
        if isinstance(options, dict):
            return options
        return min(options, key=lambda one: self.of(name, variant, one, 1)["value"])

    def table(self, name: str) -> Iterator[tuple[str, Options, list[dict[str, Any]]]]:
        """Variant, its options, its trainings so far; variants without any are left out."""
        for variant, given in STUDIES[name].variants.items():
            entries = given if isinstance(given, list) else [given]
            first = [one for one in entries if self.key(name, variant, one, SEEDS[0]) in self.done]
            if len(first) == len(entries):
                options = self.chosen(name, variant)
                keys = [self.key(name, variant, options, seed) for seed in SEEDS]
                yield variant, options, [self.done[key] for key in keys if key in self.done]


def lines(results: Results, name: str) -> tuple[dict[str, dict[str, float | None]], dict[str, str]]:
    """A table's lines: loss of each variant, its distance from the first, its range over seeds; and the notes."""
    unit = "nats per character" if STUDIES[name].corpus == "chars" else "nats per word"
    found: dict[str, dict[str, float | None]] = {}
    notes: dict[str, str] = {}
    first: float | None = None
    for variant, options, trainings in results.table(name):
        losses = [training["value"] for training in trainings]
        mean = statistics.fmean(losses)
        found[variant] = {
            f"validation loss [{unit}]": mean,
            f"difference [{unit}]": None if first is None else mean - first,
            f"range over seeds [{unit}]": max(losses) - min(losses) if len(losses) > 1 else None,
            "tokens": statistics.fmean(training["tokens"] for training in trainings),
            "parameters": trainings[0]["parameters"],
            "CPU time [s]": statistics.fmean(training["cpu_seconds"] for training in trainings),
        }
        changed = ", ".join(f"{key} {value}" for key, value in options.items())
        seeds = "" if len(losses) == len(SEEDS) else f"{len(losses)} seed"
        notes[variant] = "; ".join(filter(None, (changed, seeds)))
        first = mean if first is None else first
    return found, notes


def report(results: Results, name: str) -> None:
    print(f"\n{name}: {STUDIES[name].about}")
    base = None
    for variant, options, trainings in results.table(name):
        losses = [training["value"] for training in trainings]
        mean = statistics.fmean(losses)
        base = mean if base is None else base
        seconds = statistics.fmean(training.get("cpu_seconds", 0.0) for training in trainings)
        spread = max(losses) - min(losses)
        print(f"  {variant:32} {mean:.4f} {mean - base:+.4f} range {spread:.4f} {seconds:6.1f} s {options}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="+", help="studies, all, list, or report or rows and studies (none: those measured)"
    )
    parser.add_argument("-o", "--out", type=Path, default=WORK / "results.jsonl")
    asked = parser.parse_args()
    command, *names = asked.what
    if command == "list":
        print("\n".join(f"{name:20} {study.about}" for name, study in STUDIES.items()))
        return
    WORK.mkdir(exist_ok=True)
    results = Results(asked.out)
    if command in ("report", "rows"):
        measured = {json.loads(key)[0] for key in results.done}
        for name in names or [name for name in STUDIES if name in measured]:
            if command == "report":
                report(results, name)
            else:
                found, notes = lines(results, name)
                command = f"OMP_NUM_THREADS=1 python -m benchmarks.studies {name}"
                rows.record(f"features/{name}", found, next(iter(found)), notes, argv=command)
        return
    chosen = list(STUDIES) if command == "all" else asked.what
    for seed in SEEDS:
        for name in chosen:
            results.run(name, seed)
    for name in chosen:
        report(results, name)


if __name__ == "__main__":
    main()
