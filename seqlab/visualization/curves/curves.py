"""Training curves of one or several runs: loss, learning rate, gradient norm and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import InputError
from ..choices import CurveAxis
from ..style import INK, PALETTE, label_text

Metrics = Sequence[Mapping[str, Any]]

AXES: dict[CurveAxis, tuple[str, str]] = {
    "tokens": ("tokens", "training tokens"),
    "steps": ("step", "steps"),
    "seconds": ("seconds", "seconds of training"),
}
"""Choice of x -> (key of a metrics line, axis title)."""

PANELS = {
    "lr": "learning rate",
    "batch_size": "batch size, streams",
    "grad_norm": "gradient norm",
    "saturated": "saturated, share",
    "dead": "dead units, share",
    "tokens_per_second": "tokens per second",
}
"""Small panels in their order -> title."""
PARTS = {"grad_norm": "grad_norms", "saturated": "saturated", "dead": "dead"}
"""Panels of quantities that have parts -> key of a metrics line, whose value is {part: figure}."""
SMOOTHING = 50  # the smoothed loss averages over about this part of a run: one fiftieth
DIVERGED = 20.0  # nats: a loss above it is no curve to look at, even guessing evenly among a million words costs 14
SPIKY = 20  # gradient norms that rise to this many times their median are drawn on a logarithmic axis
TICKS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), *(np.arange(1, 10, s) for s in (0.5, 0.1, 0.02)))
"""Leading digits of perplexities on the axis, roundest choice first."""


@dataclass(frozen=True)
class Curve:
    """One quantity of one run: finite values only, x ascending."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class RunCurves:
    """What is drawn of one run; losses in nats per `unit`."""

    name: str
    color: str
    loss: Curve
    smooth: Curve
    valid: Curve
    live: Curve
    """Validation of the weights as they were, where the average of the weights was validated too."""
    alone: Curve
    """Validation of the network without its counts: what the training loss compares with."""
    panels: dict[str, Curve]
    parts: dict[str, dict[str, Curve]]
    """Panel -> part of the model -> its curve."""
    unit: str = "token"

    @property
    def label(self) -> str:
        """The run's name and what it reached."""
        if not len(self.valid.y):
            return f"{self.name}: training loss {self.smooth.y[-1]:.3f}"
        best = float(self.valid.y.min())
        meaning = f" (perplexity {perplexity(best):.4g})" if self.unit == "token" else ""
        alone = f", network alone {float(self.alone.y.min()):.3f}" if len(self.alone.y) else ""
        return f"{self.name}: best validation {best:.3f}{meaning}{alone}"


@dataclass(frozen=True)
class Panel:
    """A small panel: lines of (name, colour, number of the run, curve); `parts`: the names are parts of one run."""

    title: str
    lines: list[tuple[str, str, int, Curve]]
    parts: bool
    logarithmic: bool


def read_run(name: str, metrics: Metrics, x: CurveAxis, color: str = PALETTE[0], unit: str = "token") -> RunCurves:
    """The curves of one run. Of a step logged twice (resumed from an earlier state) the later line counts."""
    key = AXES[x][0]
    by_step = {line.get("step", f"line {i}"): line for i, line in enumerate(metrics)}
    lines = sorted((line for line in by_step.values() if _number(line, key)), key=lambda line: line[key])
    loss = _curve(lines, key, "loss")
    if not len(loss.y):
        raise InputError(f"{name}: its metrics hold no training loss to draw against {x}; train it for longer.")
    return RunCurves(
        name=label_text(name, 60),
        color=color,
        loss=loss,
        smooth=Curve(loss.x, smoothed(loss.y)),
        valid=_curve(lines, key, "valid_loss"),
        live=_curve(lines, key, "live_valid_loss"),
        alone=_curve(lines, key, "valid_network_loss"),
        panels={panel: _curve(lines, key, panel) for panel in PANELS},
        parts={panel: _by_part(lines, key, field) for panel, field in PARTS.items()},
        unit=unit,
    )


def _by_part(lines: Metrics, x_key: str, field: str) -> dict[str, Curve]:
    """The curve of every part in a field of {part: figure}; "cell1 input" and "cell2 input" are the mean "input"."""
    flat = []
    for line in lines:
        values: dict[str, list[float]] = {}
        for part, figure in (line.get(field) or {}).items():
            cell, _, gate = part.partition(" ")
            kind = (f"{gate} gate" if gate else "units") if field == "saturated" else cell
            values.setdefault(kind, []).append(figure)
        flat.append({x_key: line[x_key], **{kind: sum(found) / len(found) for kind, found in values.items()}})
    parts = {part for line in flat for part in line} - {x_key}
    return {part: _curve(flat, x_key, part) for part in sorted(parts, key=_place)}


def _place(part: str) -> tuple[bool, bool, int, str]:
    """From input to output: embedding, cell1, ..., cell10, output."""
    return part != "embedding", part == "output", len(part), part


def _number(line: Mapping[str, Any], key: str) -> bool:
    value = line.get(key)
    return isinstance(value, int | float) and math.isfinite(value)


def _curve(lines: Metrics, x_key: str, y_key: str) -> Curve:
    kept = [(line[x_key], line[y_key]) for line in lines if _number(line, y_key)]
    pairs = np.array(kept, dtype=np.float64).reshape(-1, 2)
    return Curve(pairs[:, 0], pairs[:, 1])


def smoothed(y: np.ndarray) -> np.ndarray:
    """Running mean over about len(y)/SMOOTHING points, centred so that it does not lag behind a falling loss.

    The window narrows towards the start, where the loss falls fastest, and ends with the last point.
    """
    place = np.arange(len(y))
    half = np.minimum(place, len(y) // (2 * SMOOTHING))
    first, end = place - half, np.minimum(place + half + 1, len(y))
    return np.array([y[low:high].mean() for low, high in zip(first, end, strict=True)])


def perplexity(loss: float) -> float:
    """exp(loss), limited to what a float can represent."""
    return math.exp(min(loss, 700.0))


def perplexity_ticks(low: float, high: float) -> list[float]:
    """Round perplexities whose loss lies in [low, high]: the roundest choice that gives at least four."""
    high = min(high, 700.0)
    ten = math.log(10)
    exponents = range(math.floor(low / ten), math.ceil(high / ten) + 1)
    ticks: list[float] = []
    for digits in TICKS:
        ticks = [float(m * 10.0**e) for e in exponents for m in digits if low <= math.log(m) + e * ten <= high]
        if len(ticks) >= 4:
            break
    return ticks


def loss_range(curves: Sequence[RunCurves]) -> tuple[float, float]:
    """Losses to show: smoothed and validation curves with a margin; spikes and divergence may leave the picture."""
    values = np.concatenate([part.y for run in curves for part in (run.smooth, run.valid, run.live, run.alone)])
    low = float(values.min())
    high = min(float(values.max()), max(DIVERGED, 5 * low))
    margin = max(0.06 * (high - low), 0.05)
    return low - margin, high + margin


def small_panels(curves: Sequence[RunCurves]) -> list[Panel]:
    """The small panels that some run has figures for: a line a run, or, of a single run, a line a part as well."""
    found = []
    for name, title in PANELS.items():
        whole = [(run.name, run.color, i, _one_line(run, name)) for i, run in enumerate(curves)]
        lines = [line for line in whole if len(line[3].y)]
        parts = curves[0].parts.get(name, {}) if len(curves) == 1 else {}
        if parts:
            total = [("all", INK, 0, lines[0][3])] if name == "grad_norm" and lines else []
            lines = total + [
                (part, PALETTE[i % len(PALETTE)], 0, curve) for i, (part, curve) in enumerate(parts.items())
            ]
        if lines and not (name == "batch_size" and all(len(set(curve.y)) == 1 for *_, curve in lines)):
            found.append(Panel(title, lines, bool(parts), is_logarithmic([curve for *_, curve in lines], name)))
    return found


def _one_line(run: RunCurves, panel: str) -> Curve:
    """A panel's figure of a run, or the mean of its parts where it has none."""
    if len(run.panels[panel].y) or not run.parts.get(panel):
        return run.panels[panel]
    parts = list(run.parts[panel].values())
    same = [part.y for part in parts if np.array_equal(part.x, parts[0].x)]
    return Curve(parts[0].x, np.mean(same, axis=0))


def is_logarithmic(lines: Sequence[Curve], panel: str) -> bool:
    """Whether a panel's values spread so far that a logarithmic axis shows them better."""
    values = np.concatenate([line.y for line in lines])
    return panel == "grad_norm" and bool(values.max() > SPIKY * np.median(values) > 0)
