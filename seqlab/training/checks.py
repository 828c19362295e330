"""Settings that cannot be trained with are refused: before any text is read where possible, always before a run is
made."""

from __future__ import annotations

from itertools import pairwise

from ..base.errors import InputError, choose
from ..config import LanguageModelConfig, TrainingConfig
from ..nn import CELLS, SOFTMAXES
from ..schedules import SCHEDULES
from .optimize.averages import AVERAGES
from .optimize.optimizers import OPTIMIZERS


def check(config: LanguageModelConfig) -> None:
    """Raises InputError for a name no table has, two budgets, or settings that do not go together."""
    training = config.training
    choose("model.cell", config.model.cell, CELLS)
    choose("model.softmax", config.model.softmax, SOFTMAXES)
    choose("training.optimizer", training.optimizer, OPTIMIZERS)
    choose("training.schedule", training.schedule, SCHEDULES)
    choose("training.average", training.average, AVERAGES)
    given = [name for name in ("epochs", "steps", "minutes") if getattr(training, name) is not None]
    if len(given) > 1:
        raise InputError(f"training: {' and '.join(given)} both limit training; give one of them.")
    if training.schedule in ("exponential", "step") and not training.final_lr:
        raise InputError(f"training.final_lr: must be above 0 for the {training.schedule} schedule.")
    if training.init and training.embeddings:
        raise InputError("training: init and embeddings both start the embedding; give one of them.")
    if config.model.input == "characters" and (training.embeddings or training.freeze_embeddings):
        raise InputError(
            "training.embeddings and freeze_embeddings: a model with model.input = 'characters' has no embedding; "
            "leave them out."
        )
    if training.freeze_embeddings and not training.embeddings:
        raise InputError(
            "training.freeze_embeddings: no vectors are given; give training.embeddings too, or leave it out."
        )
    check_batches(training)


def check_batches(training: TrainingConfig, processes: int = 1, tokens: int | None = None) -> None:
    """Raises InputError for a batch schedule out of order, a batch that the processes, or the parts in which each of
    them computes its share, do not divide, or one of more streams than the training text has `tokens`."""
    key, shares = "training.batch_schedule", [share for share, _ in training.batch_schedule]
    if any(not 0 <= share < 1 for share in shares) or any(a >= b for a, b in pairwise(shares)):
        raise InputError(f"{key}: the shares of training {shares} must rise and lie in [0, 1).")
    sizes = [size for _, size in batches(training)]
    if any(size < 1 for size in sizes) or any(b % a for a, b in pairwise(sizes)):
        raise InputError(f"{key}: each batch size must be a multiple of the one before, unlike {sizes}.")
    for key, size in batches(training):
        if size % processes:
            raise InputError(f"{key}: a batch of {size} streams cannot be shared by {processes} processes evenly.")
        if size // processes % training.accumulate:
            over = f" over {processes} processes" if processes > 1 else ""
            raise InputError(
                f"training.accumulate = {training.accumulate} does not divide a batch of {size} streams{over} evenly."
            )
        if tokens is not None and size > tokens:
            raise InputError(
                f"{key}: the training text has only {tokens:,} tokens for {size:,} streams; "
                "give more text or fewer streams."
            )


def batches(training: TrainingConfig) -> list[tuple[str, int]]:
    """Streams of every batch that training comes to, in order, each with the setting that asks for them."""
    scheduled = [("training.batch_schedule", size) for _, size in training.batch_schedule]
    if scheduled and training.batch_schedule[0][0] <= 0:
        return scheduled
    return [("training.batch_size", training.batch_size), *scheduled]
