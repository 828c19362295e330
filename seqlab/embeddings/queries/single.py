"""One question at a time: scores of all words, and the best of them.

Shapes: V words, D dimensions, N words or vectors of a question, k results.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np

from ...base.errors import InputError
from ..packed.matrix import dot, dots
from .lexicon import Lexicon
from .ranking import highest, multiplied_similarity
from .results import ScoredWords
from .terms import Method, Term, Terms, check_count, check_method, terms_and_weights


def neighbors(lexicon: Lexicon, words: Terms, k: int, negative: Terms, method: Method) -> ScoredWords:
    """See `WordVectors.neighbors`."""
    k = check_count(k)
    scores_V, left_out = scores(lexicon, words, negative, method)
    return named(lexicon, *highest(scores_V, k + len(left_out)), left_out, k, asked(words, negative))


def scores(
    lexicon: Lexicon, words: Terms | None, negative: Terms | None, method: Method, rows: slice = slice(None)
) -> tuple[np.ndarray, set[int]]:
    """Scores (V,) of `neighbors` for the words of some rows, and the rows of the words given, wherever they are."""
    check_method(method)
    positive, positive_weights = terms_and_weights(words, 1.0)
    others, other_weights = terms_and_weights(negative, -1.0)
    if not positive and not others:
        raise InputError("give at least one word.")
    given, vectors_ND = lexicon.look_up_terms(positive + others)
    if method == "add":
        return cosines(lexicon, np.asarray(positive_weights + other_weights, np.float32) @ vectors_ND, rows), given
    cosines_NV = dots(lexicon.stored, vectors_ND, rows) / lexicon.norms[rows]
    return multiplied_similarity(cosines_NV[: len(positive)], cosines_NV[len(positive) :]), given


def cosines(lexicon: Lexicon, query_D: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
    """(V,) cosines of the words of some rows with a vector; 0 where it is zero."""
    norm = float(np.linalg.norm(np.asarray(query_D, np.float64)))
    scores_V = dot(lexicon.stored, query_D / np.float32(norm) if norm > 0 else query_D, rows)
    scores_V /= lexicon.norms[rows]
    return scores_V


def named(
    lexicon: Lexicon,
    rows_K: np.ndarray,
    scores_K: np.ndarray,
    left_out: Container[int],
    k: int,
    asked: Iterable[object],
) -> ScoredWords:
    """The words of the first k rows that are not left out, with their scores, and what there is to know about the words
    asked about."""
    pairs = zip(rows_K.tolist(), scores_K.tolist(), strict=True)
    best = [(lexicon.words[row], score) for row, score in pairs if row not in left_out][:k]
    return ScoredWords(best, lexicon.composed(asked), lexicon.noun)


def asked(*terms: Terms | None) -> list[Term]:
    """The words and vectors of a question."""
    return [term for group in terms for term in terms_and_weights(group, 1.0)[0]]


def rank(lexicon: Lexicon, a: str, b: str) -> int:
    """See `WordVectors.rank`."""
    rows, unit_ND = lexicon.look_up_unit([a, b])
    scores_V = cosines(lexicon, unit_ND[0])
    nearer_V = scores_V > (scores_V[rows[1]] if rows[1] >= 0 else unit_ND[0] @ unit_ND[1])
    nearer_V[[row for row in rows if row >= 0]] = False
    return 1 + int(np.count_nonzero(nearer_V))
