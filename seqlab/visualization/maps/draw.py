"""`draw_map`: a map of word vectors as a picture, in any format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...base.errors import InputError, choose, counted, did_you_mean
from ...base.results import line
from ..choices import MapColor, MapMethod
from ..page import Page
from ..picture import Picture
from .page import map_page
from .projection import PROJECTIONS, usable_perplexity
from .wordmap import COLORS, DEFAULT_WORDS, Mappable, WordMap, build_map, choose_words

MOST_STILL = 2000
"""Words up to which a notebook gets a still map next to the page; of more, placing the labels takes longer."""


def draw_map(
    vectors: Mappable,
    *,
    words: int = DEFAULT_WORDS,
    only: Iterable[str] | None = None,
    highlight: str | Sequence[str] = (),
    method: MapMethod = "tsne",
    perplexity: float = 30.0,
    color: MapColor = "cluster",
    symbols: bool = False,
    neighbors: int = 8,
    seed: int = 1,
    source: str = "",
    title: str | None = None,
    quiet: bool = False,
) -> MapPicture:
    """Draw a map of word vectors, similar words near each other.

    Use it to see what vectors have learned: which words form groups, and what is near a word.
    The words are chosen and the settings checked at once; the layout is computed when the picture is first shown or
    saved, and then cached.

    Args:
        vectors: word vectors, or anything with words, a matrix (V, D), counts and neighbours.
        words: how many of the most frequent words are drawn; not used with `only`.
        only: the words to draw instead; the picture's `missing` lists those that the vectors lack.
        highlight: a word or several that are always drawn, labelled and set off, together with their neighbours.
        method: how the words are laid out, a name of PROJECTIONS: "tsne" keeps neighbourhoods together, "pca" is
            quicker and shows the directions of largest variance.
        perplexity: about how many neighbours t-SNE keeps together; lowered where there are few words.
        color: "cluster" (k-means on the unit vectors) or "frequency".
        symbols: also draw tokens without a letter or digit, and control tokens such as <unk>.
        neighbors: how many nearest words are listed for each word.
        seed: the same seed draws the same map.
        source: name of the vectors, for the title and the caption.
        title: of the picture; the number of words by default.
        quiet: show no progress.

    Returns:
        The picture: the last line of a notebook's cell shows it, `.save("map.html")` writes it.

    Raises:
        InputError: an unknown method or colour, fewer than 2 words to draw, or a highlighted word that the vectors
            lack.
    """
    if not hasattr(vectors, "neighbors_of_each"):
        raise InputError(f"A map is drawn from word vectors, not from {vectors!r:.60}; open them with seqlab.load.")
    highlight = (highlight,) if isinstance(highlight, str) else tuple(highlight)
    _check_settings(method, words, perplexity, color)
    rows_N, missing = choose_words(
        vectors, words, [only] if isinstance(only, str) else only, highlight, symbols, neighbors
    )
    notes = [] if only is not None else _fewer(vectors, words, len(rows_N), symbols)
    layout = {"method": method, "perplexity": perplexity, "seed": seed, "color": color}
    return MapPicture(
        vectors,
        rows_N,
        missing,
        notes,
        {**layout, "highlight": highlight, "neighbors": neighbors, "source": source, "title": title, "quiet": quiet},
    )


class MapPicture(Picture):
    """A map of word vectors, made by `draw_map`.

    Attributes:
        missing: words that were requested by name and that the vectors lack.
    """

    def __init__(
        self,
        vectors: Mappable,
        rows_N: np.ndarray,
        missing: list[str],
        notes: list[str],
        settings: dict[str, Any],
    ):
        super().__init__()
        self.missing = missing
        self._vectors, self._rows_N, self._settings = vectors, rows_N, settings
        self._first_notes, self._drawn_notes = notes, list[str]()
        self._labels: int | None = None

    @cached_property
    def wordmap(self) -> WordMap:
        """The words, their places and their neighbours; computed on first use."""
        return build_map(self._vectors, self._rows_N, **self._settings)

    def page(self) -> Page:
        return map_page(self.wordmap)

    def still(self, kind: str) -> bytes:
        from .figure import check_fonts, map_bytes

        if kind != "svg":  # an svg keeps text as text and is drawn with the reader's fonts
            check_fonts([self._vectors.words[row] for row in self._rows_N])
        content, labels, notes = map_bytes(self.wordmap, kind)
        self._labels, self._drawn_notes = labels, notes
        return content

    def _repr_png_(self) -> bytes | None:
        return super()._repr_png_() if len(self._rows_N) <= MOST_STILL else None

    @property
    def notes(self) -> list[str]:
        return self._first_notes + self._drawn_notes

    def to_json(self) -> dict[str, Any]:
        """What the map shows, as JSON values.

        Returns:
            {"path", "format", "method", "words", "labels", "perplexity", "seed", "missing", "notes"}: "labels" is how
            many words of a still picture are labelled (None for a page, which labels as one zooms), "notes" are
            sentences for the person.
        """
        return {
            "path": None if self._path is None else str(self._path),
            "format": self._format,
            "method": self._settings["method"],
            "words": len(self._rows_N),
            "labels": None if self._format == "html" else self._labels,
            "perplexity": self._perplexity,
            "seed": self._settings["seed"],
            "missing": self.missing,
            "notes": self.notes,
        }

    @property
    def _perplexity(self) -> float | None:
        if self._settings["method"] != "tsne":
            return None
        return usable_perplexity(self._settings["perplexity"], len(self._rows_N))

    def __repr__(self) -> str:
        source = f" of {self._settings['source']}" if self._settings["source"] else ""
        layout = "PCA" if self._perplexity is None else f"t-SNE, perplexity {self._perplexity:.3g}"
        saved = "not saved" if self._path is None else str(self._path)
        return line("MapPicture", [counted(len(self._rows_N), "word") + source, layout, saved])


def _check_settings(method: str, words: int, perplexity: float, color: str) -> None:
    if method not in PROJECTIONS:
        known = ", ".join(PROJECTIONS)
        raise InputError(f"Unknown map method {method!r}; use one of {known}.{did_you_mean(method, PROJECTIONS)}")
    choose("color", color, dict.fromkeys(COLORS))
    if not isinstance(words, int | np.integer):
        raise InputError(f"words: {words!r} is not a number of words; name single words with `only`.")
    if words < 2:
        raise InputError(f"A map needs at least 2 words, not {words}.")
    if not (math.isfinite(perplexity) and perplexity > 0):
        raise InputError(f"The perplexity must be a positive number, not {perplexity:g}.")


def _fewer(vectors: Mappable, requested: int, drawn: int, symbols: bool) -> list[str]:
    """A sentence where a number of words was requested that the vectors do not have."""
    if drawn >= requested or requested == DEFAULT_WORDS:
        return []
    known = len(vectors.words)
    why = f"the vectors hold {known:,}"
    if not symbols and known > drawn:
        why += f", {known - drawn:,} of them symbols or control tokens, which are left out"
    return [f"{drawn:,} of the {requested:,} requested words are drawn: {why}."]
