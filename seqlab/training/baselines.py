"""What counting alone achieves on the validation text: the baselines that every language model is told against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..models.kneser_ney import NGramModel, memory_bound
from ..models.ngram_mixture import unigram_log_probs
from ..text import Corpus

CHARACTER_TYPES = 1024
"""Vocabularies up to this size are characters or the like, of which a useful context holds more."""
ORDERS = ((7, 5, 3), (5, 3))
"""Orders of the counts to choose from, for those and for words; the first whose counting fits MEMORY."""
MEMORY = 2_000_000_000


def baselines(corpus: Corpus) -> dict[str, Any]:
    """Perplexities on the validation split: {"uniform", "unigram"} and, where counting them fits memory,
    {"kneser_ney", "order"} (interpolated modified Kneser-Ney, see seqlab/models/kneser_ney.py)."""
    vocab, start_id = corpus.tokenizer.vocab, corpus.tokenizer.start_id
    assert corpus.valid is not None
    found: dict[str, Any] = {
        "uniform": float(len(vocab)),
        "unigram": math.exp(-unigram_log_probs(corpus.valid, vocab.counts).mean()),
    }
    for order in ORDERS[len(vocab) > CHARACTER_TYPES]:
        if memory_bound(len(corpus.train), order) <= MEMORY:
            model = NGramModel.train(corpus.train, len(vocab), start_id, order)
            perplexity = math.exp(-model.log_probs(corpus.valid).mean())
            return {**found, "kneser_ney": perplexity, "order": order}
    return found


def validation_sentence(valid: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Scores on the validation text in words, against the baselines."""
    counts = f"counts of {found['order']} tokens: {found['kneser_ney']:.1f}, " if "order" in found else ""
    sentence = (
        f"validation: {valid['nats_per_token']:.4f} nats per token, perplexity {valid['perplexity']:.2f} "
        f"({counts}word frequencies alone: {found['unigram']:.1f}), {valid['bits_per_char']:.3f} bits per character"
    )
    if valid["perplexity"] > found["unigram"]:
        sentence += "; worse than word frequencies alone: training diverged or was far too short"
    return sentence
