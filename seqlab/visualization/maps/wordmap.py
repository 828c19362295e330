"""A map of word vectors: which words, where they lie, how they are grouped, and what is near each.

Shapes: V words in the vectors, N words on the map, D dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError, did_you_mean
from ...embeddings import WordVectors
from ..output import check_output
from ..style import PALETTE
from .projection import PROJECTIONS, usable_perplexity

COLORS = ("cluster", "frequency")
WORDS_PER_CLUSTER = 4


@dataclass(frozen=True)
class WordMap:
    """All that a picture shows, most frequent word first."""

    words: list[str]
    position_N2: np.ndarray
    rank_N: np.ndarray
    """Place of each word among all V words by frequency, from 1."""
    counts: np.ndarray | None
    cluster_N: np.ndarray
    neighbors: Sequence[Sequence[tuple[str, float]]]
    """Nearest words (of all V) and their cosines, nearest first."""
    highlighted: list[int]
    """Places on the map (0..N-1) of the words asked for, in the order asked."""
    related: list[int]
    """Places on the map of their neighbours, without themselves."""
    color: str
    title: str
    caption: str


def draw_map(
    vectors: WordVectors,
    out: str | Path,
    method: str = "tsne",
    words: int = 500,
    only: Iterable[str] | None = None,
    highlight: Sequence[str] = (),
    perplexity: float = 30.0,
    seed: int = 1,
    color: str = "cluster",
    symbols: bool = False,
    neighbors: int = 8,
    source: str = "",
    title: str | None = None,
) -> dict[str, Any]:
    """Draw a map of the most frequent words, or of `only` those named, to `out` (.png, .svg, .pdf or .html).

    Args:
        vectors: most frequent word first, unless their counts say otherwise.
        method: a name of PROJECTIONS.
        words: how many of the most frequent words are drawn; not used with `only`.
        only: the words to draw; those the vectors lack are reported under "missing".
        highlight: words that are drawn, labelled and set off in any case, together with their neighbours.
        perplexity: about how many neighbours t-SNE keeps together; brought down for few words.
        color: "cluster" (k-means on the unit vectors) or "frequency".
        symbols: draw tokens without a letter or digit, and control tokens such as <unk>, too.
        neighbors: how many nearest words are listed per word.
        source: name of the vectors, for the caption.

    Returns:
        {"path","format","method","words","labels","perplexity","seed","missing","notes"}: "labels" is how
        many words are labelled (None for a page, which labels as one zooms), "notes" are sentences for the
        person.

    Raises:
        InputError: unwritable or unknown output, unknown method or colouring, fewer than 2 words, or a
            highlighted word that the vectors lack.
    """
    kind = check_output(out)
    _check_settings(method, words, perplexity, color)
    rows_N, missing = choose_words(vectors, words, only, highlight, symbols, neighbors)
    wordmap = build_map(vectors, rows_N, method, perplexity, seed, color, highlight, neighbors, source, title)
    labels: int | None = None
    notes: list[str] = []
    if kind == "html":
        from .page import write_map_page

        write_map_page(wordmap, out)
    else:
        from .figure import write_map_figure

        labels, notes = write_map_figure(wordmap, out, kind)
    return {
        "path": str(out),
        "format": kind,
        "method": method,
        "words": len(wordmap.words),
        "labels": labels,
        "perplexity": usable_perplexity(perplexity, len(rows_N)) if method == "tsne" else None,
        "seed": seed,
        "missing": missing,
        "notes": notes,
    }


def _check_settings(method: str, words: int, perplexity: float, color: str) -> None:
    if method not in PROJECTIONS:
        known = ", ".join(PROJECTIONS)
        raise InputError(f"Unknown map method {method!r}; use one of {known}.{did_you_mean(method, PROJECTIONS)}")
    if color not in COLORS:
        raise InputError(f"Unknown colouring {color!r}; use one of {', '.join(COLORS)}.")
    if words < 2:
        raise InputError(f"A map needs at least 2 words, not {words}.")
    if not (math.isfinite(perplexity) and perplexity > 0):
        raise InputError(f"The perplexity must be a positive number, not {perplexity:g}.")


def choose_words(
    vectors: WordVectors,
    count: int = 500,
    only: Iterable[str] | None = None,
    highlight: Sequence[str] = (),
    symbols: bool = False,
    neighbors: int = 8,
) -> tuple[np.ndarray, list[str]]:
    """(rows of the words to draw, most frequent first; the words of `only` that the vectors lack)."""
    order = frequency_order(vectors)
    missing: list[str] = []
    if only is None:
        readable = (row for row in order if symbols or is_readable(vectors.words[row]))
        chosen = {row for row, _ in zip(readable, range(count), strict=False)}
    else:
        asked = dict.fromkeys(only)
        missing = [word for word in asked if word not in vectors.index]
        chosen = {vectors.index[word] for word in asked if word in vectors.index}
    chosen.update(vectors.row(word) for word in highlight)
    for near in vectors.neighbors_of_each(highlight, neighbors):
        chosen.update(vectors.index[word] for word, _ in near)
    if len(chosen) < 2:
        lost = f" ({len(missing)} of the words asked for are not in the vectors)" if missing else ""
        raise InputError(f"A map needs at least 2 words; found {len(chosen)} to draw{lost}.")
    return np.array([row for row in order.tolist() if row in chosen], dtype=np.int64), missing


def frequency_order(vectors: WordVectors) -> np.ndarray:
    """Rows from the most to the least frequent word; as stored where there are no counts."""
    if vectors.counts is None:
        return np.arange(len(vectors))
    return np.argsort(-vectors.counts, kind="stable")


def is_readable(word: str) -> bool:
    """Whether a word says something on a map: it has a letter or digit and is no control token like <unk>."""
    return any(c.isalnum() for c in word) and not (word.startswith("<") and word.endswith(">"))


def build_map(
    vectors: WordVectors,
    rows_N: np.ndarray,
    method: str = "tsne",
    perplexity: float = 30.0,
    seed: int = 1,
    color: str = "cluster",
    highlight: Sequence[str] = (),
    neighbors: int = 8,
    source: str = "",
    title: str | None = None,
) -> WordMap:
    """Compute a map of the words in `rows_N`; see `draw_map`."""
    unit_ND = np.ascontiguousarray(vectors.unit[rows_N], dtype=np.float32)
    rank_V = np.empty(len(vectors), dtype=np.int64)
    rank_V[frequency_order(vectors)] = np.arange(1, len(vectors) + 1)
    words = [vectors.words[row] for row in rows_N]
    place = {word: i for i, word in enumerate(words)}
    near = vectors.neighbors_of_each(words, neighbors)
    highlighted = list(dict.fromkeys(place[word] for word in highlight))
    related = dict.fromkeys(place[word] for i in highlighted for word, _ in near[i] if word in place)
    cluster_N, clusters = cluster(unit_ND, seed)
    origin = f"{source}: " if source else ""
    size = f"{len(words):,} of {len(vectors):,} words, {vectors.dim} dimensions"
    hue = f"colour: k-means, k = {clusters}" if color == "cluster" else "colour: frequency, darkest first"
    return WordMap(
        words=words,
        position_N2=PROJECTIONS[method](unit_ND, seed, perplexity),
        rank_N=rank_V[rows_N],
        counts=None if vectors.counts is None else vectors.counts[rows_N],
        cluster_N=cluster_N,
        neighbors=near,
        highlighted=highlighted,
        related=[i for i in related if i not in set(highlighted)],
        color=color,
        title=title or f"{len(rows_N):,} words" + (f" of {source}" if source else ""),
        caption="  ·  ".join([origin + size, _method_note(method, len(words), perplexity, seed), hue]),
    )


def _method_note(method: str, count: int, perplexity: float, seed: int) -> str:
    if method == "tsne":
        used = usable_perplexity(perplexity, count)
        return f"t-SNE of unit vectors, PCA start, perplexity {used:.3g}, seed {seed}"
    return f"{method.upper()} of unit vectors"


def cluster(unit_ND: np.ndarray, seed: int = 1) -> tuple[np.ndarray, int]:
    """k-means on the high-dimensional vectors, largest cluster first: (cluster_N, number of clusters).

    One cluster per WORDS_PER_CLUSTER words, at most one per colour of the palette.
    """
    from sklearn.cluster import KMeans

    distinct = len(np.unique(unit_ND, axis=0))
    clusters = max(1, min(len(PALETTE), len(unit_ND) // WORDS_PER_CLUSTER, distinct))
    found_N = KMeans(n_clusters=clusters, n_init=4, random_state=seed).fit_predict(unit_ND)
    by_size = np.argsort(-np.bincount(found_N, minlength=clusters), kind="stable")
    return np.argsort(by_size)[found_N], clusters


def word_colors(wordmap: WordMap) -> list[str]:
    """The colour of each word's dot: its cluster's, or one between dark (frequent) and light (rare)."""
    if wordmap.color == "cluster":
        return [PALETTE[c] for c in wordmap.cluster_N]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["cividis"](np.linspace(0.1, 0.9, len(wordmap.words)))]
