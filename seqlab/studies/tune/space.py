"""What a study searches: a few settings around those that a text would get without it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...config import LanguageModelConfig

SEARCHED = ("training.lr", "training.weight_decay", "model.dropout", "model.hidden_dim", "training.batch_size")
"""Settings that are searched unless a person sets them; the tuning playbook's, and the width."""
AROUND = 4.0
"""The learning rate is sought from the lower of default and suggestion over this, to the higher times this."""
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
BATCHES = (0.25, 0.5, 1.0, 2.0, 4.0)
DECOUPLED_DECAYS, DECAYS = (0.0, 0.01, 0.03, 0.1, 0.3), (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
DROPOUTS, DROPOUT_STEP = (0.0, 0.6), 0.05
NEAR = 0.1
"""A best value this near to an end of its range, as a share of the range, makes the range suspect."""


@dataclass(frozen=True)
class Dimension:
    """One setting and the values it may take: a range, or choices in ascending order.

    Attributes:
        key: the setting, dotted.
        low, high: of a range.
        logarithmic: whether the range is searched by its logarithm.
        step: of a range; None for any value.
        choices: instead of a range.
        natural: values beyond which there is nothing, such as a dropout of 0.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    logarithmic: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    natural: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The setting without its section."""
        return self.key.rpartition(".")[2]

    def at(self, share: float) -> Any:
        """The value at a share in [0, 1) of the range."""
        if self.choices:
            return self.choices[int(share * len(self.choices))]
        if self.logarithmic:
            return float(f"{self.low * (self.high / self.low) ** share:.4g}")
        if self.step is None:
            return self.low + share * (self.high - self.low)
        steps = round((self.high - self.low) / self.step)
        return round(self.low + self.step * int(share * (steps + 1)), 10)

    def end(self, value: Any) -> str:
        """ "lowest" or "highest" where a value lies at an end that something may lie beyond, else nothing."""
        if self.choices:
            if len(self.choices) == 1 or not all(isinstance(one, int | float) for one in self.choices):
                return ""
            ends = {self.choices[0]: "lowest", self.choices[-1]: "highest"}
            return "" if value in self.natural else ends.get(value, "")
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low)
        if share <= NEAR and self.low not in self.natural:
            return "lowest"
        return "highest" if share >= 1 - NEAR and self.high not in self.natural else ""

    def to_json(self) -> dict[str, Any]:
        """For study.json."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Dimension:
        """From study.json."""
        return cls(**{**values, "choices": tuple(values["choices"]), "natural": tuple(values["natural"])})


def space_of(config: LanguageModelConfig, suggestion: float, fixed: Iterable[str], tokens: int) -> list[Dimension]:
    """The settings to search around a configuration, which lies inside.

    Args:
        config: what the text would get without a search.
        suggestion: learning rate of the range test.
        fixed: keys that the person set; they are not searched.
        tokens: of the training text.

    Raises:
        InputError: nothing is left to search.
    """
    model, training = config.model, config.training
    lr, dropout = training.lr, model.dropout
    decays = DECOUPLED_DECAYS if training.optimizer == "adamw" else DECAYS
    widths = {8 * max(1, round(share * model.hidden_dim / 8)) for share in WIDTHS} | {model.hidden_dim}
    batches = {max(1, round(share * training.batch_size)) for share in BATCHES}
    long_enough = {size for size in batches if size * training.bptt * 4 <= tokens} | {training.batch_size}
    multiple = math.isclose(dropout / DROPOUT_STEP, round(dropout / DROPOUT_STEP))
    every = [
        Dimension("training.lr", min(lr, suggestion) / AROUND, max(lr, suggestion) * AROUND, logarithmic=True),
        Dimension("training.weight_decay", choices=tuple(sorted({*decays, training.weight_decay})), natural=(0.0,)),
        Dimension(
            "model.dropout",
            DROPOUTS[0],
            max(DROPOUTS[1], dropout),
            step=DROPOUT_STEP if multiple else None,
            natural=(0.0,),
        ),
        Dimension("model.hidden_dim", choices=tuple(sorted(widths))),
        Dimension("training.batch_size", choices=tuple(sorted(long_enough)), natural=(1,)),
    ]
    found = [one for one in every if one.key not in set(fixed)]
    if not found:
        raise InputError(f"every setting that is searched ({', '.join(SEARCHED)}) is fixed; leave one of them out.")
    return found


def grid_of(assignments: Mapping[str, Sequence[Any]]) -> list[Dimension]:
    """The settings of a plain grid.

    Args:
        assignments: by setting, bare or dotted, the values to try.

    Raises:
        InputError: an unknown setting, or no values.
    """
    found = []
    for key, values in LanguageModelConfig.qualified(assignments).items():
        if not isinstance(values, list | tuple) or not values:
            raise InputError(f"grid: {key}: give its values, such as lr=1e-3,3e-3.")
        for value in values:
            LanguageModelConfig().updated({key: value}, "grid")
        unique = list(dict.fromkeys(values))
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in unique)
        found.append(Dimension(key, choices=tuple(sorted(unique) if numbers else unique)))
    return found


def quasi_random(dimensions: Sequence[Dimension], number: int, seed: int) -> list[dict[str, Any]]:
    """Points that fill the space evenly: a scrambled Sobol sequence (Owen 1998), the same for the same seed."""
    from scipy.stats.qmc import Sobol

    power = max(1, math.ceil(math.log2(max(1, number))))
    points = Sobol(len(dimensions), rng=np.random.default_rng(seed)).random_base2(power)[:number]
    return [{one.key: one.at(share) for one, share in zip(dimensions, point.tolist(), strict=True)} for point in points]


def configured(config: LanguageModelConfig, values: Mapping[str, Any]) -> LanguageModelConfig:
    """A configuration with these values; a tied embedding follows the width.

    Raises:
        InputError: a combination that a model cannot have.
    """
    model = config.model
    follows = model.tie and model.last_dim is None and model.embed_dim == model.hidden_dim
    width = values.get("model.hidden_dim")
    embedding = {"model.embed_dim": width} if follows and width and "model.embed_dim" not in values else {}
    return config.updated({**values, **embedding}, "study")
