"""The search: any number of processes take trials from one journal until the study has all of them."""

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
from ...opening import open_vectors
from ...text import Corpus
from .journal import STUDY, alive, lives, locked, optuna_module, storage
from .record import StudyRecord, described, distributions
from .space import configured
from .trainings import Ended, Setup, Unpromising, train

FEW = 4
"""Finished trials without which nothing is given up early."""
PATIENCE = 2.0
"""Seconds that a worker has to stop before it is ended."""


def open_study(folder: Path, record: StudyRecord) -> Any:
    """The study of a folder, made with its first points where it is not there yet. Call it inside `locked`."""
    optuna = optuna_module()
    store = storage(folder)
    study = optuna.create_study(storage=store, study_name=STUDY, direction="minimize", load_if_exists=True)
    there = len(study.get_trials(deepcopy=False))
    for number, point in enumerate(record.points[there:], there):
        stage = "grid" if record.grid else "coarse" if number else "default"
        study.enqueue_trial(point, user_attrs={"stage": stage})
    return study


def take_part(folder: Path, record: StudyRecord, corpus: Corpus, quiet: bool) -> None:
    """Train trials until the study has all of them, or its time is used up.

    Args:
        folder: of the study.
        record: of the study.
        corpus: its text.
        quiet: say nothing.
    """
    optuna = optuna_module()
    base = record.base
    if base.model.input == "characters":
        corpus = corpus.with_spelling(quiet=True)
    vectors = open_vectors(base.training.embeddings) if base.training.embeddings else None
    setup = Setup(corpus, record.valid_tokens, vectors)
    with alive(folder) as name:
        with locked(folder):
            study = open_study(folder, record)
            requeue(study, folder)
        while True:
            with locked(folder):
                trial = next_trial(optuna, study, record, folder, name)
            if trial is None:
                return
            state = run_trial(optuna, study, trial, record, setup)
            if not quiet:
                notify(sentence(study, trial.number, state, record))


def next_trial(optuna: Any, study: Any, record: StudyRecord, folder: Path, name: str) -> Any:
    """The next trial, marked as this process's; None when there are enough."""
    states = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    finished = [one for one in trials if one.state in (states.COMPLETE, states.PRUNED)]
    running = [one for one in trials if one.state == states.RUNNING and lives(folder, worker_of(one))]
    if len(finished) + len(running) >= record.trials:
        return None
    spent = record.seconds + sum(one.user_attrs.get("elapsed", 0.0) for one in finished)
    usual = (spent - record.seconds) / len(finished) if finished else 0.0
    if record.limit is not None and spent + usual * (len(running) + 0.5) > record.limit:
        return None
    waiting = any(one.state == states.WAITING for one in trials)
    if not waiting and record.grid:
        return None
    if not waiting:
        study.enqueue_trial(suggested(optuna, record, finished, running), user_attrs={"stage": "refine"})
    trial = study.ask(distributions(optuna, record.dimensions))
    trial.set_user_attr("worker", name)
    return trial


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


def run_trial(optuna: Any, study: Any, trial: Any, record: StudyRecord, setup: Setup) -> Any:
    """Train a trial and write down how it ended.

    Returns:
        Its frozen state.
    """
    began = time.monotonic()
    may_end_early = trial.user_attrs["stage"] == "refine"
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FEW, n_warmup_steps=0)

    def after_validation(rung: int, loss: float) -> None:
        trial.report(loss, rung)
        if may_end_early and rung < record.base.training.evaluations:
            frozen = study._storage.get_trial(trial._trial_id)
            if pruner.prune(study, frozen):
                raise Unpromising

    states = optuna.trial.TrialState
    try:
        config = configured(record.base, trial.params)
        ended = train(setup, config, after_validation)
    except Unpromising:
        trial.set_user_attr("elapsed", time.monotonic() - began)
        return study.tell(trial, state=states.PRUNED)
    except InputError as error:
        ended = Ended(math.inf, 0, 0, 0.0, str(error))
    for key, value in ended._asdict().items():
        if key != "loss":
            trial.set_user_attr(key, value)
    trial.set_user_attr("elapsed", time.monotonic() - began)
    return study.tell(trial, ended.loss)


def requeue(study: Any, folder: Path) -> None:
    """Trials of processes that have died are marked failed, and their values are tried again: those they were given,
    since Optuna writes the settings of a trial one by one, and a kill may come between. Call it inside `locked`."""
    optuna = optuna_module()
    states = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    again = {one.user_attrs.get("instead_of") for one in trials}
    for one in trials:
        if one.state != states.RUNNING or lives(folder, worker_of(one)):
            continue
        if one.number not in again:
            stage, values = one.user_attrs.get("stage", "refine"), one.system_attrs["fixed_params"]
            study.enqueue_trial(values, user_attrs={"stage": stage, "instead_of": one.number})
        study.tell(one.number, state=states.FAIL)


def worker_of(trial: Any) -> str:
    """The process that trains a trial."""
    return str(trial.user_attrs.get("worker", ""))


def sentence(study: Any, number: int, ended: Any, record: StudyRecord) -> str:
    """One line on a trial that has ended."""
    found = [
        one.value for one in study.get_trials(deepcopy=False) if one.value is not None and one.state.name != "FAIL"
    ]
    values = described(ended.params)
    stage = ended.user_attrs["stage"]
    if ended.state.name == "PRUNED":
        what = "given up, others were better with as much training"
    elif math.isinf(ended.value):
        what = ended.user_attrs.get("diverged") or "diverged"
    else:
        what = f"{ended.value:.4f} nats per token"
    best = f"; best {min(found):.4f}" if found and not math.isinf(min(found)) else ""
    return f"trial {number + 1} of {record.trials} ({stage}): {what} with {values}{best}"


@contextmanager
def helpers(folder: Path, number: int) -> Iterator[None]:
    """Inside, so many other processes take part; they stop when the block is left by an error."""
    command = [sys.executable, "-m", "seqlab.studies.tune.worker", str(folder)]
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
