"""What counting alone achieves on the validation text: the baselines that every language model is compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...evaluation.additions.counts import count_text
from ...nn import unigram_log_probs
from ...text import Corpus


def baselines(corpus: Corpus) -> dict[str, Any]:
    """Perplexities on the validation split: {"uniform", "unigram"} and, where counting them fits memory,
    {"kneser_ney", "order"} (interpolated modified Kneser-Ney, see seqlab/models/counts/kneser_ney.py)."""
    vocab, start_id = corpus.tokenizer.vocab, corpus.tokenizer.start_id
    assert corpus.valid is not None
    found: dict[str, Any] = {
        "uniform": float(len(vocab)),
        "unigram": math.exp(-unigram_log_probs(vocab.counts)[corpus.valid[:]].mean()),
    }
    counts = count_text(corpus.train, len(vocab), start_id)
    if counts is None:
        return found
    return {**found, "kneser_ney": math.exp(-counts.log_probs(corpus.valid).mean()), "order": counts.order}


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
