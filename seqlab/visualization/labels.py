"""Labels that never overlap: by rank, each drawn only where its box is free on a grid.

Repelling labels iteratively takes hours at 10,000 labels; looking up a grid takes seconds. Lengths are in
points (1/72 inch), y upwards. N words, each with a dot and perhaps a label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CELL = 0.75
GAP = 2.5
FREE, DOT, LABEL = 0, 1, 2  # what a cell holds; a line to a far label counts as LABEL

# Degrees from a word's dot to its label, preferred first: beside, above, below, then between.
NEAR_ANGLES = (0, 180, 90, 270, 45, 135, 315, 225)
FAR_ANGLES = tuple(range(0, 360, 15))
# Distances, in label heights, at which a label that must be drawn looks for room, led back by a line.
FAR = (1.2, 1.8, 2.5, 3.5, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0)


@dataclass(frozen=True)
class Label:
    """A placed label: its word and the lower left corner of its box.

    `side` tells whether it stands left (-1) or right (1) of its dot or above or below it (0), `line` where a
    line from the dot ends.
    """

    word: int
    x: float
    y: float
    side: int
    line: tuple[float, float] | None = None


class Grid:
    """What each cell of the page holds: a box is free if no cell it touches is taken."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        shape = (int(height // CELL) + 1, int(width // CELL) + 1)
        self.held = np.zeros(shape, dtype=np.uint8)
        self.dots = np.zeros(shape, dtype=np.int32)

    def add_dots(self, dot_N2: np.ndarray) -> None:
        """Count dots per cell; labels prefer to cover few."""
        column_N, row_N = (dot_N2.T // CELL).astype(int)
        np.add.at(self.dots, (row_N, column_N), 1)

    def cells(self, x: float, y: float, width: float, height: float) -> tuple[slice, slice]:
        """The cells a box touches."""
        return (
            slice(max(0, int(y // CELL)), int((y + height) // CELL) + 1),
            slice(max(0, int(x // CELL)), int((x + width) // CELL) + 1),
        )

    def fits(self, x: float, y: float, width: float, height: float) -> bool:
        """Whether a box lies on the page and touches nothing taken."""
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            return False
        return not self.held[self.cells(x, y, width, height)].any()

    def take(self, x: float, y: float, width: float, height: float, what: int = LABEL) -> None:
        cells = self.held[self.cells(x, y, width, height)]
        np.maximum(cells, what, out=cells)

    def take_dot(self, dot_2: np.ndarray, radius: float) -> None:
        """Keep labels off a dot."""
        self.take(float(dot_2[0]) - radius, float(dot_2[1]) - radius, 2 * radius, 2 * radius, DOT)

    def covered(self, x: float, y: float, width: float, height: float) -> int:
        """How many dots lie in a box."""
        return int(self.dots[self.cells(x, y, width, height)].sum())

    def line(self, start_2: np.ndarray, end_2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cells along a straight line."""
        steps = int(np.abs(end_2 - start_2).max() / CELL) * 2 + 2
        column_S, row_S = (np.linspace(start_2, end_2, steps).T // CELL).astype(int)
        return row_S, column_S


def place_labels(
    dot_N2: np.ndarray,
    size_N2: np.ndarray,
    page: tuple[float, float],
    order: np.ndarray,
    required: int = 0,
    gap: float | np.ndarray = GAP,
    padding: float = 0.8,
) -> list[Label]:
    """Place labels next to their dots, one after the other in `order`, each only where its box is free.

    Args:
        dot_N2: positions of all words' dots, on the page.
        size_N2: width and height of each word's label.
        page: width and height of the page.
        order: words (rows of dot_N2) to label, most important first.
        required: how many of `order`, from its start, may be further away, with a line to their dot.
        gap: distance between dot and label, one for all or one for each word.
        padding: free space around labels.

    Returns:
        the labels that found room. Boxes never overlap, nor hide the dot of a labelled word; of the free
        places around a dot the one that covers fewest other dots is taken.
    """
    grid = Grid(*page)
    grid.add_dots(dot_N2)
    gaps = np.broadcast_to(gap, len(dot_N2)).tolist()
    for word in order[:required].tolist():
        grid.take_dot(dot_N2[word], gaps[word] / 2)
    placed = []
    for position, word in enumerate(order.tolist()):
        dot_2, size_2 = dot_N2[word], size_N2[word]
        if position >= required and not grid.fits(float(dot_2[0]), float(dot_2[1]), 0.0, 0.0):
            continue
        label = _place_near(grid, word, dot_2, size_2, gaps[word], padding)
        if label is None and position < required:
            label = _place_far(grid, word, dot_2, size_2, padding)
        if label is not None:
            grid.take(*_padded(label.x, label.y, size_2, padding))
            grid.take_dot(dot_2, gaps[word] / 2)
            if label.line is not None:
                grid.held[grid.line(dot_2, np.array(label.line))] = LABEL
            placed.append(label)
    return placed


def _padded(x: float, y: float, size_2: np.ndarray, padding: float) -> tuple[float, float, float, float]:
    return x - padding, y - padding, float(size_2[0]) + 2 * padding, float(size_2[1]) + 2 * padding


def _place_near(
    grid: Grid, word: int, dot_2: np.ndarray, size_2: np.ndarray, gap: float, padding: float
) -> Label | None:
    best, fewest = None, np.inf
    for angle in NEAR_ANGLES:
        x, y, side = _corner(dot_2, size_2, angle, gap)
        box = _padded(x, y, size_2, padding)
        if grid.fits(*box) and (hidden := grid.covered(*box)) < fewest:
            best, fewest = Label(word, x, y, side), hidden
            if not hidden:
                break
    return best


def _place_far(
    grid: Grid, word: int, dot_2: np.ndarray, size_2: np.ndarray, padding: float, crossing: bool = False
) -> Label | None:
    """The nearest free place; unless `crossing`, its line to the dot touches no label and no other line."""
    for distance in FAR:
        best, fewest = None, np.inf
        for angle in FAR_ANGLES:
            x, y, side = _corner(dot_2, size_2, angle, distance * float(size_2[1]))
            box = _padded(x, y, size_2, padding)
            if not grid.fits(*box):
                continue
            end_2 = np.clip(dot_2, (x, y), (x + size_2[0], y + size_2[1]))
            cells = grid.line(dot_2, end_2)
            hidden = grid.covered(*box) + int(grid.dots[cells].sum())
            if hidden < fewest and (crossing or not (grid.held[cells] == LABEL).any()):
                best, fewest = Label(word, x, y, side, (float(end_2[0]), float(end_2[1]))), hidden
        if best is not None:
            return best
    return None if crossing else _place_far(grid, word, dot_2, size_2, padding, crossing=True)


def _corner(dot_2: np.ndarray, size_2: np.ndarray, angle: float, reach: float) -> tuple[float, float, int]:
    """Lower left corner and side of a label that begins `reach` from its dot at `angle` degrees."""
    way = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    sides = [0 if abs(part) < 0.2 else int(math.copysign(1, part)) for part in way]
    x, y = (
        float(dot) + part * reach + (side - 1) / 2 * float(size)
        for dot, part, side, size in zip(dot_2, way, sides, size_2, strict=True)
    )
    return x, y, sides[0]
