"""Studies that are killed, studies of several processes, and what a search is worth against the shipped default.

    python -m benchmarks.models.tuning kills --kills 20 --rows tune/kills
    python -m benchmarks.models.tuning together --rows tune/together
    python -m benchmarks.models.tuning worth --text wikitext-2 --minutes 20 --train 3 --rows tune/worth-wikitext-2
    python -m benchmarks.models.tuning near --text shakespeare --steps 1600 --rows tune/near-shakespeare
    python -m benchmarks.models.tuning near --text wikitext-2 --preset word --steps 2500 --try '{"model.layers": 1}'
    python -m benchmarks.models.tuning vectors --minutes 5 --rows tune/vectors
    python -m benchmarks.models.tuning batches --steps 2000 --rows tune/batches

kills: a study of small trainings is killed (SIGKILL) at random moments after its start, imports and all, and started
again; what it ends with is compared with a study that was left alone. together: four processes take part in one study.
worth: a search of some minutes on a text, then its best settings and the default with seeds that the search did not
see, both as long: the default for some minutes at the rate that the study measured, the best as many updates as take
the same time, timed side by side. near: the default and settings one step from it, at equal time. vectors: searches for
word vectors of WikiText-2.
batches: small, large and growing batches on tiny Shakespeare, equal tokens.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import seqlab
from seqlab.run import flat
from seqlab.studies.tune.tunables.base import Effort
from seqlab.studies.tune.tunables.language_model import plan_language_model
from seqlab.training.planning import Layer

from .. import rows
from ..studies import WORK

SMALL = ("embed_dim=16", "layers=1", "counts=false", "batch_size=8", "bptt=16", "threads=1", "device=cpu")
STEPS = 30


def small_text(folder: Path) -> Path:
    """A text of short sentences."""
    draw = random.Random(7)
    nouns, verbs = ["baker", "potter", "miller", "weaver", "smith"], ["sees", "meets", "thanks", "hears"]
    lines = [f"the {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)} ." for _ in range(3000)]
    path = folder / "book.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def begun(text: Path, study: Path, trials: int, *more: str) -> subprocess.Popen[str]:
    """A study in a process of its own."""
    settings = [part for one in SMALL for part in ("--set", one)]
    command = ["tune", str(text), "-o", str(study), *settings, "--trials", str(trials), "--steps-per-trial", str(STEPS)]
    return subprocess.Popen(
        [sys.executable, "-m", "seqlab_cli.main", *command, "--json", "-q", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(found: dict[str, Any]) -> list[tuple[str, float | None]]:
    """Values and objective of the trials that were not interrupted."""
    trials = [one for one in found["trials"] if one["state"] != "interrupted"]
    return sorted((json.dumps([one["stage"], one["values"]], sort_keys=True), one["objective"]) for one in trials)


def kills(number: int, trials: int) -> dict[str, dict[str, float | None]]:
    """Kill studies until that was done so often."""
    draw = random.Random(11)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = small_text(folder)
        began = time.monotonic()
        out, _ = begun(text, folder / "alone", trials).communicate()
        length = time.monotonic() - began
        expected = kept(json.loads(out))
        done = lost = refused = interrupted = studies = 0
        while done < number:
            studies += 1
            study = folder / f"killed-{studies}"
            while True:
                process = begun(text, study, trials)
                if done < number:
                    try:
                        out, err = process.communicate(timeout=draw.uniform(0.3, length))
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                        process.communicate()
                        done += 1
                        continue
                else:
                    out, err = process.communicate()
                break
            refused += process.returncode != 0
            found = json.loads(out) if process.returncode == 0 else {"trials": []}
            interrupted += sum(one["state"] == "interrupted" for one in found["trials"])
            lost += len(set(expected) ^ set(kept(found)))
            print(f"study {studies}: {done} kills so far, exit {process.returncode} {err.strip()}", flush=True)
    figures = {"kills": done, "studies": studies, "trials interrupted and trained again": interrupted}
    return {
        f"{number} kills at random moments": {
            "trials that differ from a study left alone": lost,
            "studies that could not go on": refused,
            **figures,
            "trials of a study": trials,
        }
    }


def together(trials: int) -> dict[str, dict[str, float | None]]:
    """Two commands of two processes each, on one study."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, start = small_text(folder), time.monotonic()
        processes = [begun(text, folder / "study", trials, "--workers", "2") for _ in range(2)]
        ended = [process.communicate() for process in processes]
        seconds = time.monotonic() - start
        codes = [process.returncode for process in processes]
        print(codes, [err for _, err in ended])
        found = kept(json.loads(begun(text, folder / "study", trials).communicate()[0]))
    return {
        "two commands of two processes": {
            "duplicate trials": len(found) - len({values for values, _ in found}),
            "trials": len(found),
            "trials asked for": trials,
            "commands that failed": sum(code != 0 for code in codes),
            "time [s]": round(seconds),
        }
    }


TEXTS: dict[str, tuple[Any, Any]] = {
    "shakespeare": (("tinyshakespeare", "input.txt"), None),
    "wikitext-2": (("wikitext-2", "train.txt"), ("wikitext-2", "valid.txt")),
    "python-docs": ("python-docs", None),
}
"""Name -> text and validation text: files of the shared data, or a named corpus."""


def texts(name: str) -> tuple[Any, Any]:
    """The text of a name, and its validation text."""
    return tuple(rows.data(*one) if isinstance(one, tuple) else one for one in TEXTS[name])  # type: ignore[return-value]


def worth(
    name: str, minutes: float, train: float, seconds: float | None, workers: int
) -> dict[str, dict[str, float | None]]:
    """The best settings of a search against the default, trained for the same time with other seeds."""
    text, valid = texts(name)
    study = WORK / f"study-{name}-{minutes:g}"
    config = {"threads": 1, "minutes": train}
    found = seqlab.tune(
        text, study, minutes=minutes, seconds_per_trial=seconds, workers=workers, valid=valid, config=config
    )
    print(found.text(), flush=True)
    assert found.best is not None
    assert found.default is not None
    record = found.record
    corpus = seqlab.Corpus.open(record.corpus)
    tunable = record.tunable(corpus)
    updates = record.amount * 60.0 * train / record.length
    lines: dict[str, dict[str, float | None]] = {}
    for label, one in (("default", found.default), ("best of the search", found.best)):
        cost = tunable.cost(one.values)
        budget = {"training.minutes": None, "training.steps": round(updates / cost), "training.evaluations": 10}
        base = tunable.configured(record.base, one.values).updated(budget)
        line = lines.setdefault(label, {})
        for seed in (2, 3):
            began = time.process_time()
            trained = seqlab.train_language_model(
                corpus, config=base.updated({"training.seed": seed}).model_dump(), quiet=True
            )
            parts = trained.summary["valid"]
            network = parts.get("network", parts)["nats_per_token"]
            line[f"validation loss of the network, seed {seed} [nats per token]"] = network
            line[f"with counts, seed {seed} [nats per token]"] = parts["nats_per_token"]
            line[f"processor time, seed {seed} [s]"] = round(time.process_time() - began, 1)
            print(label, seed, line, flush=True)
        line |= {"updates": trained.summary["steps"], "cost of an update": round(cost, 3)}
        line["in the search [nats per token]"] = one.objective
    lines["best of the search"]["trials"] = len(found.trials)
    return lines


NEAR: tuple[tuple[str, float], ...] = (
    ("training.lr", 0.5),
    ("training.lr", 2.0),
    ("training.batch_size", 0.5),
    ("training.batch_size", 2.0),
    ("training.bptt", 0.5),
    ("training.bptt", 2.0),
    ("model.hidden_dim", 0.75),
    ("model.hidden_dim", 1.5),
)
"""Settings, and what they are multiplied by."""
OTHERS: list[dict[str, Any]] = [{"model.dropout": 0.1}, {"model.layers": 1}, {"model.cell": "gru"}]


def near(name: str, steps: int, tried: list[str], preset: str | None) -> dict[str, dict[str, float | None]]:
    """The default and its neighbours, or what is `tried`, at equal time: so many updates of the default."""
    text, valid = texts(name)
    layers = [Layer("given", {"training": {"threads": 1, "minutes": 3}})]
    tunable = plan_language_model(text, Effort(), True, valid=valid, preset=preset, given=layers).tunable
    tunable.about |= {"valid_tokens": 20_000, "by_arithmetic": False}
    usual = flat(tunable.config.model_dump())
    around = [{key: type(usual[key])(factor * usual[key])} for key, factor in NEAR] + OTHERS
    around = [json.loads(one) for one in tried] or around
    variants = {", ".join(f"{key.partition('.')[2]} {values[key]}" for key in values): values for values in around}
    variants = {"default": {}} | variants
    lines: dict[str, dict[str, float | None]] = {}
    for label, values in variants.items():
        cost = tunable.cost(values) if values else 1.0
        ended = tunable.train(values, steps / cost, lambda rung, loss: None)
        lines[label] = {
            "held-out loss [nats per token]": ended.objective,
            "updates": ended.steps,
            "cost": round(cost, 3),
        }
        print(label, lines[label], flush=True)
    return lines


def vectors(minutes: float, workers: int) -> dict[str, dict[str, float | None]]:
    """A search for word vectors of WikiText-2 by its held-out loss and by the shipped questions."""
    text = rows.data("wikitext-2", "train.txt")
    lines: dict[str, dict[str, float | None]] = {}
    for judge, questions in (("held-out loss", ()), ("english questions", ("english",))):
        study = WORK / f"study-vectors-{len(questions)}-{minutes:g}"
        found = seqlab.tune_embeddings(
            text, study, minutes=minutes, workers=workers, questions=questions, config={"workers": 1}
        )
        print(found.text(), flush=True)
        assert found.best is not None
        assert found.default is not None
        unit = f"{found.record.judged_by[0]} [{found.unit}]"
        lines[f"{judge}, default"] = {unit: found.default.objective}
        lines[f"{judge}, best of the search"] = {unit: found.best.objective, "trials": len(found.trials)}
    return lines


def batches(steps: int) -> dict[str, dict[str, float | None]]:
    """Small, large and growing batches on tiny Shakespeare."""
    text = rows.data("tinyshakespeare", "input.txt")
    found = seqlab.compare_batch_sizes(text, steps, config={"threads": 1})
    print(found.text())
    return {
        one.name: {
            "validation loss [nats per character]": one.loss,
            "rise under 5 % weight noise [nats per character]": one.sharpness,
            "updates": one.steps,
            "learning rate": one.lr,
        }
        for one in found.variants
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "together", "worth", "near", "vectors", "batches"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the search")
    parser.add_argument("--train", type=float, default=5.0, help="minutes of the trainings that are compared")
    parser.add_argument("--steps", type=int, default=2000, help="of the small batch, or of the default")
    parser.add_argument("--seconds", type=float, help="of a trial")
    parser.add_argument("--try", dest="tried", nargs="*", default=[], help="near: settings as JSON, not its own list")
    parser.add_argument("--preset", help="near: of the default; as the text has it where left out")
    parser.add_argument("--text", choices=list(TEXTS), default="shakespeare")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--where", default="", help="a note on the machine")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.what == "kills":
        lines, peer = kills(asked.kills, asked.trials), None
    elif asked.what == "together":
        lines, peer = together(asked.trials), None
    elif asked.what == "near":
        lines, peer = near(asked.text, asked.steps, asked.tried, asked.preset), "default"
    elif asked.what == "vectors":
        lines, peer = vectors(asked.minutes, asked.workers), None
    elif asked.what == "batches":
        lines, peer = batches(asked.steps), "small"
    else:
        lines, peer = worth(asked.text, asked.minutes, asked.train, asked.seconds, asked.workers), "default"
    print(json.dumps(lines, indent=1))
    rows.record(asked.rows, lines, peer, where=asked.where)


if __name__ == "__main__":
    main()
