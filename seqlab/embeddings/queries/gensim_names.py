"""The questions of `WordVectors` under the names of gensim's KeyedVectors, for those who come from there.

Two things differ on purpose: a word is a string, never a row number; and vectors with n-grams answer for every word.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .lexicon import Lexicon
from .ranking import highest
from .results import ScoredWords
from .single import asked, named, scores
from .terms import Method, Terms


class GensimNames(Lexicon):
    """Attributes and methods of KeyedVectors that answer the same here."""

    @property
    def key_to_index(self) -> dict[str, int]:
        """`index`."""
        return self.index

    @property
    def index_to_key(self) -> list[str]:
        """`words`."""
        return self.words

    @property
    def vectors(self) -> np.ndarray:
        """`matrix`."""
        return self.matrix

    @property
    def vector_size(self) -> int:
        """`dim`."""
        return self.dim

    def get_vector(self, word: str, norm: bool = False) -> np.ndarray:
        """`vectors[word]`, divided by its length where `norm` is asked for."""
        return self.look_up_unit(word)[1][0] if norm else self[word]

    def get_index(self, word: str, default: int | None = None) -> int:
        """`row`, or `default` for an unknown word where one is given."""
        return self.row(word) if default is None else self.index.get(word, default)

    def most_similar(
        self,
        positive: Terms | None = None,
        negative: Terms | None = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> ScoredWords | np.ndarray:
        """`neighbors`, with gensim's arguments.

        Args:
            positive, negative: words or vectors, alone or in lists, with or without weights.
            topn: how many; None for the scores of all words as an array.
            clip_start, clip_end: only rows from the first to before the second are sought among.
            restrict_vocab: only so many first rows, whatever the two say.
        """
        rows = slice(0, restrict_vocab) if restrict_vocab else slice(clip_start, clip_end or None)
        return self._most_similar(positive, negative, topn, rows, "add")

    def most_similar_cosmul(
        self,
        positive: Terms | None = None,
        negative: Terms | None = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> ScoredWords | np.ndarray:
        """`neighbors` with method "mul", with gensim's arguments; gensim 4 accepts `restrict_vocab` but ignores it."""
        return self._most_similar(positive, negative, topn, slice(0, restrict_vocab or None), "mul")

    def similar_by_word(
        self, word: str, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> ScoredWords | np.ndarray:
        """`neighbors` of a word, with gensim's arguments."""
        return self.most_similar(word, topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: np.ndarray, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> ScoredWords | np.ndarray:
        """`neighbors` of a vector (D,), with gensim's arguments."""
        return self.most_similar(np.asarray(vector), topn=topn, restrict_vocab=restrict_vocab)

    def _most_similar(
        self, positive: Terms | None, negative: Terms | None, topn: int | None, rows: slice, method: Method
    ) -> ScoredWords | np.ndarray:
        if isinstance(topn, Integral) and topn < 1:
            return ScoredWords()
        scores_V, given = scores(self, positive, negative, method, rows)
        if topn is None:
            return scores_V
        places, best = highest(scores_V, topn + len(given))
        return named(self, places + rows.indices(len(self.words))[0], best, given, topn, asked(positive, negative))
