"""Studies that are killed, studies of several processes, and what a search is worth against the shipped default.

    python -m benchmarks.models.tuning kills --kills 20 --rows tune/kills
    python -m benchmarks.models.tuning together --rows tune/together
    python -m benchmarks.models.tuning worth --minutes 5 --train 2 --rows tune/worth
    python -m benchmarks.models.tuning arithmetic --steps 1500 --rows tune/worth-arithmetic
    python -m benchmarks.models.tuning batches --steps 2000 --rows tune/batches

kills: a study of small trainings is killed (SIGKILL) at random moments after its start, imports and all, and started
again; what it ends with is compared with a study that was left alone. together: four processes take part in one study.
worth: a search of some minutes on tiny Shakespeare, then its best preset and the default for the same time on the same
clock, in turn. arithmetic: the same two with equal arithmetic. batches: small, large and growing batches on tiny
Shakespeare, equal tokens.
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
from seqlab.models import LanguageModel
from seqlab.studies.tune.record import StudyRecord
from seqlab.studies.tune.results import read_study
from seqlab.studies.tune.space import configured
from seqlab.training.watch.costs import flops_per_token

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
    return sorted((json.dumps(one["values"], sort_keys=True), one["objective"]) for one in trials)


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
        text = small_text(folder)
        processes = [begun(text, folder / "study", trials, "--workers", "2") for _ in range(2)]
        ended = [process.communicate() for process in processes]
        codes = [process.returncode for process in processes]
        print(codes, [err for _, err in ended])
        found = kept(json.loads(begun(text, folder / "study", trials).communicate()[0]))
    return {
        "two commands of two processes": {
            "duplicate trials": len(found) - len({values for values, _ in found}),
            "trials": len(found),
            "trials asked for": trials,
            "commands that failed": sum(code != 0 for code in codes),
        }
    }


def worth(minutes: float, train: float, seconds: float | None) -> dict[str, dict[str, float | None]]:
    """The best preset of a search against the default, trained for the same time."""
    text = rows.data("tinyshakespeare", "input.txt")
    study = WORK / "study"
    found = seqlab.tune(text, study, minutes=minutes, seconds_per_trial=seconds, config={"threads": 1})
    print(found.text(), flush=True)
    config: dict[str, Any] = {"training": {"threads": 1, "minutes": train}}
    lines: dict[str, dict[str, float | None]] = {}
    assert found.best is not None
    assert found.default is not None
    for seed in (1, 2):
        for name, preset in (("default", {}), ("best of the search", found.preset)):
            settings = seqlab.config.merge(seqlab.config.read_config(preset) if preset else {}, config)
            trained = seqlab.train_language_model(text, config=settings, seed=seed, quiet=True)
            nats = trained.summary["valid"]["nats_per_token"]
            print(name, seed, nats, trained.summary["steps"], flush=True)
            lines.setdefault(name, {})[f"validation loss, seed {seed} [nats per character]"] = nats
            lines[name][f"steps, seed {seed}"] = trained.summary["steps"]
    lines["default"]["in a trial [nats per character]"] = found.default.objective
    lines["best of the search"]["in a trial [nats per character]"] = found.best.objective
    lines["best of the search"]["trials"] = len(found.trials)
    return lines


def arithmetic(steps: int) -> dict[str, dict[str, float | None]]:
    """The default that the study of `worth` tried first against its best, with equal arithmetic: no clock decides."""
    found = read_study(WORK / "study", StudyRecord.load(WORK / "study"))
    corpus = seqlab.Corpus.open(found.record.corpus)
    assert found.best is not None
    assert found.default is not None
    lines: dict[str, dict[str, float | None]] = {}
    usual = None
    for name, one in (("default", found.default), ("best of the search", found.best)):
        base = configured(found.record.base, one.values)
        cost = flops_per_token(LanguageModel(base.model, len(corpus.tokenizer.vocab), 1))[0]
        cost *= base.training.batch_size * base.training.bptt
        usual = usual or cost
        budget = {"training.minutes": None, "training.steps": round(steps * usual / cost), "training.evaluations": 10}
        for seed in (1, 2):
            config = base.updated({**budget, "training.seed": seed}).model_dump()
            trained = seqlab.train_language_model(corpus, config=config, quiet=True)
            valid = trained.summary["valid"]
            lines.setdefault(name, {})[f"validation loss, seed {seed} [nats per character]"] = valid["nats_per_token"]
            lines[name][f"of the network alone, seed {seed} [nats per character]"] = valid["network"]["nats_per_token"]
            lines[name]["updates"] = trained.summary["steps"]
            print(name, seed, lines[name], flush=True)
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
    parser.add_argument("what", choices=["kills", "together", "worth", "arithmetic", "batches"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the search")
    parser.add_argument("--train", type=float, default=5.0, help="minutes of the trainings that are compared")
    parser.add_argument("--steps", type=int, default=2000, help="of the small batch, or of the default")
    parser.add_argument("--seconds", type=float, help="of a trial")
    parser.add_argument("--where", default="", help="a note on the machine")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.what == "kills":
        lines, peer = kills(asked.kills, asked.trials), None
    elif asked.what == "together":
        lines, peer = together(asked.trials), None
    elif asked.what == "arithmetic":
        lines, peer = arithmetic(asked.steps), "default"
    elif asked.what == "batches":
        lines, peer = batches(asked.steps), "small"
    else:
        lines, peer = worth(asked.minutes, asked.train, asked.seconds), "default"
    print(json.dumps(lines, indent=1))
    rows.record(asked.rows, lines, peer, where=asked.where)


if __name__ == "__main__":
    main()
