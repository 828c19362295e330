"""A chart on paper (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from ..labels import place_labels
from ..output import drawing_rules, figure_bytes
from ..style import FAINT, INK, PAPER, QUIET, label_text
from .chart import ChartPanel, color_of, columns_of

DPI = 200
FEW_DECADES = 100
"""A logarithmic axis that spans less than this factor has three numbers a decade."""
WIDTHS = {"line": 1.4, "faint": 0.6}
PANEL, PANEL_WITH_LABELS = (3.6, 3.6), (4.2, 5.0)
"""Width and height in inches."""
LABEL = 6.5
"""Height of a point's label, in points of the page."""
AXES = (250.0, 310.0)
"""About the width and height of the axes of a panel with labels, in points of the page."""


def chart_bytes(title: str, panels: Sequence[ChartPanel], kind: str) -> bytes:
    """The chart as png, svg or pdf."""
    with drawing_rules():
        return figure_bytes(chart_figure(title, panels), kind)


def chart_figure(title: str, panels: Sequence[ChartPanel]) -> Figure:
    """The chart, drawn within `drawing_rules`."""
    columns = columns_of(len(panels))
    rows = -(-len(panels) // columns)
    width, height = PANEL_WITH_LABELS if any(one.labels for panel in panels for one in panel.series) else PANEL
    figure = Figure(figsize=(max(7.0, width * columns), 0.6 + height * rows), dpi=DPI, facecolor=PAPER)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    FigureCanvasAgg(figure)
    for place, panel in enumerate(panels):
        _draw(figure.add_subplot(rows, columns, place + 1), panel)
    figure.suptitle(title, x=0.01, ha="left", size=11, weight="bold", color=INK)
    return figure


def _draw(axes: Axes, panel: ChartPanel) -> None:
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        values = [x for one in panel.series for x, _ in one.points()]
        if values and max(values) < FEW_DECADES * min(values):
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for one in panel.series:
        pairs = one.points()
        x, y = [x for x, _ in pairs], [y for _, y in pairs]
        name = label_text(one.name) or None
        if one.kind == "points":
            axes.scatter(x, y, s=16, color=color_of(one), edgecolors=PAPER, linewidths=0.5, zorder=3, label=name)
        else:
            alpha = 0.4 if one.kind == "faint" else 1.0
            axes.plot(x, y, color=color_of(one), linewidth=WIDTHS[one.kind], alpha=alpha, label=name)
    if panel.span:
        axes.set_ylim(*panel.span)
    for number, (value, name) in enumerate(panel.marks):
        axes.axvline(value, color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f" {name}", (value, 0.97 - 0.06 * number), xycoords=("data", "axes fraction"), size=7.5, color=INK
        )
    if panel.names:
        axes.set_xticks(range(len(panel.names)), [label_text(name) for name in panel.names])
    axes.set_title(panel.title, loc="left", size=9, color=INK)
    axes.set_xlabel(panel.x, size=8.5, color=INK)
    axes.set_ylabel(panel.y, size=8.5, color=INK)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(labelsize=8, colors=QUIET, length=0)
    if any(one.name for one in panel.series):
        axes.legend(frameon=False, fontsize=7.5, labelcolor=INK, loc="best")
    axes.set_xmargin(0.03)
    _write_labels(axes, [one for series in panel.series for one in series.labelled()])
    for text in axes.findobj(Text):
        cast(Text, text).set_parse_math(False)


def _write_labels(axes: Axes, labels: Sequence[tuple[float, float, str]]) -> None:
    """Labels next to their points, or led back to them by a line."""
    if not labels:
        return
    axes.autoscale_view()
    to_axes = axes.transData + axes.transAxes.inverted()
    dot_N2 = np.clip(to_axes.transform([(x, y) for x, y, _ in labels]), 0, 1) * AXES
    size_N2 = np.array([(0.58 * LABEL * len(text), 1.1 * LABEL) for _, _, text in labels])
    for label in place_labels(dot_N2, size_N2, AXES, np.arange(len(labels)), required=len(labels), gap=5.0):
        x, y, text = labels[label.word]
        left, low = dot_N2[label.word]
        place: dict[str, Any] = {"xy": (x, y), "textcoords": "offset points"}
        corner = (label.x - left, label.y - low)
        axes.annotate(text, xytext=corner, ha="left", va="bottom", size=LABEL, color=INK, **place)
        if label.line is not None:
            end = (label.line[0] - left, label.line[1] - low)
            axes.annotate("", xytext=end, arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.5}, **place)
