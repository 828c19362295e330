"""What a study searches: a few settings around those that a text would get without it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...config import Settings

LR, WIDTH = "training.lr", "model.hidden_dim"
KEPT = 0.75
"""Share of the first points in which a setting keeps its usual value: most defaults are good, so a point that changes
all of them is seldom better."""
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


def grid_of(settings: type[Settings], assignments: Mapping[str, Sequence[Any]]) -> list[Dimension]:
    """The settings of a plain grid.

    Args:
        settings: the class they belong to.
        assignments: by setting, bare or dotted, the values to try.

    Raises:
        InputError: an unknown setting, or no values.
    """
    found = []
    for key, values in settings.qualified(assignments).items():
        if not isinstance(values, list | tuple) or not values:
            raise InputError(f"grid: {key}: give its values, such as lr=1e-3,3e-3.")
        for value in values:
            settings().updated({key: value}, "grid")
        unique = list(dict.fromkeys(values))
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in unique)
        found.append(Dimension(key, choices=tuple(sorted(unique) if numbers else unique)))
    return found


def first_points(
    dimensions: Sequence[Dimension], usual: Mapping[str, Any], suggestion: float | None, number: int, seed: int
) -> list[dict[str, Any]]:
    """The usual point, the same with the learning rate of a range test and with the one half-way to it, with the next
    smaller and the next larger width, which is right on one machine and too slow on another, and others around it.

    Args:
        dimensions: that the points lie in.
        usual: by key.
        suggestion: of the range test, None where there was none.
        number: of points beside the usual one.
        seed: see `around`.
    """
    rates: list[float] = []
    if suggestion is not None and LR in usual and not math.isclose(suggestion, usual[LR]):
        rates = [suggestion, float(f"{math.sqrt(suggestion * usual[LR]):.4g}")]
    others = [{**usual, LR: rate} for rate in rates]
    for one in dimensions:
        if one.key == WIDTH and usual[WIDTH] in one.choices:
            place = one.choices.index(usual[WIDTH])
            nearby = one.choices[max(0, place - 1) : place + 2]
            others += [{**usual, WIDTH: width} for width in nearby if width != usual[WIDTH]]
    more = [one for one in around(dimensions, usual, number, seed) if one not in others]
    return [dict(usual), *others, *more][: number + 1]


def around(dimensions: Sequence[Dimension], usual: Mapping[str, Any], number: int, seed: int) -> list[dict[str, Any]]:
    """Different points around a usual one, spread evenly: each setting keeps its usual value in a share KEPT of them.

    Args:
        dimensions: that the points lie in.
        usual: by key; it is not among the points.
        number: of points; fewer where the space has no more.
        seed: of the scrambled Sobol sequence (Owen 1998); the same points for the same seed.
    """
    from scipy.stats.qmc import Sobol

    def at(one: Dimension, share: float) -> Any:
        return usual[one.key] if share < KEPT else one.at((share - KEPT) / (1.0 - KEPT))

    found: list[dict[str, Any]] = []
    sequence = Sobol(len(dimensions), rng=np.random.default_rng(seed))
    for _ in range(number):  # a sequence is even in blocks of a power of two
        for shares in sequence.random(8).tolist():
            point = {one.key: at(one, share) for one, share in zip(dimensions, shares, strict=True)}
            if point != usual and point not in found:
                found.append(point)
        if len(found) >= number:
            break
    return found[:number]
