"""`WordVectors`: words, a matrix and the questions one asks of them; stands free of any trainer."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError, counted, did_you_mean
from .folder import TENSORS as TENSORS
from .folder import Table, read_folder, write_folder
from .material.subwords import Subwords
from .queries.all_but_the_top import shared_directions, without
from .queries.batched import BatchedQueries
from .queries.gensim_names import GensimNames
from .queries.ranking import highest, lengths, multiplied_similarity
from .queries.terms import Method as Method
from .queries.terms import Term, Terms, UnknownWord, as_words, terms_and_weights
from .queries.terms import check_method as check_method

SUGGEST_AMONG = 100_000
"""Most frequent words searched for a close spelling."""


class WordVectors(BatchedQueries, GensimNames):
    """Words and their vectors, most frequent first.

    Args:
        words: V distinct strings, any Unicode.
        matrix: (V, D), kept as C-contiguous float32.
        counts: (V,) occurrences in the training text, where known.
        meta: how the vectors came to be; JSON values, saved and loaded with them.
        check: look for repeated words and values that are not finite; False where that has been done.
        subwords: vectors of n-grams, which then answer for words outside the vocabulary wherever a word is asked for.
            `matrix` holds known words as they are, their n-grams included.

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
        subwords: Subwords | None = None,
    ):
        self.words = list(words)
        self.matrix = np.ascontiguousarray(matrix, np.float32)
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self.meta = dict(meta or {})
        self.subwords = subwords
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise InputError(
                f"{counted(len(self.words), 'word')} and a matrix of shape {self.matrix.shape} do not match."
            )
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise InputError(
                f"{counted(len(self.words), 'word')} and counts of shape {self.counts.shape} do not match."
            )
        if subwords is not None and subwords.matrix.shape[1] != self.dim:
            raise InputError(f"n-grams of {subwords.matrix.shape[1]} dimensions cannot answer for words of {self.dim}.")
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
        """Whether a word is in the vocabulary; subwords may answer for others too."""
        return word in self.index

    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """Vector (D,) of a word, or (N, D) of a list of words; composed from the n-grams of a word where it is unknown
        and there are subwords. Raises InputError, which is a KeyError too, with suggestions where there are none."""
        if not isinstance(words, str):
            return self.vectors_of(words)
        found = self.index.get(words)
        return self.vectors_of(words)[0] if found is None else self.matrix[found]

    def __iter__(self) -> Iterator[str]:
        """The words, most frequent first."""
        return iter(self.words)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The matrix (V, D), so that numpy, pandas and scikit-learn take these vectors as they are."""
        return np.array(self.matrix, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"WordVectors({counted(len(self), 'word')}, {counted(self.dim, 'dimension')})"

    @cached_property
    def norms(self) -> np.ndarray:
        """(V,) lengths of the vectors; 1 for all-zero ones, so that they can be divided by."""
        return lengths(self.matrix)

    @cached_property
    def unit(self) -> np.ndarray:
        """(V, D) vectors of length one, a copy; all-zero vectors stay zero. Queries do without it."""
        return self.matrix / self.norms[:, None]

    def row(self, word: str) -> int:
        """Row of a word in the matrix. Raises InputError with suggestions when it is unknown."""
        [word] = as_words([word])
        found = self.index.get(word)
        if found is None:
            raise self._unknown(word)
        return found

    def _unknown(self, word: str) -> UnknownWord:
        known = counted(len(self), "word")
        return UnknownWord(f"{word!r} is not among the {known} of these vectors.{self.suggestion(word)}")

    def suggestion(self, word: str, likeness: float = 0.6) -> str:
        """`" Did you mean 'x'?"` for words here that are written like an unknown one, or an empty string."""
        folded = word.casefold()
        variants = [known for known in self.words if known.casefold() == folded][:2]
        if variants:
            return f" Did you mean {' or '.join(map(repr, variants))}?"
        among = [
            known
            for known in itertools.islice(self.words, SUGGEST_AMONG)
            if abs(len(known) - len(word)) <= 2 and known[:1].casefold() == folded[:1]
        ]
        return did_you_mean(folded, among, 2, likeness)

    def vectors_of(self, words: str | Iterable[str]) -> np.ndarray:
        """(N, D) vectors of words, a copy: those of known words, and those that `subwords` composes of the others.

        Raises InputError with suggestions for an unknown word where there are no subwords.
        """
        return self._look_up(words)[1]

    def _look_up(self, words: str | Iterable[str]) -> tuple[list[int], np.ndarray]:
        """Rows, -1 for words outside the vocabulary, and vectors (N, D)."""
        words = as_words(words)
        rows = [self.index.get(word, -1) for word in words]
        unknown = [place for place, row in enumerate(rows) if row < 0]
        if not unknown:
            return rows, self.matrix[rows]
        if self.subwords is None:
            raise self._unknown(words[unknown[0]])
        vectors_ND = np.empty((len(rows), self.dim), np.float32)
        known = [place for place, row in enumerate(rows) if row >= 0]
        vectors_ND[known] = self.matrix[[rows[place] for place in known]]
        vectors_ND[unknown] = self.subwords.vectors([words[place] for place in unknown])
        return rows, vectors_ND

    def _look_up_unit(self, words: str | Iterable[str]) -> tuple[list[int], np.ndarray]:
        rows, vectors_ND = self._look_up(words)
        return rows, vectors_ND / lengths(vectors_ND)[:, None]

    def _look_up_terms(self, terms: Sequence[Term]) -> tuple[set[int], np.ndarray]:
        """Rows of the words of the vocabulary among words and vectors, and (N, D): unit vectors of words, and the
        vectors as they are."""
        rows, unit_MD = self._look_up_unit([term for term in terms if isinstance(term, str)])
        vectors_ND = np.empty((len(terms), self.dim), np.float32)
        vectors_ND[[isinstance(term, str) for term in terms]] = unit_MD
        for place, term in enumerate(terms):
            if isinstance(term, np.ndarray):
                if term.shape != (self.dim,) or not np.isfinite(term).all():
                    raise InputError(f"a vector of shape {term.shape}: give {self.dim} finite numbers.")
                vectors_ND[place] = term
        return {row for row in rows if row >= 0}, vectors_ND

    def neighbors(
        self,
        words: Terms,
        k: int = 10,
        negative: Terms = (),
        method: Method = "add",
    ) -> list[tuple[str, float]]:
        """The k words nearest to a word, or to a sum of words minus others; the words given are left out.

        Args:
            words: a word or several, each alone (weight 1) or as (word, weight). A vector (D,) may stand for a word;
                words enter with length one, vectors as long as they are.
            negative: words to subtract, likewise (weight -1; a given weight is used as it is).
            method: "add": cosine with the weighted sum of unit vectors. "mul": product of similarities to
                `words` over product of those to `negative`, 3CosMul of Levy & Goldberg 2014
                (https://aclanthology.org/W14-1618), without weights.

        Returns (word, score), best first. Both equal gensim's most_similar and most_similar_cosmul.
        """
        scores, left_out = self._scores(words, negative, method)
        return self._named(*highest(scores, max(0, k) + len(left_out)), left_out, k)

    def _scores(
        self, words: Terms | None, negative: Terms | None, method: Method, rows: slice = slice(None)
    ) -> tuple[np.ndarray, set[int]]:
        """Scores of `neighbors` for the words of some rows, and the rows of the words given, wherever they are."""
        check_method(method)
        positive, positive_weights = terms_and_weights(words, 1.0)
        others, other_weights = terms_and_weights(negative, -1.0)
        if not positive and not others:
            raise InputError("give at least one word.")
        asked, vectors_ND = self._look_up_terms(positive + others)
        if method == "add":
            return self._cosines(np.asarray(positive_weights + other_weights, np.float32) @ vectors_ND, rows), asked
        cosines_NV = vectors_ND @ self.matrix[rows].T / self.norms[rows]
        return multiplied_similarity(cosines_NV[: len(positive)], cosines_NV[len(positive) :]), asked

    def _cosines(self, query_D: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """(V,) cosines of the words of some rows with a vector; 0 where it is zero."""
        norm = float(np.linalg.norm(query_D))
        scores_V: np.ndarray = self.matrix[rows] @ (query_D / np.float32(norm) if norm > 0 else query_D)
        scores_V /= self.norms[rows]
        return scores_V

    def _named(
        self, columns: np.ndarray, scores: np.ndarray, left_out: Container[int], k: int
    ) -> list[tuple[str, float]]:
        pairs = zip(columns.tolist(), scores.tolist(), strict=True)
        return [(self.words[row], score) for row, score in pairs if row not in left_out][: max(0, k)]

    def analogy(self, a: str, b: str, c: str, k: int = 5, method: Method = "add") -> list[tuple[str, float]]:
        """The k best answers to "a is to b as c is to ?", leaving out a, b and c; (word, score), best first."""
        return self.neighbors([b, c], k, negative=[a], method=method)

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words."""
        first, second = self._look_up_unit([a, b])[1]
        return float(first @ second)

    def doesnt_match(self, words: Iterable[str]) -> str:
        """The word farthest from the mean of all of them, by cosine."""
        words = as_words(words)
        if len(words) < 2:
            raise InputError("give at least two words to find the one that does not match.")
        unit_ND = self._look_up_unit(words)[1]
        return words[int(np.argmin(unit_ND @ unit_ND.mean(axis=0)))]

    def n_similarity(self, first: str | Iterable[str], second: str | Iterable[str]) -> float:
        """Cosine of the angle between the means of two groups of words; vectors count by their length."""
        groups = as_words(first), as_words(second)
        if not all(groups):
            raise InputError("give at least one word on each side.")
        means = [self.vectors_of(words).mean(axis=0) for words in groups]
        norms = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
        return float(means[0] @ means[1]) / norms if norms > 0 else 0.0

    def rank(self, a: str, b: str) -> int:
        """The place of `b` among the neighbors of `a`, 1 for the nearest; words as near as `b` do not count."""
        rows, unit_ND = self._look_up_unit([a, b])
        scores = self._cosines(unit_ND[0])
        nearer = scores > (scores[rows[1]] if rows[1] >= 0 else unit_ND[0] @ unit_ND[1])
        nearer[[row for row in rows if row >= 0]] = False
        return 1 + int(np.count_nonzero(nearer))

    def subset(self, words: int | str | Iterable[str]) -> WordVectors:
        """Vectors of the first so many words, or of the words given, in their order. The matrix is copied."""
        chosen = self.words[: max(0, int(words))] if isinstance(words, int | np.integer) else as_words(words)
        rows = [self.row(word) for word in chosen]
        counts = None if self.counts is None else self.counts[rows]
        return WordVectors(chosen, self.matrix[rows], counts, self.meta, subwords=self.subwords)

    def normalize(self) -> WordVectors:
        """Vectors of length one; all-zero vectors stay zero. Without subwords, whose means would have other lengths."""
        return WordVectors(self.words, self.unit, self.counts, self.meta)

    def all_but_the_top(self, directions: int | None = None) -> WordVectors:
        """Vectors without their mean and without what they share along the top principal directions.

        Mu & Viswanath 2018, https://arxiv.org/abs/1702.01417. directions: how many; None for D / 100 as the paper
        has it, 0 to subtract the mean only. Subwords lose the same mean and directions, which are those of the
        words, so that a word composed from them is what it would be if it were one of these.
        """
        count = round(self.dim / 100) if directions is None else directions
        if not 0 <= count <= self.dim:
            raise InputError(f"directions: {count} is not between 0 and the {self.dim} dimensions.")
        shared = shared_directions(self.matrix, count)
        subwords = self.subwords and self.subwords.with_matrix(without(self.subwords.matrix, *shared))
        return WordVectors(self.words, without(self.matrix, *shared), self.counts, self.meta, subwords=subwords)

    def save(self, folder: str | Path) -> None:
        """Write an embeddings folder, atomically: vectors.safetensors, vocab.json, config.json, manifest.json, and
        ngrams.safetensors where there are subwords."""
        write_folder(folder, Table(self.words, self.matrix, self.counts, self.meta, self.subwords))

    @classmethod
    def load(cls, folder: str | Path, mapped: bool = False, verify: bool | None = None) -> WordVectors:
        """Open an embeddings folder.

        Args:
            folder: as `save` wrote it.
            mapped: leave the matrix in its file, read-only and shared between processes, rather than in memory.
                N-grams always stay in theirs, since a question needs a few dozen rows of them.
            verify: read and check everything: digests of all files, repeated words, finite values. None: unless
                mapped. Without it an open takes milliseconds whatever the size of the matrix: sizes of all files
                and the digests of all but the matrices are checked, their numbers are taken on trust.

        Raises InputError naming the file that is missing or damaged.
        """
        table = read_folder(folder, mapped, verify)
        check = not mapped if verify is None else verify
        try:
            return cls(table.words, table.matrix, table.counts, table.meta, check, table.subwords)
        except (TypeError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise InputError(f"{folder}: not an embeddings folder ({reason}); it is damaged.") from None
