"""Which counts of a text to use: their order and what is left out, by how well they predict validation text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...text import TokenFile
from .kneser_ney import NGramModel, memory_bound
from .ngrams import NGrams, count_ngrams

CHARACTER_TYPES = 1024
"""Vocabularies up to this size are characters or the like, of which a useful context holds more."""
ORDERS = ((9, 7, 5, 3), (5, 4, 3))
"""Orders to choose from, for those and for words."""
MEMORY = 4_000_000_000
"""Bytes that counting may take if no n-gram of the text came twice; in real texts it takes about half."""
LARGEST = 128_000_000
"""Bytes that the counts of a run may take on disk and in memory; beyond, rare long n-grams are left out."""
JUDGED_TOKENS = 50_000
"""Validation tokens that choose the counts."""
PRUNED = (0, 1, 2, 4, 8, 16)
"""How often an n-gram may occur and still be left out; the last ones only where the counts would be too large."""


def count_text(
    tokens: TokenFile, vocab_size: int, start_id: int, valid: TokenFile | None = None, quiet: bool = True
) -> NGramModel:
    """Count a text, with the order and pruning that predict the validation text best.

    A text too long for MEMORY is counted as far as it fits.

    Args:
        tokens: the training text.
        vocab_size: V.
        start_id: read before the first token.
        valid: to choose by; without it the highest order that fits MEMORY and LARGEST.
        quiet: show no progress.
    """
    orders = ORDERS[vocab_size > CHARACTER_TYPES]
    fitting = [order for order in orders if memory_bound(len(tokens), order) <= MEMORY]
    if not fitting:
        most = MEMORY // memory_bound(1, orders[-1])
        tokens, fitting = TokenFile.of(tokens[:most]), [orders[-1]]
    counted = count_ngrams(tokens, fitting[0], start_id, quiet)
    judge = valid if valid is not None and len(valid) else None
    places = np.arange(min(len(judge), JUDGED_TOKENS) if judge else 0)
    best, best_nats = None, np.inf
    for order in fitting:
        before = best_nats
        for model in _candidates(counted[:order], vocab_size, start_id):
            if judge is None:
                return model
            nats = -float(model.score_places(judge, places)[0].mean())
            if nats < best_nats:
                best, best_nats = model, nats
        if best_nats == before:  # shorter contexts are no better, still shorter ones would be worse
            break
    assert best is not None
    return best


def _candidates(counted: list[NGrams], vocab_size: int, start_id: int) -> Iterator[NGramModel]:
    """Models of one order, whole and without what occurs once; where that is too large, without more."""
    for prune in PRUNED:
        model = NGramModel.of(counted, vocab_size, start_id, prune)
        fits = model.nbytes <= LARGEST
        if fits or prune == PRUNED[-1]:
            yield model
        if fits and prune:
            break
