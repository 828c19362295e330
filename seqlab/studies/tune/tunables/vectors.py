"""Studies of word vectors: learning rate, width, noise words and n-grams, judged by the held-out loss; with a set of
analogy questions also what is predicted: window and thinning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ....base.cores import available_cores
from ....base.errors import InputError, SeqlabError, option
from ....config import EmbeddingsConfig, merge
from ....embeddings.engines.losses import LOSSES
from ....embeddings.evaluation.evaluate import evaluate_analogies
from ....embeddings.evaluation.questions import read_questions
from ....embeddings.training.checks import check
from ....embeddings.training.loop import VectorTrainer
from ....embeddings.training.planning import PASSES, VectorPlan, plan
from ....embeddings.training.trial import choose_engine
from ....run import flat
from ....text import Corpus
from ....text.preparation.prepare import prepare
from ....text.sources.readers import Sources
from ..space import Dimension
from .base import AfterValidation, Ended, Measured, Planned, Tunable
from .effort import Effort

AROUND = 4.0
"""The learning rate is sought from the default over this to the default times this."""
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
SAMPLES, WINDOWS, SHORTEST_NGRAMS = (5, 10, 15, 25), (2, 3, 5, 8, 12), (3, 4, 5)
THINNING = (0.1, 0.3, 1.0, 3.0, 10.0)
TASK = (
    "model",
    "loss",
    "window",
    "dynamic_window",
    "noise",
    "min_count",
    "max_vocab",
    "subsample",
    "phrases",
    "phrase_threshold",
)
"""Settings that decide what is predicted: losses with different ones cannot be compared."""
SAME_COST = ("lr",)
"""Settings that a pass costs the same with."""


class TunableVectors(Tunable):
    """Word vectors; budgets are passes over the text.

    Where the person set the passes, every trial makes so many. Otherwise a trial makes as many as take equal time, by
    rates timed one after the other.
    """

    name, settings, command = "word vectors", EmbeddingsConfig, "seqlab train embeddings"
    budgets = ("epochs", "minutes", "workers", "engine")
    rungs = 1
    config: EmbeddingsConfig

    @classmethod
    def judged_by(cls, about: Mapping[str, Any]) -> tuple[str, str]:
        return (
            ("wrong answers", "% of the questions") if about["questions"] else ("held-out loss", "nats per prediction")
        )

    def target(self) -> float:
        if self.config.minutes is not None:
            return 60.0 * self.config.minutes
        return float(self.config.epochs or 0.0) * len(self.corpus.train) / (PASSES * self._rate({}))

    def begin(self, effort: Effort, seconds: float, workers: int, search: bool, quiet: bool) -> Measured:
        threads = self.config.workers or max(1, available_cores() // workers)
        planned = self._planned({})
        self.config = self.config.updated({"workers": threads, "engine": planned.config.engine})
        if self.about["equal_passes"]:
            assert self.config.epochs is not None
            return Measured(self.config.epochs)
        return Measured(PASSES * seconds * self._rate({}) / len(planned.text.train))

    def dimensions(self, measured: Measured, fixed: set[str]) -> list[Dimension]:
        config, loss = self.config, LOSSES[self.config.loss]
        assert config.lr is not None
        assert config.dim is not None
        widths = {max(1, round(share * config.dim)) for share in WIDTHS}
        every = [
            Dimension("lr", config.lr / AROUND, config.lr * AROUND, logarithmic=True),
            Dimension("dim", choices=tuple(sorted(widths))),
        ]
        if loss.sampled and (loss.corrected or self.about["questions"]):
            every.append(Dimension("samples", choices=tuple(sorted({*SAMPLES, config.samples}))))
        if config.subwords:
            shortest = {one for one in SHORTEST_NGRAMS if one <= config.max_ngram} | {config.min_ngram}
            every.append(Dimension("min_ngram", choices=tuple(sorted(shortest))))
        if self.about["questions"]:
            every.append(Dimension("window", choices=tuple(sorted({*WINDOWS, config.window})), natural=(1,)))
            if config.subsample:
                shares = {min(1.0, float(f"{share * config.subsample:.3g}")) for share in THINNING}
                every.append(Dimension("subsample", choices=tuple(sorted({*shares, config.subsample}))))
        return [one for one in every if one.key not in fixed]

    def cost(self, values: Mapping[str, Any]) -> float:
        base = flat(self.config.model_dump())
        changed = {key: value for key, value in values.items() if key not in SAME_COST and value != base[key]}
        if self.about["equal_passes"] or not changed:
            return 1.0
        return self._rate({}) / self._rate(changed)

    def train(self, values: Mapping[str, Any], amount: float, after_validation: AfterValidation) -> Ended:
        planned = self._planned(values, amount)
        trainer = VectorTrainer(planned.text, planned.words, planned.config)
        trainer.engine.compile()
        diverged = ""
        try:
            trainer.fit(quiet=True)
        except InputError:
            raise
        except SeqlabError as error:
            diverged = str(error).partition(";")[0]
        objective = math.inf if diverged else self._judge(trainer)
        position = trainer.position
        return Ended(objective, position.jobs, round(amount * len(planned.text.train)), position.seconds, diverged)

    def _judge(self, trainer: VectorTrainer) -> float:
        """The share of the questions that are answered wrongly in percent, or the held-out loss with as many noise
        words as the default has: more of them make the same vectors' loss higher."""
        if self.about["questions"]:
            found = evaluate_analogies(trainer.vectors(), self.about["questions"])
            if not found["covered"]:
                raise InputError(
                    f"{', '.join(self.about['questions'])}: no question has all its words among the vectors; take "
                    f"other questions, more text or a smaller {option('min_count')}."
                )
            return 100.0 - float(found["accuracy"])
        if trainer.config.samples != self.config.samples:
            config = trainer.config.model_copy(update={"samples": self.config.samples})
            judge = VectorTrainer(trainer.text, trainer.words, config)
            judge.engine.load_arrays(trainer.engine.arrays())
            trainer = judge
        loss = trainer.held_out_loss()
        if loss is None:
            raise InputError("nothing of the validation part can be predicted; use more text, or name --questions.")
        return loss

    def _planned(self, values: Mapping[str, Any], epochs: float | None = None) -> VectorPlan:
        """What is trained with these values."""
        config = self.configured(self.config, values)
        if epochs is not None:
            config = config.model_copy(update={"epochs": epochs, "minutes": None})
        return plan(self.corpus, config, quiet=True)

    def _rate(self, values: Mapping[str, Any]) -> float:
        """Tokens a second with these values."""
        planned = self._planned(values, 1.0)
        return choose_engine(planned.text, planned.words, planned.config, timed=True).rate


def plan_vectors(
    source: Sources | Corpus,
    effort: Effort,
    quiet: bool,
    *,
    given: Mapping[str, Any] | None = None,
    questions: Sequence[str] = (),
    grid: Sequence[str] = (),
) -> Planned:
    """Plan a study of word vectors.

    Args:
        source: the text.
        effort: how much to do.
        quiet: show no progress.
        given: settings that stay as they are, nested or dotted.
        questions: analogies, which decide instead of the held-out loss.
        grid: settings of a plain grid.

    Raises:
        InputError: a bad text or setting, or settings whose held-out losses cannot be compared.
    """
    values = merge({}, EmbeddingsConfig.qualified(given or {}))
    settings = EmbeddingsConfig().updated(values)
    check(settings)
    if settings.init:
        raise InputError(f"{option('init')}: a study trains fresh vectors; leave it out.")
    if effort.steps_per_trial is not None:
        raise InputError(
            f"{option('steps_per_trial')}: word vectors are trained in passes; set their number with "
            f"{option('set', 'epochs=2')}, or {option('seconds_per_trial', 20)}."
        )
    keys = EmbeddingsConfig.qualified(dict.fromkeys(grid))
    wrong = [key for key in keys if key in TASK or key.startswith("text.")]
    if wrong and not questions:
        raise InputError(
            f"{wrong[0]}: decides what is predicted, so held-out losses with different values cannot be compared; "
            f"judge by a set of questions, {option('questions', 'english')}."
        )
    for one in questions:
        read_questions(one)
    corpus = prepare(source, None, settings.text, for_words=True, quiet=quiet)
    if corpus.valid is None and not questions:
        raise InputError(
            f"a study compares held-out losses, and this text has no validation part; give more text, or "
            f"{option('questions', 'english')}."
        )
    fixed = set(flat(values))
    planned = plan(corpus, settings, quiet=quiet)
    flat_values = flat(settings.model_dump())
    about = {"questions": [str(one) for one in questions], "equal_passes": effort.epochs_per_trial is not None}
    return Planned(
        TunableVectors(corpus, planned.config.model_copy(update={"minutes": settings.minutes}), about),
        [*sorted(fixed), *(key for key in ("dim", "subwords", "lr") if key not in fixed)],
        fixed,
        {"questions": about["questions"], **{key: flat_values[key] for key in sorted(fixed)}},
    )
