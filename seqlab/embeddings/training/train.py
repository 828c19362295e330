"""Word vectors from a corpus, from the choice of words to the finished folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import option
from ...base.interrupts import interruptible
from ...base.progress import notify
from ...base.storage.outputs import check_folder
from ...config import EmbeddingsConfig
from ...diagnosis import diagnose_vectors
from ...text import Corpus
from ..folder import STATE
from ..formats.table import load_vectors
from ..material.noise import keep_probabilities
from ..vectors import WordVectors
from .checks import check, memory_needed
from .loop import Callback, VectorTrainer
from .planning import default_epochs, plan
from .starts import start_from_earlier, start_from_vectors

LEFT = 0.1
"""Share of the text below which what thinning leaves is worth a sentence: neighbours have become distant words."""
ABOUT_EPOCHS = ("overfitting", "still-improving")
"""Findings that advise against the number of passes, which is not doubted where it is the default."""
FEW = 20
"""Predictions of every word in a pass below which the vectors are hardly more than chance."""


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
        out: a folder to write them to. The exact state is saved there every SAVE_EVERY seconds; the same
            call on an unfinished folder resumes where it stopped.
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
    check(config, resume)
    folder = Path(out) if out is not None else None
    if folder is not None:
        check_folder(folder, STATE)
    text, words, config, earlier, start, measured = plan(corpus, config, folder, resume, quiet)
    needed = memory_needed(len(words.words), config)
    trainer = VectorTrainer(text, words, config, folder, callback)
    said = [*measured, opening(trainer, needed), thinned(words.counts_V, trainer.config.subsample)]
    if trainer.resume():
        state = "is finished; nothing is left to do" if trainer.finished else f"resumes at {trainer.done:.0%}"
        said.append(f"{folder} {state}.")
    elif earlier:
        said.append(start_from_earlier(trainer.engine, words, earlier))
    elif config.init:
        start = start or load_vectors(config.init)
        said += [f"{config.init}: {note}" for note in start.meta.get("notes", [])]
        said.append(start_from_vectors(trainer.engine, trainer.parts, words, start))
    if not quiet:
        notify(*filter(None, said))
    if folder is not None and trainer.finished:
        return WordVectors.load(folder), {**trainer.summary(), "start_up_seconds": time.perf_counter() - begun}
    trainer.engine.compile()
    started = time.perf_counter()
    with interruptible():  # what is trained to the end is also written to the end
        trainer.fit(quiet)
        vectors = trainer.finish()
    if not quiet:
        position = trainer.position
        few = scarce(sum(position.predictions) / trainer.epochs, len(words.words))
        found = diagnose_vectors(position.means, position.held_out, trainer.epochs)
        chosen = trainer.epochs <= default_epochs(text.words)
        told = [one for one in found if not (chosen and one.name in ABOUT_EPOCHS)]
        notify(*filter(None, [few, *(f"{one.seen} {one.cause} {one.remedy}" for one in told)]))
    return vectors, {**trainer.summary(), "start_up_seconds": started - begun}


def scarce(predictions: float, vocabulary: int) -> str:
    """What so few predictions in a pass mean, in a sentence; empty where there are enough."""
    if predictions >= FEW * vocabulary:
        return ""
    made = (
        f"{predictions / vocabulary:.2g} predictions a word in every pass" if predictions else "nothing was predicted"
    )
    return (
        f"{made}: too few words stand side by side to learn from, so neighbours are mostly chance; use more text, a "
        f"smaller {option('min_count')}, or keep frequent words with {option('subsample', 0)}."
    )


def thinned(counts_V: np.ndarray, subsample: float | None) -> str:
    """How little of the text thinning leaves, in a sentence; empty where it is enough."""
    left = float((keep_probabilities(counts_V, subsample) * counts_V).sum() / max(1, counts_V.sum()))
    if subsample is None or left >= LEFT:
        return ""
    return (
        f"thinning out frequent words leaves {left:.1%} of the text, where neighbours are distant words; raise "
        f"{option('subsample')} (now {subsample:g}), or leave it out."
    )


def opening(trainer: VectorTrainer, needed: int) -> str:
    """What is about to be trained, in a sentence."""
    config, text = trainer.config, trainer.text
    ngrams = f" and {config.buckets:,} buckets of n-grams" if config.subwords else ""
    epochs = f"{trainer.epochs:.3g} epoch{'s' * (trainer.epochs != 1)}"
    return (
        f"{text.words:,} words; {len(trainer.words.words):,} different ones{ngrams} get vectors of {config.dim} "
        f"dimensions, {needed / 1e6:,.{needed < 1e7:d}f} MB; {epochs}; {trainer.engine.name} engine, "
        f"{trainer.workers} thread{'s' * (trainer.workers > 1)}."
    )
