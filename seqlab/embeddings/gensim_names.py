"""The questions of `WordVectors` under the names of gensim's KeyedVectors, for those who come from there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .vectors import Weighted, WordVectors


class GensimNames:
    """Attributes and methods of KeyedVectors that answer the same here."""

    @property
    def _vectors(self) -> WordVectors:
        return cast("WordVectors", self)

    @property
    def key_to_index(self) -> dict[str, int]:
        """`index`."""
        return self._vectors.index

    @property
    def index_to_key(self) -> list[str]:
        """`words`."""
        return self._vectors.words

    @property
    def vector_size(self) -> int:
        """`dim`."""
        return self._vectors.dim

    def most_similar(
        self,
        positive: Weighted | Iterable[Weighted] | None = None,
        negative: Weighted | Iterable[Weighted] | None = None,
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """`neighbors`, with gensim's arguments."""
        return self._vectors.neighbors(positive or (), topn, negative=negative or ())

    def most_similar_cosmul(
        self,
        positive: Weighted | Iterable[Weighted] | None = None,
        negative: Weighted | Iterable[Weighted] | None = None,
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """`neighbors` with method "mul", with gensim's arguments."""
        return self._vectors.neighbors(positive or (), topn, negative=negative or (), method="mul")
