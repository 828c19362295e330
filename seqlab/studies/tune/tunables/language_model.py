"""Studies of language models: learning rate, weight decay, dropout, layers, width and batch size, judged by the
held-out loss of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ....base.cores import available_cores
from ....base.errors import InputError, option
from ....base.progress import notify
from ....config import LanguageModelConfig
from ....models import LanguageModel
from ....opening import open_vectors
from ....run import flat
from ....training.machine.rate import relative_cost, tokens_per_second
from ....training.planning import BUDGETS, DEFAULT, Layer, Source, budget_of, plan
from ....training.watch.costs import flops_per_token
from ..range_test import find_lr
from ..space import Dimension
from ..trainings import RUNGS, Setup, train
from .base import AfterValidation, Ended, Measured, Planned, Tunable
from .effort import Effort

SEARCHED = (
    "training.lr",
    "training.weight_decay",
    "model.dropout",
    "model.layers",
    "model.hidden_dim",
    "training.batch_size",
)
"""Settings that are searched unless a person sets them; the tuning playbook's, and the network's size."""
SAME_COST = ("training.lr", "training.weight_decay", "training.schedule")
"""Settings that a step costs the same with."""
AROUND = 3.0
"""The learning rate is sought from the lower of default and suggestion over this, to the higher times this."""
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
BATCHES = (0.25, 0.5, 1.0, 2.0, 4.0)
DECOUPLED_DECAYS, DECAYS = (0.0, 0.01, 0.03, 0.1, 0.3), (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
DROPOUTS, DROPOUT_STEP = (0.0, 0.6), 0.05
VALIDATED, FEWEST, MOST = 0.05, 2_000, 20_000
"""Validation tokens as a share of a trial's training tokens, and their limits."""


class TunableLanguageModel(Tunable):
    """A language model; budgets are updates of the configuration without a search.

    With steps a trial has as many updates as the same arithmetic allows: that is the same everywhere and every time.
    With seconds the updates follow from how long steps take, measured side by side.
    """

    name, settings = "language model", LanguageModelConfig
    command = "seqlab train lm"
    budgets = (*(f"training.{name}" for name in BUDGETS), "training.evaluations", "training.threads")
    follow, rungs = ("model.embed_dim",), RUNGS
    config: LanguageModelConfig

    def target(self) -> float:
        kind, value = budget_of(self.config.training)
        if kind == "minutes":
            return 60.0 * value
        training = self.config.training
        tokens = value * (len(self.corpus.train) if kind == "epochs" else training.batch_size * training.bptt)
        return tokens / tokens_per_second(self.config, self.corpus.tokenizer.vocab)

    def begin(self, effort: Effort, seconds: float, workers: int, search: bool, quiet: bool) -> Measured:
        corpus, steps = self.corpus, effort.steps_per_trial
        assert corpus.valid is not None, "a study refuses such a text"
        threads = self.config.training.threads or max(1, available_cores() // workers)
        budget: dict[str, Any] = dict.fromkeys(f"training.{name}" for name in BUDGETS)
        budget |= {"training.minutes": seconds / 60.0} if steps is None else {"training.steps": steps}
        config = self.config.updated({**budget, "training.threads": threads, "training.patience": 0})
        found = find_lr(corpus, given=config.model_dump(), quiet=quiet) if search else None
        if found is not None and not quiet:
            usual = config.training.lr
            notify(f"range test: learning rate {found.suggestion:g} for {found.schedule}; without it {usual:g}")
        window = config.training.batch_size * config.training.bptt
        if found is not None:
            updates = found.updates
        elif steps is not None:
            updates = float(steps)
        else:
            updates = seconds * tokens_per_second(config, corpus.tokenizer.vocab) / window
        wanted = max(FEWEST, min(MOST, int(VALIDATED * updates * window)))
        self.about["valid_tokens"] = min(len(corpus.valid), wanted)
        self.about["by_arithmetic"] = steps is not None
        self.config = config.updated({"training.evaluations": RUNGS})
        return Measured(updates, found)

    def dimensions(self, measured: Measured, fixed: set[str]) -> list[Dimension]:
        model, training = self.config.model, self.config.training
        lr, dropout, suggestion = training.lr, model.dropout, measured.suggestion or training.lr
        decays = DECOUPLED_DECAYS if training.optimizer == "adamw" else DECAYS
        widths = {8 * max(1, round(share * model.hidden_dim / 8)) for share in WIDTHS} | {model.hidden_dim}
        layers = {max(1, model.layers - 1), model.layers, model.layers + 1}
        batches = {max(1, round(share * training.batch_size)) for share in BATCHES}
        long_enough = {size for size in batches if size * training.bptt * 4 <= len(self.corpus.train)}
        multiple = math.isclose(dropout / DROPOUT_STEP, round(dropout / DROPOUT_STEP))
        every = [
            Dimension("training.lr", min(lr, suggestion) / AROUND, max(lr, suggestion) * AROUND, logarithmic=True),
            Dimension("training.weight_decay", choices=tuple(sorted({*decays, training.weight_decay})), natural=(0.0,)),
            Dimension(
                "model.dropout",
                DROPOUTS[0],
                max(DROPOUTS[1], dropout),
                step=DROPOUT_STEP if multiple else None,
                natural=(0.0,),
            ),
            Dimension("model.layers", choices=tuple(sorted(layers)), natural=(1,)),
            Dimension("model.hidden_dim", choices=tuple(sorted(widths))),
            Dimension("training.batch_size", choices=tuple(sorted(long_enough | {training.batch_size})), natural=(1,)),
        ]
        return [one for one in every if one.key not in fixed]

    @classmethod
    def judged_by(cls, about: Mapping[str, Any]) -> tuple[str, str]:
        return "held-out loss", "nats per token"

    @classmethod
    def configured(cls, config: LanguageModelConfig, values: Mapping[str, Any]) -> LanguageModelConfig:
        """A configuration with values by key; a tied embedding follows the width."""
        model = config.model
        follows = model.tie and model.last_dim is None and model.embed_dim == model.hidden_dim
        width = values.get("model.hidden_dim")
        embedding = {"model.embed_dim": width} if follows and width and "model.embed_dim" not in values else {}
        return config.updated({**values, **embedding}, "study")

    def cost(self, values: Mapping[str, Any]) -> float:
        config, vocab = self.configured(self.config, values), self.corpus.tokenizer.vocab
        if config == self.configured(self.config, {**values, **self._without(values)}):
            return 1.0
        if not self.about["by_arithmetic"]:
            return relative_cost(config, self.config, vocab)
        each, usual = (
            one.training.batch_size * one.training.bptt * flops_per_token(LanguageModel(one.model, len(vocab), 1))[0]
            for one in (config, self.config)
        )
        return each / usual

    def _without(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The usual value of everything among `values` that a step's cost depends on."""
        usual = flat(self.config.model_dump())
        return {key: usual[key] for key in values if key not in SAME_COST}

    def train(self, values: Mapping[str, Any], amount: float, after_validation: AfterValidation) -> Ended:
        budget: dict[str, Any] = dict.fromkeys(f"training.{name}" for name in BUDGETS)
        budget["training.steps"] = max(1, round(amount))
        return train(self._setup, self.configured(self.config, values).updated(budget), after_validation)

    @cached_property
    def _setup(self) -> Setup:
        """What all trainings share."""
        corpus = self.corpus.with_spelling(quiet=True) if self.config.model.input == "characters" else self.corpus
        vectors = self.config.training.embeddings
        return Setup(corpus, self.about["valid_tokens"], open_vectors(vectors) if vectors else None)


def plan_language_model(
    source: Source,
    effort: Effort,
    quiet: bool,
    *,
    valid: Any = None,
    preset: str | None = None,
    given: Sequence[Layer] = (),
    minutes: float | None = None,
) -> Planned:
    """Plan a study of a language model.

    Args:
        source, valid: texts, see `train_language_model`.
        effort: how much to do.
        quiet: show no progress.
        preset: its name; None takes the one that suits the text. Its configuration is the first trial.
        given: settings that stay as they are.
        minutes: of the training that the settings are for, where it is known; else the settings' own budget.

    Raises:
        InputError: a bad text or setting.
    """
    planned = plan(source, valid, None, quiet, preset, [*length_of(effort, given, minutes), *given])
    if planned.corpus.valid is None:
        raise InputError("a study compares held-out losses, and this text has no validation part; give more text.")
    if planned.config.training.init:
        raise InputError(f"{option('init')}: a study trains fresh weights; leave it out.")
    fixed = {key for layer in given for key in flat(layer.values)}
    values = flat(planned.config.model_dump())
    return Planned(
        TunableLanguageModel(planned.corpus, planned.config),
        [key for key, where in planned.sources.items() if where != DEFAULT and not key.startswith("text.")],
        fixed,
        {"preset": preset, **{key: values[key] for key in sorted(fixed)}},
    )


def length_of(effort: Effort, given: Sequence[Layer], minutes: float | None) -> list[Layer]:
    """The budget that the preset is chosen for, where the person sets none: that of a trial, where it is in steps, so
    that the choice does not depend on how fast this machine is just now; otherwise that of the training to come."""
    if any(f"training.{name}" in flat(layer.values) for layer in given for name in BUDGETS):
        return []
    if effort.steps_per_trial is not None:
        return [Layer(DEFAULT, {"training": {"steps": effort.steps_per_trial}})]
    return [] if minutes is None else [Layer(DEFAULT, {"training": {"minutes": minutes}})]
