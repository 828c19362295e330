"""`WordVectors`: words, a matrix and the questions one asks of them; stands free of any trainer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..errors import InputError, did_you_mean
from .all_but_the_top import without_top_directions
from .folder import TENSORS as TENSORS
from .folder import Table, read_folder, write_folder

Method = Literal["add", "mul"]
Weighted = str | tuple[str, float]
"""A word, or a word and its weight."""

BLOCK = 1 << 23
"""Scores computed at once: 32 MB of float32."""
SUGGEST_AMONG = 100_000
"""Most frequent words searched for a close spelling."""


class WordVectors:
    """Words and their vectors, most frequent first.

    Args:
        words: V distinct strings, any Unicode.
        matrix: (V, D), kept as C-contiguous float32.
        counts: (V,) occurrences in the training text, where known.
        meta: how the vectors came to be; JSON values, saved and loaded with them.
        check: look for repeated words and values that are not finite; False where that has been done.

    Raises InputError when sizes disagree, a word occurs twice or a value is not finite. All-zero vectors are
    allowed; their similarity to anything is 0.
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: np.ndarray,
        counts: np.ndarray | None = None,
        meta: Mapping[str, Any] | None = None,
        check: bool = True,
    ):
        self.words = list(words)
        self.matrix = np.ascontiguousarray(matrix, np.float32)
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self.meta = dict(meta or {})
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise InputError(f"{len(self.words):,} words need a matrix of as many rows, not shape {self.matrix.shape}.")
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise InputError(f"{len(self.words):,} words need as many counts, not shape {self.counts.shape}.")
        if check:
            self._check_content()

    def _check_content(self) -> None:
        if len(self.index) < len(self.words):
            twice = next(word for row, word in enumerate(self.words) if self.index[word] != row)
            raise InputError(f"the word {twice!r} occurs more than once; give every word one vector.")
        finite = np.isfinite(self.matrix).all(axis=1)
        if not finite.all():
            raise InputError(f"the vector of {self.words[int(np.argmin(finite))]!r} holds NaN or infinity.")

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of every word."""
        return {word: row for row, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        """D."""
        return self.matrix.shape[1]

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        """Vector (D,) of a word. Raises InputError with suggestions when it is unknown."""
        return self.matrix[self.row(word)]

    def __iter__(self) -> Iterator[str]:
        """The words, most frequent first."""
        return iter(self.words)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The matrix (V, D), so that numpy, pandas and scikit-learn take these vectors as they are."""
        return np.array(self.matrix, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words, {self.dim} dimensions)"

    @cached_property
    def norms(self) -> np.ndarray:
        """(V,) lengths of the vectors; 1 for all-zero ones, so that they can be divided by."""
        norms = np.sqrt(np.einsum("vd,vd->v", self.matrix, self.matrix))
        return np.where(norms > 0, norms, np.float32(1))

    @cached_property
    def unit(self) -> np.ndarray:
        """(V, D) vectors of length one, a copy; all-zero vectors stay zero."""
        return self.matrix / self.norms[:, None]

    def _unit_rows(self, rows: list[int]) -> np.ndarray:
        return self.matrix[rows] / self.norms[rows, None]

    def row(self, word: str) -> int:
        """Row of a word in the matrix. Raises InputError with suggestions when it is unknown."""
        found = self.index.get(word)
        if found is None:
            raise InputError(f"{word!r} is not among the {len(self):,} words of these vectors.{self._suggest(word)}")
        return found

    def _suggest(self, word: str) -> str:
        folded = word.casefold()
        variants = [known for known in self.words if known.casefold() == folded][:2]
        if variants:
            return f" Did you mean {' or '.join(map(repr, variants))}?"
        among = [
            known
            for known in itertools.islice(self.words, SUGGEST_AMONG)
            if abs(len(known) - len(word)) <= 2 and known[:1].casefold() == folded[:1]
        ]
        return did_you_mean(folded, among, count=2)

    def neighbors(
        self,
        words: Weighted | Iterable[Weighted],
        k: int = 10,
        negative: Weighted | Iterable[Weighted] = (),
        method: Method = "add",
    ) -> list[tuple[str, float]]:
        """The k words nearest to a word, or to a sum of words minus others; the words given are left out.

        Args:
            words: a word or several, each alone (weight 1) or as (word, weight).
            negative: words to subtract, likewise (weight -1; a given weight is used as it is).
            method: "add": cosine with the weighted sum of unit vectors. "mul": product of similarities to
                `words` over product of those to `negative`, 3CosMul of Levy & Goldberg 2014
                (https://aclanthology.org/W14-1618), without weights.

        Returns (word, score), best first. Both equal gensim's most_similar and most_similar_cosmul.
        """
        check_method(method)
        positive_rows, positive_weights = self._rows_and_weights(words, 1.0)
        negative_rows, negative_weights = self._rows_and_weights(negative, -1.0)
        rows = positive_rows + negative_rows
        if not rows:
            raise InputError("give at least one word.")
        if method == "add":
            query = np.asarray(positive_weights + negative_weights, np.float32) @ self._unit_rows(rows)
            norm = float(np.linalg.norm(query))
            scores = self.matrix @ (query / norm if norm > 0 else query) / self.norms
        else:
            scores = multiplied_similarity(self.unit, self.unit[positive_rows], self.unit[negative_rows])
        return self._best(scores, k, rows)

    def neighbors_of_each(self, words: Sequence[str], k: int = 10) -> list[list[tuple[str, float]]]:
        """`neighbors(word, k)` of every word, in blocks of matrix products."""
        rows = [self.row(word) for word in words]
        step = max(1, BLOCK // max(1, len(self)))
        found = []
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            scores_QV = self._unit_rows(block) @ self.matrix.T
            scores_QV /= self.norms
            found += [self._best(scores, k, [row]) for scores, row in zip(scores_QV, block, strict=True)]
        return found

    def analogy(self, a: str, b: str, c: str, k: int = 5, method: Method = "add") -> list[tuple[str, float]]:
        """The k best answers to "a is to b as c is to ?", leaving out a, b and c; (word, score), best first."""
        return self.neighbors([b, c], k, negative=[a], method=method)

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words."""
        first, second = self._unit_rows([self.row(a), self.row(b)])
        return float(first @ second)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word farthest from the mean of all of them, by cosine."""
        if len(words) < 2:
            raise InputError("give at least two words to find the one that does not match.")
        vectors = self._unit_rows([self.row(word) for word in words])
        return words[int(np.argmin(vectors @ vectors.mean(axis=0)))]

    def n_similarity(self, first: Sequence[str], second: Sequence[str]) -> float:
        """Cosine of the angle between the means of two groups of words; vectors count by their length."""
        if not first or not second:
            raise InputError("give at least one word on each side.")
        means = [self.matrix[[self.row(word) for word in words]].mean(axis=0) for words in (first, second)]
        norms = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
        return float(means[0] @ means[1]) / norms if norms > 0 else 0.0

    def rank(self, a: str, b: str) -> int:
        """The place of `b` among the neighbors of `a`, 1 for the nearest; words as near as `b` do not count."""
        scores = self.matrix @ self.matrix[self.row(a)] / self.norms
        nearer = scores > scores[self.row(b)]
        nearer[self.row(a)] = False
        return 1 + int(np.count_nonzero(nearer))

    def subset(self, words: int | Iterable[str]) -> WordVectors:
        """Vectors of the first so many words, or of the words given, in their order. The matrix is copied."""
        chosen = self.words[: max(0, words)] if isinstance(words, int) else list(words)
        rows = [self.row(word) for word in chosen]
        counts = None if self.counts is None else self.counts[rows]
        return WordVectors(chosen, self.matrix[rows], counts, self.meta)

    def normalize(self) -> WordVectors:
        """Vectors of length one; all-zero vectors stay zero."""
        return self._with(self.unit)

    def all_but_the_top(self, directions: int | None = None) -> WordVectors:
        """Vectors without their mean and without what they share along the top principal directions.

        Mu & Viswanath 2018, https://arxiv.org/abs/1702.01417. directions: how many; None for D / 100 as the paper
        has it, 0 to subtract the mean only.
        """
        count = round(self.dim / 100) if directions is None else directions
        if not 0 <= count <= self.dim:
            raise InputError(f"directions: {count} is not between 0 and the {self.dim} dimensions.")
        return self._with(without_top_directions(self.matrix, count))

    def _with(self, matrix: np.ndarray) -> WordVectors:
        return WordVectors(self.words, matrix, self.counts, self.meta)

    # The same under the names of gensim's KeyedVectors

    @property
    def key_to_index(self) -> dict[str, int]:
        """`index`."""
        return self.index

    @property
    def index_to_key(self) -> list[str]:
        """`words`."""
        return self.words

    @property
    def vector_size(self) -> int:
        """`dim`."""
        return self.dim

    def most_similar(
        self,
        positive: Weighted | Iterable[Weighted] | None = None,
        negative: Weighted | Iterable[Weighted] | None = None,
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """`neighbors`, with gensim's arguments."""
        return self.neighbors(positive or (), topn, negative=negative or ())

    def most_similar_cosmul(
        self,
        positive: Weighted | Iterable[Weighted] | None = None,
        negative: Weighted | Iterable[Weighted] | None = None,
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """`neighbors` with method "mul", with gensim's arguments."""
        return self.neighbors(positive or (), topn, negative=negative or (), method="mul")

    def _rows_and_weights(self, words: Weighted | Iterable[Weighted], weight: float) -> tuple[list[int], list[float]]:
        """A single word, a single (word, weight) or several of them, as rows and weights."""
        single = isinstance(words, str) or (
            isinstance(words, tuple) and len(words) == 2 and not isinstance(words[1], str | tuple)
        )
        items: list[Any] = [words] if single else list(words)
        pairs = [(item, weight) if isinstance(item, str) else item for item in items]
        return [self.row(word) for word, _ in pairs], [float(factor) for _, factor in pairs]

    def _best(self, scores: np.ndarray, k: int, without: Sequence[int]) -> list[tuple[str, float]]:
        """The k highest scores (V,) but for the rows `without`; ties in the order of the words."""
        left_out, k = set(without), max(0, k)
        last = len(scores) - min(k + len(left_out), len(scores))
        if last == len(scores):
            return []
        candidates = np.flatnonzero(scores >= np.partition(scores, last)[last])
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        return [(self.words[row], float(scores[row])) for row in order.tolist() if row not in left_out][:k]

    def save(self, folder: str | Path) -> None:
        """Write an embeddings folder, atomically: vectors.safetensors, vocab.json, config.json, manifest.json."""
        write_folder(folder, Table(self.words, self.matrix, self.counts, self.meta))

    @classmethod
    def load(cls, folder: str | Path, mapped: bool = False, verify: bool | None = None) -> WordVectors:
        """Open an embeddings folder.

        Args:
            folder: as `save` wrote it.
            mapped: leave the matrix in its file, read-only and shared between processes, rather than in memory.
            verify: read and check everything: digests of all files, repeated words, finite values. None: unless
                mapped. Without it an open takes milliseconds whatever the size of the matrix: sizes of all files
                and the digests of all but the matrix are checked, its numbers are taken on trust.

        Raises InputError naming the file that is missing or damaged.
        """
        table = read_folder(folder, mapped, verify)
        check = not mapped if verify is None else verify
        try:
            return cls(table.words, table.matrix, table.counts, table.meta, check)
        except (TypeError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise InputError(f"{folder}: not an embeddings folder ({reason}); it is damaged.") from None


def check_method(method: str) -> None:
    """Raise InputError for a method that is not one of `Method`."""
    if method not in get_args(Method):
        raise InputError(f"method: {method!r} is none of {', '.join(get_args(Method))}.")


def multiplied_similarity(unit_VD: np.ndarray, positive_PD: np.ndarray, negative_ND: np.ndarray) -> np.ndarray:
    """Scores (V,): product of (1 + cos) / 2 with every positive, over that with every negative plus 1e-6.

    Equation 4 and footnote 7 of Levy & Goldberg 2014, https://aclanthology.org/W14-1618.
    """
    above = np.prod((1 + unit_VD @ positive_PD.T) / 2, axis=1)
    below = np.prod((1 + unit_VD @ negative_ND.T) / 2, axis=1)
    return above / (below + np.float32(1e-6))
