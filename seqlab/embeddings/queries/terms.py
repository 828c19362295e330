"""What one asks word vectors about: words, vectors, and either with a weight."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, Literal, TypeGuard, cast, get_args

import numpy as np

from ...base.errors import InputError

Method = Literal["add", "mul"]
Term = str | np.ndarray
"""A word, or a vector (D,), which is taken as long as it is."""
Weighted = Term | tuple[Term, float]
"""A word or a vector, alone or with its weight."""
Terms = Weighted | Iterable[Weighted]
"""One or several; the rows of a matrix (N, D) are N vectors."""


class UnknownWord(InputError, KeyError):
    """A word that the vectors do not hold. Also a KeyError, which is what failing to find something by `[]` raises."""

    def __str__(self) -> str:
        return str(self.args[0])


def check_method(method: str) -> None:
    """Raise InputError for a method that is not one of `Method`."""
    if method not in get_args(Method):
        raise InputError(f"method: {method!r} is none of {', '.join(get_args(Method))}.")


def check_count(k: object) -> int:
    """How many results are wanted, 0 for a negative number. Raises InputError for what is no whole number."""
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise InputError(f"k: {k!r} is not a whole number.")
    return max(0, int(k))


def as_words(words: str | Iterable[str]) -> list[str]:
    """A word or several as a list. Raises InputError for anything that is not a string, row numbers among them."""
    items: list[Any] = [words] if isinstance(words, str) or not isinstance(words, Iterable) else list(words)
    for item in items:
        if not isinstance(item, str):
            raise InputError(f"{item!r} is not a word; words are strings, and rows are those of `words` and `matrix`.")
    return items


def terms_and_weights(terms: Terms | None, weight: float) -> tuple[list[Term], list[float]]:
    """One term or several, each alone or with its weight, as terms and weights; `weight` where none is given.

    Raises InputError for what is neither a word nor a vector.
    """
    if terms is None:
        return [], []
    single = (
        isinstance(terms, str)
        or (isinstance(terms, tuple) and _is_pair(terms))
        or (_is_vector(terms) and terms.ndim == 1)
    )
    items: list[Any] = list(cast(Iterable[Any], terms)) if isinstance(terms, Iterable) and not single else [terms]
    pairs = [item if _is_pair(item) else (item, weight) for item in items]
    for item, _ in pairs:
        if not isinstance(item, str) and not _is_vector(item):
            raise InputError(f"{item!r} is neither a word nor a vector; words are strings, vectors are numpy arrays.")
    return [item for item, _ in pairs], [float(factor) for _, factor in pairs]


def _is_vector(item: Any) -> TypeGuard[np.ndarray]:
    return isinstance(item, np.ndarray) and item.dtype.kind in "fiu"


def _is_pair(item: Any) -> bool:
    """Whether it is (term, weight)."""
    return (
        isinstance(item, tuple | list)
        and len(item) == 2
        and (isinstance(item[0], str) or _is_vector(item[0]))
        and isinstance(item[1], Real)
    )
