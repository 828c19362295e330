"""Word vectors from a corpus, from the choice of words to the finished folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ...base.files import check_replaceable
from ...base.interrupts import interruptible
from ...config import EmbeddingsConfig
from ...text import Corpus
from ..engines.table import check, memory_needed
from ..folder import STATE
from ..formats.table import load_vectors
from ..material.phrases import join_phrases
from ..material.words import TrainingText, choose_words, grown
from ..vectors import WordVectors
from .loop import Callback, Trainer
from .planning import settled
from .starts import Earlier, check_one_start, start_from_earlier, start_from_vectors, with_engine_of


def train_embeddings(
    corpus: Corpus,
    config: EmbeddingsConfig,
    quiet: bool = False,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    callback: Callback | None = None,
) -> tuple[WordVectors, dict[str, Any]]:
    """Train word vectors on the training split of a corpus.

    Args:
        out: a folder to write them to. The exact state is saved there every `config.save_every` seconds; the same
            call on an unfinished folder goes on where it stopped.
        resume: a folder of vectors trained here, to continue from on this text: its words keep their vectors, input
            and output, and stay in the vocabulary; new words are added. What both must have in common, such as dim,
            is compared with `config`.
        callback: called with an `Epoch` after every pass over the text.

    Returns the vectors and a report: words_per_second and seconds of the training itself, start_up_seconds
    (compiling or loading the kernel, drawing the first vectors), loss (nats per prediction, mean of the last
    epoch), losses (of every epoch), held_out_loss and held_out_losses (None without a validation split), words,
    tokens, epochs, lr, threads, engine, vocabulary. The loss of an epoch without a prediction is None.

    With one worker the result depends on corpus, configuration and kind of machine only; with more, threads race.
    Raises InputError when no word is frequent enough, the memory does not suffice, `out` holds something else or
    `resume` nothing to continue; SeqlabError when the training diverges; KeyboardInterrupt when interrupted, after the
    state was saved.
    """
    begun = time.perf_counter()
    check(config)
    check_one_start(config, resume)
    config = as_read(config, corpus)
    folder = Path(out) if out is not None else None
    if folder is not None:
        check_replaceable(folder, STATE)
        config = with_engine_of(folder, config)
    earlier = Earlier.open(resume, config, folder) if resume is not None else None
    text = TrainingText.of(corpus)
    if config.phrases:
        text, _ = join_phrases(text, config.phrases, config.phrase_threshold, config.min_count, quiet=quiet)
    words = choose_words(text, config.min_count, config.max_vocab)
    if earlier:
        words = grown(words, text, earlier.words, earlier.counts, config.max_vocab)
        config = earlier.settle(config)
    needed = memory_needed(len(words.words), settled(config, text.words, len(words.words)))
    trainer = Trainer(text, words, config, folder, callback)
    told = [opening(trainer, needed)]
    if trainer.resume():
        stands = "is finished; nothing is left to do" if trainer.finished else f"goes on at {trainer.done:.0%}"
        told.append(f"{folder} {stands}.")
    elif earlier:
        told.append(start_from_earlier(trainer.engine, words, earlier))
    elif config.init:
        told.append(start_from_vectors(trainer.engine, trainer.parts, words, load_vectors(config.init)))
    if not quiet:
        print(*(f"seqlab: {sentence}" for sentence in told), sep="\n", file=sys.stderr)
    if folder is not None and trainer.finished:
        return WordVectors.load(folder), {**trainer.summary(), "start_up_seconds": time.perf_counter() - begun}
    trainer.engine.compile()
    started = time.perf_counter()
    with interruptible():  # what is trained to the end is also written to the end
        trainer.fit(quiet)
        vectors = trainer.finish()
    return vectors, {**trainer.summary(), "start_up_seconds": started - begun}


def as_read(config: EmbeddingsConfig, corpus: Corpus) -> EmbeddingsConfig:
    """The settings with the tokenizer that the corpus was really read with."""
    tokenizer = corpus.tokenizer
    return config.updated(
        {"text.tokenizer": tokenizer.kind, "text.lowercase": tokenizer.options.get("lowercase", False)}
    )


def opening(trainer: Trainer, needed: int) -> str:
    """What is about to be trained, in a sentence."""
    config, text = trainer.config, trainer.text
    ngrams = f" and {config.buckets:,} buckets of n-grams" if config.subwords else ""
    return (
        f"{text.words:,} words; {len(trainer.words.words):,} different ones{ngrams} get vectors of {config.dim} "
        f"dimensions, {needed / 1e6:,.0f} MB; {trainer.epochs} epochs; {trainer.engine.name} engine, "
        f"{trainer.workers} thread{'s' * (trainer.workers > 1)}."
    )
