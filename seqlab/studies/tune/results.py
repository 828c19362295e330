"""What a study found: its trials, the best of them as a preset, and what each setting was worth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...base.errors import counted
from ...base.files import atomic_file
from ...base.results import Result, Table, line
from ...run import flat
from ...visualization import Picture
from ...visualization.charts.chart import ChartPanel, Series
from ...visualization.charts.picture import ChartPicture
from .journal import BEST, REPORT, STUDY, optuna_module, storage
from .record import StudyRecord, number
from .search import LONG, LONGER, STAGES, stage_of
from .space import Dimension

ENOUGH = 8
"""Finished trials from which on the importance of settings is estimated."""
SUSPECT = "lies at the {end} end of what was tried ({low} to {high}); the best may lie beyond, so widen the search"

SHORT = 1.5
"""Trainings that are so many times as long as the trials that decided may want other settings."""
EQUAL = "all trials ended with the same loss, so they say nothing: give each more steps or seconds"


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: from 0, in the order they were begun.
        stage: "default", "coarse", "refine", "grid" or "long".
        state: "finished", "diverged", "given up" or "interrupted".
        objective: what is minimised, see `Study.unit`; None unless finished, for a trial that was given up its last
            one.
        values: what was set, by dotted key.
        steps, seconds: of its training.
    """

    number: int
    stage: str
    state: str
    objective: float | None
    values: Mapping[str, Any]
    steps: int
    seconds: float


@dataclass(frozen=True, repr=False)
class Study(Result):
    """A search of settings for a text.

    Attributes:
        path: its folder.
        trials: in the order they were begun.
        default: the configuration without a search, as long as the best; None in a grid.
        best: the finished trial with the lowest objective, among the long ones where there are several; None where all
            diverged.
        worth: by dotted key, the share of the objective's variance that a setting explains (fANOVA); empty where few
            trials differ.
        warnings: sentences on best values at the end of their range, and on trials that say little.
        preset: the TOML file of the best settings, None where there is none.
        record: what was searched.
    """

    path: Path
    trials: Sequence[TrialResult]
    default: TrialResult | None
    best: TrialResult | None
    worth: Mapping[str, float]
    warnings: Sequence[str]
    preset: Path | None
    record: StudyRecord

    @property
    def report(self) -> Path:
        """The page that `picture` was saved to."""
        return self.path / REPORT

    @property
    def unit(self) -> str:
        """Of the objective, such as "nats per token"."""
        return self.record.judged_by[1]

    def __repr__(self) -> str:
        done = [one for one in self.trials if one.state != "interrupted"]
        long = sum(one.stage == LONG for one in done)
        facts = [str(self.path), f"{len(done) - long} of {counted(self.record.trials, 'trial')}"]
        if long:
            facts.append(f"{long} of them longer")
        if self.best is not None:
            facts.append(f"best {self.best.objective:.4f} {self.unit}")
        if self.default is not None and self.default.objective is not None:
            facts.append(f"default {self.default.objective:.4f}")
        return line("Study", facts)

    def table(self) -> Table:
        """A row a trial, long ones first, the best of them first; trials that diverged or were given up come last."""
        keys = [one.key for one in self.record.dimensions]
        headers = ("trial", "stage", "state", "objective", *(key.rpartition(".")[2] for key in keys), "steps")
        ordered = sorted(
            self.trials,
            key=lambda one: (one.state != "finished", one.stage != LONG, one.objective or math.inf, one.number),
        )
        rows = [
            (
                one.number,
                one.stage,
                one.state,
                None if one.objective is None else round(one.objective, 4),
                *(number(one.values[key]) if key in one.values else None for key in keys),
                one.steps,
            )
            for one in ordered
        ]
        return Table(headers, rows, repr(self))

    def text(self) -> str:
        """The trials, what each setting was worth, and what to look at."""
        parts = [self.table().text()]
        if self.worth:
            shares = ", ".join(f"{key.rpartition('.')[2]} {share:.0%}" for key, share in self.worth.items())
            parts.append(f"share of the variance of the objective, by setting (fANOVA): {shares}")
        parts += [f"warning: {one}" for one in self.warnings]
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The study.

        Returns:
            {"study": folder, "trials": [...], "best": {"values", "objective", "trial"} or None, "default", "worth",
            "warnings", "preset"}.
        """
        best, default = self.best, self.default
        return {
            "study": str(self.path),
            "trials": [asdict(one) for one in self.trials],
            "best": best and {"values": best.values, "objective": best.objective, "trial": best.number},
            "default": default and {"values": default.values, "objective": default.objective},
            "worth": self.worth,
            "warnings": list(self.warnings),
            "preset": None if self.preset is None else str(self.preset),
            "suggestion": self.record.suggestion,
        }

    def picture(self) -> Picture:
        """A panel a setting: the objective of every finished trial against its value."""
        panels = [self._panel(one) for one in self.record.dimensions]
        caption = (
            "Each dot is a trial. A setting matters where its dots lie on a slope; a best dot at the end of a panel "
            "means that the search should be widened."
        )
        missing = [one for one in self.trials if one.state in ("diverged", "given up")]
        notes = [f"{counted(len(missing), 'trial')} diverged or were given up, and are not shown"] if missing else []
        return ChartPicture(
            f"{self.record.judged_by[0]} against each setting".capitalize(),
            caption,
            panels,
            {"trials": len(self.trials)},
            notes,
        )

    def _panel(self, dimension: Dimension) -> ChartPanel:
        named = bool(dimension.choices)
        series = []
        for color, stage in enumerate(STAGES):
            chosen = [one for one in self.trials if one.stage == stage and one.state == "finished"]
            pairs = [(one.values[dimension.key], one.objective) for one in chosen if dimension.key in one.values]
            if pairs:
                x = [float(dimension.choices.index(value)) if named else float(value) for value, _ in pairs]
                series.append(Series(stage, x, [float(loss or 0.0) for _, loss in pairs], "points", color))
        return ChartPanel(
            dimension.name,
            dimension.name,
            self.unit,
            series,
            logarithmic=dimension.logarithmic,
            names=[number(one) for one in dimension.choices],
        )


def read_study(folder: Path, record: StudyRecord) -> Study:
    """What the journal of a study holds.

    Args:
        folder: of the study.
        record: of the study.
    """
    optuna = optuna_module()
    study = optuna.load_study(study_name=STUDY, storage=storage(folder))
    frozen = [one for one in study.get_trials(deepcopy=False) if one.state.name != "WAITING"]
    trials = [trial_of(one) for one in frozen]
    finished = [one for one in trials if one.state == "finished"]
    short = [one for one in finished if one.stage != LONG]
    long = [one for one in finished if one.stage == LONG]
    decisive = long if len(long) > 1 else short
    best = min(decisive, key=lambda one: (one.objective, one.number), default=None)
    usual = record.points[0]
    default = next((one for one in decisive if not record.grid and one.values == usual), None)
    worth: dict[str, float] = {}
    if len({one.objective for one in short}) >= ENOUGH and len(record.dimensions) > 1:
        alike = optuna.create_study()
        alike.add_trials([one for one in frozen if one.state.name == "COMPLETE" and stage_of(one) != LONG])
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=record.seed % 2**32)
        with suppress(RuntimeError):  # trees that no setting splits
            worth = dict(optuna.importance.get_param_importances(alike, evaluator=evaluator))
    if len(short) > 1 and len({one.objective for one in short}) == 1:
        warnings = [EQUAL]
    else:
        found = [] if best is None else [suspect(record, best, each) for each in record.dimensions]
        warnings = [one for one in (*found, too_short(record)) if one]
    preset = folder / BEST if best is not None else None
    return Study(folder, trials, default, best, worth, warnings, preset, record)


def too_short(record: StudyRecord) -> str:
    """A sentence where the trials that decide are much shorter than the training that the settings are for."""
    longest = LONGER * record.length
    if record.limit is None or record.grid or record.target <= SHORT * longest:
        return ""
    minutes = record.limit / 60 * record.target / longest
    return (
        f"the trials that decided had {longest:.0f} seconds, and the training that the settings are for has "
        f"{record.target:.0f}: longer trainings want larger models and lower rates, so a search of about {minutes:.0f} "
        "minutes would tell more"
    )


def trial_of(frozen: Any) -> TrialResult:
    """A trial of Optuna's as a result."""
    state = {"COMPLETE": "finished", "PRUNED": "given up"}.get(frozen.state.name, "interrupted")
    value = frozen.value
    if value is not None and math.isinf(value):
        state, value = "diverged", None
    attributes = frozen.user_attrs
    return TrialResult(
        frozen.number,
        stage_of(frozen),
        state,
        value,
        dict(frozen.params),
        attributes.get("steps", 0),
        round(attributes.get("elapsed", 0.0), 2),
    )


def suspect(record: StudyRecord, best: TrialResult, dimension: Dimension) -> str:
    """A sentence where the best value lies at an end of its range, else nothing."""
    value = best.values.get(dimension.key)
    end = dimension.end(value)
    if not end:
        return ""
    low, high = (dimension.choices[0], dimension.choices[-1]) if dimension.choices else (dimension.low, dimension.high)
    return f"{dimension.name} {number(value)} {SUSPECT.format(end=end, low=number(low), high=number(high))}"


def write_best(study: Study) -> None:
    """Write the best settings as TOML, for `seqlab train ... --config STUDY/best.toml`, and the report."""
    if study.best is None or study.preset is None:
        return
    record, kind = study.record, study.record.kind
    config = flat(kind.configured(record.base, study.best.values).model_dump())
    values: dict[str, dict[str, Any]] = {"": {}}
    for key in dict.fromkeys([*record.chosen, *study.best.values, *kind.follow]):
        section, _, name = key.rpartition(".")
        if config[key] is not None and key not in kind.budgets:
            values.setdefault(section, {})[name] = config[key]
    lines = [
        f"# The best of {counted(len(study.trials), 'trial')} of a study: {study.best.objective:.4f} {study.unit}.",
        f"# Use it: {kind.command} TEXT -o OUT --config FILE; add --minutes or --epochs for another budget.",
    ]
    for section, inside in ((section, inside) for section, inside in values.items() if inside):
        lines += [
            "",
            *([f"[{section}]"] if section else []),
            *(f"{name} = {toml(one)}" for name, one in inside.items()),
        ]
    with atomic_file(study.preset) as handle:
        handle.write(("\n".join(lines) + "\n").encode("utf-8"))
    study.picture().save(study.report)


def toml(value: Any) -> str:
    """A value as TOML."""
    return (
        str(value).lower()
        if isinstance(value, bool)
        else repr(value)
        if isinstance(value, float)
        else json.dumps(value)
    )
