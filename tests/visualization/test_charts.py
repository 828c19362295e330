"""Charts whose points have names."""

from __future__ import annotations

import numpy as np

from seqlab.visualization.charts.chart import ChartPanel, Series
from seqlab.visualization.charts.figure import chart_figure
from seqlab.visualization.charts.picture import ChartPicture
from seqlab.visualization.output import drawing_rules


def panels(count: int) -> list[ChartPanel]:
    """Names close to one another."""
    rng = np.random.default_rng(count)
    x, y = np.exp(rng.normal(size=count)), rng.normal(size=count) ** 2
    y[3] = np.nan
    points = Series("methods", x, y, "points", 0, [f"prune=0.{place},int8" for place in range(count)])
    return [ChartPanel(f"panel {number}", "size", "loss", [points], logarithmic=True) for number in range(3)]


def test_names_of_points_are_all_there_and_do_not_overlap():
    with drawing_rules():
        figure = chart_figure("names", panels(14))
        figure.canvas.draw()
        for axes in figure.axes:
            boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
            assert len(boxes) == 13, "a point without a place has no name"
            shared = sum(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
            assert shared == 0


def test_the_page_has_the_names_of_its_points():
    picture = ChartPicture("names", "how it is read", panels(5))
    assert picture.page().data["panels"][0]["series"][0]["labels"] == [
        f"prune=0.{place},int8" for place in (0, 1, 2, 4)
    ]
