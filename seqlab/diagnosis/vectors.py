"""What the losses of a training of word vectors mean: rules over its passes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..base.errors import option
from .findings import Finding, Findings

RISEN = 1.08
"""A held-out loss that ends at so many times its lowest is worth a sentence."""
CLIMBED = 1.02
"""The same of the training loss, which falls from pass to pass in a healthy training."""
FEW, JUMPS = 5, 5.0
"""Of more passes than so many, the climb must be so many times what the loss usually changes from pass to pass."""
GAIN = 0.01
"""Share of the held-out loss by which the last pass must lower it to be worth another one."""

Losses = Sequence[float | None]


def diagnose_vectors(losses: Losses, held_out: Losses, epochs: float | None = None) -> Findings:
    """Say what the losses of every pass over the text mean.

    Args:
        losses: nats per prediction of every pass, None of one without a prediction.
        held_out: the same on held-out text after every pass, None where there is none.
        epochs: passes that were to be made; None: as many as there are losses.
    """
    epochs = len(losses) if epochs is None else epochs
    trained, tested = ([one for one in each if one is not None] for each in (losses, held_out))
    found = [_risen(held_out, epochs), _climbed(trained), _improving(tested, epochs)]
    if not trained:
        return Findings([])
    fell = f"Healthy: the training loss went from {trained[0]:.3f} to {trained[-1]:.3f} nats per prediction"
    return Findings([one for one in found if one], f"{fell} in {epochs:.3g} epochs." if len(trained) > 1 else "")


def passes_of(lines: Sequence[Mapping[str, Any]]) -> tuple[list[float | None], list[float | None]]:
    """Training and held-out loss of every pass, from lines of metrics."""
    last = {line["epoch"]: line for line in lines if "epoch" in line}
    every = [last[epoch] for epoch in sorted(last)]
    return [line.get("loss") for line in every], [line.get("valid_loss") for line in every]


def _risen(held_out: Losses, epochs: float) -> Finding | None:
    known = [(loss, number) for number, loss in enumerate(held_out, 1) if loss is not None]
    if not known:
        return None
    (lowest, number), last = min(known), known[-1][0]
    if last <= RISEN * lowest:
        return None
    seen = f"The held-out loss was lowest after epoch {number} ({lowest:.2f}) and ended at {last:.2f}."
    cause = "The vectors memorise this text, and their similarities get worse."
    remedy = f"Fewer than {epochs:.3g} epochs are better: {option('epochs', number)}."
    return Finding("overfitting", "warning", seen, f"more than {RISEN - 1:.0%} above its lowest", cause, remedy)


def _climbed(losses: list[float]) -> Finding | None:
    if len(losses) < 2 or losses[-1] <= CLIMBED * min(losses):
        return None
    jump = statistics.median(abs(after - before) for before, after in pairwise(losses))
    if len(losses) > FEW and losses[-1] - min(losses) <= JUMPS * jump:  # short texts: chance
        return None
    seen = f"The training loss rose from {min(losses):.3f} to {losses[-1]:.3f} nats per prediction."
    remedy = f"Try a smaller {option('lr')}."
    rule = f"the last epoch lies over {CLIMBED - 1:.0%} above the best"
    return Finding("rate-too-high", "warning", seen, rule, "The learning rate is too high.", remedy)


def _improving(held_out: list[float], epochs: float) -> Finding | None:
    if len(held_out) < 2 or held_out[-2] - held_out[-1] <= GAIN * held_out[-1]:
        return None
    seen = f"The last epoch still lowered the held-out loss from {held_out[-2]:.3f} to {held_out[-1]:.3f}."
    remedy = f"Try {option('epochs', int(2 * epochs))}."
    return Finding("still-improving", "note", seen, f"by over {GAIN:.0%}", "More passes would help.", remedy)
