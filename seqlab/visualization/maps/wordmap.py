"""A map of word vectors: which words, where they lie, how they are grouped, and their neighbours.

Shapes: V words in the vectors, N words on the map, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

import numpy as np

from ...base.errors import InputError
from ..choices import MapColor, MapMethod
from ..style import PALETTE
from .projection import PROJECTIONS, usable_perplexity

COLORS: tuple[MapColor, ...] = get_args(MapColor)
WORDS_PER_CLUSTER = 4
DEFAULT_WORDS = 500


class Mappable(Protocol):
    """What a map is drawn from; word vectors are."""

    @property
    def words(self) -> Sequence[str]:
        """V distinct words, most frequent first unless the counts say otherwise."""

    @property
    def matrix(self) -> np.ndarray:
        """(V, D) vectors."""

    @property
    def counts(self) -> np.ndarray | None:
        """(V,) occurrences, where known."""

    @property
    def index(self) -> Mapping[str, int]:
        """The row of every word."""

    def row(self, word: str) -> int:
        """The row of a word. Raises InputError with suggestions when it is unknown."""

    def neighbors_of_each(self, words: Sequence[str], k: int) -> Sequence[Sequence[tuple[str, float]]]:
        """The k words nearest to each word and their cosines, nearest first."""


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
    """Places on the map (0..N-1) of the highlighted words, in the order requested."""
    related: list[int]
    """Places on the map of their neighbours, without themselves."""
    color: MapColor
    title: str
    caption: str


def choose_words(
    vectors: Mappable,
    count: int = DEFAULT_WORDS,
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
        requested = dict.fromkeys(only)
        missing = [word for word in requested if word not in vectors.index]
        chosen = {vectors.index[word] for word in requested if word in vectors.index}
    chosen.update(vectors.row(word) for word in highlight)
    for near in vectors.neighbors_of_each(highlight, neighbors):
        chosen.update(vectors.index[word] for word, _ in near)
    if len(chosen) < 2:
        lost = f" ({len(missing)} of the requested words are not in the vectors)" if missing else ""
        raise InputError(f"A map needs at least 2 words; found {len(chosen)} to draw{lost}.")
    return np.array([row for row in order.tolist() if row in chosen], dtype=np.int64), missing


def frequency_order(vectors: Mappable) -> np.ndarray:
    """Rows from the most to the least frequent word; as stored where there are no counts."""
    if vectors.counts is None:
        return np.arange(len(vectors.words))
    return np.argsort(-vectors.counts, kind="stable")


def is_readable(word: str) -> bool:
    """Whether a word says something on a map: it has a letter or digit and is not a control token such as <unk>."""
    return any(c.isalnum() for c in word) and not (word.startswith("<") and word.endswith(">"))


def build_map(
    vectors: Mappable,
    rows_N: np.ndarray,
    method: MapMethod = "tsne",
    perplexity: float = 30.0,
    seed: int = 1,
    color: MapColor = "cluster",
    highlight: Sequence[str] = (),
    neighbors: int = 8,
    source: str = "",
    title: str | None = None,
    quiet: bool = True,
) -> WordMap:
    """Compute a map of the words in `rows_N`; see `draw_map`."""
    unit_ND = unit_rows(vectors.matrix, rows_N)
    rank_V = np.empty(len(vectors.words), dtype=np.int64)
    rank_V[frequency_order(vectors)] = np.arange(1, len(vectors.words) + 1)
    words = [vectors.words[row] for row in rows_N]
    place = {word: i for i, word in enumerate(words)}
    near = vectors.neighbors_of_each(words, neighbors)
    highlighted = list(dict.fromkeys(place[word] for word in highlight))
    related = dict.fromkeys(place[word] for i in highlighted for word, _ in near[i] if word in place)
    cluster_N, clusters = cluster(unit_ND, seed)
    origin = f"{source}: " if source else ""
    size = f"{len(words):,} of {len(vectors.words):,} words, {vectors.matrix.shape[1]} dimensions"
    hue = f"colour: k-means, k = {clusters}" if color == "cluster" else "colour: frequency, darkest first"
    return WordMap(
        words=words,
        position_N2=PROJECTIONS[method](unit_ND, seed, perplexity, quiet),
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


def unit_rows(matrix: np.ndarray, rows_N: np.ndarray) -> np.ndarray:
    """(N, D) float32: rows of a matrix divided by their lengths; all-zero rows stay zero."""
    chosen_ND = np.asarray(matrix[rows_N], dtype=np.float32)
    norm_N = np.sqrt(np.einsum("nd,nd->n", chosen_ND, chosen_ND))
    return chosen_ND / np.where(norm_N > 0, norm_N, np.float32(1))[:, None]


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
