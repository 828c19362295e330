"""One training of a study: a configuration, a budget that all share, and the loss that its network ends with.

Counts are left out: they are the same for every trial, and beside a network of a short training they decide alone, so
that all trials would seem equal.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ...base.devices import resolve_device, torch_globals_restored
from ...base.errors import InputError, SeqlabError
from ...config import LanguageModelConfig
from ...config.checks import check_batches
from ...embeddings import WordVectors
from ...run import Run
from ...text.ids.token_file import Corpus
from ...training import LanguageModelTrainer
from ...training.starts.fresh import fresh_model
from .tunables.base import AfterValidation, Ended

RUNGS = 4
"""Validations of a training, at equal shares of its budget; the learning rate follows the same shares."""


class Setup(NamedTuple):
    """What all trainings of a study share.

    corpus: the text. valid_tokens: that every validation uses. vectors: that embeddings start from, or None.
    """

    corpus: Corpus
    valid_tokens: int
    vectors: WordVectors | None = None


class WatchedTrainer(LanguageModelTrainer):
    """A trainer that reports every validation.

    Attributes:
        after_validation: called with the number of the validation and the best loss so far; may raise Unpromising.
    """

    after_validation: AfterValidation = staticmethod(lambda rung, loss: None)

    def validate_if_due(self) -> dict[str, Any]:
        found = super().validate_if_due()
        if found:
            self.after_validation(self.position.validations, self.position.best)
        return found


def train(
    setup: Setup,
    config: LanguageModelConfig,
    after_validation: AfterValidation = lambda rung, loss: None,
    at_end: Callable[[LanguageModelTrainer], None] = lambda trainer: None,
) -> Ended:
    """Train a configuration to the end of its budget; nothing of it stays on disk.

    Args:
        setup: what all trainings share.
        config: of this one, budget included.
        after_validation: see `WatchedTrainer`.
        at_end: called when training has ended, unless it diverged.

    Raises:
        InputError: sizes that a model or the text cannot have.
        Unpromising: raised by `after_validation`.
    """
    corpus = setup.corpus
    check_batches(config.training, 1, len(corpus.train))
    with torch_globals_restored(), tempfile.TemporaryDirectory(prefix="seqlab-trial-") as folder:
        model = fresh_model(config, corpus, setup.vectors)
        run = Run.create(Path(folder) / "run", config, corpus.tokenizer, {"digest": corpus.digest}, corpus.items)
        model = model.to(resolve_device(config.training.device))
        trainer = WatchedTrainer(run, model, corpus, quiet=True)
        trainer.position.valid_tokens = setup.valid_tokens
        trainer.after_validation = after_validation
        diverged = ""
        try:
            trainer.fit()
            at_end(trainer)
        except InputError:
            raise
        except SeqlabError as error:
            diverged = str(error).partition(";")[0]
        position = trainer.position
        loss = math.inf if diverged or not math.isfinite(position.best) else position.best
        return Ended(loss, position.step, position.tokens, position.seconds, diverged)
