"""What Kneser-Ney counts say at every place of a text, for all words, exactly and quickly; and what they would say had
the occurrence to be predicted never been counted (leave one out).

With the levels of `NGramModel`, log P(w | context) = log u(w) + log A + a(w), where u is the unigram level, A the
product of the backoffs, the same for all words, and a(w) >= 0 is above zero only for words that were seen after the
last word: so a softmax over logits + log P is an ordinary one whose bias holds log u, plus the few a(w).

Leaving out one occurrence of context + word lowers its count at the longest level by one. Only where that leaves none
the shorter n-gram has one different word less before it, so its own count falls by one, and so on.

Shapes: N places, L levels, G n-grams of all levels one after another, C their contexts, V vocabulary, S samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.text import TokenFile

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


class Tables(NamedTuple):
    """The levels of an `NGramModel` as flat arrays.

    first_G: where each level begins in words_G, counts_G. first_C: where it begins in begins_C (which has one entry
    more a level), totals_C, masses_C. discounts_L4: D by count, 0 to 3+. u_V: the unigram level.
    """

    first_G: np.ndarray
    first_C: np.ndarray
    words_G: np.ndarray
    counts_G: np.ndarray
    begins_C: np.ndarray
    totals_C: np.ndarray
    masses_C: np.ndarray
    discounts_L4: np.ndarray
    u_V: np.ndarray


class Places(NamedTuple):
    """A text as the levels see it: contexts_NL: number of each place's context; grams_NL: of context + word; -1 where
    it never occurred. words_N: the word."""

    contexts_NL: np.ndarray
    grams_NL: np.ndarray
    words_N: np.ndarray


class Known(NamedTuple):
    """What the counts know before each place, without knowing the word.

    order_N: longest level that saw the context. count_N: how often it did. types_N: different words after it.
    peak_N: the largest discounted probability there. backoff_N: log A. log_p_N: log P(word).
    """

    order_N: np.ndarray
    count_N: np.ndarray
    types_N: np.ndarray
    peak_N: np.ndarray
    backoff_N: np.ndarray
    log_p_N: np.ndarray


def tables(model: NGramModel) -> Tables:
    """The levels of a model, numbered from 0 in each."""
    words, counts, begins, totals, masses = [], [], [], [], []
    context, node, contexts = 0, 1, 1
    for nodes in model.ngrams:
        here, there = slice(context, context + contexts), slice(node, node + nodes)
        words.append(model.words_G[there].astype(np.int32))
        counts.append(model.counts_G[there].astype(np.int32))
        begins.append(model.starts_C[context : context + contexts + 1].astype(np.int64) - node)
        totals.append(np.append(model.totals_C[here].astype(np.float64), 0.0))
        masses.append(np.append(model.totals_C[here] * model.backoffs_C[here], 0.0))
        context, node, contexts = context + contexts, node + nodes, nodes
    return Tables(
        np.cumsum([0, *map(len, words)]),
        np.cumsum([0, *map(len, begins)]),
        np.concatenate(words),
        np.concatenate(counts),
        np.concatenate(begins),
        np.concatenate(totals),
        np.concatenate(masses),
        model.discounts_n4,
        model.next_probs([]),
    )


def places(model: NGramModel, tokens: TokenFile) -> Places:
    """Look up every place of a text."""
    t, words_N = tables(model), np.asarray(tokens[:], np.int64)
    contexts_NL = model.states_before(tokens, slice(None), model.read([model.start_id]))
    contexts_NL[contexts_NL >= 0] -= np.cumsum([0, 1, *model.ngrams[:-2]])[np.nonzero(contexts_NL >= 0)[1]]
    grams = []
    for level, contexts_N in enumerate(contexts_NL.T):
        begins_c = t.begins_C[t.first_C[level] : t.first_C[level + 1]]
        words_g = t.words_G[t.first_G[level] : t.first_G[level + 1]].astype(np.int64)
        keys_g = np.repeat(np.arange(len(begins_c) - 1), np.diff(begins_c)) << 32 | words_g
        keys_N = np.maximum(contexts_N, 0) << 32 | words_N
        found_N = np.searchsorted(keys_g, keys_N).clip(max=max(0, len(keys_g) - 1))
        seen_N = (contexts_N >= 0) & (keys_g[found_N] == keys_N if len(keys_g) else False)
        grams.append(np.where(seen_N, found_N, -1).astype(np.int32))
    return Places(contexts_NL.astype(np.int32), np.stack(grams, 1), words_N.astype(np.int32))


@compiled
def _levels(t, contexts_L, grams_L, loo, totals_L, masses_L, removed_L):  # type: ignore[no-untyped-def]
    """Totals and discounted masses of a place's contexts, 0 where unseen, and at which levels the word's own count is
    one less."""
    removing = loo
    for level in range(len(contexts_L) - 1, -1, -1):
        context = contexts_L[level]
        totals_L[level] = masses_L[level] = 0.0
        removed_L[level] = False
        if context < 0:
            continue
        at = t.first_C[level] + context
        total, mass = t.totals_C[at], t.masses_C[at]
        if removing and grams_L[level] >= 0:
            count = t.counts_G[t.first_G[level] + grams_L[level]]
            mass += t.discounts_L4[level, min(count - 1, 3)] - t.discounts_L4[level, min(count, 3)]
            total -= 1.0
            removed_L[level] = True
            removing = count == 1
        if total > 0.5:
            totals_L[level], masses_L[level] = total, mass


@compiled
def _word_probability(t, grams_L, totals_L, masses_L, removed_L):  # type: ignore[no-untyped-def]
    """P(the place's word)."""
    p = 1.0 / len(t.u_V)
    for level in range(len(grams_L)):
        if totals_L[level] == 0.0:
            continue
        p *= masses_L[level] / totals_L[level]
        if grams_L[level] >= 0:
            count = t.counts_G[t.first_G[level] + grams_L[level]] - removed_L[level]
            p += (count - t.discounts_L4[level, min(count, 3)]) / totals_L[level]
    return p


@compiled
def _add_extras(t, contexts_L, totals_L, masses_L, slots_V, extra):  # type: ignore[no-untyped-def]
    """Add sum_k discounted_k(w) * product of the backoffs of longer levels to extra[slot] of all words with a slot;
    returns A. The removed occurrence is not subtracted from the word itself."""
    above = 1.0
    for level in range(len(contexts_L) - 1, 0, -1):
        total = totals_L[level]
        if total == 0.0:
            continue
        at = t.first_C[level] + contexts_L[level]
        first, share = t.first_G[level], above / total
        for g in range(first + t.begins_C[at], first + t.begins_C[at + 1]):
            slot = slots_V[t.words_G[g]]
            if slot >= 0:
                count = t.counts_G[g]
                extra[slot] += (count - t.discounts_L4[level, min(count, 3)]) * share
        above *= masses_L[level] / total
    return above


@compiled
def _finish_extras(t, context, slots_V, log_u_S, u_S, above, extra, out):  # type: ignore[no-untyped-def]
    """out[slot] += a(w) for all words with a slot that were seen after the last word; extra is zero again."""
    if context < 0:
        return
    at = t.first_C[1] + context
    for g in range(t.first_G[1] + t.begins_C[at], t.first_G[1] + t.begins_C[at + 1]):
        slot = slots_V[t.words_G[g]]
        if slot >= 0:
            if extra[slot] > 0.0:
                out[slot] += np.log1p(extra[slot] / (above * u_S[slot]))
            extra[slot] = 0.0


@compiled
def _score(t, contexts_NL, grams_NL, words_N, loo):  # type: ignore[no-untyped-def]
    """(N, 6): order, count, types, peak, log A, log P(word)."""
    count_N, levels = contexts_NL.shape
    out_N6 = np.zeros((count_N, 6))
    totals_L, masses_L, removed_L = np.zeros(levels), np.zeros(levels), np.zeros(levels, np.bool_)
    for n in range(count_N):
        _levels(t, contexts_NL[n], grams_NL[n], loo, totals_L, masses_L, removed_L)
        log_a = 0.0
        for level in range(levels):
            if totals_L[level] > 0.0:
                at = t.first_C[level] + contexts_NL[n, level]
                out_N6[n, 0] = level + 1
                out_N6[n, 1] = totals_L[level]
                out_N6[n, 2] = t.begins_C[at + 1] - t.begins_C[at]
                if level:
                    log_a += np.log(masses_L[level] / totals_L[level])
        top = int(out_N6[n, 0]) - 1
        peak = 0
        if top > 0:
            at = t.first_C[top] + contexts_NL[n, top]
            for g in range(t.first_G[top] + t.begins_C[at], t.first_G[top] + t.begins_C[at + 1]):
                peak = max(peak, t.counts_G[g])
            out_N6[n, 3] = (peak - t.discounts_L4[top, min(peak, 3)]) / totals_L[top]
        out_N6[n, 4] = log_a
        out_N6[n, 5] = np.log(_word_probability(t, grams_NL[n], totals_L, masses_L, removed_L))
    return out_N6


def score(t: Tables, seen: Places, loo: bool = False) -> Known:
    """What the counts know at every place; with `loo` had its occurrence never been counted (training text only)."""
    found = _score(t, seen.contexts_NL, seen.grams_NL, seen.words_N, loo)
    return Known(*found.T)


@compiled
def _additions(t, contexts_NL, grams_NL, words_N, loo, slots_V, u_S, log_u_S, log_u_V, out_NS, own_N):  # type: ignore[no-untyped-def]
    count_N, levels = contexts_NL.shape
    totals_L, masses_L, removed_L = np.zeros(levels), np.zeros(levels), np.zeros(levels, np.bool_)
    extra_S = np.zeros(len(u_S))
    for n in range(count_N):
        _levels(t, contexts_NL[n], grams_NL[n], loo, totals_L, masses_L, removed_L)
        above = _add_extras(t, contexts_NL[n], totals_L, masses_L, slots_V, extra_S)
        if levels > 1:
            _finish_extras(t, contexts_NL[n, 1], slots_V, log_u_S, u_S, above, extra_S, out_NS[n])
        p = _word_probability(t, grams_NL[n], totals_L, masses_L, removed_L)
        own_N[n] = np.log(p) - np.log(above) - log_u_V[words_N[n]]


def additions(t: Tables, seen: Places, loo: bool, words_S: np.ndarray, out_NS: np.ndarray, own_N: np.ndarray) -> None:
    """Add a(w) of the different words `words_S` to out_NS (float32) and put that of each place's own word into own_N.

    Constants of a place are left out. With `loo`, what is added for a place's own word in words_S still counts its
    occurrence: overwrite or mask it.
    """
    slots_V = np.full(len(t.u_V), -1, np.int32)
    slots_V[words_S] = np.arange(len(words_S), dtype=np.int32)
    u_S = t.u_V[words_S]
    _additions(
        t, seen.contexts_NL, seen.grams_NL, seen.words_N, loo, slots_V, u_S, np.log(u_S), np.log(t.u_V), out_NS, own_N
    )
