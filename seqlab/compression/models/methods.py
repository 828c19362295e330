"""What can be done to a model: `METHODS`, and reading a list of them such as "prune=0.8,int8"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ...base.errors import InputError, choose

Stage = Literal["size", "structure", "numbers"]
STAGES: tuple[Stage, ...] = ("size", "structure", "numbers")
"""In the order in which they can be combined: a smaller model, fewer numbers in a matrix, fewer bits in a number."""


class Method(NamedTuple):
    """A way to make a model smaller; what each does is in `seqlab.config.names`.

    stage: what it changes; a method of an earlier stage cannot come later. form: that the matrices get. retrain: steps
    of training that it takes by default, as a share of those of the run. rate: its learning rate, as a share of the
    run's. strength: what the number after "=" means, empty for methods without one; default, low, high: of that number.
    then: methods that can follow, where only some can.
    """

    stage: Stage
    form: str | None = None
    retrain: float = 0.0
    rate: float = 0.25
    strength: str = ""
    default: float = 0.0
    low: float = 0.0
    high: float = 1.0
    then: tuple[str, ...] = ()


UNITS = "share of the hidden units that is left out"
METHODS: dict[str, Method] = {
    "prune-units": Method("size", None, 0.3, 0.5, UNITS, 0.5, 0.05, 0.9),
    "distill": Method("size", None, 0.5, 0.5, UNITS, 0.5, 0.05, 0.9),
    "prune": Method(
        "structure", "sparse", 1.0, 1.0, "share of the weights that is left out", 0.8, 0.1, 0.99, ("int8",)
    ),
    "low-rank": Method(
        "structure", "factors", 0.2, 0.25, "share of the size that is kept", 0.5, 0.02, 0.95, ("int8", "int4")
    ),
    "int8": Method("numbers", "int8"),
    "int4": Method("numbers", "int4"),
    "share": Method("numbers", "codebook", 0.1, 0.1),
    "ternary": Method("numbers", "ternary", 0.5, 0.5),
    "binary": Method("numbers", "binary", 0.5, 0.5),
}


class ChosenMethod(NamedTuple):
    """A method and its strength."""

    name: str
    strength: float

    @property
    def method(self) -> Method:
        """The entry of `METHODS`."""
        return METHODS[self.name]

    def __str__(self) -> str:
        return f"{self.name}={self.strength:g}" if self.method.strength else self.name


def choices_of(methods: str | Sequence[str]) -> list[ChosenMethod]:
    """The methods named, in order.

    Args:
        methods: names, each with or without a strength: "prune=0.8,int8", or a list of such words.

    Raises:
        InputError: an unknown one, a strength out of its range, or two that cannot follow one another.
    """
    words = methods.split(",") if isinstance(methods, str) else list(methods)
    found = [_choice(word.strip()) for word in words if word.strip()]
    if not found:
        raise InputError(f"method: name at least one of {', '.join(METHODS)}.")
    for before, after in zip(found, found[1:], strict=False):
        if STAGES.index(before.method.stage) >= STAGES.index(after.method.stage):
            raise InputError(
                f"method: {after.name} cannot follow {before.name}; the order is a smaller model "
                f"({_of('size')}), then fewer numbers ({_of('structure')}), then fewer bits ({_of('numbers')}), one of "
                "each at most."
            )
        if before.method.then and after.name not in before.method.then:
            raise InputError(
                f"method: {after.name} cannot follow {before.name}; {' or '.join(before.method.then)} can."
            )
    return found


def _of(stage: Stage) -> str:
    return ", ".join(name for name, method in METHODS.items() if method.stage == stage)


def _choice(word: str) -> ChosenMethod:
    name, _, value = word.partition("=")
    method = choose("method", name, METHODS)
    if not value:
        return ChosenMethod(name, method.default)
    if not method.strength:
        raise InputError(f"method: {name} takes no number; write {name} alone.")
    try:
        strength = float(value)
    except ValueError:
        strength = float("nan")
    if not method.low <= strength <= method.high:
        raise InputError(
            f"method: {name}={value} is not a number from {method.low:g} to {method.high:g} ({method.strength})."
        )
    return ChosenMethod(name, strength)
