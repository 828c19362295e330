"""Many questions at once, with the answers that single ones get.

Shapes: Q questions of N words each, U distinct words among these, V words, D dimensions, K results.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...base.errors import InputError, counted
from ...base.resources.memory import check_memory
from ..packed.matrix import dots
from .lexicon import Lexicon
from .ranking import highest, lengths, multiplied_similarity
from .results import ScoredWords
from .single import named
from .terms import Method, as_words, check_count, check_method

MANY = 1 << 31
"""Multiplications of a batch of questions from which on the compiled search is sooner, its loading included."""
RESULT = 150
"""Bytes of a result: its rank among the scores, and a pair of word and cosine."""
BLOCK = 1 << 22
"""Scores in memory at once: 16 MB of float32."""


def neighbors_of_each(lexicon: Lexicon, words: str | Sequence[str], k: int) -> list[ScoredWords]:
    """See `WordVectors.neighbors_of_each`."""
    k = check_count(k)
    words = as_words(words)
    _check_memory(lexicon, len(words), k)
    rows, unit_QD = lexicon.look_up_unit(words)
    best = _nearest(lexicon, unit_QD, k + 1)
    return [named(lexicon, *scored, {row}, k, [word]) for row, word, scored in zip(rows, words, best, strict=True)]


def analogies(lexicon: Lexicon, triples: Iterable[Sequence[str]], k: int, method: Method) -> list[ScoredWords]:
    """See `WordVectors.analogies`."""
    check_method(method)
    k, triples = check_count(k), list(triples)
    _check_memory(lexicon, len(triples), k)
    rows_U, unit_UD, places_QN = _look_up_groups(lexicon, triples, 3)
    a_QD, b_QD, c_QD = (unit_UD[places_Q] for places_Q in places_QN.T)
    if method == "add":
        sums_QD = b_QD - a_QD + c_QD
        best = _nearest(lexicon, sums_QD / lengths(sums_QD)[:, None], k + 3)
    else:
        best = (
            highest(scores_V, k + 3)
            for block in _blocks(len(places_QN), len(lexicon))
            for scores_V in multiplied_similarity(
                [_cosines(lexicon, b_QD[block]), _cosines(lexicon, c_QD[block])], [_cosines(lexicon, a_QD[block])]
            )
        )
    given = rows_U[places_QN].tolist()
    return [
        named(lexicon, *scored, set(rows), k, words) for rows, words, scored in zip(given, triples, best, strict=True)
    ]


def similarities(lexicon: Lexicon, pairs: Iterable[Sequence[str]]) -> np.ndarray:
    """See `WordVectors.similarities`."""
    _, unit_UD, places_QN = _look_up_groups(lexicon, pairs, 2)
    cosines_Q = np.empty(len(places_QN), np.float32)
    for block in _blocks(len(places_QN), lexicon.dim):
        first_QD, second_QD = (unit_UD[places_Q] for places_Q in places_QN[block].T)
        cosines_Q[block] = np.einsum("qd,qd->q", first_QD, second_QD)
    return cosines_Q


def ranks(lexicon: Lexicon, pairs: Iterable[Sequence[str]]) -> np.ndarray:
    """See `WordVectors.ranks`."""
    rows_U, unit_UD, places_QN = _look_up_groups(lexicon, pairs, 2)
    ranks_Q = np.empty(len(places_QN), np.int64)
    for block in _blocks(len(places_QN), len(lexicon)):
        first_QD, second_QD = (unit_UD[places_Q] for places_Q in places_QN[block].T)
        scores_QV, rows_QN = _cosines(lexicon, first_QD), rows_U[places_QN[block]]
        questions, known = np.arange(len(rows_QN)), rows_QN >= 0
        own_Q = np.einsum("qd,qd->q", first_QD, second_QD)  # of words that have no column
        own_Q[known[:, 1]] = scores_QV[questions, rows_QN[:, 1]][known[:, 1]]
        nearer_QV = scores_QV > own_Q[:, None]
        nearer_QV[np.repeat(questions, known.sum(axis=1)), rows_QN[known]] = False
        ranks_Q[block] = 1 + nearer_QV.sum(axis=1)
    return ranks_Q


def _check_memory(lexicon: Lexicon, questions: int, k: int) -> None:
    """Refuse more answers than memory holds, before any is looked for."""
    answers = questions * min(k, len(lexicon))
    check_memory(counted(answers, "answer"), RESULT * answers, "ask fewer questions at once, or for fewer words each")


def _look_up_groups(
    lexicon: Lexicon, groups: Iterable[Sequence[str]], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the distinct words: rows (U,), -1 outside the vocabulary, and unit vectors (U, D); and the places (Q, N) of
    all words among them."""
    lists = [as_words(group) for group in groups]
    odd = next((words for words in lists if len(words) != size), None)
    if odd is not None:
        raise InputError(f"{odd!r}: give {size} words for each question, not {len(odd)}.")
    places = {word: place for place, word in enumerate(dict.fromkeys(itertools.chain.from_iterable(lists)))}
    rows, unit_UD = lexicon.look_up_unit(list(places))
    places_QN = np.array([[places[word] for word in words] for words in lists], np.int64).reshape(-1, size)
    return np.array(rows, np.int64), unit_UD, places_QN


def _nearest(lexicon: Lexicon, queries_QD: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows (K,) and cosines (K,) of the k words nearest to each of many unit vectors."""
    if len(queries_QD) * lexicon.stored.size >= MANY:
        from .nearest import nearest

        yield from zip(*nearest(lexicon.stored, lexicon.norms, queries_QD, k), strict=True)
        return
    for block in _blocks(len(queries_QD), len(lexicon)):
        for scores_V in _cosines(lexicon, queries_QD[block]):
            yield highest(scores_V, k)


def _cosines(lexicon: Lexicon, unit_QD: np.ndarray) -> np.ndarray:
    """(Q, V) cosines of all words with unit vectors."""
    cosines_QV = dots(lexicon.stored, unit_QD)
    cosines_QV /= lexicon.norms
    return cosines_QV


def _blocks(count: int, width: int) -> Iterator[slice]:
    """The questions in blocks, each of which makes `width` numbers."""
    step = max(1, BLOCK // max(1, width))
    return (slice(start, start + step) for start in range(0, count, step))
