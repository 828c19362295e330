"""`tune`: a range test, a coarse search of even points, a refined one around the best, and the winner as a preset."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...base.cores import available_cores
from ...base.errors import InputError, SeqlabError, option
from ...base.progress import notify
from ...base.storage.outputs import check_folder
from ...config import read_config
from ...run import flat
from ...training.planning import BUDGETS, DEFAULT, GIVEN, Layer, Plan, Source, plan
from ...training.train import Trained, train_language_model
from .journal import JOURNAL, LOCK, RECORD, locked, optuna_module
from .range_test import find_lr
from .record import StudyRecord
from .results import Study, read_study, write_best
from .search import helpers, take_part
from .space import Dimension, grid_of, quasi_random, space_of
from .trainings import RUNGS

USUAL_TRIALS = 24
"""Trials where only their length is named."""
SHORTEST, LONGEST = 5.0, 120.0
"""Seconds of a trial where only the time of the whole search is named: a twenty-fourth of it, within these."""
OVERHEAD = 1.15
"""Time of a trial over that of its training: preparing and compiling it."""
USUAL_UPDATES = 1_000
"""Of a trial of a grid whose length is in seconds: it decides how much is validated."""
COARSE = 0.5
"""Share of the trials that fill the space evenly."""
VALIDATED, FEWEST, MOST = 0.05, 2_000, 20_000
"""Validation tokens as a share of a trial's training tokens, and their limits."""


class Effort(NamedTuple):
    """How much a study may do: any of them may be None, where it is chosen."""

    minutes: float | None = None
    """For the whole search."""
    trials: int | None = None
    seconds_per_trial: float | None = None
    steps_per_trial: int | None = None


def tune(
    source: Source,
    out: str | Path,
    *,
    effort: Effort,
    workers: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    valid: Any = None,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    seed: int = 1,
    quiet: bool = False,
) -> Study:
    """Search settings for a text, or resume the unfinished search at `out`.

    Args:
        source, valid: texts, see `train_language_model`.
        out: the study's folder.
        effort: how much to do.
        workers: processes that train side by side.
        grid: by setting the values of a plain grid, instead of a search.
        preset: its name; None takes the one that suits the text. Its configuration is the first trial.
        given: settings that stay as they are, see `plan`.
        seed: of the search; each trial trains with the seed of the settings.
        quiet: say nothing.

    Raises:
        InputError: a bad text or setting, a study of another text or with other settings at `out`, or no Optuna.
    """
    optuna_module()
    folder = Path(out)
    check_effort(effort, workers, grid)
    if grid:
        grid_of(grid)
    check_folder(folder, RECORD, LOCK)
    layers = [Layer(GIVEN, given)] if isinstance(given, Mapping) else list(given)
    planned = plan(source, valid, None, quiet, preset, [*layers, *length_of(effort, layers)])
    if planned.corpus.valid is None:
        raise InputError("a study compares held-out losses, and this text has no validation part; give more text.")
    if planned.config.training.init:
        raise InputError(f"{option('init')}: a study trains fresh weights; leave it out.")
    fixed = {key for layer in layers for key in flat(layer.values)}
    asked = asked_of(effort, grid, seed, preset, fixed, planned)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if (folder / RECORD).exists():
            record = StudyRecord.load(folder)
            record.check_same(folder, planned.corpus.digest, asked)
            record = extended(record, effort, workers)
            record.save(folder)
        else:
            (folder / JOURNAL).unlink(missing_ok=True)
            record = begin(folder, planned, effort, workers, grid, seed, fixed, asked, quiet)
    with helpers(folder, workers - 1):
        take_part(folder, record, planned.corpus, quiet)
    study = read_study(folder, record)
    with locked(folder):
        write_best(study)
    return study


def check_effort(effort: Effort, workers: int, grid: Any) -> None:
    """Refuse what cannot be done.

    Raises:
        InputError: naming the option.
    """
    for name, value in (*effort._asdict().items(), ("workers", workers)):
        if value is not None and not value > 0:
            raise InputError(f"{option(name)}: must be more than 0, not {value:g}.")
    if effort.seconds_per_trial is not None and effort.steps_per_trial is not None:
        raise InputError(f"give {option('seconds_per_trial')} or {option('steps_per_trial')}, not both.")
    if effort.minutes is None and effort.trials is None and not grid:
        raise InputError(f"say how long to search: {option('minutes', 10)}, or {option('trials', 20)}.")
    if effort.minutes is None and effort.seconds_per_trial is None and effort.steps_per_trial is None:
        raise InputError(
            f"say how long a trial is: {option('seconds_per_trial', 20)} or {option('steps_per_trial', 500)}; "
            f"{option('minutes', 10)} chooses it."
        )


def length_of(effort: Effort, layers: Sequence[Layer]) -> list[Layer]:
    """The budget that the preset is chosen for: that of a trial, where it is in steps, so that the choice does not
    depend on how fast this machine is just now. Otherwise what the person sets, or the usual one."""
    set_already = any(f"training.{name}" in flat(layer.values) for layer in layers for name in BUDGETS)
    if effort.steps_per_trial is None or set_already:
        return []
    return [Layer(DEFAULT, {"training": {"steps": effort.steps_per_trial}})]


def asked_of(
    effort: Effort, grid: Any, seed: int, preset: str | None, fixed: set[str], planned: Plan
) -> dict[str, Any]:
    """What a resumed study must be asked for again: all but how many trials there are to be."""
    values = flat(planned.config.model_dump())
    return {
        "seconds_per_trial": effort.seconds_per_trial,
        "steps_per_trial": effort.steps_per_trial,
        "seed": seed,
        "preset": preset,
        "grid": None if grid is None else {key: list(values) for key, values in grid.items()},
        **{key: values[key] for key in sorted(fixed)},
    }


def begin(
    folder: Path,
    planned: Plan,
    effort: Effort,
    workers: int,
    grid: Mapping[str, Sequence[Any]] | None,
    seed: int,
    fixed: set[str],
    asked: dict[str, Any],
    quiet: bool,
) -> StudyRecord:
    """Decide what is searched, and write it down once it is complete.

    Args:
        folder: of the study.
        planned: what the text would get without a search.
        effort: how much to do.
        workers: processes that train side by side.
        grid: values of a plain grid, or None.
        seed: of the search.
        fixed: keys that the person set.
        asked: for the record.
        quiet: say nothing.
    """
    corpus, config = planned.corpus, planned.config
    assert corpus.valid is not None, "tune refuses such a text"
    threads = config.training.threads or max(1, available_cores() // workers)
    length = seconds_of(effort, workers)
    budget: dict[str, Any] = dict.fromkeys(f"training.{name}" for name in BUDGETS)
    if effort.steps_per_trial is not None:
        budget["training.steps"] = effort.steps_per_trial
    else:
        budget["training.minutes"] = length / 60
    config = config.updated({**budget, "training.threads": threads, "training.patience": 0})
    began = time.monotonic()
    found = None if grid else find_lr(corpus, given=config.model_dump(), quiet=quiet)
    seconds = time.monotonic() - began
    if found is not None and not quiet:
        usual = config.training.lr
        notify(f"range test: learning rate {found.suggestion:g} for {found.schedule}; without it {usual:g}")
    updates = effort.steps_per_trial or (found.updates if found else USUAL_UPDATES)
    tokens = int(updates * config.training.batch_size * config.training.bptt)
    config = config.updated({"training.evaluations": RUNGS})
    if grid:
        dimensions = grid_of(grid)
        points = [dict(zip([one.key for one in dimensions], each, strict=True)) for each in product(dimensions)]
    else:
        assert found is not None
        dimensions = space_of(config, found.suggestion, fixed, len(corpus.train))
        values = flat(config.model_dump())
        number = number_of(effort, workers, length, seconds)
        coarse = max(1, round(COARSE * number) - 1)
        points = [{one.key: values[one.key] for one in dimensions}, *quasi_random(dimensions, coarse, seed)]
    record = StudyRecord(
        corpus=str(corpus.path),
        digest=corpus.digest,
        asked=asked,
        config=config.model_dump(),
        chosen=[key for key, where in planned.sources.items() if where != DEFAULT and not key.startswith("text.")],
        dimensions=dimensions,
        points=points,
        trials=len(points) if grid else number_of(effort, workers, length, seconds),
        limit=None if effort.minutes is None or grid else 60 * effort.minutes * workers,
        valid_tokens=min(len(corpus.valid), max(FEWEST, min(MOST, int(VALIDATED * tokens)))),
        seed=seed,
        grid=bool(grid),
        suggestion=None if found is None else found.suggestion,
        seconds=seconds,
    )
    record.save(folder)
    return record


def product(dimensions: Sequence[Dimension]) -> itertools.product[Any]:
    """All combinations of the choices."""
    return itertools.product(*(one.choices for one in dimensions))


def seconds_of(effort: Effort, workers: int) -> float:
    """Seconds of a trial."""
    if effort.seconds_per_trial is not None:
        return effort.seconds_per_trial
    usual = 60 * (effort.minutes or 0.0) * workers / USUAL_TRIALS
    return max(SHORTEST, min(LONGEST, usual))


def number_of(effort: Effort, workers: int, length: float, seconds: float) -> int:
    """Trials in all."""
    if effort.trials is not None:
        return effort.trials
    if effort.steps_per_trial is not None or effort.minutes is None:
        return USUAL_TRIALS
    return max(2, int((60 * effort.minutes - seconds) * workers / (OVERHEAD * length)))


def extended(record: StudyRecord, effort: Effort, workers: int) -> StudyRecord:
    """A study with as many trials, and as much time, as are asked for now; never fewer than it had."""
    if record.grid:
        return record
    limit = None if effort.minutes is None else max(record.limit or 0.0, 60 * effort.minutes * workers)
    seconds = seconds_of(effort, workers)
    return replace(record, trials=max(record.trials, number_of(effort, workers, seconds, record.seconds)), limit=limit)


def train_best(study: Study, source: Source, minutes: float, *, valid: Any = None, quiet: bool = False) -> Trained:
    """Train the best settings of a study for longer, into its folder `run`; the same call resumes.

    Args:
        study: that has a best trial.
        source, valid: texts, as in the study.
        minutes: of training.
        quiet: show no progress.

    Raises:
        SeqlabError: every trial diverged.
    """
    if study.preset is None:
        raise SeqlabError(f"{study.path}: every trial diverged, so there is nothing to train; search lower rates.")
    layers = [Layer(str(study.preset), read_config(study.preset)), Layer(GIVEN, {"training": {"minutes": minutes}})]
    return train_language_model(source, study.path / "run", valid=valid, quiet=quiet, given=layers)
