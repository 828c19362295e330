"""Kneser-Ney counts of the training text beside the network: they know every rare phrase that was ever seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import InputError
from ...models.counts.kneser_ney import NGramModel, memory_bound
from ...text import TokenFile
from ..scored_text import Addition, ScoredText

CHARACTER_TYPES = 1024
"""Vocabularies up to this size are characters or the like, of which a useful context holds more."""
ORDERS = ((7, 5, 3), (5, 3))
"""Orders of the counts to choose from, for those and for words; the first whose counting fits MEMORY."""
MEMORY = 2_000_000_000


def count_text(tokens: TokenFile, vocab_size: int, start_id: int, quiet: bool = True) -> NGramModel | None:
    """Counts of a text in the first of ORDERS that fits memory, None where none does."""
    for order in ORDERS[vocab_size > CHARACTER_TYPES]:
        if memory_bound(len(tokens), order) <= MEMORY:
            return NGramModel.train(tokens, vocab_size, start_id, order, quiet)
    return None


class Counts(Addition):
    """Interpolated modified Kneser-Ney counts (`seqlab.models.counts`) of the text the network was trained on."""

    name = row = "counts"

    def __init__(self, training: TokenFile, vocab_size: int, start_id: int, quiet: bool = True):
        model = count_text(training, vocab_size, start_id, quiet)
        if model is None:
            raise InputError(f"counts: those of {len(training):,} tokens do not fit {MEMORY / 1e9:.0f} GB of memory.")
        self.model = model

    def fixed(self) -> dict[str, Any]:
        return {"order": self.model.order}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        return self.model.log_probs(text.tokens, text.quiet)
