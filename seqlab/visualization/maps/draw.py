"""`draw_map`: a map of word vectors as a picture, in any format."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Unpack

from ...base.errors import InputError, counted, option
from ...base.printing import printable_lines
from ...base.results import line
from ...config import MapConfig
from ...options import MapOptions
from ..page import Page
from ..picture import Picture
from .page import map_page
from .projection import usable_perplexity
from .wordmap import Chosen, Mappable, WordMap, as_list, build_map, choose_words, noun_of

SHOWN = 4
"""Words that a sentence names."""
MOST_STILL = 2000
"""Words up to which a notebook gets a still map next to the page; of more, placing the labels takes longer."""


def draw_map(vectors: Mappable, *, source: str = "", quiet: bool = False, **options: Unpack[MapOptions]) -> MapPicture:
    """Draw a map of word vectors, similar words near each other.

    Use it to see what vectors have learned: which words form groups, and what is near a word.
    The words are chosen and the settings checked at once; the layout is computed when the picture is first shown or
    saved, and then cached.

    Args:
        vectors: word vectors, or anything with words, a matrix (V, D), counts and neighbours.
        source: name of the vectors, for the title and the caption.
        quiet: show no progress.
        **options: which words are drawn and how, see `MapConfig`; `only` and `highlight` take any iterable. The
            picture's `missing` lists the words of `only` that the vectors lack.

    Returns:
        The picture: the last line of a notebook's cell shows it, `.save("map.html")` writes it.

    Raises:
        InputError: an unknown option or value, fewer than 2 words to draw, or a highlighted word that the vectors lack.
    """
    if not hasattr(vectors, "neighbors_of_each"):
        raise InputError(f"A map is drawn from word vectors, not from {vectors!r:.60}; open them with seqlab.load.")
    values: dict[str, Any] = {**options}
    for name in ("only", "highlight"):
        if isinstance(values.get(name), Iterable):
            values[name] = as_list(values[name])
    config = MapConfig.build(values, "map")
    return MapPicture(vectors, choose_words(vectors, config), config, printable_lines(source), quiet)


class MapPicture(Picture):
    """A map of word vectors, made by `draw_map`.

    Attributes:
        missing: words that were requested by name and that the vectors lack.
        skipped: frequent words that are left out by default, as they are near no others.
    """

    def __init__(
        self,
        vectors: Mappable,
        chosen: Chosen,
        config: MapConfig,
        source: str = "",
        quiet: bool = False,
    ):
        super().__init__()
        self.missing, self.skipped = chosen.missing, chosen.skipped
        self._vectors, self._chosen, self._config = vectors, chosen, config
        self._source, self._quiet = source, quiet
        self._first_notes = _skipped(chosen) + _fewer(vectors, config, len(chosen.rows_N))
        self._drawn_notes: list[str] = []
        self._labels: int | None = None

    @cached_property
    def wordmap(self) -> WordMap:
        """The words, their places and their neighbours; computed on first use."""
        return build_map(self._vectors, self._chosen, self._config, self._source, self._quiet)

    def page(self) -> Page:
        return map_page(self.wordmap)

    def still(self, kind: str) -> bytes:
        from .figure import check_fonts, map_bytes

        if kind != "svg":  # an svg keeps text as text and is drawn with the reader's fonts
            check_fonts([self._vectors.words[row] for row in self._chosen.rows_N], self.noun)
        content, labels, notes = map_bytes(self.wordmap, kind)
        self._labels, self._drawn_notes = labels, notes
        return content

    def _repr_png_(self) -> bytes | None:
        return super()._repr_png_() if len(self._chosen.rows_N) <= MOST_STILL else None

    @property
    def noun(self) -> str:
        """What is drawn: "word", "character", "line"."""
        return noun_of(self._vectors)

    @property
    def notes(self) -> list[str]:
        return self._first_notes + self._drawn_notes

    def to_json(self) -> dict[str, Any]:
        """What the map shows, as JSON values.

        Returns:
            {"path", "format", "method", "words", "labels", "perplexity", "seed", "missing", "skipped", "notes"}:
            "labels" is how many words of a still picture are labelled (None for a page, which labels as one zooms),
            "notes" are sentences for the person.
        """
        return {
            "path": None if self._path is None else str(self._path),
            "format": self._format,
            "method": self._config.method,
            "words": len(self._chosen.rows_N),
            "labels": None if self._format == "html" else self._labels,
            "perplexity": self._perplexity,
            "seed": self._config.seed,
            "missing": self.missing,
            "skipped": self.skipped,
            "notes": self.notes,
        }

    @property
    def _perplexity(self) -> float | None:
        if self._config.method != "tsne":
            return None
        return usable_perplexity(self._config.perplexity, len(self._chosen.rows_N))

    def __repr__(self) -> str:
        source = f" of {self._source}" if self._source else ""
        layout = "PCA" if self._perplexity is None else f"t-SNE, perplexity {self._perplexity:.3g}"
        saved = "not saved" if self._path is None else str(self._path)
        return line("MapPicture", [counted(len(self._chosen.rows_N), self.noun) + source, layout, saved])


def _skipped(chosen: Chosen) -> list[str]:
    """A sentence on the words that a map does without by default."""
    if not chosen.skipped:
        return []
    some = [*map(printable_lines, chosen.skipped[:SHOWN]), *["..."] * (len(chosen.skipped) > SHOWN)]
    return [
        f"Left out: {counted(len(chosen.skipped), 'frequent word')} near no others ({', '.join(some)}); "
        f"{option('skip', 0)} draws them too."
    ]


def _fewer(vectors: Mappable, config: MapConfig, drawn: int) -> list[str]:
    """A sentence where a number of words was requested that the vectors do not have."""
    requested = config.words
    if config.only is not None or drawn >= requested or requested == MapConfig().words:
        return []
    known = len(vectors.words)
    why = f"the vectors hold {known:,}"
    if (left_out := known - drawn - (config.skip or 0)) > 0 and not config.symbols:
        why += f", {left_out:,} of them symbols or control tokens, which are left out"
    if config.skip:
        why += f", and the {config.skip:,} most frequent are skipped"
    return [f"{drawn:,} of the {requested:,} requested {noun_of(vectors)}s are drawn: {why}."]
