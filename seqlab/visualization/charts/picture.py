"""A chart as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...base.results import line
from ..page import Page
from ..picture import Picture
from ..style import label_text
from .chart import ChartPanel, color_of, columns_of
from .figure import chart_bytes


class ChartPicture(Picture):
    """Panels side by side.

    Args:
        title: of the whole.
        caption: beneath it: how it is read.
        panels: what is drawn.
        facts: what `to_json` says of it.
        notes: sentences about what it does not show.
    """

    def __init__(
        self,
        title: str,
        caption: str,
        panels: Sequence[ChartPanel],
        facts: dict[str, Any] | None = None,
        notes: Sequence[str] = (),
    ):
        super().__init__()
        self.title, self.caption, self.panels = title, caption, list(panels)
        self.facts, self._notes = facts or {}, list(notes)

    def page(self) -> Page:
        """The interactive picture."""
        data = {"panels": [_panel(panel) for panel in self.panels], "columns": columns_of(len(self.panels))}
        rows = -(-len(self.panels) // columns_of(len(self.panels)))
        return Page(self.title, self.caption, data, "chart.js", height=240 + 300 * rows)

    def still(self, kind: str) -> bytes:
        return chart_bytes(self.title, self.panels, kind)

    @property
    def notes(self) -> list[str]:
        return self._notes

    def to_json(self) -> dict[str, Any]:
        """What the chart shows.

        Returns:
            {"path", "format", and the facts it was made with}.
        """
        return {"path": None if self._path is None else str(self._path), "format": self._format, **self.facts}

    def __repr__(self) -> str:
        return line("ChartPicture", [self.title, "not saved" if self._path is None else str(self._path)])


def _panel(panel: ChartPanel) -> dict[str, Any]:
    values = asdict(panel)
    values["series"] = [
        {
            "name": label_text(one.name),
            "kind": one.kind,
            "color": color_of(one),
            "x": [x for x, _ in one.points()],
            "y": [float(f"{y:.6g}") for _, y in one.points()],
            "labels": [label_text(text) for _, _, text in one.labelled()],
        }
        for one in panel.series
    ]
    values["names"] = [label_text(name) for name in panel.names]
    return values
