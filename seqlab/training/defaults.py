"""What is chosen for a text when nothing is said: sizes, output layer and time, from the size of the text."""

from __future__ import annotations

from typing import Any

from ..config import LanguageModelConfig
from ..text.token_file import Corpus

SMALL_VOCABULARY = 1024


def suggest(corpus: Corpus) -> dict[str, Any]:
    """Configuration values for `corpus` by dotted key.

    Character-like vocabularies get a wide recurrent layer, long windows and the full softmax; word-like ones the
    sampled softmax and tied weights. The less text there is, the smaller the model and the more dropout.
    """
    tokens, types = len(corpus.train), len(corpus.tokenizer.vocab)
    values: dict[str, Any] = {"training.lr": 4e-3}
    if types <= SMALL_VOCABULARY:
        hidden = 128 if tokens < 200_000 else 256 if tokens < 20_000_000 else 384
        values |= {
            "model.embed_dim": hidden // 2,
            "model.hidden_dim": hidden,
            "model.tie": False,
            "model.softmax": "full",
            "model.dropout": 0.2 if tokens < 200_000 else 0.1 if tokens < 5_000_000 else 0.0,
            "training.batch_size": 32,
            "training.bptt": 128,
        }
    else:
        values |= {
            "model.embed_dim": 200,
            "model.hidden_dim": 200,
            "model.softmax": "sampled" if types > 4 * SMALL_VOCABULARY else "full",
            "model.dropout": 0.3 if tokens < 5_000_000 else 0.1,
            "training.batch_size": 32 if tokens < 5_000_000 else 64,
            "training.bptt": 35,
        }
    if tokens // (values["training.batch_size"] * values["training.bptt"]) < 20:
        values["training.batch_size"] = max(1, min(8, tokens // 40))
        values["training.bptt"] = max(1, min(32, tokens // (4 * values["training.batch_size"])))
    values["training.minutes"] = (
        1.0 if tokens < 200_000 else 3.0 if tokens < 2_000_000 else 5.0 if tokens < 20_000_000 else 15.0
    )
    return values


def describe(config: LanguageModelConfig, corpus: Corpus) -> str:
    """The text and what it is trained with, in a sentence."""
    model, training = config.model, config.training
    budget = next(
        f"{value:,g} {name}"
        for name in ("epochs", "steps", "minutes")
        if (value := getattr(training, name)) is not None
    )
    return (
        f"{len(corpus.train):,} training tokens of {len(corpus.tokenizer.vocab):,} types "
        f"({corpus.tokenizer.kind} tokenizer); {model.layers} x {model.hidden_dim} {model.cell}, {model.softmax} "
        f"softmax, dropout {model.dropout:g}, {budget}"
    )
