"""What the colour of a dot shows: its group, how frequent its word is, how long, or a label that a person gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...base.errors import InputError
from ...base.printing import quoted
from ..style import PALETTE, QUIET

OTHERS = "others"


class Coloring(NamedTuple):
    """The colour of every dot.

    Attributes:
        colors_N: as hexadecimal numbers.
        caption: what they mean.
        legend: the name of each colour; empty where the caption says enough.
    """

    colors_N: list[str]
    caption: str
    legend: list[tuple[str, str]]


def by_cluster(words: Sequence[str], cluster_N: np.ndarray) -> Coloring:
    """One colour a cluster."""
    clusters = int(cluster_N.max(initial=0)) + 1
    return Coloring([PALETTE[c] for c in cluster_N], f"colour: k-means, k = {clusters}", [])


def by_frequency(words: Sequence[str], cluster_N: np.ndarray) -> Coloring:
    """Dark for the first words, which are the most frequent, light for the last."""
    return Coloring(shades(np.linspace(0.0, 1.0, len(words))), "colour: frequency, darkest first", [])


def by_length(words: Sequence[str], cluster_N: np.ndarray) -> Coloring:
    """Dark for short words or lines, light for long ones."""
    length_N = np.array([len(word) for word in words], float)
    short, long = np.quantile(length_N, [0.05, 0.95])
    share_N = np.clip((length_N - short) / max(long - short, 1.0), 0.0, 1.0)
    return Coloring(shades(share_N), f"colour: length, dark {short:.0f} to light {long:.0f} characters", [])


COLORS: dict[str, Callable[[Sequence[str], np.ndarray], Coloring]] = {
    "cluster": by_cluster,
    "frequency": by_frequency,
    "length": by_length,
}


def by_label(words: Sequence[str], labels: Mapping[str, str], noun: str = "word") -> Coloring:
    """One colour for each of the commonest labels; grey for all others, and for words that have none.

    Raises:
        InputError: no word has a label.
    """
    counted = Counter(labels[word] for word in words if word in labels)
    if not counted:
        first = ", ".join(map(quoted, list(labels)[:3]))
        raise InputError(
            f"no {noun} on the map has a label ({first} ... have); write {noun}s as the vectors have them."
        )
    names = [name for name, _ in counted.most_common(len(PALETTE))]
    color_of = dict(zip(names, PALETTE, strict=False))
    colors_N = [color_of.get(labels.get(word, ""), QUIET) for word in words]
    legend = list(color_of.items())
    if QUIET in colors_N:
        legend.append((OTHERS, QUIET))
    return Coloring(colors_N, "colour: label", legend)


def shades(share_N: np.ndarray) -> list[str]:
    """Colours from dark (0) to light (1)."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["cividis"](0.1 + 0.8 * share_N)]
