"""The search: any number of processes take trials from one journal until the study has all of them.

Short trials come first: the configuration without a search, points around it, then points around the best. A ranking of
short trainings favours small models, high rates and little dropout, so the best few and the configuration without a
search are trained again, several times as long, and these long trials decide.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...base.errors import InputError, counted
from ...base.progress import notify
from ...text import Corpus
from .journal import STUDY, alive, lives, locked, optuna_module, storage
from .record import StudyRecord, described, distributions
from .tunables.base import Ended, Tunable, Unpromising

FINALISTS, LONGER = 3, 2.0
"""The best so many short trials are trained again, so many times as long, and the configuration without a search
too."""
DEFAULT_STAGE, COARSE, REFINE, GRID, LONG = "default", "coarse", "refine", "grid", "long"
STAGES = (DEFAULT_STAGE, COARSE, REFINE, GRID, LONG)
WAIT = "wait"
"""There is nothing to train until others have finished their trials."""
PAUSE = 0.2
"""Seconds between two looks at what others have finished."""
FEW = 4
"""Finished trials without which nothing is given up early."""
FEWEST = 4
"""Short trials that a search makes at least, even where the range test has used up its time."""
PATIENCE = 2.0
"""Seconds that a worker has to stop before it is ended."""


def open_study(folder: Path) -> Any:
    """The study of a folder, made where it is not there yet. Call it inside `locked`."""
    optuna = optuna_module()
    store = storage(folder)
    return optuna.create_study(storage=store, study_name=STUDY, direction="minimize", load_if_exists=True)


def take_part(folder: Path, record: StudyRecord, corpus: Corpus, quiet: bool) -> None:
    """Train trials until the study has all of them, or its time is used up.

    Args:
        folder: of the study.
        record: of the study.
        corpus: its text.
        quiet: say nothing.
    """
    optuna = optuna_module()
    tunable = record.tunable(corpus)
    with alive(folder) as name:
        with locked(folder):
            study = open_study(folder)
            requeue(study, folder)
        while True:
            with locked(folder):
                trial = next_trial(optuna, study, record, folder, name)
            if trial is None:
                return
            if trial == WAIT:
                time.sleep(PAUSE)
                continue
            state = run_trial(optuna, study, trial, record, tunable)
            if not quiet:
                notify(sentence(study, trial.number, state, record))


def next_trial(optuna: Any, study: Any, record: StudyRecord, folder: Path, name: str) -> Any:
    """The next trial, marked as this process's; WAIT while others decide what comes next, None when there are
    enough."""
    states = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    finished = [one for one in trials if one.state in (states.COMPLETE, states.PRUNED)]
    running = [one for one in trials if one.state == states.RUNNING and lives(folder, worker_of(one))]
    waiting = next((one for one in trials if one.state == states.WAITING), None)
    if waiting is None:
        point, stage = next_point(optuna, record, finished, running)
        if point is None:
            return WAIT if stage == WAIT else None
        study.enqueue_trial(point, user_attrs={"stage": stage})
    trial = study.ask(distributions(optuna, record.dimensions))
    trial.set_user_attr("worker", name)
    return trial


def next_point(
    optuna: Any, record: StudyRecord, finished: list[Any], running: list[Any]
) -> tuple[dict[str, Any] | None, str]:
    """What is to be trained next, and the stage that it belongs to; no values where there is nothing, or nothing yet.

    Args:
        optuna: the module.
        record: of the study.
        finished: trials.
        running: trials of living processes.
    """
    short, long = by_length(finished)
    short_running, long_running = by_length(running)
    if len(short) + len(short_running) < record.trials and time_for_short(record, short, short_running):
        begun = [one.params for one in [*short, *short_running]]
        left = [point for point in record.points if point not in begun]
        if left:
            return left[0], GRID if record.grid else DEFAULT_STAGE if left[0] == record.points[0] else COARSE
        return suggested(optuna, record, short, short_running), REFINE
    if record.grid:
        return None, ""
    if short_running:
        return None, WAIT
    begun = [one.params for one in [*long, *long_running]]
    left = [point for point in finalists(record, short) if point not in begun]
    if not left or not time_for_long(record, short, long, long_running):
        return None, ""
    return left[0], LONG


def by_length(trials: list[Any]) -> tuple[list[Any], list[Any]]:
    """Short trials, and long ones."""
    long = [one for one in trials if stage_of(one) == LONG]
    return [one for one in trials if stage_of(one) != LONG], long


def stage_of(trial: Any) -> str:
    """The stage that a trial of Optuna's belongs to."""
    return str(trial.user_attrs.get("stage", REFINE))


def finalists(record: StudyRecord, short: list[Any]) -> list[dict[str, Any]]:
    """Values that are trained again for longer: those without a search, then the best."""
    ranked = sorted(
        (one for one in short if one.state.name == "COMPLETE" and math.isfinite(one.value)),
        key=lambda one: (one.value, json.dumps(one.params, sort_keys=True)),
    )
    usual = record.points[0]
    return [usual, *[one.params for one in ranked if one.params != usual][:FINALISTS]]


def time_for_short(record: StudyRecord, finished: list[Any], running: list[Any]) -> bool:
    """Whether the time of the study allows another short trial, and the long ones after it."""
    if record.limit is None or len(finished) + len(running) < FEWEST:
        return True
    usual = usual_seconds(finished)
    reserve = 0.0 if record.grid else min(0.5 * record.limit, (1 + FINALISTS) * LONGER * usual)
    spent = record.seconds + usual * len(finished)
    return spent + usual * (len(running) + 0.5) <= record.limit - reserve


def time_for_long(record: StudyRecord, short: list[Any], long: list[Any], running: list[Any]) -> bool:
    """Whether the time of the study allows another long trial; two of them are always made, as one alone says
    nothing."""
    begun = len(long) + len(running)
    if record.limit is None or begun < 2:
        return True
    usual = usual_seconds(long) if long else LONGER * usual_seconds(short)
    spent = record.seconds + usual_seconds(short) * len(short) + usual * len(long)
    return spent + usual * (len(running) + 0.5) <= record.limit


def usual_seconds(trials: list[Any]) -> float:
    """Mean seconds of finished trials."""
    return sum(one.user_attrs.get("elapsed", 0.0) for one in trials) / max(1, len(trials))


def suggested(optuna: Any, record: StudyRecord, finished: list[Any], running: list[Any]) -> dict[str, Any]:
    """Values near the good trials and far from the bad ones: a tree-structured Parzen estimator of all settings jointly
    (Bergstra et al. 2011; Falkner et al. 2018).

    The trials are put in one order before it looks at them, so that a study that was stopped, whose trials ended in
    another order, goes on as one that was not. Trials that others are training count as bad, so that nobody tries the
    same.

    Args:
        optuna: the module.
        record: of the study.
        finished: trials.
        running: trials of other processes.
    """
    points = [json.dumps(point, sort_keys=True) for point in record.points]

    def place(one: Any) -> tuple[int, str]:
        values = json.dumps(one.params, sort_keys=True)
        return (points.index(values) if values in points else len(points), values)

    sampler = optuna.samplers.TPESampler(
        seed=(record.seed + len(finished)) % 2**32, multivariate=True, n_startup_trials=FEW
    )
    memory, spaces = optuna.create_study(sampler=sampler), distributions(optuna, record.dimensions)
    worst = max((one.value for one in finished if math.isfinite(one.value)), default=0.0)
    for one in [*sorted(finished, key=place), *sorted(running, key=place)]:
        if set(one.params) == set(spaces):
            value = worst if one.value is None else one.value
            memory.add_trial(optuna.trial.create_trial(params=one.params, distributions=spaces, value=value))
    return dict(memory.ask(spaces).params)


def run_trial(optuna: Any, study: Any, trial: Any, record: StudyRecord, tunable: Tunable) -> Any:
    """Train a trial and write down how it ended.

    Returns:
        Its frozen state.
    """
    began = time.monotonic()
    stage = trial.user_attrs["stage"]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FEW, n_warmup_steps=0)

    def after_validation(rung: int, objective: float) -> None:
        if stage == LONG:
            return
        trial.report(objective, rung)
        if stage == REFINE and rung < tunable.rungs:
            frozen = study._storage.get_trial(trial._trial_id)
            if pruner.prune(study, frozen):
                raise Unpromising

    states = optuna.trial.TrialState
    try:
        cost = tunable.cost(trial.params)
        amount = record.amount * (LONGER if stage == LONG else 1.0) / cost
        trial.set_user_attr("cost", cost)
        ended = tunable.train(trial.params, amount, after_validation)
    except Unpromising:
        trial.set_user_attr("elapsed", time.monotonic() - began)
        return study.tell(trial, state=states.PRUNED)
    except InputError as error:
        ended = Ended(math.inf, 0, 0, 0.0, str(error))
    for key, value in ended._asdict().items():
        if key != "objective":
            trial.set_user_attr(key, value)
    trial.set_user_attr("elapsed", time.monotonic() - began)
    return study.tell(trial, ended.objective)


def requeue(study: Any, folder: Path) -> None:
    """Trials of processes that have died are marked failed, and their values are tried again. Call it inside
    `locked`."""
    optuna = optuna_module()
    states = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    again = {one.user_attrs.get("instead_of") for one in trials}
    for one in trials:
        if one.state != states.RUNNING or lives(folder, worker_of(one)):
            continue
        if one.number not in again and (values := values_of(one)):
            study.enqueue_trial(values, user_attrs={"stage": stage_of(one), "instead_of": one.number})
        study.tell(one.number, state=states.FAIL)


def values_of(trial: Any) -> dict[str, Any]:
    """What a trial was to be trained with: a process may have died before it had written down all of it as tried."""
    return dict(trial.system_attrs.get("fixed_params") or trial.params)


def worker_of(trial: Any) -> str:
    """The process that trains a trial."""
    return str(trial.user_attrs.get("worker", ""))


def sentence(study: Any, number: int, ended: Any, record: StudyRecord) -> str:
    """One line on a trial that has ended."""
    trials = [one for one in study.get_trials(deepcopy=False) if one.state.name in ("COMPLETE", "PRUNED")]
    short, long = by_length(trials)
    stage, unit = stage_of(ended), record.judged_by[1]
    alike = long if stage == LONG else short
    found = [one.value for one in alike if one.value is not None]
    if ended.state.name == "PRUNED":
        what = "given up (others were better after as much training)"
    elif math.isinf(ended.value):
        what = ended.user_attrs.get("diverged") or "diverged"
    else:
        what = f"{ended.value:.4f} {unit}"
    best = f"; best {min(found):.4f}" if found and not math.isinf(min(found)) else ""
    place = f"long trial {len(long)}" if stage == LONG else f"trial {number + 1} of {record.trials}"
    return f"{place} ({stage}): {what} with {described(ended.params)}{best}"


@contextmanager
def helpers(folder: Path, corpus: Corpus, number: int) -> Iterator[None]:
    """Inside, so many other processes take part; they stop when the block is left by an error.

    Args:
        folder: of the study.
        corpus: its text, wherever this machine has it.
        number: of processes.
    """
    command = [sys.executable, "-m", "seqlab.studies.tune.worker", str(folder), str(corpus.path)]
    environment = {**os.environ, "SEQLAB_QUIET": "1"}
    others = [subprocess.Popen(command, env=environment) for _ in range(number)]
    try:
        yield
        codes = [other.wait() for other in others]
        if failed := [code for code in codes if code]:
            notify(f"{counted(len(failed), 'worker')} ended early (exit code {failed[0]}); the others did their trials")
    except BaseException:
        for other in others:
            other.terminate()
        for other in others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(PATIENCE)
            other.kill()
            other.wait()
        raise
