"""N-grams as one trie, and the compiled walks over it.

A node is an n-gram; its number is its rank by (length, number of its prefix, last word), the root is the empty one. So
the continuations of a context lie side by side in ascending order of their last words, and a search among them is a
search in a short stretch. The state of a text is the nodes of its last 0, 1, ... n - 1 tokens, UNSEEN for those that
never occurred.

All walks read the tables of an `NGramModel` as one tuple: words_G, counts_G, starts_C, totals_C, backoffs_C and
discounts_n4.

Shapes: G nodes, C those that are contexts (the root and all but the longest n-grams), n order, T places of a text, B
texts side by side, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...base.numerics import exp, largest, log

UNSEEN = -1
"""Node of an n-gram that never occurred."""
BLOCK = 1024
"""Words whose weights are added in float32; blocks are added in float64."""
COUNT_BINS = 8
"""Contexts are told apart by the binary logarithm of their count up to this."""

compiled: Any = njit(cache=True, nogil=True, error_model="numpy")
summing: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
"""Lets LLVM add in vectors; anything more could hide a NaN."""


@compiled
def child_of(words_G: Any, low: Any, high: Any, word: Any) -> Any:
    """The node between `low` and `high` whose last word is `word`, UNSEEN where there is none."""
    low, high = np.int64(low), np.int64(high)
    end = high
    while low < high:
        middle = (low + high) >> 1
        if words_G[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < end and words_G[low] == word else -1


@compiled
def known(starts_C: Any, totals_C: Any, state_n: Any) -> int:
    """What the counts know before a token: length of the longest context that was ever continued, and the binary
    logarithm of how often, as length * COUNT_BINS + logarithm."""
    for length in range(len(state_n) - 1, -1, -1):
        node = state_n[length]
        if node >= 0 and starts_C[node + 1] > starts_C[node]:
            bin, total = 0, np.int64(totals_C[node]) >> 1
            while total > 0 and bin < COUNT_BINS - 1:
                bin, total = bin + 1, total >> 1
            return length * COUNT_BINS + bin
    return 0


@compiled
def backoffs(counts_G: Any, starts_C: Any, totals_C: Any, discounts_n4: Any, ends_n: Any, backoffs_C: Any) -> None:
    """The mass that the continuations of every context leave; contexts of length k end before number `ends_n[k]`."""
    context = 0
    for length in range(len(ends_n)):
        while context < ends_n[length]:
            kept, total = 0.0, np.float64(totals_C[context])
            for one in range(np.int64(starts_C[context]), np.int64(starts_C[context + 1])):
                count = np.int64(counts_G[one])
                kept += count - discounts_n4[length, min(count, 3)]
            if total > 0:
                backoffs_C[context] = (total - kept) / total
            context += 1


@compiled
def walk(
    tables: Any,
    lowest: float,
    first_n: Any,
    fresh_T: Any,
    state_n: Any,
    ids_T: Any,
    p_T: Any,
    known_T: Any,
) -> None:
    """Read a stretch of text: the probability of every token and what was known before it; `state_n` moves on.

    lowest: probability that every word has below the shortest context. first_n: the state before tokens of `fresh_T`.
    """
    words_G, counts_G, starts_C, totals_C, backoffs_C, discounts_n4 = tables
    order = len(state_n)
    for t in range(len(ids_T)):
        word = ids_T[t]
        if fresh_T[t]:
            state_n[:] = first_n
        known_T[t] = known(starts_C, totals_C, state_n)
        p, above = lowest, 0
        for length in range(order):
            node = state_n[length]
            state_n[length] = above
            if node < 0:
                above = -1
                continue
            above = child_of(words_G, starts_C[node], starts_C[node + 1], word)
            p *= backoffs_C[node]
            if above >= 0:
                count = np.int64(counts_G[above])
                p += (count - discounts_n4[length, min(count, 3)]) / totals_C[node]
        p_T[t] = p


@compiled
def step(tables: Any, state_Bn: Any, ids_B: Any, after_Bn: Any) -> None:
    """The state of every text one token later."""
    words_G, _, starts_C, _, _, _ = tables
    for b in range(len(ids_B)):
        above = 0
        for length in range(state_Bn.shape[1]):
            node = state_Bn[b, length]
            after_Bn[b, length] = above
            above = child_of(words_G, starts_C[node], starts_C[node + 1], ids_B[b]) if node >= 0 else -1


@compiled
def trace(tables: Any, first_n: Any, fresh_T: Any, state_n: Any, ids_T: Any, before_Tn: Any) -> None:
    """The state before every token of a stretch, `first_n` before those of `fresh_T`; `state_n` moves on."""
    words_G, _, starts_C, _, _, _ = tables
    for t in range(len(ids_T)):
        if fresh_T[t]:
            state_n[:] = first_n
        above = 0
        for length in range(len(state_n)):
            node = state_n[length]
            before_Tn[t, length] = node
            state_n[length] = above
            above = child_of(words_G, starts_C[node], starts_C[node + 1], ids_T[t]) if node >= 0 else -1


@compiled
def backed_off(backoffs_C: Any, state_n: Any) -> Any:
    """The mass that all contexts longer than none leave to the distribution without any."""
    share = 1.0
    for length in range(1, len(state_n)):
        if state_n[length] >= 0:
            share *= backoffs_C[state_n[length]]
    return share


@compiled
def add_continuations(
    tables: Any,
    state_n: Any,
    share: Any,
    p_V: Any,
) -> None:
    """Add to `p_V` what the counts give to the words that were seen after a text, times `share`."""
    words_G, counts_G, starts_C, totals_C, backoffs_C, discounts_n4 = tables
    for length in range(len(state_n) - 1, 0, -1):
        node = state_n[length]
        if node >= 0:
            part = share / totals_C[node]
            for one in range(np.int64(starts_C[node]), np.int64(starts_C[node + 1])):
                count = np.int64(counts_G[one])
                p_V[words_G[one]] += part * (count - discounts_n4[length, min(count, 3)])
            share *= backoffs_C[node]


@compiled
def distributions(
    tables: Any,
    unigram_V: Any,
    state_Bn: Any,
    p_BV: Any,
    known_B: Any,
) -> None:
    """The probability of every word after every text, and what was known there."""
    _, _, starts_C, totals_C, backoffs_C, _ = tables
    for b in range(len(state_Bn)):
        known_B[b] = known(starts_C, totals_C, state_Bn[b])
        share, p_V = backed_off(backoffs_C, state_Bn[b]), p_BV[b]
        for v in range(p_V.size):
            p_V[v] = share * unigram_V[v]
        add_continuations(tables, state_Bn[b], 1.0, p_V)


@summing
def exponentials(logits_V: Any) -> Any:
    """Overwrite logits l by e^(l - the largest), NaN where one is NaN or infinite; the sum of them."""
    top, whole = largest(logits_V), 0.0
    for start in range(0, logits_V.size, BLOCK):
        part_V, total = logits_V[start : start + BLOCK], np.float32(0)
        for v in range(part_V.size):
            one = exp(part_V[v] - top)
            part_V[v] = one
            total += one
        whole += np.float64(total)
    return whole


@summing
def mixed_step(
    tables: Any,
    unigram_V: Any,
    state_Bn: Any,
    ids_B: Any,
    hidden_BD: Any,
    weight_D: Any,
    bias_K: Any,
    bound: Any,
    logarithms: bool,
    after_Bn: Any,
    p_BV: Any,
) -> None:
    """The state of every text one token later, and the probability of every word there by network and counts together:
    `p_BV` holds the network's logits, and the counts' share is mixed in as the gate says (float32; see `gate.py`).

    logarithms: of the probabilities are left there.

    One call a token: between the network's products, whose weights fill the caches, every further call costs, and a row
    is gone through while it is in cache.
    """
    _, _, starts_C, totals_C, backoffs_C, _ = tables
    step(tables, state_Bn, ids_B, after_Bn)
    for b in range(len(state_Bn)):
        state_n, p_V = after_Bn[b], p_BV[b]  # a computed index would stop vector code
        odds = bias_K[known(starts_C, totals_C, state_n)]
        for d in range(weight_D.size):
            odds += hidden_BD[b, d] * weight_D[d]
        gate = np.float32(1) / (np.float32(1) + exp(-min(max(odds, -bound), bound)))
        flat = np.float32(gate * backed_off(backoffs_C, state_n))
        whole = (1.0 - np.float64(gate)) / exponentials(p_V)
        share = np.float32(whole)
        add_continuations(tables, state_n, gate / whole, p_V)  # first: what follows is then one pass
        if logarithms:
            for v in range(p_V.size):
                p_V[v] = log(p_V[v] * share + flat * unigram_V[v])
        else:
            for v in range(p_V.size):
                p_V[v] = p_V[v] * share + flat * unigram_V[v]
