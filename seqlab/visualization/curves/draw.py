"""`draw_curves`: training curves as a picture, in any format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...base.errors import InputError, counted, did_you_mean
from ...base.printing import printable, printable_lines
from ...base.results import line
from ..choices import CurveAxis
from ..page import Page
from ..picture import Picture
from ..style import PALETTE
from .curves import AXES, Metrics, RunCurves, read_run
from .page import curves_page


def draw_curves(
    runs: Sequence[tuple[str, Metrics]], *, x: CurveAxis = "tokens", unit: str = "token", words: Sequence[str] = ()
) -> CurvesPicture:
    """Draw the training curves of one or several runs: losses, learning rate, gradients, hidden units, speed.

    Use it to see whether training has converged, overfits or became unstable, and to compare runs. The metrics are
    read and checked at once; the picture is drawn when it is shown or saved.

    A line of metrics holds any of "step", "tokens", "seconds", "loss" (nats per `unit`), "valid_loss",
    "live_valid_loss", "valid_network_loss", "lr", "batch_size", "grad_norm", "grad_norms", "saturated", "dead" (the
    last three by part) and "tokens_per_second"; what a line or a run lacks is left out of the picture. The parts of a
    single run are drawn one by one.

    Args:
        runs: pairs of a name and the lines of metrics.jsonl.
        x: what the horizontal axis shows: "tokens", "steps" or "seconds".
        unit: what the losses are nats of; perplexities are shown for a token only.
        words: paragraphs to write beneath the picture.

    Returns:
        The picture: the last line of a notebook's cell shows it, `.save("curves.png")` writes it.

    Raises:
        InputError: unknown `x`, no runs, or a run without any loss to draw.
    """
    if x not in AXES:
        raise InputError(f"Unknown x axis {x!r}; use one of {', '.join(AXES)}.{did_you_mean(x, AXES)}")
    if isinstance(runs, str) or not all(isinstance(run, tuple | list) and len(run) == 2 for run in runs):
        raise InputError("Curves are drawn from pairs of a name and lines of metrics; open a run with seqlab.load.")
    if not runs:
        raise InputError("There is no run to draw; name at least one run folder.")
    colors = [PALETTE[i % len(PALETTE)] for i in range(len(runs))]
    return CurvesPicture(
        [
            read_run(printable_lines(name), metrics, x, color, unit)
            for (name, metrics), color in zip(runs, colors, strict=True)
        ],
        x,
        [printable_lines(paragraph) for paragraph in words],
    )


class CurvesPicture(Picture):
    """Training curves, made by `draw_curves`."""

    def __init__(self, curves: Sequence[RunCurves], x: CurveAxis, words: Sequence[str] = ()):
        super().__init__()
        self.curves, self.x, self.words = curves, x, [printable(one) for one in words]

    def page(self) -> Page:
        return curves_page(self.curves, self.x, self.words)

    def still(self, kind: str) -> bytes:
        from .figure import curves_bytes

        return curves_bytes(self.curves, self.x, kind, self.words)

    @property
    def notes(self) -> list[str]:
        return []

    def to_json(self) -> dict[str, Any]:
        """What the curves show, as JSON values.

        Returns:
            {"path", "format", "x", "runs": [{"name", "points", "loss", "valid_loss"}]}: the last smoothed training loss
            and the best validation loss (None without validation), in nats per token or prediction.
        """
        return {
            "path": None if self._path is None else str(self._path),
            "format": self._format,
            "x": self.x,
            "runs": [_summary(run) for run in self.curves],
        }

    def __repr__(self) -> str:
        what = self.curves[0].label if len(self.curves) == 1 else counted(len(self.curves), "run")
        saved = "not saved" if self._path is None else str(self._path)
        return line("CurvesPicture", [what, f"against {self.x}", saved])


def _summary(run: RunCurves) -> dict[str, Any]:
    return {
        "name": run.name,
        "points": len(run.loss.y),
        "loss": float(run.smooth.y[-1]),
        "valid_loss": float(run.valid.y.min()) if len(run.valid.y) else None,
    }
