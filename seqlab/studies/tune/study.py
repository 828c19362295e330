"""`tune`: what is measured first, a coarse search around the default, a refined one around the best, the best few for
longer, and the winner as a preset."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...base.errors import InputError, SeqlabError
from ...base.storage.outputs import check_folder
from ...config import Settings, read_config
from ...run import flat
from ...training.planning import GIVEN, Layer, Source
from ...training.train import Trained, train_language_model
from .journal import JOURNAL, LOCK, RANGE_TEST, RECORD, locked, optuna_module
from .record import StudyRecord
from .results import Study, read_study, write_best
from .search import FEWEST, FINALISTS, LONGER, helpers, take_part
from .space import Dimension, first_points, grid_of
from .tunables.base import Measured, Planned
from .tunables.effort import Effort, check_effort

USUAL_TRIALS = 16
"""Short trials where only their length is named; with a time for the whole search, the long ones take half as much
again."""
SHORTEST = 5.0
"""Seconds of a short trial where only the time of the whole search is named."""
OVERHEAD = 1.15
"""Time of a trial over that of its training: preparing and compiling it."""
COARSE = 0.5
"""Share of the short trials that lie around the default; the others lie around the best so far."""
Planner = Callable[[Effort, bool], Planned]
"""Plans a study for an effort; the second argument is whether to be quiet."""


def tune(
    planner: Planner,
    settings: type[Settings],
    out: str | Path,
    *,
    effort: Effort,
    workers: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    seed: int = 1,
    quiet: bool = False,
) -> Study:
    """Search settings for a text, or resume the unfinished search at `out`.

    Args:
        planner: plans what is tuned, such as `plan_language_model` with its text.
        settings: the class of the settings that are searched.
        out: the study's folder.
        effort: how much to do.
        workers: processes that train side by side.
        grid: by setting the values of a plain grid, instead of a search.
        seed: of the search; each trial trains with the seed of the settings.
        quiet: say nothing.

    Raises:
        InputError: a bad text or setting, a study of another text or with other settings at `out`, or no Optuna.
    """
    optuna_module()
    folder = Path(out)
    check_effort(effort, workers, grid)
    if grid:
        grid_of(settings, grid)
    check_folder(folder, RECORD, LOCK)
    planned = planner(effort, quiet)
    corpus = planned.tunable.corpus
    asked = {
        "tunes": planned.tunable.name,
        "seconds_per_trial": effort.seconds_per_trial,
        "steps_per_trial": effort.steps_per_trial,
        "seed": seed,
        "grid": None if grid is None else {key: list(values) for key, values in grid.items()},
        **planned.asked,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if (folder / RECORD).exists():
            record = StudyRecord.load(folder)
            record.check_same(folder, corpus.digest, asked)
            record = extended(record, effort, workers)
            record.save(folder)
        else:
            (folder / JOURNAL).unlink(missing_ok=True)
            record = begin(folder, planned, effort, workers, grid, seed, asked, quiet)
    with helpers(folder, corpus, workers - 1):
        take_part(folder, record, corpus, quiet)
    study = read_study(folder, record)
    with locked(folder):
        write_best(study)
    return study


def begin(
    folder: Path,
    planned: Planned,
    effort: Effort,
    workers: int,
    grid: Mapping[str, Sequence[Any]] | None,
    seed: int,
    asked: dict[str, Any],
    quiet: bool,
) -> StudyRecord:
    """Decide what is searched, and write it down once it is complete.

    Args:
        folder: of the study.
        planned: what the study is about.
        effort: how much to do.
        workers: processes that train side by side.
        grid: values of a plain grid, or None.
        seed: of the search.
        asked: for the record.
        quiet: say nothing.

    Raises:
        InputError: nothing is left to search.
    """
    began, tunable = time.monotonic(), planned.tunable
    if not grid and not tunable.dimensions(Measured(0.0), planned.fixed):
        raise InputError("every setting that is searched is fixed; leave one of them out.")
    lengths = (effort.seconds_per_trial, effort.steps_per_trial, effort.epochs_per_trial)
    chosen_here = all(one is None for one in lengths)
    target = tunable.target() if chosen_here else 0.0
    length = seconds_of(effort, workers, target)
    measured = tunable.begin(effort, length, workers, not grid, quiet)
    seconds = time.monotonic() - began
    if measured.curve is not None:
        measured.curve.picture().save(folder / RANGE_TEST)
    if grid:
        dimensions = grid_of(tunable.settings, grid)
        points = [dict(zip([one.key for one in dimensions], each, strict=True)) for each in product(dimensions)]
        trials = len(points)
    else:
        dimensions = tunable.dimensions(measured, planned.fixed)
        values = flat(tunable.config.model_dump())
        usual = {one.key: values[one.key] for one in dimensions}
        trials = number_of(effort, workers, length, seconds)
        coarse = max(1, round(COARSE * trials) - 1)
        points = first_points(dimensions, usual, measured.suggestion, coarse, seed)
    record = StudyRecord(
        tunes=tunable.name,
        corpus=str(tunable.corpus.path),
        digest=tunable.corpus.digest,
        asked=asked,
        config=tunable.config.model_dump(),
        about=tunable.about,
        chosen=planned.chosen,
        dimensions=dimensions,
        points=points,
        trials=trials,
        amount=measured.amount,
        length=length,
        limit=None if effort.minutes is None or grid else 60 * effort.minutes * workers,
        seed=seed,
        grid=bool(grid),
        suggestion=measured.suggestion,
        seconds=seconds,
        target=target,
    )
    record.save(folder)
    return record


def product(dimensions: Sequence[Dimension]) -> itertools.product[Any]:
    """All combinations of the choices."""
    return itertools.product(*(one.choices for one in dimensions))


def seconds_of(effort: Effort, workers: int, target: float) -> float:
    """Seconds of a short trial, where they count.

    Args:
        effort: how much to do.
        workers: processes that train side by side.
        target: seconds of the training that the settings are for; a long trial is not longer than that.
    """
    if effort.seconds_per_trial is not None or effort.minutes is None:
        return effort.seconds_per_trial or 0.0
    long_trials = (1 + FINALISTS) * LONGER
    usual = 60.0 * effort.minutes * workers / (OVERHEAD * (USUAL_TRIALS + long_trials))
    return max(SHORTEST, min(usual, target / LONGER) if target else usual)


def number_of(effort: Effort, workers: int, length: float, seconds: float) -> int:
    """Short trials in all.

    Args:
        effort: how much to do.
        workers: processes that train side by side.
        length: seconds of one.
        seconds: that were measured before the first.
    """
    if effort.trials is not None:
        return effort.trials
    counted = effort.steps_per_trial is not None or effort.epochs_per_trial is not None
    if counted or effort.minutes is None:
        return USUAL_TRIALS
    there = (60.0 * effort.minutes - seconds) * workers / (OVERHEAD * length)
    return max(FEWEST, int(there - (1 + FINALISTS) * LONGER))


def extended(record: StudyRecord, effort: Effort, workers: int) -> StudyRecord:
    """A study with as many trials, and as much time, as are asked for now; never fewer than it had."""
    if record.grid:
        return record
    limit = None if effort.minutes is None else max(record.limit or 0.0, 60 * effort.minutes * workers)
    trials = max(record.trials, number_of(effort, workers, record.length, record.seconds))
    return replace(record, trials=trials, limit=limit)


def train_best(study: Study, source: Source, minutes: float, *, valid: Any = None, quiet: bool = False) -> Trained:
    """Train the best settings of a study for longer, into its folder `run`; the same call resumes.

    Args:
        study: that has a best trial.
        source, valid: texts, as in the study.
        minutes: of training.
        quiet: show no progress.

    Raises:
        InputError: a study of word vectors.
        SeqlabError: every trial diverged.
    """
    if study.preset is None:
        raise SeqlabError(f"{study.path}: every trial diverged, so there is nothing to train; search lower rates.")
    layers = [Layer(str(study.preset), read_config(study.preset)), Layer(GIVEN, {"training": {"minutes": minutes}})]
    return train_language_model(source, study.path / "run", valid=valid, quiet=quiet, given=layers)
