"""The words of the text so far as a member of the mixture: what came lately comes again, and all the more after the
same words.

    P(w) = sum_j [x_j = w] v_ij / sum_j v_ij,   v_ij = decay^(i - j) match^(length of the context shared by i and j)

over the last `reach` tokens j before token i. It needs no hidden state, so it costs no network, and unlike counts of
the training text it knows the document.

Shapes: N tokens, K scored ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

LONGEST = 4
"""Longest shared context that counts."""


class Recent(NamedTuple):
    """log P of each scored token (K,), and the longest context shared with an earlier token (K,)."""

    log_p_K: np.ndarray
    longest_K: np.ndarray


@numba.njit(cache=True, nogil=True)
def _cache(ids_N, at_K, reach, decay, match, vocab_size):  # type: ignore[no-untyped-def]
    p_K, longest_K = np.empty(len(at_K)), np.zeros(len(at_K), np.int64)
    values = match ** np.arange(LONGEST + 1)
    for k in range(len(at_K)):
        i = at_K[k]
        own = total = 0.0
        recency = 1.0
        for j in range(i - 1, max(-1, i - 1 - reach), -1):
            recency *= decay
            shared = 0
            while shared < LONGEST and j - shared - 1 >= 0 and ids_N[j - shared - 1] == ids_N[i - shared - 1]:
                shared += 1
            longest_K[k] = max(longest_K[k], shared)
            value = recency * values[shared]
            total += value
            if ids_N[j] == ids_N[i]:
                own += value
        p_K[k] = (own + 1e-3 / vocab_size) / (total + 1e-3)
    return p_K, longest_K


def recent(ids_N: np.ndarray, at_K: np.ndarray, reach: int, decay: float, match: float, vocab_size: int) -> Recent:
    """The cache's probabilities of the tokens at `at_K`; a thousandth of a token is spread over the vocabulary, so that
    none is zero."""
    p_K, longest_K = _cache(ids_N.astype(np.int64), at_K, reach, decay, match, vocab_size)
    return Recent(np.log(p_K), longest_K)
