"""How much a study may do; it waits for nothing heavy, so that what cannot be is refused at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from ....base.errors import InputError, option


class Effort(NamedTuple):
    """How much a study may do: any of them may be None, where it is chosen."""

    minutes: float | None = None
    """For the whole search."""
    trials: int | None = None
    seconds_per_trial: float | None = None
    steps_per_trial: int | None = None
    epochs_per_trial: float | None = None


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
    if effort.seconds_per_trial is not None and effort.epochs_per_trial is not None:
        raise InputError(f"give {option('seconds_per_trial')} or epochs, not both.")
    if effort.minutes is None and effort.trials is None and not grid:
        raise InputError(f"say how long to search: {option('minutes', 10)}, or {option('trials', 20)}.")
    if all(length is None for length in effort._replace(trials=None)):
        raise InputError(
            f"say how long a trial is: {option('seconds_per_trial', 20)} or {option('steps_per_trial', 500)}; "
            f"{option('minutes', 10)} chooses it."
        )
