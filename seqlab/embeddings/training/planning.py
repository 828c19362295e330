"""What is to be trained, decided before anything is written: the settings, the text and the words that get vectors."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ...base.results import abbreviated
from ...config import EmbeddingsConfig
from ...text import Corpus
from ..formats.table import load_vectors
from ..material.noise import default_subsample
from ..material.phrases import join_phrases
from ..material.words import ChosenWords, TrainingText, choose_words, grown
from ..vectors import WordVectors
from .starts import CHOSEN, Earlier, as_begun
from .trial import Choice, choose_engine

EPOCHS, FEW_WORDS, MANY_WORDS, MOST_EPOCHS = 10, 360_000, 11e6, 50
"""Epochs for a text of between so many words. Smaller ones get EPOCHS sqrt(FEW_WORDS / words): more leave the start too
late, and later learn the text by heart. Larger ones get EPOCHS sqrt(MANY_WORDS / words)."""
PASSES = 0.95
"""Share of the minutes that passes take; the rest is held-out loss and saving."""
FEW_BUCKETS, FEW_PER_WORD, BUCKETS_PER_WORD, MOST_BUCKETS = 100_000, 12, 1.5, 2_000_000
"""Up to FEW_BUCKETS every word brings FEW_PER_WORD: small texts gain from n-grams that share no vector, at the same
speed. Five times as many buckets for 68,000 words gave the same analogies at two thirds of the speed."""


class VectorPlan(NamedTuple):
    """What is to be trained."""

    text: TrainingText
    words: ChosenWords
    config: EmbeddingsConfig
    """Nothing is left open."""
    earlier: Earlier | None
    """The training to continue."""
    start: WordVectors | None
    """The vectors to start from, where their width was asked for."""
    said: list[str]
    """What was measured for it, in sentences."""


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
        config = as_begun(folder, config)
    earlier = Earlier.open(resume, config, folder) if resume is not None else None
    start = load_vectors(config.init) if config.init and config.dim is None else None
    if start is not None:
        config = config.model_copy(update={"dim": start.dim})
    text = TrainingText.of(corpus)
    if config.phrases:
        text, _ = join_phrases(text, config.phrases, config.phrase_threshold, config.min_count, quiet=quiet)
    words = choose_words(text, config.min_count, config.max_vocab)
    if earlier:
        words = grown(words, text, earlier.words, earlier.counts, config.max_vocab)
        config = earlier.resolve(config)
    if config.minutes is not None and config.epochs is None:
        config, choice, sentence = within_minutes(config, text, words, choose_engine)
    else:
        config, sentence = resolved(config, text.words, len(words.words)), ""
        choice = choose_engine(text, words, config)
    config = config.model_copy(update={"engine": choice.engine})
    return VectorPlan(text, words, config, earlier, start, [one for one in (choice.sentence, sentence) if one])


def sizes(running_words: int) -> list[dict[str, Any]]:
    """N-grams, width and rate for a text of so many words, best first; each needs a `share` of the default passes."""
    table = tomllib.loads((files("seqlab_data") / "vectors.toml").read_text("utf-8"))["sizes"]
    return [size for size in table if size["words"] <= running_words]


def within_minutes(
    config: EmbeddingsConfig,
    text: TrainingText,
    words: ChosenWords,
    choose: Callable[..., Choice],
) -> tuple[EmbeddingsConfig, Choice, str]:
    """Choose n-grams, width and passes by what this machine reaches in the minutes of a training.

    Where only few passes can be reached, n-grams and width are given up for more of them, and the learning rate is
    higher. More passes than suit the text are not made. Nothing that was set is changed.

    Args:
        config: settings, with minutes and without epochs.
        text: what is to be trained on.
        words: those that get vectors.
        choose: times a training with given settings.

    Returns:
        The resolved settings, the engine with its rate, and what will be trained in a sentence.
    """
    assert config.minutes is not None
    usual = default_epochs(text.words)
    rates: dict[str, Choice] = {}
    for size in sizes(text.words):
        open_here = {key: size[key] for key in CHOSEN if key in size and getattr(config, key) is None}
        if config.model == "cbow":  # has no n-grams by default, and a rate of its own
            open_here = {"dim": open_here["dim"]} if "dim" in open_here else {}
        sized = resolved(config.model_copy(update=open_here), text.words, len(words.words))
        key = sized.model_dump_json()
        if key not in rates:
            rates[key] = choose(text, words, sized, timed=True)
        choice = rates[key]
        reached = PASSES * 60 * config.minutes * choice.rate / len(text.train)
        if reached >= size["share"] * usual:
            break
    passes = min(reached, usual)
    enough = " (more would make them no better)" if reached > usual else ""
    sentence = (
        f"{config.minutes:g} minutes: about {abbreviated(passes * len(text.train))} tokens, {passes:,.2g} "
        f"passes{enough}, at {abbreviated(choice.rate)} tokens a second; width {sized.dim}, "
        f"n-grams {'on' if sized.subwords else 'off'}."
    )
    return sized.model_copy(update={"epochs": passes}), choice, sentence


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
            "dim": config.dim or sizes(running_words)[0]["dim"],
            "samples": config.samples or (12 if config.model == "cbow" else 15),
            "lr": config.lr or default_lr(config),
            "subsample": default_subsample(vocabulary) if config.subsample is None else config.subsample,
            "subwords": config.model == "skipgram" if config.subwords is None else config.subwords,
            "buckets": config.buckets or default_buckets(vocabulary),
        }
    )


def default_buckets(vocabulary: int) -> int:
    """Vectors that the n-grams of so many words share."""
    few = min(FEW_BUCKETS, FEW_PER_WORD * vocabulary)
    return min(MOST_BUCKETS, max(few, math.ceil(BUCKETS_PER_WORD * vocabulary)))


def default_epochs(words: int) -> int:
    """Passes over a text of so many words."""
    words = max(1, words)
    epochs = EPOCHS * math.sqrt(max(1.0, FEW_WORDS / words) * min(1.0, MANY_WORDS / words))
    return min(MOST_EPOCHS, max(1, round(epochs)))


def default_lr(config: EmbeddingsConfig) -> float:
    """First learning rate. A corrected CBOW update is smaller by the number of contexts."""
    return 0.2 if config.model == "cbow" and config.cbow_update == "corrected" else 0.05
