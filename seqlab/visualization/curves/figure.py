"""Training curves on paper: a large panel for the loss, small ones beneath (matplotlib)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from ..choices import CurveAxis
from ..output import drawing_rules, figure_bytes
from ..style import FAINT, INK, PAPER, QUIET, font_families
from .curves import AXES, Panel, RunCurves, loss_range, perplexity_ticks, small_panels

DPI = 200
WORDS_WIDTH, LINE = 140, 0.165
"""Letters of a line beneath the picture, and its height in inches."""
TITLE = "Training loss (lines) and validation loss (dots)"
LIVE = "; rings: without averaging the weights"
ALONE = "; triangles: network without counts"
ROW = 0.15
"""Height of a row of a legend, in inches. Legends stand above the axes, where they hide no curve."""


def curves_bytes(curves: Sequence[RunCurves], x: CurveAxis, kind: str, words: Sequence[str] = ()) -> bytes:
    """The curves as png, svg or pdf."""
    with drawing_rules():
        return figure_bytes(curves_figure(curves, x, words), kind)


def curves_figure(curves: Sequence[RunCurves], x: CurveAxis, words: Sequence[str] = ()) -> Figure:
    """The figure, with words beneath. Call within `drawing_rules`."""
    panels = small_panels(curves)
    columns = max(1, len(panels) if len(panels) <= 3 else math.ceil(len(panels) / 2))
    rows = math.ceil(len(panels) / columns)
    names = max((_legend_rows(panel, columns) for panel in panels), default=0)
    beneath = "\n".join(textwrap.fill(one, WORDS_WIDTH) for one in words)
    foot = 0.1 + LINE * (beneath.count("\n") + 1) if beneath else 0.0
    height = 4.8 + (1.8 + ROW * names) * rows + ROW * len(curves) + foot
    figure = Figure(figsize=(9.0, height), dpi=DPI, facecolor=PAPER)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, rect=(0, foot / height, 1, 1 - foot / height))
    )
    FigureCanvasAgg(figure)
    if beneath:
        families, _ = font_families(words)
        y = (foot - 0.02) / height
        figure.text(0.02, y, beneath, va="top", size=8.5, color=INK, family=families, parse_math=False)
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[2.6, *[1] * rows])
    _draw_loss(figure.add_subplot(grid[0, :]), curves, x)
    for place, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(grid[1 + place // columns, place % columns]), panel, columns)
    return figure


def _draw_loss(axes: Axes, curves: Sequence[RunCurves], x: CurveAxis) -> None:
    for run in curves:
        dot = "." if len(run.loss.y) == 1 else ""
        axes.plot(run.loss.x, run.loss.y, color=run.color, linewidth=0.6, alpha=0.25)
        axes.plot(run.smooth.x, run.smooth.y, color=run.color, linewidth=1.3, marker=dot, label=run.label)
        axes.plot(run.valid.x, run.valid.y, color=run.color, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.plot(run.alone.x, run.alone.y, color=run.color, linewidth=0.5, linestyle=(0, (1, 3)))
        axes.scatter(run.alone.x, run.alone.y, s=16, color=run.color, marker="^", linewidths=0, zorder=3)
        axes.scatter(run.live.x, run.live.y, s=26, facecolors="none", edgecolors=run.color, linewidths=0.8, zorder=3)
        axes.scatter(run.valid.x, run.valid.y, s=22, color=run.color, edgecolors=PAPER, linewidths=0.7, zorder=3)
    low, high = loss_range(curves)
    axes.set_ylim(low, high)
    axes.set_xlabel(AXES[x][1], size=9, color=INK)
    axes.set_ylabel(f"loss, nats per {curves[0].unit}", size=9, color=INK)
    title = TITLE + LIVE * any(len(run.live.y) for run in curves) + ALONE * any(len(run.alone.y) for run in curves)
    axes.set_title(title, loc="left", size=11, weight="bold", color=INK, pad=10 + 72 * ROW * len(curves))
    _calm(axes, ticks=8)
    _draw_legend(axes, curves)
    if curves[0].unit == "token":
        _draw_perplexities(axes, low, high)


def _draw_perplexities(axes: Axes, low: float, high: float) -> None:
    right = axes.secondary_yaxis("right")
    ticks = perplexity_ticks(low, high)
    right.set_yticks([math.log(tick) for tick in ticks], [f"{tick:,.4g}" for tick in ticks])
    right.set_ylabel("perplexity", size=9, color=INK)
    right.tick_params(labelsize=8, colors=QUIET, length=0)
    right.spines["right"].set_visible(False)


def _draw_legend(axes: Axes, curves: Sequence[RunCurves]) -> None:
    families, _ = font_families([run.name for run in curves])
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        labelspacing=0.25,
        frameon=False,
        labelcolor=INK,
        prop={"family": families, "size": 8.5},
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_rows(panel: Panel, columns: int) -> int:
    """Rows of names above a panel, of which a third of the width holds four."""
    return math.ceil(len(panel.lines) / _legend_columns(columns)) if panel.parts else 0


def _legend_columns(columns: int) -> int:
    return 4 if columns >= 3 else 6


def _draw_panel(axes: Axes, panel: Panel, columns: int) -> None:
    for name, color, _, curve in panel.lines:
        dot = "." if len(curve.y) == 1 else ""
        axes.plot(curve.x, curve.y, color=color, linewidth=0.8, marker=dot, alpha=0.85, label=name)
    axes.set_title(panel.title, loc="left", size=8.5, color=INK, pad=5 + 72 * ROW * _legend_rows(panel, columns))
    _calm(axes, ticks=4)
    if panel.parts:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=min(_legend_columns(columns), len(panel.lines)),
            columnspacing=0.8,
            labelspacing=0.25,
            handlelength=0.9,
            handletextpad=0.4,
            borderaxespad=0.1,
            frameon=False,
            fontsize=6.5,
            labelcolor=INK,
        )
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
        return
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if axes.get_ylim()[1] >= 1000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _calm(axes: Axes, ticks: int) -> None:
    """Light grid, no frame, few round numbers."""
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(labelsize=8, colors=QUIET, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(ticks))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.01)
