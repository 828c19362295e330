"""Training curves as a page: zoom, hover, runs switched on and off in the legend."""

from __future__ import annotations

from collections.abc import Sequence

from ..choices import CurveAxis
from ..page import Page
from ..style import INK
from .curves import AXES, Curve, RunCurves, loss_range, perplexity_ticks, small_panels

TITLE = "Training curves"
CAPTION = (
    "Lines: training loss, smoothed (faint: as logged). Dots: validation loss (rings: without averaging the weights; "
    "triangles: of the network without its counts). "
    "Click a run in the legend to hide it, twice to see it alone."
)


def curves_page(curves: Sequence[RunCurves], x: CurveAxis, words: Sequence[str] = ()) -> Page:
    """The interactive picture of training curves, with words beneath."""
    low, high = loss_range(curves)
    panels = small_panels(curves)
    data = {
        "x": AXES[x][1],
        "unit": curves[0].unit,
        "panels": [
            {
                "title": panel.title,
                "logarithmic": panel.logarithmic,
                "parts": panel.parts,
                "lines": [
                    {"name": name, "tint": "" if color == INK else color, "run": run, "curve": _points(curve)}
                    for name, color, run, curve in panel.lines
                ],
            }
            for panel in panels
        ],
        "range": [low, high],
        "ticks": [float(f"{tick:.4g}") for tick in perplexity_ticks(low, high)],
        "runs": [
            {
                "name": run.name,
                "label": run.label,
                "color": run.color,
                "loss": _points(run.loss),
                "smooth": _points(run.smooth),
                "valid": _points(run.valid),
                "live": _points(run.live),
                "alone": _points(run.alone),
            }
            for run in curves
        ],
    }
    return Page(TITLE, "\n".join([*words, CAPTION]), data, "curves.js", height=620 if len(panels) <= 3 else 800)


def _points(curve: Curve) -> dict[str, list[float]]:
    """x and y with the six digits that a picture shows."""
    return {"x": curve.x.tolist(), "y": [float(f"{y:.6g}") for y in curve.y.tolist()]}
