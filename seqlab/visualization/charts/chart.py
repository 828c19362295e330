"""A chart as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..style import PALETTE

Kind = Literal["line", "faint", "points"]
"""How a series is drawn: a line, a thin pale line behind the others, or points."""


@dataclass(frozen=True)
class Series:
    """Points in order, which share a colour.

    Attributes:
        name: in the legend; "" for none.
        x, y: values; a pair of which one is not finite is left out.
        kind: how it is drawn.
        color: its place in the palette.
        labels: what is written next to each point; empty for nothing.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Kind = "line"
    color: int = 0
    labels: Sequence[str] = ()

    def points(self) -> list[tuple[float, float]]:
        """The pairs that can be drawn."""
        pairs = zip(map(float, self.x), map(float, self.y), strict=True)
        return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]

    def labelled(self) -> list[tuple[float, float, str]]:
        """Those of them that have a label, with it."""
        found = zip(map(float, self.x), map(float, self.y), self.labels, strict=False)
        return [(x, y, text) for x, y, text in found if math.isfinite(x) and math.isfinite(y)]


@dataclass(frozen=True)
class ChartPanel:
    """One pair of axes.

    Attributes:
        title: above it.
        x, y: titles of the axes.
        series: what is drawn.
        marks: vertical lines: a value of x, and what it is called.
        logarithmic: whether x is.
        span: least and largest y; None shows everything.
        names: of the values 0, 1, 2, ... of x where these stand for names; empty for numbers.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]] = ()
    logarithmic: bool = False
    span: tuple[float, float] | None = None
    names: Sequence[str] = ()


def columns_of(panels: int) -> int:
    """Panels side by side."""
    return panels if panels <= 3 else math.ceil(panels / math.ceil(panels / 3))


def color_of(series: Series) -> str:
    """Its colour."""
    return PALETTE[series.color % len(PALETTE)]
