"""The end of a text that is not finished: more text could change its tokens, so others than its own may write it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Way(NamedTuple):
    """One way to write an end: the tokens `before` write its beginning, then one of `completing` the rest.

    exact: the one of them that writes nothing beyond the end, None where there is none.
    """

    before: tuple[int, ...]
    completing: np.ndarray
    exact: int | None


class Unfinished(NamedTuple):
    """A text whose end is not finished.

    ids: its tokens before that end. skip: characters that the tokens which write the end decode to, as far as it goes.
    ways: each after the way to its own beginning; the first writes the end in one token.
    """

    ids: list[int]
    skip: int
    ways: list[Way]


class Beginnings:
    """Tokens by how they begin: sorted, those with a beginning in common stand side by side.

    Args:
        entries: text and id of every token.
    """

    def __init__(self, entries: Iterable[tuple[str, int]]):
        pairs = sorted(entries)
        self.texts = [text for text, _ in pairs]
        self.ids = np.array([id for _, id in pairs], np.int64)

    def ids_with(self, beginning: str) -> np.ndarray:
        """Ids of the tokens that begin so."""
        low = bisect_left(self.texts, beginning)
        high = bisect_right(self.texts, beginning, lo=low, key=lambda text: text[: len(beginning)])
        return self.ids[low:high]
