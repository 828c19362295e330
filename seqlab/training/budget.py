"""How long training lasts: steps, passes over the text, or time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..config import TrainingConfig

Unit = Literal["steps", "tokens", "seconds"]


@dataclass(frozen=True)
class Budget:
    """Training lasts until `total` of `unit` is used up; tokens are those of the text, passed by in order."""

    unit: Unit
    total: float

    @classmethod
    def of(cls, config: TrainingConfig, tokens: int) -> Budget:
        """The budget of a configuration for a text of so many tokens."""
        if config.steps is not None:
            return cls("steps", config.steps)
        if config.epochs is not None:
            return cls("tokens", max(1.0, config.epochs * tokens))
        assert config.minutes is not None
        return cls("seconds", 60.0 * config.minutes)
