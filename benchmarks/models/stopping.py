"""How long Ctrl-C takes to be answered at any moment of `seqlab train lm`.

    python -m benchmarks.models.stopping book.txt

Each line is a training that gets the signal a moment after it first reaches a function; the runs resume one another,
so that all of it is passed through. Prints one JSON object of seconds until the program has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from .. import rows

MOMENTS = {
    "importing torch": ("importing", 0.0),
    "reading": ("seqlab.text.preparation.spool:Spool.fill", 0.05),
    "learning word pieces": ("seqlab.text.workers:Workers.map", 1.5),
    "tokenizing": ("seqlab.text.preparation.numbering:Numbering._collect", 0.05),
    "writing ids": ("seqlab.text.preparation.numbering:Numbering.write", 0.02),
    "planning": ("seqlab.training.planning:tokens_per_second", 0.2),
    "creating the run": ("seqlab.run.folder:environment", 0.01),
    "counting": ("seqlab.models.counts.ngrams:rank", 0.3),
    "choosing counts": ("seqlab.models.counts.kneser_ney:NGramModel.score_places", 0.05),
    "warming up": ("seqlab.training.loop:Trainer.warm_up", 0.2),
    "training": ("seqlab.training.loop:Trainer.train_step", 0.3),
    "validating": ("seqlab.training.watch.validation:Validator.judge", 0.05),
    "saving": ("seqlab.run:Run.save_model", 0.002),
    "reporting": ("seqlab.training.report:tune_together", 0.1),
    "scoring counts": ("seqlab.training.report:baselines", 0.02),
}
"""What a training does -> the function that is reached then, and seconds after that."""

PROGRAM = """
import importlib, os, signal, sys, threading, time

target, seconds, *command = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a parent does with it

def press():
    print("pressed", time.monotonic(), file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGINT)

def press_after_first_call(module, name):
    owner = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    plain = getattr(owner, last)

    def reached(*args, **options):
        setattr(owner, last, plain)
        timer = threading.Timer(float(seconds), press)
        timer.daemon = True
        timer.start()
        return plain(*args, **options)

    setattr(owner, last, reached)

class Importing:
    def find_spec(name, path=None, target=None):
        if name == "torch.nn":
            press()

if target == "importing":
    sys.meta_path.insert(0, Importing)
else:
    press_after_first_call(*target.split(":"))
from seqlab_cli.main import main
sys.argv[1:] = command
main()
"""


class Stopped(NamedTuple):
    """How a program ended that got Ctrl-C.

    code: its exit code. seconds: until then, None where it ended by itself. said: on stderr.
    """

    code: int
    seconds: float | None
    said: str


def stop(moment: str, command: list[str], cache: Path) -> Stopped:
    """Run a command of seqlab in a process that gets Ctrl-C at a moment, by its name in MOMENTS."""
    target, seconds = MOMENTS[moment]
    call = [sys.executable, "-c", PROGRAM, target, str(seconds), *command]
    environment = {**os.environ, "SEQLAB_CACHE": str(cache)}
    done = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
    ended = time.monotonic()
    pressed = [line for line in done.stderr.splitlines() if line.startswith("pressed ")]
    return Stopped(done.returncode, ended - float(pressed[0].split()[1]) if pressed else None, done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", help="a text to train on")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=["--minutes", "0.2"], help="of train lm")
    parser.add_argument("--where", default="", help="a note on the machine")
    rows.add_option(parser)
    asked = parser.parse_args()
    lines: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "lm", asked.text, "-o", f"{folder}/run", *asked.options]
        for moment in MOMENTS:
            stopped = stop(moment, command, Path(folder) / "cache")
            print(moment, stopped.code, stopped.seconds, file=sys.stderr, flush=True)
            if stopped.seconds is not None:
                lines[moment] = {"time to the end [s]": round(stopped.seconds, 2)}
    rows.record(asked.rows, lines, where=asked.where)
    print(json.dumps({"benchmark": "stopping", "seconds": lines}))


if __name__ == "__main__":
    main()
