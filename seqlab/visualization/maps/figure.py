"""The map on paper: every word a faint dot, the most frequent ones labelled without overlap (matplotlib)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from ...base.errors import InputError, counted
from ...base.printing import quoted
from ..labels import GAP, Label, place_labels
from ..output import drawing_rules, figure_bytes
from ..style import INK, PAPER, QUIET, darker, font_families, label_text
from .wordmap import WordMap

INCHES = 9.0  # width and height of a map of BASE_WORDS words; its area grows with their number, within SCALES
BASE_WORDS = 500
SCALES = (0.75, 2.2)
DPI = 200
POINTS = 72
MARGIN = 0.05  # share of the map's side that is added around it; the title and the caption stand there
SIZES = ((0.08, 10.0), (0.35, 8.5), (1.0, 7.2))  # font size in points up to this share of the ranks
RING = 3.0  # radius of the ring around a highlighted word's dot, in points
UNREADABLE = 0.1  # share of words without a font from which on a picture is of no use
EDGE = 0.04  # share of the map's side kept free around the dots


@dataclass(frozen=True)
class Sheet:
    """Where everything stands on a square page; lengths in points, y upwards."""

    side: float
    dot_N2: np.ndarray
    texts: list[str]
    fonts: list[FontProperties]
    size_N2: np.ndarray
    labels: list[Label]


def check_fonts(words: Sequence[str], noun: str = "word") -> None:
    """Refuse a still picture whose words no installed font can show, before anything is computed.

    Raises:
        InputError: more than UNREADABLE of the words would be drawn as boxes.
    """
    texts = [label_text(word) for word in words]
    uncovered = font_families(texts)[1]
    if len(uncovered) > UNREADABLE * len(texts):
        raise InputError(
            f"{len(uncovered):,} of {counted(len(texts), noun)}, such as {quoted(uncovered[0])}, use characters "
            "that no installed font has. Save the map as .html or .svg, which the browser draws with its own fonts, or "
            "install a font for them, such as Noto Sans CJK for Chinese, Japanese and Korean."
        )


def map_bytes(wordmap: WordMap, kind: str) -> tuple[bytes, int, list[str]]:
    """The map as png, svg or pdf, the number of its labels, and sentences for the person."""
    with drawing_rules():
        figure, sheet = map_figure(wordmap)
        content = figure_bytes(figure, kind)
    notes = []
    labelled = {label.word for label in sheet.labels}
    if left := len(set(wordmap.highlighted) - labelled):
        notes.append(f"{counted(left, f'highlighted {wordmap.noun}')} found no room for a label; highlight fewer.")
    uncovered = font_families([sheet.texts[i] for i in sorted(labelled)])[1]
    if uncovered and kind != "svg":  # an svg keeps text as text and is drawn with the reader's fonts
        notes.append(
            f"{counted(len(uncovered), wordmap.noun)}, such as {quoted(uncovered[0])}, use characters no font here "
            "covers and are drawn as boxes; an .html or .svg map shows them in the browser's fonts."
        )
    return content, len(labelled), notes


def map_figure(wordmap: WordMap) -> tuple[Figure, Sheet]:
    """The figure, and where everything stands on it. Call within `drawing_rules`."""
    inches = INCHES * float(np.clip((len(wordmap.words) / BASE_WORDS) ** 0.5, *SCALES))
    side = inches * POINTS
    figure = Figure(figsize=(inches * (1 + 2 * MARGIN),) * 2, dpi=DPI, facecolor=PAPER)
    renderer = FigureCanvasAgg(figure).get_renderer()
    share = MARGIN / (1 + 2 * MARGIN)
    axes = figure.add_axes((share, share, 1 - 2 * share, 1 - 2 * share))
    axes.set(xlim=(0, side), ylim=(0, side))
    axes.axis("off")

    texts = [label_text(word) for word in wordmap.words]
    families, _ = font_families([*texts, wordmap.title, wordmap.caption])
    fonts = _fonts(wordmap, families)
    dot_N2 = _on_page(wordmap.position_N2, side)
    size_N2 = _text_sizes(renderer, texts, fonts) * POINTS / DPI
    first = wordmap.highlighted + wordmap.related
    order = np.array(list(dict.fromkeys([*first, *range(len(texts))])), dtype=np.int64)
    gap_N = np.full(len(texts), GAP)
    gap_N[wordmap.highlighted] = RING + 1
    labels = place_labels(dot_N2, size_N2, (side, side), order, len(first), gap_N)
    sheet = Sheet(side, dot_N2, texts, fonts, size_N2, labels)

    _draw_dots(axes, wordmap, sheet)
    _draw_labels(axes, wordmap, sheet)
    _draw_legend(axes, wordmap, families)
    _draw_captions(figure, wordmap, inches, families)
    return figure, sheet


def _on_page(position_N2: np.ndarray, side: float) -> np.ndarray:
    """Positions scaled alike in both directions and centred on a square page of `side` points."""
    low_2, high_2 = position_N2.min(axis=0).astype(float), position_N2.max(axis=0).astype(float)
    scale = side * (1 - 2 * EDGE) / max(float((high_2 - low_2).max()), 1e-12)
    return side / 2 + (position_N2 - (low_2 + high_2) / 2) * scale


def _fonts(wordmap: WordMap, families: list[str]) -> list[FontProperties]:
    """The font of each word: larger for the frequent, bold for the highlighted."""
    sizes = [FontProperties(family=families, size=size) for _, size in SIZES]
    strong = FontProperties(family=families, size=11, weight="bold")
    near = FontProperties(family=families, size=9)
    count = len(wordmap.words)
    levels = np.searchsorted([share for share, _ in SIZES], (np.arange(count) + 0.5) / count)
    fonts = [sizes[level] for level in levels]
    for i in wordmap.related:
        fonts[i] = near
    for i in wordmap.highlighted:
        fonts[i] = strong
    return fonts


def _text_sizes(renderer: RendererAgg, texts: list[str], fonts: list[FontProperties]) -> np.ndarray:
    """Width and height of each text in pixels, as the renderer draws it; each is at least as high as "lp"."""
    heights = {font: renderer.get_text_width_height_descent("lp", font, False)[1] for font in set(fonts)}
    size_N2 = np.empty((len(texts), 2))
    for i, (text, font) in enumerate(zip(texts, fonts, strict=True)):
        width, height, _ = renderer.get_text_width_height_descent(text, font, False)
        size_N2[i] = width, max(height, heights[font])
    return size_N2


def _draw_dots(axes: Axes, wordmap: WordMap, sheet: Sheet) -> None:
    colors = np.array(wordmap.coloring.colors_N)
    labelled = np.zeros(len(colors), dtype=bool)
    labelled[[label.word for label in sheet.labels]] = True
    x_N, y_N = sheet.dot_N2.T
    for shown, size, alpha in ((~labelled, 5, 0.35), (labelled, 7, 0.9)):
        axes.scatter(x_N[shown], y_N[shown], s=size, c=colors[shown], alpha=alpha, linewidths=0, zorder=1)
    ringed = wordmap.highlighted
    axes.scatter(x_N[ringed], y_N[ringed], s=(2 * RING) ** 2, facecolors="none", edgecolors=INK, linewidths=1, zorder=3)


def _draw_labels(axes: Axes, wordmap: WordMap, sheet: Sheet) -> None:
    """Each label in its dot's colour; where words are highlighted, they and their neighbours stand out."""
    colors = [darker(color) for color in wordmap.coloring.colors_N]
    focus = {*wordmap.highlighted, *wordmap.related}
    lines = []
    for label in sheet.labels:
        i = label.word
        width, height = sheet.size_N2[i]
        axes.text(
            label.x + width * (1 - label.side) / 2,
            label.y + height / 2,
            sheet.texts[i],
            fontproperties=sheet.fonts[i],
            color=INK if i in focus else colors[i],
            alpha=1.0 if i in focus or not focus else 0.55,
            ha=("center", "left", "right")[label.side],
            va="center",
            parse_math=False,
            zorder=2,
        )
        if label.line is not None:
            lines.append([tuple(sheet.dot_N2[i]), label.line])
    axes.add_collection(LineCollection(lines, colors=QUIET, linewidths=0.6, zorder=1.5))


def _draw_legend(axes: Axes, wordmap: WordMap, families: list[str]) -> None:
    """What each colour stands for, where the caption does not say it."""
    legend = wordmap.coloring.legend
    if not legend:
        return
    dots = [Line2D([], [], marker="o", linestyle="", color=color) for _, color in legend]
    names = [label_text(name).replace("$", r"\$") for name, _ in legend]
    axes.legend(dots, names, loc="lower right", prop={"family": families, "size": 8.5}, framealpha=0.8)


def _draw_captions(figure: Figure, wordmap: WordMap, inches: float, families: list[str]) -> None:
    """The title above the map, the settings beneath it, both as large as the map asks for."""
    style: dict[str, Any] = {"ha": "left", "va": "center", "parse_math": False, "family": families}
    scale = inches / INCHES
    size = 7.5 * max(scale, 1.0)
    lines = textwrap.fill(wordmap.caption, width=int(inches * POINTS / (0.58 * size)))
    edge = MARGIN / (1 + 2 * MARGIN)
    figure.text(edge, 1 - 0.62 * edge, wordmap.title, size=13 * scale, weight="bold", color=INK, **style)
    figure.text(edge, 0.5 * edge, lines, size=size, color=QUIET, **style)
