"""`WordVectors`: words, a matrix and the questions one asks of them; stands free of any trainer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..errors import InputError, did_you_mean
from ..files import (
    atomic_folder,
    load_tensors,
    read_json,
    save_tensors,
    verify_manifest,
    write_json,
    write_manifest,
)

Method = Literal["add", "mul"]
Weighted = str | tuple[str, float]
"""A word, or a word and its weight."""

TENSORS, VOCAB, CONFIG = "vectors.safetensors", "vocab.json", "config.json"
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

    Raises InputError when sizes disagree, a word occurs twice or a value is not finite. All-zero vectors are
    allowed; their similarity to anything is 0.
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: np.ndarray,
        counts: np.ndarray | None = None,
        meta: Mapping[str, Any] | None = None,
    ):
        self.words = list(words)
        self.matrix = np.ascontiguousarray(matrix, np.float32)
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self.meta = dict(meta or {})
        self.index = {word: row for row, word in enumerate(self.words)}
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise InputError(f"{len(self.words):,} words need a matrix of as many rows, not shape {self.matrix.shape}.")
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise InputError(f"{len(self.words):,} words need as many counts, not shape {self.counts.shape}.")
        if len(self.index) < len(self.words):
            twice = next(word for row, word in enumerate(self.words) if self.index[word] != row)
            raise InputError(f"the word {twice!r} occurs more than once; give every word one vector.")
        finite = np.isfinite(self.matrix).all(axis=1)
        if not finite.all():
            raise InputError(f"the vector of {self.words[int(np.argmin(finite))]!r} holds NaN or infinity.")

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

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words, {self.dim} dimensions)"

    @cached_property
    def unit(self) -> np.ndarray:
        """(V, D) vectors of length one; all-zero vectors stay zero."""
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return self.matrix / np.where(norms > 0, norms, np.float32(1))

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
            query = np.asarray(positive_weights + negative_weights, np.float32) @ self.unit[rows]
            norm = float(np.linalg.norm(query))
            scores = self.unit @ (query / norm if norm > 0 else query)
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
            scores_QV = self.unit[block] @ self.unit.T
            found += [self._best(scores, k, [row]) for scores, row in zip(scores_QV, block, strict=True)]
        return found

    def analogy(self, a: str, b: str, c: str, k: int = 5, method: Method = "add") -> list[tuple[str, float]]:
        """The k best answers to "a is to b as c is to ?", leaving out a, b and c; (word, score), best first."""
        return self.neighbors([b, c], k, negative=[a], method=method)

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words."""
        return float(self.unit[self.row(a)] @ self.unit[self.row(b)])

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word farthest from the mean of all of them, by cosine."""
        if len(words) < 2:
            raise InputError("give at least two words to find the one that does not match.")
        vectors = self.unit[[self.row(word) for word in words]]
        return words[int(np.argmin(vectors @ vectors.mean(axis=0)))]

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
        counts = None if self.counts is None else self.counts.tolist()
        with atomic_folder(folder, TENSORS) as temporary:
            save_tensors(temporary / TENSORS, {"matrix": self.matrix})
            write_json(temporary / VOCAB, {"words": self.words, "counts": counts})
            write_json(temporary / CONFIG, {"kind": "embeddings", **self.meta})
            write_manifest(temporary, [TENSORS, VOCAB, CONFIG])

    @classmethod
    def load(cls, folder: str | Path) -> WordVectors:
        """Open an embeddings folder. Raises InputError naming the file that is missing or damaged."""
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder.")
        if not (folder / VOCAB).exists() and not (folder / TENSORS).exists():
            raise InputError(f"{folder}: not an embeddings folder (it has no {TENSORS}).")
        verify_manifest(folder)
        tensors, _ = load_tensors(folder / TENSORS)
        vocab, meta = read_json(folder / VOCAB), read_json(folder / CONFIG)
        try:
            return cls(vocab["words"], tensors["matrix"], vocab["counts"], meta)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
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
