"""Many questions at once, with the answers that single ones get.

Shapes: Q questions of N words each, U distinct words among these, V words, D dimensions, K results.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...base.errors import InputError
from .ranking import highest, lengths, multiplied_similarity
from .terms import Method, Part, as_words, check_method

MANY = 1 << 31
"""Multiplications of a batch of questions from which on the compiled search is sooner, its loading included."""
BLOCK = 1 << 22
"""Scores held at once: 16 MB of float32."""

Answers = list[list[tuple[str, float]]]


class BatchedQueries(Part):
    """The questions of `WordVectors` that are asked by the thousand."""

    def neighbors_of_each(self, words: str | Sequence[str], k: int = 10) -> Answers:
        """`neighbors(word, k)` of every word; of hundreds, by a compiled search that all cores share."""
        vectors = self._vectors
        rows, unit_QD = vectors._look_up_unit(words)
        best = self._nearest(unit_QD, max(0, k) + 1)
        return [vectors._named(*found, {row}, k) for row, found in zip(rows, best, strict=True)]

    def analogies(self, triples: Iterable[Sequence[str]], k: int = 5, method: Method = "add") -> Answers:
        """`analogy(a, b, c, k, method)` of every (a, b, c); of hundreds with method "add", by the compiled search."""
        check_method(method)
        vectors = self._vectors
        rows_U, unit_UD, places_QN = self._look_up_groups(triples, 3)
        a_QD, b_QD, c_QD = (unit_UD[places_Q] for places_Q in places_QN.T)
        if method == "add":
            sums_QD = b_QD - a_QD + c_QD
            best = self._nearest(sums_QD / lengths(sums_QD)[:, None], max(0, k) + 3)
        else:
            best = (
                highest(scores_V, max(0, k) + 3)
                for block in _blocks(len(places_QN), len(vectors))
                for scores_V in multiplied_similarity(
                    [self._cosines_of(b_QD[block]), self._cosines_of(c_QD[block])], [self._cosines_of(a_QD[block])]
                )
            )
        asked = rows_U[places_QN].tolist()
        return [vectors._named(*found, set(rows), k) for rows, found in zip(asked, best, strict=True)]

    def similarities(self, pairs: Iterable[Sequence[str]]) -> np.ndarray:
        """(Q,) float32: `similarity(a, b)` of every (a, b)."""
        _, unit_UD, places_QN = self._look_up_groups(pairs, 2)
        cosines_Q = np.empty(len(places_QN), np.float32)
        for block in _blocks(len(places_QN), self._vectors.dim):
            first_QD, second_QD = (unit_UD[places_Q] for places_Q in places_QN[block].T)
            cosines_Q[block] = np.einsum("qd,qd->q", first_QD, second_QD)
        return cosines_Q

    def ranks(self, pairs: Iterable[Sequence[str]]) -> np.ndarray:
        """(Q,) int64: `rank(a, b)` of every (a, b)."""
        rows_U, unit_UD, places_QN = self._look_up_groups(pairs, 2)
        ranks_Q = np.empty(len(places_QN), np.int64)
        for block in _blocks(len(places_QN), len(self._vectors)):
            first_QD, second_QD = (unit_UD[places_Q] for places_Q in places_QN[block].T)
            scores_QV, rows_QN = self._cosines_of(first_QD), rows_U[places_QN[block]]
            questions, known = np.arange(len(rows_QN)), rows_QN >= 0
            own_Q = np.einsum("qd,qd->q", first_QD, second_QD)  # of words that have no column
            own_Q[known[:, 1]] = scores_QV[questions, rows_QN[:, 1]][known[:, 1]]
            nearer_QV = scores_QV > own_Q[:, None]
            nearer_QV[np.repeat(questions, known.sum(axis=1)), rows_QN[known]] = False
            ranks_Q[block] = 1 + nearer_QV.sum(axis=1)
        return ranks_Q

    def _look_up_groups(self, groups: Iterable[Sequence[str]], size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the distinct words: rows (U,), -1 outside the vocabulary, and unit vectors (U, D); and the places (Q, N)
        of all words among them."""
        lists = [as_words(group) for group in groups]
        odd = next((words for words in lists if len(words) != size), None)
        if odd is not None:
            raise InputError(f"{odd!r}: give {size} words for each question, not {len(odd)}.")
        places = {word: place for place, word in enumerate(dict.fromkeys(itertools.chain.from_iterable(lists)))}
        rows, unit_UD = self._vectors._look_up_unit(list(places))
        places_QN = np.array([[places[word] for word in words] for words in lists], np.int64).reshape(-1, size)
        return np.array(rows, np.int64), unit_UD, places_QN

    def _nearest(self, queries_QD: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows (K,) and cosines (K,) of the k words nearest to each of many unit vectors."""
        vectors = self._vectors
        if len(queries_QD) * vectors.matrix.size >= MANY:
            from .nearest import nearest

            yield from zip(*nearest(vectors.matrix, vectors.norms, queries_QD, k), strict=True)
            return
        for block in _blocks(len(queries_QD), len(vectors)):
            for scores_V in self._cosines_of(queries_QD[block]):
                yield highest(scores_V, k)

    def _cosines_of(self, unit_QD: np.ndarray) -> np.ndarray:
        """(Q, V) cosines of all words with unit vectors."""
        cosines_QV: np.ndarray = unit_QD @ self._vectors.matrix.T
        cosines_QV /= self._vectors.norms
        return cosines_QV


def _blocks(count: int, width: int) -> Iterator[slice]:
    """The questions in blocks, each of which makes `width` numbers."""
    step = max(1, BLOCK // max(1, width))
    return (slice(start, start + step) for start in range(0, count, step))
