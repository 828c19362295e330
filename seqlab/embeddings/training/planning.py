"""What is to be trained, decided before anything is written: the settings, the text and the words that get vectors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from ...config import EmbeddingsConfig
from ...text import Corpus
from ..material.phrases import join_phrases
from ..material.words import ChosenWords, TrainingText, choose_words, grown
from .starts import Earlier, with_engine_of

EPOCHS, EPOCHS_WORDS = 8, 17e6
"""Default epochs for a text of so many words; others get EPOCHS sqrt(EPOCHS_WORDS / words)."""
MOST_EPOCHS = 50
BUCKETS_PER_WORD, MOST_BUCKETS = 1.5, 2_000_000
"""Five times as many buckets for 68,000 words gave the same analogies at two thirds of the speed."""


class VectorPlan(NamedTuple):
    """What is to be trained."""

    text: TrainingText
    words: ChosenWords
    config: EmbeddingsConfig
    """Nothing is left open but the engine."""
    earlier: Earlier | None
    """The training to continue."""


def plan(
    corpus: Corpus,
    config: EmbeddingsConfig,
    folder: Path | None = None,
    resume: str | Path | None = None,
    quiet: bool = False,
) -> VectorPlan:
    """Decide what is to be trained.

    Args:
        corpus: its training split is read.
        config: settings that passed `checks.check`.
        folder: where the vectors are to be written; an unfinished training there decides the engine.
        resume: the folder of a training to continue.
        quiet: find phrases without showing progress.

    Raises:
        InputError: no word is frequent enough, or `resume` does not hold what can be continued with these settings.
    """
    config = as_read(config, corpus)
    if folder is not None:
        config = with_engine_of(folder, config)
    earlier = Earlier.open(resume, config, folder) if resume is not None else None
    text = TrainingText.of(corpus)
    if config.phrases:
        text, _ = join_phrases(text, config.phrases, config.phrase_threshold, config.min_count, quiet=quiet)
    words = choose_words(text, config.min_count, config.max_vocab)
    if earlier:
        words = grown(words, text, earlier.words, earlier.counts, config.max_vocab)
        config = earlier.resolve(config)
    return VectorPlan(text, words, resolved(config, text.words, len(words.words)), earlier)


def as_read(config: EmbeddingsConfig, corpus: Corpus) -> EmbeddingsConfig:
    """The settings with the tokenizer that the corpus was really read with."""
    tokenizer = corpus.tokenizer
    return config.updated(
        {"text.tokenizer": tokenizer.kind, "text.lowercase": tokenizer.options.get("lowercase", False)}
    )


def resolved(config: EmbeddingsConfig, running_words: int, vocabulary: int) -> EmbeddingsConfig:
    """The settings with everything chosen that follows from the size of the text.

    Args:
        config: the settings.
        running_words: words of the text, repetitions included.
        vocabulary: words that get vectors.
    """
    return config.model_copy(
        update={
            "epochs": config.epochs or default_epochs(running_words),
            "samples": config.samples or (12 if config.model == "cbow" else 15),
            "lr": config.lr or default_lr(config),
            "subwords": config.model == "skipgram" if config.subwords is None else config.subwords,
            "buckets": config.buckets or min(MOST_BUCKETS, math.ceil(BUCKETS_PER_WORD * vocabulary)),
        }
    )


def default_epochs(words: int) -> int:
    """Passes over a text of so many words: 8 for 17 million, more for less, as small texts need."""
    return min(MOST_EPOCHS, max(1, round(EPOCHS * math.sqrt(EPOCHS_WORDS / max(1, words)))))


def default_lr(config: EmbeddingsConfig) -> float:
    """First learning rate. A corrected CBOW update is smaller by the number of contexts."""
    return 0.2 if config.model == "cbow" and config.cbow_update == "corrected" else 0.05
