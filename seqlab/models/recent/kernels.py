"""Compiled loops of the cache of recent tokens.

Shapes: K tokens looked back on, Q tokens in a row, C settings tried at once, B texts side by side, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...base.numerics import exp
from . import FILL_BINS, LONGEST, SPREAD

compiled: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})


@compiled
def kind(longest: int, held: int) -> int:
    """What a cache knows before a token: longest context met before, and the binary logarithm of how many tokens it
    holds, as longest * FILL_BINS + logarithm."""
    bin, held = 0, held >> 1
    while held > 0 and bin < FILL_BINS - 1:
        bin, held = bin + 1, held >> 1
    return longest * FILL_BINS + bin


@compiled
def shared_contexts(ids_K: Any, shared_K: Any) -> int:
    """How many tokens before each of some tokens are those before the next one, up to LONGEST; the most of them."""
    end = len(ids_K)
    longest = 0
    for k in range(end):
        length = 0
        while length < LONGEST and length < k and ids_K[k - length - 1] == ids_K[end - length - 1]:
            length += 1
        shared_K[k] = length
        longest = max(longest, length)
    return longest


@compiled
def votes(dots_K: Any, shared_K: Any, theta: Any, log_decay: Any, log_match: Any, vote_K: Any) -> Any:
    """The vote of each token, the largest of them 1; returns their sum."""
    end, highest = len(dots_K), np.float32(-np.inf)
    for k in range(end):
        vote = theta * dots_K[k] + np.float32(end - k) * log_decay + shared_K[k] * log_match
        vote_K[k] = vote
        highest = max(highest, vote)
    total = np.float32(0)
    for k in range(end):
        vote = exp(vote_K[k] - highest)
        vote_K[k] = vote
        total += vote
    return total


@compiled
def score(
    ids_N: Any, start: int, dots_QK: Any, oldest: int, reach_Q: Any, settings_C3: Any, p_QC: Any, known_Q: Any
) -> None:
    """The probability of tokens `start`, `start` + 1, ... by caches of the tokens before each, and what these knew.

    Of a cache that holds nothing, p is 1; the caller knows better. dots_QK: of the hidden states at tokens `start` + q
    and `oldest` + k. reach_Q: how far back the cache reaches.
    """
    vote_K, shared_K = np.empty(dots_QK.shape[1], np.float32), np.empty(dots_QK.shape[1], np.float32)
    for q in range(len(reach_Q)):
        i = start + q
        held = min(i - oldest, reach_Q[q])
        first = i - held
        longest = shared_contexts(ids_N[first:i], shared_K)
        known_Q[q] = kind(longest, held)
        for c in range(len(settings_C3)):
            theta, log_decay, log_match = settings_C3[c]
            dots_K = dots_QK[q][first - oldest : i - oldest]
            total = votes(dots_K, shared_K[:held], theta, log_decay, log_match, vote_K)
            own = np.float64(0)
            for k in range(held):
                if ids_N[first + k] == ids_N[i]:
                    own += vote_K[k]
            p_QC[q, c] = own / total if held else 1.0


@compiled
def mix_into(
    ids_K: Any,
    dots_K: Any,
    settings_3: Any,
    bias_kinds: Any,
    projected: Any,
    bound: Any,
    vote_K: Any,
    shared_K: Any,
    p_V: Any,
) -> None:
    """Mix a cache into the probabilities `p_V` of every word, as its gate says; one that holds nothing says nothing."""
    held = len(ids_K)
    if not held:
        return
    longest = shared_contexts(ids_K, shared_K)
    total = votes(dots_K, shared_K[:held], settings_3[0], settings_3[1], settings_3[2], vote_K)
    for k in range(held):  # words that only a network knows, by their characters
        if ids_K[k] >= p_V.size:
            total -= vote_K[k]
            vote_K[k] = 0
    if total <= 0:
        return
    odds = bias_kinds[kind(longest, held)] + projected
    weight = np.float32(1) / (np.float32(1) + exp(-min(max(odds, -bound), bound)))
    rest, flat = np.float32(1) - weight, weight * np.float32(SPREAD) / np.float32(len(p_V))
    for v in range(p_V.size):
        p_V[v] = p_V[v] * rest + flat
    share = weight * np.float32(1 - SPREAD) / total
    for k in range(held):
        if ids_K[k] < p_V.size:
            p_V[ids_K[k]] += share * vote_K[k]


@compiled
def mix_along(
    ids_N: Any,
    start: int,
    dots_MK: Any,
    oldest: int,
    reach: int,
    settings_3: Any,
    bias_kinds: Any,
    projected_M: Any,
    bound: Any,
    p_MV: Any,
) -> None:
    """`mix_into` for tokens `start`, `start` + 1, ... of a text."""
    vote_K, shared_K = np.empty(dots_MK.shape[1], np.float32), np.empty(dots_MK.shape[1], np.float32)
    for m in range(len(p_MV)):
        i = start + m
        first = max(oldest, i - reach)
        dots_K = dots_MK[m][first - oldest : i - oldest]
        mix_into(ids_N[first:i], dots_K, settings_3, bias_kinds, projected_M[m], bound, vote_K, shared_K, p_MV[m])


@compiled
def mix_rows(
    ids_BC: Any, first: int, dots_BK: Any, settings_3: Any, bias_kinds: Any, projected_B: Any, bound: Any, p_BV: Any
) -> None:
    """`mix_into` for several texts side by side, whose caches hold the tokens from column `first` on."""
    vote_K, shared_K = np.empty(dots_BK.shape[1], np.float32), np.empty(dots_BK.shape[1], np.float32)
    for b in range(len(p_BV)):
        ids_K = ids_BC[b][first : first + dots_BK.shape[1]]
        mix_into(ids_K, dots_BK[b], settings_3, bias_kinds, projected_B[b], bound, vote_K, shared_K, p_BV[b])
