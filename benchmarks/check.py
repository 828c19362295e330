"""Planted faults that `seqlab check` must name, and healthy trainings on which it must keep silent.

    OMP_NUM_THREADS=1 python -m benchmarks.check [--seeds 1 2] [--only rate leak] [--size 120000] [--skip-healthy]

Every fault is planted into a training that is healthy without it, on tiny Shakespeare and on the documentation that
every machine has, and counts as named where a finding has one of the expected names. A healthy training is one of a
configuration that learns, on five texts; every problem or warning there is a false alarm, of as many as there are
rules. Prints one JSON object. tests/studies plants the same faults into a smaller training.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch

import seqlab
from seqlab.base.devices import torch_globals_restored
from seqlab.models import LanguageModel
from seqlab.studies.check.check import check_model
from seqlab.studies.check.result import Check
from seqlab.studies.check.rules.table import RULES
from seqlab.training.planning import Layer, plan
from seqlab.training.starts.fresh import fresh_model

from . import rows

HEALTHY: dict[str, Any] = {
    **{"tokenizer": "char", "embed_dim": 64, "hidden_dim": 64, "layers": 1, "tie": False, "lr": 0.008},
    **{"batch_size": 16, "bptt": 32, "steps": 2000, "threads": 1},
}
"""A training that learns, and that a check looks at in a few seconds."""
WORDS = {"tokenizer": "word", "lr": 0.004}
"""What changes where its tokens are words."""


class Case(NamedTuple):
    """Where a fault is planted."""

    text: str
    seed: int
    folder: Path
    """For files; empty."""

    def check(self, *, text: str | None = None, valid: str | None = None, **options: Any) -> Check:
        """Check the healthy training with some options changed."""
        source = self.write("text.txt", self.text if text is None else text)
        chosen = {**HEALTHY, "seed": self.seed, **options}
        return seqlab.check(
            source, valid=None if valid is None else self.write("valid.txt", valid), quiet=True, **chosen
        )

    def check_damaged(self, damage: Callable[[LanguageModel], None], **options: Any) -> Check:
        """Check the healthy training with some options changed and another model."""
        source = self.write("text.txt", self.text)
        layers = [Layer("options", seqlab_settings({**HEALTHY, "seed": self.seed, **options}))]
        with torch_globals_restored():
            planned = plan(source, quiet=True, given=layers)
            model = fresh_model(planned.config, planned.corpus)
            with torch.no_grad():
                damage(model)
            return check_model(model, planned.corpus, planned)

    def write(self, name: str, text: str) -> str:
        """A file with a text; its path."""
        (self.folder / name).write_text(text, "utf-8")
        return str(self.folder / name)


class Fault(NamedTuple):
    """Something planted, and the findings that name it."""

    expected: tuple[str, ...]
    plant: Callable[[Case], Check]


def seqlab_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings of options by name."""
    from seqlab.config import LanguageModelConfig

    return LanguageModelConfig.qualified(options)


def weights(model: LanguageModel, *words: str) -> list[torch.Tensor]:
    """The parameters whose names contain one of the words."""
    return [weight for name, weight in model.named_parameters() if any(word in name for word in words)]


def zeros(model: LanguageModel) -> None:
    for weight in weights(model, "weight"):
        weight.zero_()


def huge(model: LanguageModel) -> None:
    for weight in weights(model, "weight", "embedding"):
        weight.mul_(30.0)


def enlarged(model: LanguageModel) -> None:
    for weight in weights(model, "weight_hh"):
        weight.mul_(2.0)


def dead(model: LanguageModel) -> None:
    for weight in weights(model, "bias_ih"):
        weight.fill_(-10.0)


def frozen(model: LanguageModel) -> None:
    model.cells[0].requires_grad_(False)


def shuffled(case: Case) -> Check:
    characters = list(case.text)
    random.Random(case.seed).shuffle(characters)
    return case.check(text="".join(characters))


def random_text(case: Case) -> Check:
    letters = sorted(set(case.text))
    return case.check(text="".join(random.Random(case.seed).choices(letters, k=len(case.text))))


def leaked(case: Case) -> Check:
    """The validation text is a stretch of the training text."""
    begin = random.Random(case.seed).randrange(len(case.text) // 2)
    return case.check(valid=case.text[begin : begin + len(case.text) // 10])


def partly_leaked(case: Case) -> Check:
    """A quarter of the validation text is of the training text."""
    cut, size = len(case.text) * 9 // 10, len(case.text) // 10
    begin = random.Random(case.seed).randrange(cut // 2)
    valid = case.text[cut : cut + size * 3 // 4] + case.text[begin : begin + size // 4]
    return case.check(text=case.text[:cut], valid=valid)


def partly_repeated(case: Case) -> Check:
    """The last third of the text repeats what was before."""
    whole, third = case.text[: len(case.text) * 2 // 3], len(case.text) // 3
    begin = random.Random(case.seed).randrange(third)
    return case.check(text=whole + case.text[begin : begin + third], valid=case.text[-third // 3 :])


def zero_vectors(case: Case) -> Check:
    words = sorted(set(case.text.split()))
    case.write("vectors.txt", "".join(f"{word} {' '.join(['0'] * 64)}\n" for word in words))
    return case.check(embeddings=str(case.folder / "vectors.txt"), **WORDS)


def damaged_run(case: Case) -> Path:
    """A run whose weights are not those that were trained."""
    out = case.folder / "run"
    options = {**HEALTHY, "seed": case.seed, "steps": 4, "counts": False}
    lm = seqlab.train_language_model(case.write("text.txt", case.text), out, quiet=True, **options)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(case.seed)
        for weight in lm.model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    lm.run.save_model(lm.model)
    lm.run.finish()
    return out


def damaged_init(case: Case) -> Check:
    kept = ("tokenizer", "lr", "batch_size", "bptt", "steps", "threads")
    options = {name: HEALTHY[name] for name in kept}
    return seqlab.check(
        case.write("text.txt", case.text), init=str(damaged_run(case)), seed=case.seed, quiet=True, **options
    )


FAULTS: dict[str, Fault] = {
    "rate x 100": Fault(("rate-too-high", "diverged"), lambda case: case.check(lr=0.8)),
    "rate / 1000": Fault(("rate-too-low",), lambda case: case.check(lr=8e-6)),
    "rate / 1000, words": Fault(("rate-too-low",), lambda case: case.check(**{**WORDS, "lr": 4e-6})),
    "SGD at a rate for Adam": Fault(("rate-too-low",), lambda case: case.check(optimizer="sgd", lr=0.001)),
    "zero weights": Fault(("zero-weights",), lambda case: case.check_damaged(zeros)),
    "huge weights": Fault(("initial-loss",), lambda case: case.check_damaged(huge)),
    "no clipping, exploding": Fault(
        ("exploding-gradients", "diverged"), lambda case: case.check_damaged(enlarged, cell="rnn-relu", clip=0.0)
    ),
    "sigmoid stack": Fault(
        ("vanishing-layers", "vanishing-time"), lambda case: case.check(cell="rnn-sigmoid", layers=4)
    ),
    "dead rectifiers": Fault(("dead-units",), lambda case: case.check_damaged(dead, cell="rnn-relu")),
    "validation in the training text": Fault(("leaked-validation",), leaked),
    "a quarter of the validation in the training text": Fault(("leaked-validation",), partly_leaked),
    "shuffled text": Fault(("no-order",), shuffled),
    "random text": Fault(("no-order",), random_text),
    "frozen layer": Fault(("frozen-weights",), lambda case: case.check_damaged(frozen)),
    "dropout 0.95": Fault(("heavy-dropout",), lambda case: case.check(dropout=0.95)),
    "batch of one": Fault(("batch-of-one",), lambda case: case.check(batch_size=1)),
    "vocabulary of <unk>": Fault(("unknown-tokens",), lambda case: case.check(vocab_size=40, **WORDS)),
    "windows of one token": Fault(("short-windows",), lambda case: case.check(bptt=1)),
    "too large a model": Fault(("too-large",), lambda case: case.check(hidden_dim=256, layers=2, steps=40)),
    "too small a model": Fault(("too-small",), lambda case: case.check(hidden_dim=2, embed_dim=2, steps=4000)),
    "text four times": Fault(("repeated-text",), lambda case: case.check(text=case.text[: len(case.text) // 4] * 4)),
    "a third of the text twice": Fault(("repeated-text",), partly_repeated),
    "words without spaces": Fault(
        ("wrong-tokenizer",), lambda case: case.check(text=case.text.replace(" ", ""), **{**WORDS, "min_count": 1})
    ),
    "tiny validation text": Fault(("small-validation",), lambda case: case.check(valid_fraction=0.002)),
    "validation of another kind": Fault(
        ("unlike-validation",), lambda case: case.check(valid=case.text[: len(case.text) // 10].upper())
    ),
    "label smoothing 0.9": Fault(("heavy-smoothing",), lambda case: case.check(label_smoothing=0.9)),
    "weight decay 50": Fault(("heavy-decay",), lambda case: case.check(weight_decay=50.0)),
    "weight decay 1 in the gradient": Fault(
        ("heavy-decay",), lambda case: case.check(optimizer="sgd", lr=4.0, weight_decay=1.0)
    ),
    "vectors of zeros": Fault(("zero-vectors",), zero_vectors),
    "start from a damaged run": Fault(("damaged-start",), damaged_init),
}
"""What is planted, by name."""

SOUND: dict[str, dict[str, Any]] = {
    "characters": {},
    "as chosen from the text": dict.fromkeys(HEALTHY),
    "two layers, dropout 0.3": {"layers": 2, "dropout": 0.3},
    "gru": {"cell": "gru"},
    "rnn-tanh": {"cell": "rnn-tanh", "lr": 0.002},
    "sgd": {"optimizer": "sgd", "lr": 4.0},
    "words": WORDS,
    "words, sampled softmax": {**WORDS, "softmax": "sampled", "samples": 128},
    "word pieces": {"tokenizer": "bpe", "vocab_size": 500},
}
"""Healthy trainings, by what differs from HEALTHY."""


def planted(name: str, text: str, seed: int) -> Check:
    """The check of a training with a fault in it."""
    with TemporaryDirectory() as folder:
        return FAULTS[name].plant(Case(text, seed, Path(folder)))


def alarms(found: Check) -> list[str]:
    """Names of problems and warnings."""
    return [finding.name for finding in found.findings if finding.level != "note"]


def texts(size: int) -> dict[str, str]:
    """Five texts of about so many characters."""
    documentation = seqlab.prepare("python-docs", tokenizer="char", quiet=True)
    with gzip.open(rows.data("text8like", "text8like.gz"), "rt", encoding="utf-8") as handle:
        plain = handle.read(size)
    return {
        "plays": rows.data("tinyshakespeare", "input.txt").read_text("utf-8")[:size],
        "documentation": documentation.decode(0, size),
        "articles": rows.data("wikitext-2", "train.txt").read_text("utf-8")[:size],
        "plain words": plain,
        "names": rows.data("names", "names.txt").read_text("utf-8"),
    }


def campaign(faults: list[str], of: Mapping[str, str], seeds: list[int]) -> dict[str, dict[str, float | None]]:
    """By fault, how many of the planted cases were named."""
    found: dict[str, dict[str, float | None]] = {}
    for name in faults:
        hits, took = [], time.process_time()
        for text_name, text in of.items():
            for seed in seeds:
                names = [finding.name for finding in planted(name, text, seed).findings]
                hits.append(any(expected in names for expected in FAULTS[name].expected))
                print(name, text_name, seed, "named" if hits[-1] else "MISSED", names, file=sys.stderr, flush=True)
        seconds = (time.process_time() - took) / len(hits)
        found[name] = {"named [%]": 100 * float(np.mean(hits)), "cases": len(hits), "CPU time of a check [s]": seconds}
    return found


def silence(size: int, seeds: list[int]) -> dict[str, dict[str, float | None]]:
    """By healthy training, the false alarms on all texts; words get twice the text, as of fewer most are unknown."""
    found: dict[str, dict[str, float | None]] = {}
    usual, longer = texts(size), texts(2 * size)
    for name, changed in SOUND.items():
        false, count = 0, 0
        for text_name, text in (longer if changed.get("tokenizer") == "word" else usual).items():
            if text_name == "names" and "tokenizer" in changed and name != "as chosen from the text":
                continue  # a list of single words has nothing to tell about words
            for seed in seeds:
                with TemporaryDirectory() as folder:
                    options = {key: value for key, value in {**HEALTHY, **changed}.items() if value is not None}
                    case = Case(text, seed, Path(folder))
                    given = {"seed": seed, **options}
                    found_here = seqlab.check(case.write("text.txt", text), quiet=True, **given)
                names = alarms(found_here)
                false, count = false + len(names), count + 1
                print("healthy", name, text_name, seed, names, file=sys.stderr, flush=True)
        share = 100 * false / (count * len(RULES))
        found[f"healthy: {name}"] = {"false alarms [%]": share, "cases": count, "false alarms": false}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of faults")
    parser.add_argument("--size", type=int, default=120_000, help="characters of a text")
    parser.add_argument("--skip-healthy", action="store_true")
    parser.add_argument("--where", default="", help="a note on the machine, such as other work on it")
    rows.add_option(parser)
    asked = parser.parse_args()
    of = texts(asked.size)
    faults = [name for name in FAULTS if any(part in name for part in asked.only)]
    two = {name: of[name] for name in ("plays", "documentation")}
    found = campaign(faults, two, asked.seeds)
    quiet = {} if asked.skip_healthy else silence(asked.size, asked.seeds)
    cases = sum(one["cases"] or 0 for one in found.values())
    if cases:
        share = sum((one["named [%]"] or 0) * (one["cases"] or 0) for one in found.values()) / cases
        found["all planted faults"] = {"named [%]": share, "cases": cases}
    if quiet:
        count, false = (sum(one[key] or 0 for one in quiet.values()) for key in ("cases", "false alarms"))
        share = 100 * false / (count * len(RULES))
        quiet["healthy: all"] = {"false alarms [%]": share, "cases": count, "false alarms": false}
    note = f"seeds {', '.join(map(str, asked.seeds))}; texts of {asked.size:,} characters"
    rows.record(asked.rows, {**found, **quiet}, note=note, where=asked.where)
    print(json.dumps({**found, **quiet}))


if __name__ == "__main__":
    main()
