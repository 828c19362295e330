"""What a study has to know of what it tunes: how it is planned, what is searched, and how a trial is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from ....config import Settings
from ....text import Corpus
from ..range_test import RangeTest
from ..space import Dimension
from .effort import Effort

AfterValidation = Callable[[int, float], None]
"""Called with the number of a validation and the best objective so far; may raise Unpromising."""


class Unpromising(Exception):
    """A training is given up: others were better with the same share of the budget."""


class Ended(NamedTuple):
    """What a training left.

    objective: what the study minimises; infinite where training diverged. steps, tokens, seconds: of the training.
    """

    objective: float
    steps: int
    tokens: int
    seconds: float
    diverged: str = ""


class Measured(NamedTuple):
    """What was measured before the first trial.

    amount: budget of a short trial of the default, in steps or passes. curve: a range test, None where there was none.
    """

    amount: float
    curve: RangeTest | None = None

    @property
    def suggestion(self) -> float | None:
        """Learning rate of the range test."""
        return None if self.curve is None else self.curve.suggestion


class Tunable(ABC):
    """A model whose settings can be searched, on one text.

    Args:
        corpus: the text.
        config: of every trial before its own values.
        about: what else all trials share, as JSON.

    Attributes:
        name: in study.json.
        settings: the class of its settings.
        command: that trains with the preset of a study.
        budgets: keys of settings that a later training chooses anew.
        follow: keys of settings that follow searched ones.
        rungs: validations of a training, at equal shares of its budget; a trial can be given up after each but the
            last.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Settings]]
    command: ClassVar[str]
    budgets: ClassVar[tuple[str, ...]]
    follow: ClassVar[tuple[str, ...]] = ()
    rungs: ClassVar[int]

    def __init__(self, corpus: Corpus, config: Any, about: Mapping[str, Any] | None = None):
        self.corpus, self.config, self.about = corpus, config, dict(about or {})

    @abstractmethod
    def target(self) -> float:
        """Seconds of the training that the settings are searched for."""

    @abstractmethod
    def begin(self, effort: Effort, seconds: float, workers: int, search: bool, quiet: bool) -> Measured:
        """Fix what all trials share, and measure what the search needs.

        Args:
            effort: how much to do.
            seconds: of a short trial, unless `effort` has its steps.
            workers: processes that train side by side.
            search: whether settings are searched; a grid needs no range test.
            quiet: say nothing.
        """

    @abstractmethod
    def dimensions(self, measured: Measured, fixed: set[str]) -> list[Dimension]:
        """The settings to search around the configuration, which lies inside.

        Args:
            measured: before the first trial.
            fixed: keys that the person set; they are not searched.
        """

    @classmethod
    @abstractmethod
    def judged_by(cls, about: Mapping[str, Any]) -> tuple[str, str]:
        """What the trials of a study minimise, in words, and its unit."""

    @classmethod
    def configured(cls, config: Any, values: Mapping[str, Any]) -> Any:
        """A configuration with values by key.

        Raises:
            InputError: a combination that cannot be trained.
        """
        return config.updated(values, "study")

    @abstractmethod
    def cost(self, values: Mapping[str, Any]) -> float:
        """What a unit of the budget costs with these values, relative to the default."""

    @abstractmethod
    def train(self, values: Mapping[str, Any], amount: float, after_validation: AfterValidation) -> Ended:
        """Train with these values; nothing of it stays on disk.

        Args:
            values: by key.
            amount: of the budget.
            after_validation: see `AfterValidation`.

        Raises:
            InputError: sizes that cannot be trained.
            Unpromising: raised by `after_validation`.
        """


class Planned(NamedTuple):
    """What a study is about, before anything is measured.

    chosen: keys of settings that a preset, the text or the person decided, which a preset of the best keeps. fixed:
    keys that the person set. asked: what a resumed study must be asked for again.
    """

    tunable: Tunable
    chosen: list[str]
    fixed: set[str]
    asked: dict[str, Any]
