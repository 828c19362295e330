"""The questions of `WordVectors` under the names of gensim's KeyedVectors, for those who come from there.

Two things differ on purpose: a word is a string, never a row number; and vectors with n-grams answer for every word.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .ranking import highest
from .terms import Method, Part, Terms

Best = list[tuple[str, float]]


class GensimNames(Part):
    """Attributes and methods of KeyedVectors that answer the same here."""

    @property
    def key_to_index(self) -> dict[str, int]:
        """`index`."""
        return self._vectors.index

    @property
    def index_to_key(self) -> list[str]:
        """`words`."""
        return self._vectors.words

    @property
    def vectors(self) -> np.ndarray:
        """`matrix`."""
        return self._vectors.matrix

    @property
    def vector_size(self) -> int:
        """`dim`."""
        return self._vectors.dim

    def get_vector(self, word: str, norm: bool = False) -> np.ndarray:
        """`vectors[word]`, divided by its length where `norm` is asked for."""
        return self._vectors._look_up_unit(word)[1][0] if norm else self._vectors[word]

    def get_index(self, word: str, default: int | None = None) -> int:
        """`row`, or `default` for an unknown word where one is given."""
        return self._vectors.row(word) if default is None else self._vectors.index.get(word, default)

    def most_similar(
        self,
        positive: Terms | None = None,
        negative: Terms | None = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Best | np.ndarray:
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
    ) -> Best | np.ndarray:
        """`neighbors` with method "mul", with gensim's arguments; gensim 4 accepts `restrict_vocab` but ignores it."""
        return self._most_similar(positive, negative, topn, slice(0, restrict_vocab or None), "mul")

    def similar_by_word(self, word: str, topn: int | None = 10, restrict_vocab: int | None = None) -> Best | np.ndarray:
        """`neighbors` of a word, with gensim's arguments."""
        return self.most_similar(word, topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: np.ndarray, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Best | np.ndarray:
        """`neighbors` of a vector (D,), with gensim's arguments."""
        return self.most_similar(np.asarray(vector), topn=topn, restrict_vocab=restrict_vocab)

    def _most_similar(
        self, positive: Terms | None, negative: Terms | None, topn: int | None, rows: slice, method: Method
    ) -> Best | np.ndarray:
        if isinstance(topn, Integral) and topn < 1:
            return []
        scores, asked = self._vectors._scores(positive, negative, method, rows)
        if topn is None:
            return scores
        places, found = highest(scores, topn + len(asked))
        return self._vectors._named(places + rows.indices(len(self._vectors.words))[0], found, asked, topn)
