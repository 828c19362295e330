"""Settings that cannot be trained with are refused before any text is read."""

from __future__ import annotations

from itertools import pairwise

from ..config import LanguageModelConfig, TrainingConfig
from ..errors import InputError, choose
from ..nn import CELLS, LOSSES
from ..schedules import SCHEDULES
from .averages import AVERAGES
from .optimizers import OPTIMIZERS


def check(config: LanguageModelConfig) -> None:
    """Raises InputError for a name no table has, two budgets, or settings that do not go together."""
    training = config.training
    choose("model.cell", config.model.cell, CELLS)
    choose("model.softmax", config.model.softmax, LOSSES)
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
    check_batches(training)


def check_batches(training: TrainingConfig) -> None:
    """Raises InputError for a batch schedule out of order, or parts that do not divide a batch."""
    key, pairs = "training.batch_schedule", training.batch_schedule
    shares = [share for share, _ in pairs]
    sizes = [size for _, size in pairs]
    if any(not 0 <= share < 1 for share in shares) or any(a >= b for a, b in pairwise(shares)):
        raise InputError(f"{key}: the shares of training {shares} must rise and lie in [0, 1).")
    if shares and shares[0] > 0:
        sizes = [training.batch_size, *sizes]
    if any(size < 1 for size in sizes) or any(b % a for a, b in pairwise(sizes)):
        raise InputError(f"{key}: each batch size must be a multiple of the one before, unlike {sizes}.")
    for size in sizes or [training.batch_size]:
        if size % training.accumulate:
            raise InputError(
                f"training.accumulate = {training.accumulate} does not divide a batch of {size} streams evenly."
            )
