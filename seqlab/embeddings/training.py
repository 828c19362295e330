"""Word vectors from a corpus: chooses words and noise, cuts the text into jobs and runs the compiled kernel on them."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..config import EmbeddingsConfig
from ..errors import InputError, SeqlabError, did_you_mean
from ..progress import Progress
from ..text import Corpus, TokenFile, Vocab
from .kernels import Kernel, aligned, build_kernel
from .losses import LOSSES
from .noise import alias_table, as_threshold, keep_probabilities, unigram_noise
from .simd import padded
from .vectors import WordVectors

JOBS = 400
"""Fewest jobs a training is cut into, so that the learning rate falls smoothly ..."""
JOB_TOKENS = (1_000, 100_000)
"""... within these sizes. A window ends at the border of a job, so jobs are not made smaller than that."""
FINAL_LR = 1e-4
"""Learning rate at the end as a share of the first."""
DIVERGED = 100.0
"""Nats per prediction that no healthy training comes near."""
EPOCHS_WORDS = 17e6
"""Size of text for which 5 epochs are the default; others get 5 sqrt(EPOCHS_WORDS / words)."""
MOST_EPOCHS = 50


class Words(NamedTuple):
    """The words that get vectors, in descending frequency. V rows, I ids of the corpus."""

    words: list[str]
    counts_V: np.ndarray
    row_of_id_I: np.ndarray


class Job(NamedTuple):
    """A range of the corpus, read with one learning rate."""

    epoch: int
    start: int
    stop: int
    lr: float


class Result(NamedTuple):
    job: Job
    loss: float
    predictions: int


def choose_words(vocab: Vocab, is_word: np.ndarray, min_count: int) -> Words:
    """Words seen `min_count` times or more; control tokens and white space are none.

    Raises InputError when nothing is left.
    """
    kept = is_word & (vocab.counts >= min_count)
    ids = np.flatnonzero(kept)
    if len(ids) < 2:
        most = int(vocab.counts[is_word].max()) if is_word.any() else 0
        raise InputError(
            f"min_count: {len(ids)} of the {int(is_word.sum()):,} different words of this text occur "
            f"{min_count} times or more (the most frequent one {most:,} times); take a smaller --min-count or a "
            "longer text."
        )
    rows = np.full(len(vocab), -1, np.int32)
    rows[ids] = np.arange(len(ids))
    return Words([vocab.itos[id] for id in ids], vocab.counts[ids], rows)


def default_epochs(words: int) -> int:
    """Passes over a text of so many words: 5 for 17 million, more for less, as small texts need."""
    return min(MOST_EPOCHS, max(1, round(5 * math.sqrt(EPOCHS_WORDS / max(1, words)))))


def default_lr(config: EmbeddingsConfig) -> float:
    """First learning rate. A corrected CBOW update is smaller by the number of contexts."""
    return 0.15 if config.model == "cbow" and config.cbow_update == "corrected" else 0.05


def plan(tokens: int, epochs: int, lr: float) -> Iterator[Job]:
    """Jobs in order; the learning rate falls linearly from `lr` over all of them."""
    smallest, largest = JOB_TOKENS
    size = min(largest, max(smallest, tokens * epochs // JOBS))
    borders = [*range(0, tokens, size), tokens]
    total = epochs * (len(borders) - 1)
    number = 0
    for epoch in range(epochs):
        for start, stop in pairwise(borders):
            yield Job(epoch, start, stop, lr * max(FINAL_LR, 1.0 - number / total))
            number += 1


def document_starts(documents: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Offsets in [start, stop) at which a document, or the range itself, starts; relative to `start`."""
    first, last = np.searchsorted(documents, [start + 1, stop])
    return np.concatenate([[0], documents[first:last] - start]).astype(np.int64)


class Trainer:
    """The matrices, and the kernel with everything it needs but a job.

    inputs, outputs: (V, D) float32, D padded to whole vector instructions by columns that stay zero.
    """

    def __init__(self, words: Words, config: EmbeddingsConfig):
        self.config = config
        noise = unigram_noise(words.counts_V, config.noise_power)
        self.alias_table = alias_table(noise)
        self.log_expected = np.log(config.samples * noise).astype(np.float32)
        self.rows = words.row_of_id_I
        keep = np.zeros(len(self.rows))
        keep[self.rows >= 0] = keep_probabilities(words.counts_V, config.subsample)
        self.keep = as_threshold(keep)
        size = (len(words.words), padded(config.dim))
        self.inputs, self.outputs = aligned(*size), aligned(*size)
        self.random = np.random.default_rng(config.seed)
        start = self.random.random((size[0], config.dim), np.float32)
        self.inputs[:, : config.dim] = (start - np.float32(0.5)) / np.float32(config.dim)
        self.kernel: Kernel = build_kernel(size[1], config.samples, config.loss, cbow=config.model == "cbow")

    def run(self, ids: np.ndarray, starts: np.ndarray, lr: float, seed: int) -> tuple[float, int]:
        """Train on a range of ids; returns the sum of the losses and the number of predictions."""
        ids = ids.view(np.ndarray)
        ids.flags.writeable = False  # as slices of a memory map are: one type, one compilation
        return self.kernel(
            ids,
            starts,
            self.rows,
            self.keep,
            self.alias_table,
            self.log_expected,
            self.inputs,
            self.outputs,
            self.config.window,
            self.config.cbow_update == "corrected",
            np.float32(lr),
            np.uint64(seed),
        )

    def run_jobs(self, tokens: TokenFile, epochs: int, lr: float, workers: int) -> Iterator[Result]:
        """Train on everything; results come in the order of the jobs. One worker gives the same bits every time."""
        jobs = list(plan(len(tokens), epochs, lr))
        seeds = self.random.integers(1 << 63, size=len(jobs)).tolist()

        def work(job: Job, seed: int) -> Result:
            ids = tokens[job.start : job.stop]
            starts = document_starts(tokens.documents, job.start, job.stop)
            return Result(job, *self.run(ids, starts, job.lr, seed))

        with ThreadPoolExecutor(workers) as pool:
            try:
                for future in [pool.submit(work, *pair) for pair in zip(jobs, seeds, strict=True)]:
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def vectors(self) -> np.ndarray:
        """The input vectors (V, dim)."""
        return np.ascontiguousarray(self.inputs[:, : self.config.dim])


def train_embeddings(
    corpus: Corpus, config: EmbeddingsConfig, quiet: bool = False
) -> tuple[WordVectors, dict[str, Any]]:
    """Train word vectors on the training split of a corpus.

    Returns the vectors and a report: words_per_second and seconds of the training itself, start_up_seconds
    (compiling or loading the kernel, drawing the first vectors), loss (nats per prediction, mean of the last
    epoch), losses (of every epoch), words, tokens, epochs, lr, threads, vocabulary.

    With one worker the result depends on corpus, configuration and kind of machine only; with more, threads race.
    Raises InputError when no word is frequent enough, SeqlabError when the training diverges.
    """
    if config.loss not in LOSSES:
        hint = did_you_mean(config.loss, LOSSES)
        raise InputError(f"loss: {config.loss!r} is none of {', '.join(LOSSES)}.{hint}")
    vocab, is_word = corpus.tokenizer.vocab, corpus.tokenizer.words_mask()
    words = choose_words(vocab, is_word, config.min_count)
    size = int(vocab.counts[is_word].sum())
    epochs, lr = config.epochs or default_epochs(size), config.lr or default_lr(config)
    workers = config.workers or available_cores()
    begun = time.perf_counter()
    trainer = Trainer(words, config)
    trainer.run(corpus.train[0:1], np.zeros(1, np.int64), lr, 0)  # compiles; one word has no context
    started = time.perf_counter()
    with Progress("training vectors", epochs * size, "words", quiet) as progress:
        chosen = "" if config.epochs else f"; {epochs} epochs, chosen from the size of the text"
        progress.note(f"{size:,} words, {len(words.words):,} different ones get vectors{chosen}.")
        losses = _train(trainer, corpus.train, epochs, lr, workers, progress)
    seconds = time.perf_counter() - started
    report = {
        "words_per_second": epochs * size / seconds,
        "seconds": seconds,
        "start_up_seconds": started - begun,
        "loss": losses[-1],
        "losses": losses,
        "words": size,
        "tokens": len(corpus.train),
        "epochs": epochs,
        "lr": lr,
        "threads": workers,
        "vocabulary": len(words.words),
    }
    meta = {
        "settings": config.model_dump(),
        "corpus": corpus.digest,
        "report": report,
        "versions": {"seqlab": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    return WordVectors(words.words, trainer.vectors(), words.counts_V, meta), report


def _train(
    trainer: Trainer, tokens: TokenFile, epochs: int, lr: float, workers: int, progress: Progress
) -> list[float]:
    """Run all jobs; returns the mean loss per prediction of every epoch. Raises SeqlabError on divergence."""
    advice = f"take a smaller learning rate than --lr {lr:g}."
    sums, predictions = np.zeros(epochs), np.zeros(epochs, np.int64)
    for job, loss, count in trainer.run_jobs(tokens, epochs, lr, workers):
        if count and not loss / count < DIVERGED:
            raise SeqlabError(
                f"training diverged: the loss rose to {loss / count:.3g} nats in epoch {job.epoch + 1}; {advice}"
            )
        sums[job.epoch] += loss
        predictions[job.epoch] += count
        share = (job.epoch + job.stop / len(tokens)) / epochs
        mean = float(sums[job.epoch] / max(1, predictions[job.epoch]))
        progress.update(share * (progress.total or 0), loss=mean, lr=job.lr)
    if not np.isfinite(trainer.inputs).all():
        raise SeqlabError(f"training diverged: a vector is no longer finite; {advice}")
    return (sums / np.maximum(1, predictions)).tolist()


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
