"""The training of word vectors as it runs: jobs go to threads, losses add up, the state is saved."""

from __future__ import annotations

import platform
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import __version__
from ...base.cores import available_cores
from ...base.errors import InputError, SeqlabError
from ...base.interrupts import interruptible
from ...base.progress import Progress
from ...config import EmbeddingsConfig
from ..engines.table import Engine, build_engine, possible_engines
from ..folder import STATE, TENSORS, VectorTable, write_folder
from ..material.parts import WordParts
from ..material.subwords import Subwords
from ..material.words import ChosenWords, TrainingText
from ..vectors import WordVectors
from .jobs import Job, document_starts, plan_jobs
from .planning import resolved
from .state import Origin, VectorPosition, load_state, save_state, write_state

SAVE_EVERY = 60.0
"""Seconds between two saves of the exact state."""
DIVERGED = 100.0
"""Nats per prediction that no healthy training comes near."""
HELD_OUT_TOKENS = 100_000
"""Tokens of the validation split on which the held-out loss is computed."""
HELD_OUT_SEED = 0
LINES = 200
"""Lines of metrics a training writes, about."""


class Epoch(NamedTuple):
    """What a callback receives after every pass over the text, while no thread is training.

    Losses are in nats per prediction: `loss` the mean over the epoch while the vectors were changing, `held_out`
    with the vectors as they are, on text they were not trained on. None where nothing was predicted.
    """

    number: int
    epochs: int
    loss: float | None
    held_out: float | None
    seconds: float
    vectors: Callable[[], WordVectors]


Callback = Callable[[Epoch], None]


class VectorTrainer:
    """Trains an engine on a text, from the start or from a saved position.

    Args:
        folder: where the exact state is saved, None for nowhere.
        callback: called after every epoch.
    """

    def __init__(
        self,
        text: TrainingText,
        words: ChosenWords,
        config: EmbeddingsConfig,
        folder: Path | None = None,
        callback: Callback | None = None,
    ):
        engine = possible_engines(config)[0]
        config = resolved(config, text.words, len(words.words)).model_copy(update={"engine": engine})
        assert config.epochs is not None
        assert config.lr is not None
        self.text, self.words, self.config = text, words, config
        self.folder, self.callback = folder, callback
        self.epochs, self.lr = config.epochs, config.lr
        self.jobs = plan_jobs(len(text.train), self.epochs, self.lr, config.seed)
        self.origin = Origin.of(config, text.digest, words.words)
        self.parts = WordParts.of(words.words, config)
        self.engine: Engine = build_engine(words, config, self.parts)
        self.workers = (config.workers or available_cores()) if self.engine.concurrent else 1
        self.position = VectorPosition()

    def resume(self) -> bool:
        """Go on from the state in the folder, where it has one. Raises InputError when that is of something else, or
        finished and its vectors are gone."""
        saved = load_state(self.folder) if self.folder else None
        if saved is None or self.folder is None:
            return False
        arrays, position, origin = saved
        self.origin.check(self.folder, origin)
        self.position = position
        try:
            position.check(len(self.jobs))
            if not self.finished:
                self.engine.load_arrays(arrays)
        except (LookupError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"{self.folder / STATE}: the state does not fit its training ({reason}); restore it, or name another "
                "output folder."
            ) from None
        if not self.finished:
            return True
        if not (self.folder / TENSORS).is_file():
            raise InputError(
                f"{self.folder / TENSORS}: missing though its training is finished; restore it, or name another folder."
            )
        return True

    @property
    def done(self) -> float:
        """Share of the jobs done."""
        return self.position.jobs / len(self.jobs)

    @property
    def finished(self) -> bool:
        return self.position.jobs == len(self.jobs)

    def fit(self, quiet: bool = False) -> None:
        """Train to the end. Ctrl-C and SIGTERM save the state first, then raise KeyboardInterrupt."""
        position, begun = self.position, time.monotonic() - self.position.seconds
        saved = time.monotonic()
        with (
            interruptible() as interrupted,
            Progress("training vectors", self.epochs * self.text.words, "words", quiet) as progress,
            ThreadPoolExecutor(self.workers) as pool,
        ):
            progress.start_at(self.done * (progress.total or 0))

            def pause() -> bool:
                due = self.folder is not None and time.monotonic() - saved >= SAVE_EVERY
                return due or interrupted.is_set()

            while not self.finished:
                epoch = self.jobs[position.jobs].epoch
                for job, loss, predictions in self.results(pool, epoch, pause):
                    check_loss(job, loss, predictions, self.lr)
                    position.add(epoch, loss, predictions)
                    position.seconds = time.monotonic() - begun
                    self.report(progress, job)
                if self.finished or self.jobs[position.jobs].epoch > epoch:
                    self.end_epoch(epoch)
                if pause() and not self.finished:
                    self.save()
                    saved = time.monotonic()
                if interrupted.is_set() and not self.finished:
                    if self.folder:
                        progress.note(f"stopped in epoch {epoch + 1}; run the same command again to resume")
                    raise KeyboardInterrupt

    def results(
        self, pool: ThreadPoolExecutor, epoch: int, pause: Callable[[], bool]
    ) -> Iterator[tuple[Job, float, int]]:
        """Losses and predictions of the jobs left of an epoch, in their order, until `pause` says so; no job is under
        way when the last one has come."""
        pending: deque[tuple[Job, Future[tuple[float, int]]]] = deque()
        for job in self.jobs[self.position.jobs :]:
            if job.epoch > epoch:
                break
            pending.append((job, pool.submit(self.work, job)))
            if pause():
                break
            if len(pending) > 2 * self.workers:
                done, future = pending.popleft()
                yield done, *future.result()
        for done, future in pending:
            yield done, *future.result()

    def work(self, job: Job) -> tuple[float, int]:
        """Train on one job."""
        ids = self.text.train[job.start : job.stop]
        return self.engine.run(ids, document_starts(self.text.train.documents, job.start, job.stop), job.lr, job.seed)

    def end_epoch(self, epoch: int) -> None:
        """Check the vectors, compute the held-out loss and call the callback."""
        position = self.position
        if not np.isfinite(self.engine.arrays()["inputs"]).all():
            raise SeqlabError(f"training diverged: a vector is no longer finite; {advice(self.lr)}")
        position.held_out.append(self.held_out_loss())
        if position.held_out[-1] is not None:
            position.lines[-1]["valid_loss"] = position.held_out[-1]
        if self.callback:
            loss, held_out = position.means[epoch], position.held_out[epoch]
            self.callback(Epoch(epoch + 1, self.jobs[-1].epoch + 1, loss, held_out, position.seconds, self.vectors))

    def held_out_loss(self) -> float | None:
        """Nats per prediction on the start of the validation split, always with the same noise."""
        valid = self.text.valid
        if valid is None:
            return None
        stop = min(len(valid), HELD_OUT_TOKENS)
        starts = document_starts(valid.documents, 0, stop)
        loss, predictions = self.engine.evaluate(valid[0:stop], starts, HELD_OUT_SEED)
        return loss / predictions if predictions else None

    def report(self, progress: Progress, job: Job) -> None:
        """Show progress, and write a line of metrics now and then."""
        position = self.position
        words = self.done * self.epochs * self.text.words
        loss = {} if position.means[-1] is None else {"loss": position.means[-1]}
        fields: dict[str, Any] = dict(loss)
        if position.held_out and position.held_out[-1] is not None:
            fields["held-out"] = position.held_out[-1]
        progress.update(words, **fields, lr=job.lr)
        last_of_epoch = position.jobs == len(self.jobs) or self.jobs[position.jobs].epoch > job.epoch
        if position.jobs % max(1, len(self.jobs) // LINES) == 0 or last_of_epoch:
            seconds = max(position.seconds, 1e-9)
            line = {"step": position.jobs, "tokens": round(words), "seconds": round(seconds, 3)}
            line |= {"epoch": job.epoch + 1, **loss, "lr": job.lr}
            position.lines.append({**line, "tokens_per_second": round(words / seconds, 1)})

    def save(self) -> None:
        """Replace the state in the folder, where there is one."""
        if self.folder:
            save_state(self.folder, self.engine.arrays(), self.position, self.origin)

    def finish(self) -> WordVectors:
        """The vectors; where there is a folder, they and the last state become its content by a single rename, so that
        it holds either all or a training to resume. The state is without the n-grams then: they are next to it."""
        vectors = self.vectors()
        if self.folder:
            arrays = self.engine.arrays()
            arrays["inputs"] = arrays["inputs"][: len(self.words.words)]
            table = VectorTable(vectors.words, vectors.matrix, vectors.counts, vectors.meta, vectors.subwords)
            write_folder(self.folder, table, lambda place: write_state(place, arrays, self.position, self.origin))
            vectors.path = self.folder
        return vectors

    def vectors(self) -> WordVectors:
        """The vectors as they are now."""
        config, arrays = self.config, self.engine.arrays()
        matrix = arrays["inputs"]
        composed = self.parts.compose(matrix)
        if config.result == "sum" or (config.result == "auto" and config.model == "cbow" and not config.subwords):
            composed += arrays["outputs"]
        subwords = None
        if config.subwords:
            ngrams = np.ascontiguousarray(matrix[len(self.words.words) :])
            subwords = Subwords(ngrams, config.min_ngram, config.max_ngram)
        meta = {
            "settings": config.model_dump(),
            "corpus": self.text.digest,
            "report": self.summary(),
            "versions": {"seqlab": __version__, "numpy": np.__version__, "python": platform.python_version()},
        }
        return WordVectors(self.words.words, composed, self.words.counts_V, meta, subwords=subwords)

    def summary(self) -> dict[str, Any]:
        """Figures of the training so far."""
        position = self.position
        words = self.done * self.epochs * self.text.words
        return {
            "words_per_second": words / max(position.seconds, 1e-9),
            "seconds": position.seconds,
            "loss": position.means[-1] if position.losses else None,
            "losses": position.means,
            "held_out_loss": position.held_out[-1] if position.held_out else None,
            "held_out_losses": position.held_out,
            "predictions": sum(position.predictions),
            "words": self.text.words,
            "tokens": len(self.text.train),
            "epochs": self.epochs,
            "lr": self.lr,
            "threads": self.workers,
            "engine": self.engine.name,
            "vocabulary": len(self.words.words),
        }


def check_loss(job: Job, loss: float, predictions: int, lr: float) -> None:
    """Raise SeqlabError where the loss of a job is no healthy training's."""
    if predictions and not loss / predictions < DIVERGED:
        raise SeqlabError(
            f"training diverged: the loss rose to {loss / predictions:.3g} nats in epoch {job.epoch + 1}; {advice(lr)}"
        )


def advice(lr: float) -> str:
    return f"take a smaller learning rate than lr = {lr:g}."
