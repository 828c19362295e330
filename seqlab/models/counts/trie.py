"""N-grams as one trie, and the compiled walks over it.

A node is an n-gram; its number is its rank by (length, number of its prefix, last word), the root is the empty one. So
the continuations of a context lie side by side in ascending order of their last words, and a search among them is a
search in a short stretch. The state of a text is the nodes of its last 0, 1, ... n - 1 tokens, UNSEEN for those that
never occurred.

All walks find the arrays of an `NGramModel` by a table of their addresses: words_G, counts_G, starts_C, totals_C,
backoffs_C and discounts_n4.

Shapes: G nodes, C those that are contexts (the root and all but the longest n-grams), n order, T places of a text, B
texts side by side, V vocabulary, P arrays of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.extending import register_jitable

from ...base.compiled.formulas import Number, vector_loop
from ...base.compiled.pointers import after, call, pointer
from ...base.numerics import emit_exp, emit_log, exp, largest
from . import COUNT_BINS

WORDS, COUNTS, STARTS, TOTALS, BACKOFFS, DISCOUNTS = range(6)
"""Places in the table."""
BLOCK = 1024
"""Words whose weights are added in float32; blocks are added in float64."""

compiled: Any = register_jitable(error_model="numpy", no_cfunc_wrapper=True)


@compiled
def child_of(words_G: Any, low: int, end: int, word: int) -> int:
    """The node from `low` up to `end` whose last word is `word`, -1 (UNSEEN) where there is none."""
    high = end
    while low < high:
        middle = (low + high) >> 1
        if words_G[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < end and words_G[low] == word else -1


@compiled
def known(starts_C: Any, totals_C: Any, state_n: Any, order: int) -> int:
    """What the counts know before a token: length of the longest context that was ever continued, and the binary
    logarithm of how often, as length * COUNT_BINS + logarithm."""
    for length in range(order - 1, -1, -1):
        node = state_n[length]
        if node >= 0 and starts_C[node + 1] > starts_C[node]:
            bin, total = 0, totals_C[node] >> 1
            while total > 0 and bin < COUNT_BINS - 1:
                bin, total = bin + 1, total >> 1
            return length * COUNT_BINS + bin
    return 0


@compiled
def discounted(count: int, discounts_4: Any) -> Any:
    """A count less its discount."""
    return count - discounts_4[count if count < 3 else 3]


def backoffs(table_P: Any, order: int, ends_n: Any, backoffs_C: Any) -> None:
    """The mass that the continuations of every context leave; contexts of length k end before number `ends_n[k]`."""
    counts_G, starts_C = pointer(table_P[COUNTS], "uint32"), pointer(table_P[STARTS], "uint32")
    totals_C, discounts_n4 = pointer(table_P[TOTALS], "uint32"), pointer(table_P[DISCOUNTS], "float64")
    context = 0
    for length in range(order):
        while context < ends_n[length]:
            kept, total = 0.0, np.float64(totals_C[context])
            for one in range(np.int64(starts_C[context]), np.int64(starts_C[context + 1])):
                kept += discounted(np.int64(counts_G[one]), after(discounts_n4, 4 * length))
            if total > 0:
                backoffs_C[context] = (total - kept) / total
            context += 1


def walk(
    table_P: Any, order: int, lowest: float, first_n: Any, fresh_T: Any, state_n: Any, ids_T: Any, length_T: int,
    p_T: Any, known_T: Any,
) -> None:  # fmt: skip
    """Read a stretch of text: the probability of every token and what was known before it; `state_n` moves on.

    lowest: probability that every word has below the shortest context. first_n: the state before tokens of `fresh_T`.
    """
    words_G, counts_G = pointer(table_P[WORDS], "uint32"), pointer(table_P[COUNTS], "uint32")
    starts_C, totals_C = pointer(table_P[STARTS], "uint32"), pointer(table_P[TOTALS], "uint32")
    backoffs_C, discounts_n4 = pointer(table_P[BACKOFFS], "float64"), pointer(table_P[DISCOUNTS], "float64")
    for t in range(length_T):
        word = ids_T[t]
        if fresh_T[t]:
            for length in range(order):
                state_n[length] = first_n[length]
        known_T[t] = np.int32(known(starts_C, totals_C, state_n, order))
        p, above = lowest, 0
        for length in range(order):
            node = state_n[length]
            state_n[length] = above
            if node < 0:
                above = -1
                continue
            above = child_of(words_G, np.int64(starts_C[node]), np.int64(starts_C[node + 1]), word)
            p *= backoffs_C[node]
            if above >= 0:
                p += discounted(np.int64(counts_G[above]), after(discounts_n4, 4 * length)) / totals_C[node]
        p_T[t] = p


def step(table_P: Any, order: int, state_Bn: Any, ids_B: Any, texts: int, after_Bn: Any) -> None:
    """The state of every text one token later."""
    words_G, starts_C = pointer(table_P[WORDS], "uint32"), pointer(table_P[STARTS], "uint32")
    for b in range(texts):
        above = 0
        for place in range(b * order, (b + 1) * order):
            node = state_Bn[place]
            after_Bn[place] = above
            above = -1
            if node >= 0:
                above = child_of(words_G, np.int64(starts_C[node]), np.int64(starts_C[node + 1]), ids_B[b])


def trace(
    step_address: int, table_P: Any, order: int, first_n: Any, fresh_T: Any, state_n: Any, ids_T: Any, length_T: int,
    before_Tn: Any,
) -> None:  # fmt: skip
    """The state before every token of a stretch, `first_n` before those of `fresh_T`; `state_n` moves on."""
    for t in range(length_T):
        for length in range(order):
            before_Tn[t * order + length] = first_n[length] if fresh_T[t] else state_n[length]
        call(step_address, table_P, order, after(before_Tn, t * order), after(ids_T, t), 1, state_n)


@compiled
def backed_off(backoffs_C: Any, state_n: Any, order: int) -> Any:
    """The mass that all contexts longer than none leave to the distribution without any."""
    share = 1.0
    for length in range(1, order):
        if state_n[length] >= 0:
            share *= backoffs_C[state_n[length]]
    return share


@compiled
def add_continuations(table_P: Any, order: int, state_n: Any, share: Any, p_V: Any) -> None:
    """Add to `p_V` what the counts give to the words that were seen after a text, times `share`."""
    words_G, counts_G = pointer(table_P[WORDS], "uint32"), pointer(table_P[COUNTS], "uint32")
    starts_C, totals_C = pointer(table_P[STARTS], "uint32"), pointer(table_P[TOTALS], "uint32")
    backoffs_C, discounts_n4 = pointer(table_P[BACKOFFS], "float64"), pointer(table_P[DISCOUNTS], "float64")
    for length in range(order - 1, 0, -1):
        node = state_n[length]
        if node >= 0:
            part = share / totals_C[node]
            for one in range(np.int64(starts_C[node]), np.int64(starts_C[node + 1])):
                p_V[words_G[one]] += part * discounted(np.int64(counts_G[one]), after(discounts_n4, 4 * length))
            share *= backoffs_C[node]


def distributions(
    table_P: Any, order: int, unigram_V: Any, types: int, state_Bn: Any, texts: int, p_BV: Any, known_B: Any
) -> None:
    """The probability of every word after every text, and what was known there."""
    starts_C, totals_C = pointer(table_P[STARTS], "uint32"), pointer(table_P[TOTALS], "uint32")
    backoffs_C = pointer(table_P[BACKOFFS], "float64")
    for b in range(texts):
        state_n, p_V = after(state_Bn, b * order), after(p_BV, b * types)
        known_B[b] = np.int32(known(starts_C, totals_C, state_n, order))
        share = backed_off(backoffs_C, state_n, order)
        for v in range(types):
            p_V[v] = share * unigram_V[v]
        add_continuations(table_P, order, state_n, 1.0, p_V)


@vector_loop("sum")
def dot(x: Number, y: Number) -> Sequence[Number]:
    return [x * y]


@vector_loop("sum")
def exponentials(x: Number, top: Number) -> Sequence[Number]:
    power = emit_exp(x - top)
    return [power, power]


@vector_loop()
def mixed(power: Number, unigram: Number, share: Number, flat: Number) -> Sequence[Number]:
    return [power * share + flat * unigram]


@vector_loop()
def mixed_logarithms(power: Number, unigram: Number, share: Number, flat: Number) -> Sequence[Number]:
    return [emit_log(power * share + flat * unigram)]


def mixed_step(
    step_address: int, table_P: Any, order: int, unigram_V: Any, types: int, state_Bn: Any, ids_B: Any, texts: int,
    hidden_BD: Any, weight_D: Any, width: int, bias_K: Any, bound: float, logarithms: int, after_Bn: Any, p_BV: Any,
) -> None:  # fmt: skip
    """The state of every text one token later, and the probability of every word there by network and counts together:
    `p_BV` holds the network's logits, and the counts' share is mixed in as the gate says (float32; see `gate.py`).

    logarithms: of the probabilities are left there.

    One call a token: between the network's products, whose weights fill the caches, every further call costs, and a row
    is gone through while it is in cache.
    """
    starts_C, totals_C = pointer(table_P[STARTS], "uint32"), pointer(table_P[TOTALS], "uint32")
    backoffs_C = pointer(table_P[BACKOFFS], "float64")
    call(step_address, table_P, order, state_Bn, ids_B, texts, after_Bn)
    for b in range(texts):
        state_n, p_V = after(after_Bn, b * order), after(p_BV, b * types)
        odds = bias_K[known(starts_C, totals_C, state_n, order)]
        odds += dot(b * width, (b + 1) * width, (), (hidden_BD, after(weight_D, -b * width)))
        odds = bound if bound < odds else odds
        odds = -bound if -bound > odds else odds
        gate = np.float32(1) / (np.float32(1) + exp(-odds))
        flat = np.float32(gate * backed_off(backoffs_C, state_n, order))
        top, whole = largest(0, types, (), (p_V,)), 0.0
        for start in range(0, types, BLOCK):
            past = start + BLOCK if start + BLOCK < types else types
            whole += np.float64(exponentials(start, past, (p_V,), (p_V, top)))
        whole = (1.0 - np.float64(gate)) / whole
        share = np.float32(whole)
        add_continuations(table_P, order, state_n, gate / whole, p_V)  # first: what follows is then one pass
        if logarithms:
            mixed_logarithms(0, types, (p_V,), (p_V, unigram_V, share, flat))
        else:
            mixed(0, types, (p_V,), (p_V, unigram_V, share, flat))
