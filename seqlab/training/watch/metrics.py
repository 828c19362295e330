"""What a line of metrics.jsonl says: sums that stay on the device until the line is written, and the health of the
hidden units.

Shapes: B batch, T time, D input width, H hidden width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...models import Network
from ...nn import Cell, State
from ..optimize.optimizers import Clipping

CLOSE = 0.01
"""A unit or gate whose value is this near to an end of its range hardly passes a gradient on."""
SAMPLE = 512
"""Positions of a window whose gates are looked at."""
SHARE = "saturated."
"""Begins the names of saved shares."""


class MetricSums:
    """Sums over the steps since the last line of metrics. Nothing is read from the device before `line`."""

    def __init__(self, names: list[str], device: torch.device):
        self.names = names
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)
        """Of loss x tokens, gradient norm, clipped steps, share of clipped values."""
        self.norms = torch.zeros(len(names), device=device)
        """(parameters,) gradient norms of the last step."""
        self.first_bad = torch.full((), math.inf, dtype=torch.float64, device=device)
        """First step whose loss or gradient was not finite."""
        self.steps = self.tokens = 0

    def add(self, step: int, loss: Tensor, tokens: int, clipping: Clipping) -> None:
        """Take in a step.

        Args:
            step: its number.
            loss: its mean loss.
            tokens: that the mean is over.
            clipping: what was found of its gradients.
        """
        figures = torch.stack([loss * tokens, clipping.norm, clipping.clipped, clipping.clipped_values])
        self.sums += figures
        bad = ~(loss + clipping.norm).isfinite()
        self.first_bad.copy_(torch.where(bad, self.first_bad.clamp(max=float(step)), self.first_bad))
        self.norms = clipping.norms
        self.steps, self.tokens = self.steps + 1, self.tokens + tokens

    def diverged(self) -> int | None:
        """The first step since the last line that was not finite, or None."""
        first = float(self.first_bad)
        return None if math.isinf(first) else int(first)

    def line(self) -> dict[str, Any]:
        """Means over the steps since the last line, and every part's gradient norm in the last of them. Begins anew."""
        loss, norm, clipped, values = self.sums.tolist()
        steps = max(1, self.steps)
        found = {
            "loss": loss / max(1, self.tokens),
            "grad_norm": norm / steps,
            "clipped": clipped / steps,
            "clipped_values": values / steps,
            "grad_norms": self.by_part(),
        }
        self.sums.zero_()
        self.steps = self.tokens = 0
        return found

    def by_part(self) -> dict[str, float]:
        """Gradient norm of the embedding, every cell and the output layer."""
        squares: dict[str, float] = {}
        for name, norm in zip(self.names, self.norms.tolist(), strict=True):
            part = part_of(name)
            squares[part] = squares.get(part, 0.0) + norm**2
        return {part: math.sqrt(square) for part, square in squares.items()}

    def arrays(self) -> dict[str, Tensor]:
        """The sums so far, for exact resume."""
        return {"sums": self.sums, "norms": self.norms, "counts": torch.tensor([self.steps, self.tokens])}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        self.sums.copy_(arrays["sums"])
        self.norms = arrays["norms"].to(self.sums.device, copy=True)
        self.steps, self.tokens = arrays["counts"].tolist()


def part_of(name: str) -> str:
    """The part of the model a parameter belongs to: embedding, cell1, cell2, ... or output; before them the encoder, of
    a model that has one."""
    name = name.removeprefix("decoder.")
    head, _, rest = name.partition(".")
    if head in ("encoder", "norm", "starts"):
        return "encoder" if head == "norm" else head
    if head == "cells":
        return f"cell{int(rest.partition('.')[0]) + 1}"
    return "embedding" if head in ("embedding", "characters") else "output"


class Activity:
    """How many hidden units do nothing, seen through hooks on the cells.

    A rectifier is dead when it was 0 at every position since the last line. A unit is saturated where its value is
    within 0.01 of an end of the cell's `output_range` (never where it has none), a gate where it is within 0.01 of 0
    or 1; both are looked at in the last window only.
    """

    def __init__(self, model: Network):
        self.model = model
        self.rectified = any(cell.rectified for cell in model.layers)
        self.alive: dict[int, Tensor] = {}
        """layer -> (H,) whether each rectifier was above 0 since the last line."""
        self.watching = False
        self.seen: dict[int, tuple[Tensor, State, Tensor]] = {}
        """layer -> inputs, the state before and outputs of the window watched."""
        self.shares: dict[str, float] = {}
        """What was saturated in a window that was watched before a stop, whose line is still to be written."""

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Look on for as long as this lasts."""
        hooks = [
            cell.register_forward_hook(lambda cell, inputs, outputs, layer=layer: self._look(layer, inputs, outputs))
            for layer, cell in enumerate(self.model.layers)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _look(self, layer: int, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        if not self.model.training:
            return
        y_BTH = outputs[0].detach()
        if self.rectified:
            alive_H = (y_BTH > 0).flatten(0, 1).any(0)
            self.alive[layer] = self.alive[layer] | alive_H if layer in self.alive else alive_H
        elif self.watching:
            self.seen[layer] = (inputs[0].detach(), tuple(part.detach() for part in inputs[1]), y_BTH)

    def line(self) -> dict[str, Any]:
        """{"saturated": {"cell1": share, "cell1 forget": share, ...}, "dead": {...}} of what was watched."""
        shares = self.saturated()
        found: dict[str, Any] = {"saturated": shares} if shares else {}
        if self.rectified:
            found = {
                "dead": {f"cell{layer + 1}": float((~alive_H).float().mean()) for layer, alive_H in self.alive.items()}
            }
        self.seen.clear()
        self.shares.clear()
        self.alive.clear()
        return found

    def saturated(self) -> dict[str, float]:
        """Shares of saturated units and gates in the window watched."""
        found = dict(self.shares)
        for layer, window in sorted(self.seen.items()):
            for kind, share in saturated(self.model.layers[layer], *window):
                found[f"cell{layer + 1}{kind}"] = share
        return found

    def arrays(self) -> dict[str, Tensor]:
        """Which rectifiers were seen alive, and what was saturated where a line is still to be written, for exact
        resume."""
        shares = {f"{SHARE}{name}": torch.tensor(share) for name, share in self.saturated().items()}
        return {str(layer): alive_H for layer, alive_H in self.alive.items()} | shares

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        self.shares = {name.removeprefix(SHARE): float(one) for name, one in arrays.items() if name.startswith(SHARE)}
        alive = {name: alive_H for name, alive_H in arrays.items() if not name.startswith(SHARE)}
        self.alive = {int(layer): alive_H.to(self.model.device) for layer, alive_H in alive.items()}


@torch.no_grad()
def saturated(cell: Cell, x_BTD: Tensor, state: State, y_BTH: Tensor) -> Iterator[tuple[str, float]]:
    """Shares of a window's values that are saturated. Gates are those of a few streams, and see all weights, dropped
    ones too.

    Args:
        cell: that was run.
        x_BTD: its inputs.
        state: it began with.
        y_BTH: its outputs.

    Yields:
        ("", share of the outputs), then (" " + name, share of a gate's values).
    """
    if cell.output_range:
        yield "", near_the_ends(y_BTH, *cell.output_range)
    rows = max(1, SAMPLE // y_BTH.shape[1])
    for name, gate_BTH in cell.gate_values(x_BTD[:rows], tuple(part[:rows] for part in state), y_BTH[:rows]).items():
        yield f" {name}", near_the_ends(gate_BTH, 0.0, 1.0)


def near_the_ends(values: Tensor, low: float, high: float) -> float:
    """Share of values within 0.01 of `low` or `high`."""
    return float(((values < low + CLOSE) | (values > high - CLOSE)).float().mean())
