"""`python -m benchmarks.faults`: all parts of the campaign, a report, and exit code 1 if anything was wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from .. import rows
from . import calls, commands, trials
from .full import Full
from .hostile import Hostile
from .kills import Kills
from .mutants.part import Mutants
from .odd import Odd
from .several import Readers, Soak, Writers
from .trials import Found, Part

PARTS: tuple[type[Part], ...] = (Kills, calls.Calls, Full, Mutants, Hostile, Odd, Writers, Readers, Soak)
INSIDE = "SEQLAB_FAULTS"
"""Names the folder of the campaign in the process that has the library of calls before the C library."""


def main() -> None:
    """Start anew with the library; there make the campaign."""
    options = arguments()
    if not calls.available():
        sys.exit("the campaign needs Linux and a C compiler")
    if INSIDE in os.environ:
        sys.exit(campaign(options, Path(os.environ[INSIDE])))
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        library = calls.build(Path(place))
        here = {INSIDE: os.path.realpath(place), "LD_PRELOAD": str(library), "SEQLAB_COMMIT": rows.commit() or ""}
        quiet = {"OMP_NUM_THREADS": "1", "SEQLAB_QUIET": "1", "TOKENIZERS_PARALLELISM": "false", "HOME": str(place)}
        child = os.spawnve(
            os.P_WAIT,
            sys.executable,
            [sys.executable, "-m", "benchmarks.faults", *sys.argv[1:]],
            {**os.environ, **here, **quiet},
        )
    sys.exit(child)


def arguments() -> argparse.Namespace:
    """The options."""
    names = ",".join(part.name for part in PARTS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="what all parts may take together (20)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--only", metavar="PART,PART", default=names, help=f"some of {names}")
    parser.add_argument("--trial", metavar="N,N", help="make these trials of the parts alone")
    parser.add_argument("--quick", action="store_true", help="the few trials that the tests make")
    parser.add_argument("--json", action="store_true", help="print a JSON object a part")
    rows.add_option(parser)
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(names.split(",")):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {names}")
    return options


def campaign(options: argparse.Namespace, place: Path) -> int:
    """Make the trials of the chosen parts one part after the other; the exit code."""
    from seqlab.embeddings.training import loop

    commands.warm()
    loop.SAVE_EVERY = 0.0
    commands.make_inputs(place / "inputs")
    chosen = [part for part in PARTS if part.name in options.only.split(",")]
    end = time.monotonic() + 60 * options.minutes
    results = []
    for at, kind in enumerate(chosen):
        part = kind(place / "inputs", place / kind.name, options.seed, options.quick)
        part.place.mkdir()
        part.prepare()
        numbers = None if options.trial is None else [int(one) for one in options.trial.split(",")]
        if options.quick:
            numbers = range(min(part.quick, part.planned))
        share = kind.share / sum(later.share for later in chosen[at:])
        found = trials.run(part, share * (end - time.monotonic()), numbers)
        results.append(found)
        print(json.dumps(vars(found)) if options.json else described(found, options.seed), flush=True)
    if options.rows:
        record(options, results)
    return int(any(found.faults for found in results))


def described(found: Found, seed: int) -> str:
    """What a part did and what was wrong, for people."""
    lines = [f"{found.part}: {found.trials:,} of {found.planned:,} trials in {found.seconds:,.0f} s"]
    lines[0] += f", {len(found.faults):,} with faults" if found.faults else ", no fault"
    lines += [f"    {count:,} {name}" for name, count in sorted(found.counts.items())]
    for number, fault in sorted(found.faults.items()):
        lines += [f"  FAULT in trial {number}: {fault}"]
        lines += [f"    again: python -m benchmarks.faults --seed {seed} --only {found.part} --trial {number}"]
    return "\n".join(lines)


def record(options: argparse.Namespace, results: list[Found]) -> None:
    """Rows of the results."""
    lines = {
        found.part: {
            "trials": found.trials,
            "faults": len(found.faults),
            "planned": found.planned,
            "time [s]": round(found.seconds),
        }
        for found in results
    }
    notes = {
        found.part: "; ".join(f"{count:,} {name}" for name, count in sorted(found.counts.items())) for found in results
    }
    command = f"python -m benchmarks.faults --minutes {options.minutes:g} --seed {options.seed}"
    if len(results) < len(PARTS):
        command += f" --only {','.join(lines)}"
    rows.record(options.rows, lines, note=notes, argv=command, where="two workers")


if __name__ == "__main__":
    main()
