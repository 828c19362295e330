"""Words and their vectors, and how words are looked up; every type of query builds on this.

Shapes: V words, D dimensions, N words or vectors of a question.
"""

from __future__ import annotations

import itertools
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ...base.errors import InputError, counted, did_you_mean
from ...base.printing import quoted
from ...text.tokenizers.words import lowered
from ..material.subwords import Subwords
from ..packed.matrix import PackedMatrix, Rows
from .ranking import lengths
from .terms import Term, UnknownWord, as_words

FORMS: tuple[Literal["NFC", "NFD", "NFKC"], ...] = ("NFC", "NFD", "NFKC")
SUGGEST_AMONG = 200_000
"""Most frequent words searched for a close spelling."""
SUGGEST_FOR = 3
"""Words of one question, at most, for which a close spelling is searched."""
NOUNS = {"char": "character", "byte": "byte", "bpe": "piece"}
"""What the tokens of a tokenizer are called, where they are no words."""


def noun_by(meta: Mapping[str, Any]) -> str:
    """What has a vector, by how the vectors came to be: "word", "character", "byte", "piece" or "line"."""
    if meta.get("of") == "lines":
        return "line"
    tokenizer = meta.get("settings", {}).get("text", {}).get("tokenizer")
    return NOUNS.get(tokenizer, "word") if isinstance(tokenizer, str) else "word"


class Lexicon:
    """Words and their vectors, most frequent first.

    `WordVectors` adds the questions; what needs the words and the matrix only takes a `Lexicon`.

    Args:
        words: V distinct strings, any Unicode.
        matrix: (V, D), stored as C-contiguous float32; or packed, which is stored as it is.
        counts: (V,) occurrences in the training text, where known.
        meta: how the vectors came to be; JSON values, saved and loaded with them.
        check: look for repeated words and values that are not finite; False where that has been done.
        subwords: vectors of n-grams, which then answer for words outside the vocabulary wherever a word is asked for.
            `matrix` holds known words as they are, their n-grams included.

    Raises:
        InputError: sizes disagree, a word occurs twice or a value is not finite. All-zero vectors are allowed; their
            similarity to anything is 0.
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: Rows,
        counts: np.ndarray | None = None,
        meta: Mapping[str, Any] | None = None,
        check: bool = True,
        subwords: Subwords | None = None,
    ):
        self.words = list(words)
        packed = isinstance(matrix, PackedMatrix)
        self.stored: Rows = matrix if packed else np.ascontiguousarray(matrix, np.float32)
        """(V, D) vectors as they are stored: what questions read."""
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self.meta = dict(meta or {})
        self.subwords = subwords
        self._warned: set[str] = set()
        if len(self.stored.shape) != 2 or len(self.stored) != len(self.words):
            raise InputError(
                f"{counted(len(self.words), 'word')} and a matrix of shape {self.stored.shape} do not match."
            )
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise InputError(
                f"{counted(len(self.words), 'word')} and counts of shape {self.counts.shape} do not match."
            )
        if subwords is not None and subwords.matrix.shape[1] != self.dim:
            raise InputError(f"n-grams of {subwords.matrix.shape[1]} dimensions cannot answer for words of {self.dim}.")
        if check:
            self.check_content()

    def check_content(self) -> None:
        """Raise InputError for a word that occurs twice and for a value that is not finite."""
        if len(self.index) < len(self.words):
            twice = next(word for row, word in enumerate(self.words) if self.index[word] != row)
            raise InputError(f"the word {twice!r} occurs more than once; give every word one vector.")
        stored = self.stored
        finite = stored.finite_rows() if isinstance(stored, PackedMatrix) else np.isfinite(stored).all(axis=1)
        if not finite.all():
            raise InputError(f"the vector of {self.words[int(np.argmin(finite))]!r} holds NaN or infinity.")

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of every word."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def matrix(self) -> np.ndarray:
        """(V, D) float32 vectors; of packed ones a decoded copy, which questions do without."""
        return self.stored if isinstance(self.stored, np.ndarray) else np.asarray(self.stored)

    @property
    def dim(self) -> int:
        """D."""
        return int(self.stored.shape[1])

    @cached_property
    def norms(self) -> np.ndarray:
        """(V,) lengths of the vectors; 1 for all-zero ones, so that they can be divided by."""
        return self.stored.lengths() if isinstance(self.stored, PackedMatrix) else lengths(self.stored)

    @cached_property
    def unit(self) -> np.ndarray:
        """(V, D) vectors of length one, a copy; all-zero vectors stay zero. Queries do without it."""
        return self.matrix / self.norms[:, None]

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        """The words, most frequent first."""
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether a word is in the vocabulary; subwords may answer for others too."""
        return word in self.index

    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """Vector (D,) of a word, or (N, D) of a list of words.

        An unknown word is composed from its n-grams where there are subwords.

        Raises:
            InputError: an unknown word, with suggestions; it is a KeyError too.
        """
        if not isinstance(words, str):
            return self.vectors_of(words)
        row = self.index.get(words)
        return self.vectors_of(words)[0] if row is None else self.stored[row]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The matrix (V, D), so that numpy, pandas and scikit-learn take these vectors as they are."""
        return np.array(self.stored, dtype, copy=copy)

    @property
    def noun(self) -> str:
        """What has a vector here: "word", "character", "byte", "piece" (of a word), or "line"."""
        return noun_by(self.meta)

    def row(self, word: str) -> int:
        """Row of a word in the matrix. Raises InputError with suggestions when it is unknown."""
        [word] = as_words([word])
        row = self.index.get(self.spelled(word))
        if row is None:
            raise self._unknown(word)
        return row

    def vectors_of(self, words: str | Iterable[str]) -> np.ndarray:
        """(N, D) vectors of words, a copy: stored ones, and those that `subwords` composes of unknown words.

        Raises:
            InputError: an unknown word where there are no subwords, with suggestions.
        """
        return self.look_up(words)[1]

    def spelled(self, word: str) -> str:
        """A word as these vectors spell it: composed or decomposed Unicode, and lower-cased where their text was; as it
        is where they do not have it."""
        if word in self.index:
            return word
        spellings = [word, *(unicodedata.normalize(form, word) for form in FORMS)]
        if self._lowercase:
            spellings += [form(spelling) for form in (lowered, str.lower) for spelling in spellings]
        return next((spelling for spelling in spellings if spelling in self.index), word)

    @property
    def _lowercase(self) -> bool:
        """Whether the text of these vectors was lower-cased."""
        return bool(self.meta.get("settings", {}).get("text", {}).get("lowercase"))

    def suggestion(self, word: str) -> str:
        """`" Did you mean 'x'?"` for words here that are written like an unknown one, or the words of a phrase, or an
        empty string."""
        parts = word.split()
        known = [part for part in parts if part in self.index]
        if len(known) > 1 and self.noun == "word" and "_".join(parts) not in self.index:
            return f" Vectors are of single words: {', '.join(map(quoted, known))}."
        return did_you_mean(word, itertools.islice(self.words, SUGGEST_AMONG), 2, None)

    def composed(self, words: Iterable[object]) -> list[str]:
        """A sentence for each of `words` whose vector is composed from its n-grams, with what may have been meant."""
        if self.subwords is None:
            return []
        unknown = [word for word in dict.fromkeys(words) if isinstance(word, str) and self.spelled(word) not in self]
        return [
            f"{quoted(word)} is not in the vocabulary"
            + (
                "; its vector is composed from its n-grams."
                if self._shares_ngrams(word, self.subwords)
                else ", and no word there has an n-gram of it: what is answered means nothing."
            )
            + (self.suggestion(word) if len(unknown) <= SUGGEST_FOR else "")
            for word in unknown
        ]

    def _shares_ngrams(self, word: str, subwords: Subwords) -> bool:
        framed = f"<{lowered(word) if self._lowercase else word}>"
        return any(
            framed[start : start + length] in self._framed_words
            for length in range(subwords.shortest, subwords.longest + 1)
            for start in range(len(framed) - length + 1)
        )

    @cached_property
    def _framed_words(self) -> str:
        """All words as their n-grams are taken, for looking one up."""
        return "\n".join(f"<{word}>" for word in self.words)

    def warn_of_composed(self, words: Iterable[str]) -> None:
        """Warn of words whose vector is composed from n-grams, for answers that are plain numbers; of the first few."""
        new = [word for word in words if word not in self.index and word not in self._warned]
        for note in self.composed(new[: SUGGEST_FOR - len(self._warned)]):
            warnings.warn(note, stacklevel=3)
        self._warned.update(new[: SUGGEST_FOR - len(self._warned)])

    def look_up(self, words: str | Iterable[str]) -> tuple[list[int], np.ndarray]:
        """Rows, -1 for words outside the vocabulary, and vectors (N, D)."""
        words = as_words(words)
        rows = [self.index.get(self.spelled(word), -1) for word in words]
        unknown = [place for place, row in enumerate(rows) if row < 0]
        if not unknown:
            return rows, self.stored[rows]
        if self.subwords is None:
            raise self._unknown(words[unknown[0]])
        vectors_ND = np.empty((len(rows), self.dim), np.float32)
        known = [place for place, row in enumerate(rows) if row >= 0]
        vectors_ND[known] = self.stored[[rows[place] for place in known]]
        read = [lowered(words[place]) if self._lowercase else words[place] for place in unknown]
        vectors_ND[unknown] = self.subwords.vectors(read)
        return rows, vectors_ND

    def look_up_unit(self, words: str | Iterable[str]) -> tuple[list[int], np.ndarray]:
        """`look_up`, with vectors of length one."""
        rows, vectors_ND = self.look_up(words)
        return rows, vectors_ND / lengths(vectors_ND)[:, None]

    def look_up_terms(self, terms: Sequence[Term]) -> tuple[set[int], np.ndarray]:
        """Rows of the known words among words and vectors, and (N, D): unit vectors of words, and the vectors as they
        are."""
        rows, unit_MD = self.look_up_unit([term for term in terms if isinstance(term, str)])
        vectors_ND = np.empty((len(terms), self.dim), np.float32)
        vectors_ND[[isinstance(term, str) for term in terms]] = unit_MD
        for place, term in enumerate(terms):
            if isinstance(term, np.ndarray):
                if term.shape != (self.dim,) or not np.isfinite(term).all():
                    raise InputError(f"a vector of shape {term.shape}: give {self.dim} finite numbers.")
                vectors_ND[place] = term
        return {row for row in rows if row >= 0}, vectors_ND

    def _unknown(self, word: str) -> UnknownWord:
        known = counted(len(self), self.noun)
        remedy = self.suggestion(word)
        if self.noun == "line":
            remedy = remedy or f" Give the text and --line {quoted(word)} to seqlab encode, and it is."
        return UnknownWord(f"{quoted(word)} is not among the {known} of these vectors.{remedy}")
