"""A map of word vectors: which words, where they lie, how they are grouped, and their neighbours.

Shapes: V words in the vectors, N words on the map, D dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from ...base.errors import InputError, counted, option
from ...base.printing import printable_lines
from ...base.resources.memory import check_memory
from ...config import MapConfig
from ..style import PALETTE
from .colors import COLORS, Coloring, by_label
from .projection import PROJECTIONS, usable_perplexity

WORDS_PER_CLUSTER = 4
MOST_SKIPPED, SKIPPED_SHARE = 150, 0.1
"""Words that a map does without by default, at most: about as many as hold sentences together, and a share of all."""
FEWEST = 300
"""Vectors of fewer words are drawn with all of them."""
SKIPPED_AMONG = 1000
"""Most frequent words among which they are."""
NEAREST, NEARNESS = 8, 0.5
"""Words whose cosines say whether a word is near any, and what this weighs next to how frequent it is. Of the 500 words
on maps of a play and two encyclopedias 99, 49 and 40 were function words with it, 100, 45 and 47 with a weight of 1,
109, 60 and 45 without the 150 most frequent, 205 and 154 of all words of the first two."""
COPIES, NEIGHBOR = 40, 60
"""Bytes that a map takes for each number of its vectors, and for each neighbour that t-SNE looks at."""


class Mappable(Protocol):
    """What a map is drawn from; word vectors are."""

    @property
    def words(self) -> Sequence[str]:
        """V distinct words, most frequent first unless the counts say otherwise."""

    @property
    def dim(self) -> int:
        """D."""

    def vectors_of(self, words: Sequence[str]) -> np.ndarray:
        """(N, D) vectors of words."""

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
    coloring: Coloring
    neighbors: Sequence[Sequence[tuple[str, float]]]
    """Nearest words (of all V) and their cosines, nearest first."""
    highlighted: list[int]
    """Places on the map (0..N-1) of the highlighted words, in the order requested."""
    related: list[int]
    """Places on the map of their neighbours, without themselves."""
    title: str
    caption: str
    noun: str = "word"
    """What they are: words, characters, lines."""


def noun_of(vectors: Mappable) -> str:
    """What has a vector: "word", unless the vectors say otherwise."""
    return str(getattr(vectors, "noun", "word"))


def as_list(words: str | Sequence[str]) -> list[str]:
    """A word or several as a list."""
    return [words] if isinstance(words, str) else list(words)


class Chosen(NamedTuple):
    """Which words a map shows.

    rows_N: their rows, most frequent first. missing: words of `MapConfig.only` that the vectors lack.
    skipped: frequent words that are left out because they are near no others.
    """

    rows_N: np.ndarray
    missing: list[str]
    skipped: list[str]


def choose_words(vectors: Mappable, config: MapConfig) -> Chosen:
    """Which words to draw.

    Args:
        vectors: to draw.
        config: which of them.

    Raises:
        InputError: fewer than 2 words, or a highlighted one that the vectors lack.
    """
    order = frequency_order(vectors)
    missing: list[str] = []
    skipped: list[int] = []
    highlight = as_list(config.highlight)
    if config.only is None:
        readable = (row for row in order.tolist() if config.symbols or is_readable(vectors.words[row]))
        if config.skip is None:
            enough = len(order) >= FEWEST and noun_of(vectors) == "word"
            spare = min(MOST_SKIPPED, int(SKIPPED_SHARE * len(order))) if enough else 0
            candidates = list(islice(readable, config.words + spare))
            skipped = apart(vectors, candidates[: SKIPPED_AMONG + spare], len(candidates) - config.words)
            chosen = set(candidates) - set(skipped)
        else:
            chosen = set(islice(readable, config.skip, config.skip + config.words))
    else:
        requested = dict.fromkeys(as_list(config.only))
        missing = [word for word in requested if word not in vectors.index]
        chosen = {vectors.index[word] for word in requested if word in vectors.index}
    chosen.update(vectors.row(word) for word in highlight)
    for near in vectors.neighbors_of_each(highlight, config.neighbors):
        chosen.update(vectors.index[word] for word, _ in near)
    if len(chosen) < 2:
        noun = noun_of(vectors)
        lost = f" ({len(missing)} of the requested {noun}s are not in the vectors)" if missing else ""
        raise InputError(f"A map needs at least 2 {noun}s; found {len(chosen)} to draw{lost}.")
    rows_N = np.array([row for row in order.tolist() if row in chosen], dtype=np.int64)
    return Chosen(rows_N, missing, [vectors.words[row] for row in skipped if row not in chosen])


def apart(vectors: Mappable, rows: Sequence[int], count: int) -> list[int]:
    """The `count` words that are most frequent and least like any other: articles, prepositions, auxiliaries.

    They go with everything, so they are near nothing, in any language; a frequent word of a subject has neighbours.
    What counts is the logarithm of a word's rank, and the mean cosine of its nearest words.

    Args:
        vectors: of the words.
        rows: candidates, most frequent first.
        count: how many are looked for; of a number below 1, none.
    """
    if count < 1:
        return []
    unit_ND = unit_rows(vectors.vectors_of([vectors.words[row] for row in rows]))
    cosine_NN = unit_ND @ unit_ND.T
    np.fill_diagonal(cosine_NN, -1)
    nearest = min(NEAREST, len(rows) - 1)
    near_N = np.partition(cosine_NN, -nearest)[:, -nearest:].mean(axis=1)
    rarity_N = np.log1p(np.arange(len(rows)))
    near_N, rarity_N = ((value_N - value_N.mean()) / (value_N.std() or 1) for value_N in (near_N, rarity_N))
    score_N = rarity_N + NEARNESS * near_N
    return [rows[place] for place in sorted(np.argsort(score_N, kind="stable")[:count].tolist())]


def frequency_order(vectors: Mappable) -> np.ndarray:
    """Rows from the most to the least frequent word; as stored where there are no counts."""
    if vectors.counts is None:
        return np.arange(len(vectors.words))
    return np.argsort(-vectors.counts, kind="stable")


def is_readable(word: str) -> bool:
    """Whether a word says something on a map: it has a letter or digit and is not a control token such as <unk>."""
    return any(c.isalnum() for c in word) and not (word.startswith("<") and word.endswith(">"))


def build_map(vectors: Mappable, chosen: Chosen, config: MapConfig, source: str = "", quiet: bool = True) -> WordMap:
    """Compute the map of some words.

    Args:
        vectors: to draw.
        chosen: which words.
        config: how they are drawn.
        source: name of the vectors.
        quiet: show no progress.
    """
    rows_N = chosen.rows_N
    method, perplexity, seed = config.method, config.perplexity, config.seed
    neighbors = 3 * usable_perplexity(perplexity, len(rows_N)) if method == "tsne" else 0
    check_memory(
        f"a map of {counted(len(rows_N), noun_of(vectors))}",
        len(rows_N) * (COPIES * vectors.dim + NEIGHBOR * neighbors),
        f"lower {option('words')}" + (f" or {option('perplexity')}" if neighbors else ""),
    )
    words = [vectors.words[row] for row in rows_N]
    unit_ND = unit_rows(vectors.vectors_of(words))
    rank_V = np.empty(len(vectors.words), dtype=np.int64)
    rank_V[frequency_order(vectors)] = np.arange(1, len(vectors.words) + 1)
    place = {word: i for i, word in enumerate(words)}
    near = vectors.neighbors_of_each(words, config.neighbors)
    highlighted = list(dict.fromkeys(place[word] for word in as_list(config.highlight)))
    related = dict.fromkeys(place[word] for i in highlighted for word, _ in near[i] if word in place)
    cluster_N = cluster(unit_ND, seed)
    noun, labels = noun_of(vectors), config.labels
    coloring = COLORS[config.color](words, cluster_N) if labels is None else by_label(words, labels, noun)
    origin = f"{source}: " if source else ""
    size = f"{len(words):,} of {counted(len(vectors.words), noun)}, {vectors.dim} dimensions"
    if config.skip and config.only is None:
        size += f"  ·  without the {config.skip:,} most frequent"
    if chosen.skipped:
        size += f"  ·  without {counted(len(chosen.skipped), 'frequent word')} near no others"
    return WordMap(
        words=words,
        position_N2=PROJECTIONS[method](unit_ND, seed, perplexity, quiet),
        rank_N=rank_V[rows_N],
        counts=None if vectors.counts is None else vectors.counts[rows_N],
        coloring=coloring,
        neighbors=near,
        highlighted=highlighted,
        related=[i for i in related if i not in set(highlighted)],
        title=printable_lines(config.title or "") or counted(len(rows_N), noun) + (f" of {source}" if source else ""),
        caption="  ·  ".join([origin + size, _method_note(method, len(words), perplexity, seed), coloring.caption]),
        noun=noun,
    )


def unit_rows(chosen_ND: np.ndarray) -> np.ndarray:
    """(N, D) float32: rows divided by their lengths; all-zero rows stay zero."""
    exponent_N = np.frexp(np.abs(chosen_ND).max(axis=1, initial=0))[1]
    chosen_ND = np.ldexp(chosen_ND, -exponent_N[:, None])  # exact, and no square overflows
    norm_N = np.sqrt(np.einsum("nd,nd->n", chosen_ND, chosen_ND))
    return chosen_ND / np.where(norm_N > 0, norm_N, np.float32(1))[:, None]


def _method_note(method: str, count: int, perplexity: float, seed: int) -> str:
    if method == "tsne":
        used = usable_perplexity(perplexity, count)
        return f"t-SNE of unit vectors, PCA start, perplexity {used:.3g}, seed {seed}"
    return f"{method.upper()} of unit vectors"


def cluster(unit_ND: np.ndarray, seed: int = 1) -> np.ndarray:
    """k-means on the high-dimensional vectors, largest cluster first: (N,).

    One cluster per WORDS_PER_CLUSTER words, at most one per colour of the palette.
    """
    from sklearn.cluster import KMeans

    distinct = len(np.unique(unit_ND, axis=0))
    clusters = max(1, min(len(PALETTE), len(unit_ND) // WORDS_PER_CLUSTER, distinct))
    found_N = KMeans(n_clusters=clusters, n_init=4, random_state=seed).fit_predict(unit_ND)
    by_size = np.argsort(-np.bincount(found_N, minlength=clusters), kind="stable")
    return np.argsort(by_size)[found_N]
