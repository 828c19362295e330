"""The map as a page: zoom, hover, search; labels are placed anew, without overlap, for every view."""

from __future__ import annotations

from ..page import Page
from ..style import label_text
from .wordmap import WordMap

LONGEST_WORD = 80


def map_page(wordmap: WordMap) -> Page:
    """The interactive picture of a map."""
    data = {
        "noun": wordmap.noun,
        "words": [label_text(word, LONGEST_WORD) for word in wordmap.words],
        "x": [round(float(x), 4) for x in wordmap.position_N2[:, 0]],
        "y": [round(float(y), 4) for y in wordmap.position_N2[:, 1]],
        "rank": wordmap.rank_N.tolist(),
        "counts": None if wordmap.counts is None else wordmap.counts.tolist(),
        "color": wordmap.coloring.colors_N,
        "legend": [[label_text(name), color] for name, color in wordmap.coloring.legend],
        "neighbors": [
            [[label_text(word, LONGEST_WORD), round(score, 3)] for word, score in near] for near in wordmap.neighbors
        ],
        "highlighted": wordmap.highlighted,
        "related": wordmap.related,
    }
    return Page(wordmap.title, wordmap.caption, data, "map.js", "map.html")
