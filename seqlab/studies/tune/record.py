"""What a study searches and for how long: study.json, from which any process can take part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...base.errors import InputError
from ...base.files import read_json, write_json
from ...text import Corpus
from .journal import RECORD
from .space import Dimension
from .tunables.base import Tunable
from .tunables.table import TUNABLES

KIND = "study"


@dataclass(frozen=True)
class StudyRecord:
    """What is fixed when a study begins.

    Attributes:
        tunes: what is tuned, a name of TUNABLES.
        corpus: folder of the prepared text.
        digest: of the text.
        asked: what the person set; a resumed study must be asked for the same.
        config: of every trial before its own values.
        about: what else all trials share, see `Tunable`.
        chosen: keys of it that a preset, the text or the person decided, which a preset of the best keeps.
        dimensions: what is searched.
        points: values by key that are tried first, in order; the first is the configuration without a search, unless
            the study is a grid.
        trials: short ones in all.
        amount: budget of a short trial of the default, in updates or passes; other values get as much as costs the
            same.
        length: seconds that are meant for a short trial, 0 where its budget is not in seconds.
        limit: seconds that all trials together may take, over all processes; None for no limit.
        seed: of the search.
        grid: whether it is a plain grid, which tries its points and nothing else.
        suggestion: learning rate of the range test, None where there was none.
        seconds: that was measured before the first trial.
        target: seconds of the training that the settings are for, 0 where the length of a trial was given.
    """

    tunes: str
    corpus: str
    digest: str
    asked: dict[str, Any]
    config: dict[str, Any]
    about: dict[str, Any]
    chosen: list[str]
    dimensions: list[Dimension]
    points: list[dict[str, Any]]
    trials: int
    amount: float
    length: float
    limit: float | None
    seed: int
    grid: bool = False
    suggestion: float | None = None
    seconds: float = 0.0
    target: float = 0.0

    @property
    def kind(self) -> type[Tunable]:
        """What is tuned."""
        return TUNABLES[self.tunes]

    @property
    def judged_by(self) -> tuple[str, str]:
        """What is minimised, in words, and its unit."""
        return self.kind.judged_by(self.about)

    @property
    def base(self) -> Any:
        """The configuration of every trial before its own values."""
        return self.kind.settings.of_record(self.config, RECORD)

    def tunable(self, corpus: Corpus) -> Tunable:
        """What is tuned, on its text."""
        return self.kind(corpus, self.base, self.about)

    def save(self, folder: Path) -> None:
        """Write study.json in one piece."""
        write_json(folder / RECORD, {"kind": KIND, **asdict(self)})

    @classmethod
    def load(cls, folder: Path) -> StudyRecord:
        """Read study.json.

        Raises:
            InputError: it is missing, damaged or no study's.
        """
        values = read_json(folder / RECORD)
        if not isinstance(values, dict) or values.pop("kind", None) != KIND:
            raise InputError(f"{folder / RECORD}: is not the record of a study; name another folder.")
        try:
            dimensions = [Dimension.of_json(one) for one in values.pop("dimensions")]
            TUNABLES[values["tunes"]]
            return cls(dimensions=dimensions, **values)
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{folder / RECORD}: is incomplete or of another version; use another folder.") from None

    def check_same(self, folder: Path, digest: str, asked: Mapping[str, Any]) -> None:
        """Refuse to resume a study with another text or other settings.

        Raises:
            InputError: naming the first thing that differs.
        """
        if digest != self.digest:
            raise InputError(
                f"{folder}: studies another text (its corpus digest differs); use the same text to resume, or another "
                "folder."
            )
        for key in sorted({*self.asked, *asked}):
            before, now = self.asked.get(key), asked.get(key)
            if before != now:
                raise InputError(
                    f"{folder}: was begun with {key} = {shown(before)}, not {shown(now)}; use the same to resume, or "
                    "another folder."
                )


def shown(value: Any) -> str:
    """A setting for a sentence."""
    return "nothing" if value is None else str(value)


def described(values: Mapping[str, Any]) -> str:
    """Values by name in one line."""
    return ", ".join(f"{key.rpartition('.')[2]} {number(value)}" for key, value in values.items())


def number(value: Any) -> str:
    """A value with the digits that matter."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def distributions(optuna: Any, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """The dimensions as Optuna has them."""
    kinds = optuna.distributions
    return {
        one.key: kinds.CategoricalDistribution(one.choices)
        if one.choices
        else kinds.FloatDistribution(one.low, one.high, log=one.logarithmic, step=one.step)
        for one in dimensions
    }
