"""What compressed vectors lose: neighbours that they still find, and the scores of question sets before and after.

Shapes: Q words asked about, K neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.results import Result, Table, line
from ...embeddings import WordVectors
from ...embeddings.evaluation.evaluate import evaluate_analogies, evaluate_similarity
from ...embeddings.evaluation.questions import shipped_sets
from ...embeddings.queries.ranking import lengths

ASKED = 1000
"""Words whose neighbours are compared, spread evenly over the ranks of ATTENDED words."""
ATTENDED = 30_000
"""Most frequent words, among which questions are asked; neighbours may be any."""
NEAREST = 10


@dataclass(frozen=True)
class SetScore:
    """A question set before and after: accuracy in percent, or 100 times Spearman's correlation.

    Attributes:
        name: of the set.
        kind: "analogies" or "similarity".
        covered: questions or pairs whose words are all there, after compression.
        before, after: None where nothing is covered.
    """

    name: str
    kind: str
    covered: int
    before: float | None
    after: float | None


@dataclass(frozen=True, repr=False)
class CompressedVectors(Result):
    """What a compression of word vectors wrote, and what it costs.

    Attributes:
        path: the new folder.
        method: what was done, in order.
        words, dim, buckets: of the new vectors; 0 buckets without n-grams.
        bytes, bytes_before: of all files, on disk.
        matrix_bytes, matrix_bytes_before: of the matrices in memory, n-grams included.
        recall_at_10: share of a word's ten nearest words, among those kept, that are among the ten nearest after;
            the mean over `asked` words.
        ngram_cosine: mean cosine of words composed from n-grams alone, before and after; None without n-grams, or where
            dimensions differ.
        asked: words whose neighbours were compared.
        scores: of every question set that covers anything.
    """

    path: Path
    method: tuple[str, ...]
    words: int
    dim: int
    buckets: int
    bytes: int
    bytes_before: int
    matrix_bytes: int
    matrix_bytes_before: int
    recall_at_10: float
    ngram_cosine: float | None
    asked: int
    scores: tuple[SetScore, ...]

    def __repr__(self) -> str:
        smaller = self.bytes_before / max(1, self.bytes)
        return line(
            "CompressedVectors",
            [str(self.path), ", ".join(self.method), f"{smaller:.1f}x smaller", f"recall@10 {self.recall_at_10:.3f}"],
        )

    def table(self) -> Table:
        """A figure a row, before and after."""
        rows: list[tuple[str, Any, Any]] = [
            ("on disk, MB", self.bytes_before / 1e6, self.bytes / 1e6),
            ("matrices, MB", self.matrix_bytes_before / 1e6, self.matrix_bytes / 1e6),
            (f"recall@10 of {self.asked:,} words", 1.0, self.recall_at_10),
        ]
        if self.ngram_cosine is not None:
            rows.append(("cosine of words composed from n-grams", 1.0, self.ngram_cosine))
        for one in self.scores:
            unit = "%" if one.kind == "analogies" else "x 100"
            rows.append((f"{one.kind} {one.name}, {unit} ({one.covered:,} covered)", one.before, one.after))
        return Table(("", "before", "after"), rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """The attributes; `out` is the folder."""
        return {
            "out": str(self.path),
            "method": list(self.method),
            "words": self.words,
            "dim": self.dim,
            "buckets": self.buckets,
            "bytes": self.bytes,
            "bytes_before": self.bytes_before,
            "matrix_bytes": self.matrix_bytes,
            "matrix_bytes_before": self.matrix_bytes_before,
            "recall_at_10": self.recall_at_10,
            "ngram_cosine": self.ngram_cosine,
            "asked": self.asked,
            "scores": [vars(one) for one in self.scores],
        }


def recall(before: WordVectors, after: WordVectors) -> tuple[float, int]:
    """(recall@10, words asked about): the share of each word's nearest words, among those that both have, that `after`
    finds too."""
    if len(before) > len(after):
        before = before.subset(len(after))
    attended = min(ATTENDED, len(after))
    rows = np.unique(np.linspace(0, attended - 1, min(ASKED, attended)).astype(int))
    words = [after.words[row] for row in rows]
    k = min(NEAREST, len(after) - 1)
    if k < 1:
        return 1.0, 0
    pairs = zip(before.neighbors_of_each(words, k), after.neighbors_of_each(words, k), strict=True)
    shared = [len({word for word, _ in one} & {word for word, _ in other}) / k for one, other in pairs]
    return float(np.mean(shared)), len(words)


def ngram_agreement(before: WordVectors, after: WordVectors) -> float | None:
    """Mean cosine between what n-grams alone make of words, before and after; None where that cannot be compared."""
    if before.subwords is None or after.subwords is None or before.dim != after.dim:
        return None
    words = after.words[:ASKED]
    words = [word for word, has in zip(words, before.subwords.has_ngrams(words), strict=True) if has]
    if not words:
        return None
    made = [one.subwords.vectors(words) for one in (before, after) if one.subwords is not None]
    units = [vectors / lengths(vectors)[:, None] for vectors in made]
    return float(np.einsum("nd,nd->n", *units).mean())


def compared_scores(
    before: WordVectors,
    after: WordVectors,
    questions: Sequence[str | Path] = (),
    similarity: Sequence[str | Path] = (),
) -> tuple[SetScore, ...]:
    """Scores of the sets that come with seqlab and of files, before and after; sets that cover nothing are left out."""
    found = []
    for name in [*shipped_sets(), *map(str, questions)]:
        first, second = (evaluate_analogies(one, name) for one in (before, after))
        found.append(SetScore(name, "analogies", second["covered"], first["accuracy"], second["accuracy"]))
    for path in similarity:
        first, second = (evaluate_similarity(one, path) for one in (before, after))
        correlations = [None if one["spearman"] is None else 100 * one["spearman"] for one in (first, second)]
        found.append(SetScore(second["name"], "similarity", second["covered"], *correlations))
    return tuple(one for one in found if one.covered)
