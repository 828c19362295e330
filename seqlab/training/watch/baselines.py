"""What counting alone achieves on the validation text: the baselines that every language model is compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base.errors import option
from ...base.printing import with_margin
from ...models.counts.kneser_ney import NGramModel
from ...nn import unigram_log_probs
from ...text import Corpus

UNLIKE = 0.15
"""How much more a validation text may cost by the training text's token frequencies than that text itself."""


def baselines(corpus: Corpus, valid: Mapping[str, Any], counts: NGramModel | None) -> dict[str, Any]:
    """Perplexities on the validation split: {"uniform", "unigram"} and, where the run counted its text,
    {"kneser_ney", "order"} (interpolated modified Kneser-Ney, see seqlab/models/counts/kneser_ney.py).

    Args:
        corpus: with its validation split.
        valid: scores of the run's model there.
        counts: of the training split.
    """
    vocab = corpus.tokenizer.vocab
    assert corpus.valid is not None
    found: dict[str, Any] = {
        "uniform": float(len(vocab)),
        "unigram": math.exp(-unigram_log_probs(vocab.counts)[corpus.valid[:]].mean()),
    }
    by_counts = valid.get("counts", valid.get("counts_left_out"))
    if counts is None or by_counts is None:
        return found
    return {**found, "kneser_ney": by_counts["perplexity"], "order": counts.order}


def validation_sentence(
    valid: Mapping[str, Any], found: Mapping[str, Any], cache: Mapping[str, Any] | None = None
) -> str:
    """Scores on the validation text in words, against the baselines; and what a cache of recent tokens gains."""
    facts = []
    if "network" in valid:
        facts.append(f"network alone: {perplexity_of(valid['network'])}")
    if "order" in found:
        facts.append(f"counts of {found['order']} tokens alone: {found['kneser_ney']:.4g}")
    facts.append(f"token frequencies: {found['unigram']:.4g}")
    sentence = (
        f"validation: perplexity {perplexity_of(valid)} ({', '.join(facts)}), {valid['nats_per_token']:.3f} nats per "
        f"token, {valid['bits_per_char']:.3f} bits per character"
    )
    if "counts_left_out" in valid:
        sentence += "; the counts do not help this network beyond noise, so the run goes without them"
    if cache and cache["helps"]:
        sentence += f"; {-cache['change']:.0f} % lower with a cache of recent tokens (--cache)"
    if "sample_of" in valid:
        sentence += (
            f"; ± is the 95 % interval for all {valid['sample_of']:,} validation tokens, of which {valid['tokens']:,} "
            "were read by the network (all of them: seqlab evaluate RUN --split valid)"
        )
    if valid["perplexity"] > found["unigram"]:
        sentence += "; worse than token frequencies alone: training diverged or was far too short"
    return sentence


def perplexity_of(found: Mapping[str, Any]) -> str:
    """A perplexity, with half of its interval where it is of a sample."""
    low, high = found.get("interval", (0.0, 0.0))
    return with_margin(found["perplexity"], (high - low) / 2)


def unlike_sentence(counts_V: np.ndarray, unigram: float) -> str:
    """That the validation text is of another kind than the training text; empty where it is not.

    Args:
        counts_V: how often each type comes in the training text.
        unigram: perplexity of the validation text by these frequencies, see `baselines`.
    """
    own = -float(np.average(unigram_log_probs(counts_V), weights=counts_V))
    if math.log(unigram) <= (1.0 + UNLIKE) * own:
        return ""
    return (
        "the validation text is unlike the training text: by the token frequencies of the training text it costs "
        f"{math.log(unigram):.2f} nats per token, the training text itself {own:.2f}; validate on a text of the same "
        f"kind ({option('valid')}), or train on the kind that you want"
    )
