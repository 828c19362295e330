"""What is chosen for a text when nothing is said: sizes, output layer and time, from the size of the text."""

from __future__ import annotations

from typing import Any

from ..text import Corpus

SMALL_VOCABULARY = 1024


def suggest(corpus: Corpus) -> tuple[dict[str, Any], str]:
    """Configuration values for `corpus` by dotted key, and one sentence that says why.

    Character-like vocabularies get a wide recurrent layer, long windows and the full softmax; word-like ones the
    sampled softmax, tied weights and dropout that falls with the amount of text.
    """
    tokens, types = len(corpus.train), len(corpus.tokenizer.vocab)
    minutes = 1.0 if tokens < 200_000 else 3.0 if tokens < 2_000_000 else 5.0 if tokens < 20_000_000 else 15.0
    values: dict[str, Any] = {"training.minutes": minutes}
    if types <= SMALL_VOCABULARY:
        hidden = 128 if tokens < 200_000 else 256 if tokens < 20_000_000 else 384
        values |= {
            "model.embed_dim": hidden // 2,
            "model.hidden_dim": hidden,
            "model.tie": False,
            "model.softmax": "full",
            "model.dropout": 0.1 if tokens < 200_000 else 0.0,
            "training.lr": 4e-3,
            "training.batch_size": 32,
            "training.bptt": 128,
        }
        look = "a character-like vocabulary"
    else:
        values |= {
            "model.embed_dim": 200,
            "model.hidden_dim": 200,
            "model.softmax": "sampled" if types > 4 * SMALL_VOCABULARY else "full",
            "model.samples": 1024,
            "model.dropout": 0.3 if tokens < 5_000_000 else 0.1,
            "training.lr": 4e-3,
            "training.batch_size": 32 if tokens < 5_000_000 else 64,
            "training.bptt": 35,
        }
        look = "a word-like vocabulary"
    windows = tokens // (values["training.batch_size"] * values["training.bptt"])
    if windows < 20:
        values["training.batch_size"] = max(1, min(8, tokens // 40))
        values["training.bptt"] = max(1, min(32, tokens // (4 * values["training.batch_size"])))
    sentence = (
        f"{tokens:,} training tokens of {types:,} types, {look}: {values['model.hidden_dim']} hidden units, "
        f"{values['model.softmax']} softmax, dropout {values['model.dropout']}, {minutes:g} minutes"
    )
    return values, sentence
