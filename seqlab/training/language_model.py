"""Training a language model: windows of running text or whole lines, validated by themselves and with the counts.

Shapes: N validation tokens used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..evaluation.exact import evaluating, first_tokens, negative_log_likelihood, read_sample, readable
from ..evaluation.tuning import crossed
from ..models import LanguageModel
from ..models.counts.gate import Gate, mix
from ..models.counts.kneser_ney import NGramModel
from ..nn import NCE
from ..run import Run
from ..text import Corpus, EvaluationBatches
from .distributed import World
from .loop import Trainer
from .machine.graphs import GraphedWindowReader
from .machine.trial import FIRST_WIDTH
from .optimize.averages import Average
from .optimize.constraints import Projected
from .step import PlainWindowReader, WindowReader
from .watch.costs import flops_per_token
from .watch.samples import SampleWriter, TimedSample
from .watch.validation import Judged, Validator

NORMALIZER_TOKENS = 500
"""Validation tokens that the normalisation error of NCE is measured on."""


class LanguageModelValidator(Validator[LanguageModel]):
    """Validates a language model by nats per token, together with the counts of the training text.

    Args:
        model, corpus, average, share: see `Validator`.
        counts: that stand beside the network; None for a network alone.
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        average: Average,
        counts: NGramModel | None = None,
        share: float | None = None,
    ):
        super().__init__(model, corpus, average, share)
        self.counts = counts
        self._counted: tuple[int, np.ndarray, np.ndarray] | None = None

    def relative_cost(self) -> float:
        training, evaluation = flops_per_token(self.model)
        return evaluation * self.weight_sets / training

    @torch.no_grad()
    def judge(self, tokens: int) -> Judged:
        valid = self.corpus.valid
        assert valid is not None
        with evaluating(self.model):
            places_N, scored = read_sample(self.model, valid, self.start_id, tokens, after_window=self.safe_point)
        network = -float(scored.log_p_N.mean())
        if self.counts is None:
            return Judged(network, network, {"valid_loss": network})
        if self._counted is None or self._counted[0] != tokens:
            self._counted = (tokens, *self.counts.score_places(valid, places_N))
        _, counts_N, known_N = self._counted
        kinds, width = self.counts.kinds, self.model.output.width
        mixed_N = mix(scored.log_p_N, counts_N, crossed(scored.log_p_N, counts_N, known_N, None, kinds))
        alone = float(max(scored.log_p_N.mean(), counts_N.mean()))
        if mixed_N.mean() < alone:  # of members that are alike, or on little text, a fitted gate can be worse
            gate = Gate.only(counts_N.mean() == alone, kinds, width)
            mixed_N = mix(scored.log_p_N, counts_N, gate.log_odds(known_N, np.zeros(len(known_N))))
            loss = -max(alone, float(mixed_N.mean()))
        else:
            gate = Gate.fit(scored.log_p_N, counts_N, known_N, None, kinds, width)
            loss = -float(mixed_N.mean())
        members = {"valid_network_loss": network, "valid_counts_loss": -float(counts_N.mean())}
        return Judged(loss, network, {"valid_loss": loss, **members}, gate)

    @torch.inference_mode()
    def more(self) -> dict[str, Any]:
        """How far a model trained by NCE is from normalising itself: mean and standard deviation of log Z over the
        first validation tokens; nothing for other models."""
        output, tokens = self.model.output, self.corpus.valid
        if not isinstance(output, NCE) or tokens is None:
            return {}
        self.model.eval()
        with readable(self.model, first_tokens(tokens, NORMALIZER_TOKENS)) as text:
            first = EvaluationBatches(text, 1, NORMALIZER_TOKENS, self.start_id).window(0)
            inputs_1T = torch.from_numpy(first.inputs_BT).to(self.model.device)
            hidden_1TD, _ = self.model.hidden(inputs_1T, self.model.init_state(1))
        self.model.train()
        return {"log_normalizer": output.log_normalizer(hidden_1TD[0])}


class LanguageModelTrainer(Trainer[LanguageModel]):
    """Trains the language model of a run.

    Args:
        run, model, corpus, quiet, world, constraint: see `Trainer`.
        counts: of the train split; the weights are kept that validate best together with them.
        windows: makes what makes the loss of windows, given a model.
        sample_every: minutes between two samples of text, for the person watching; None shows none.
    """

    def __init__(
        self,
        run: Run,
        model: LanguageModel,
        corpus: Corpus,
        quiet: bool = False,
        world: World | None = None,
        counts: NGramModel | None = None,
        constraint: Projected | None = None,
        windows: Callable[[LanguageModel], WindowReader] = PlainWindowReader,
        sample_every: float | None = None,
    ):
        self.counts, self.loss_of = counts, windows
        super().__init__(run, model, corpus, quiet, world, constraint)
        self.samples = SampleWriter(run, None if self.quiet else sample_every)
        self._windows = GraphedWindowReader(model) if self.config.cuda_graphs else self.step.windows

    def new_windows(self, model: LanguageModel) -> WindowReader:
        return self.loss_of(model)

    def new_validator(self) -> LanguageModelValidator:
        return LanguageModelValidator(self.model, self.corpus, self.step.average, self.counts)

    def fast_windows(self) -> WindowReader:
        return self._windows

    def try_validation(self, copy: LanguageModel) -> None:
        if self.corpus.valid is not None:
            negative_log_likelihood(copy, self.corpus.valid, self.reader.start_id, 1, FIRST_WIDTH)

    def sample(self) -> TimedSample | None:
        return self.samples.after_step(self.position.seconds, self.position.step)

    def validation_fields(self) -> dict[str, Any]:
        found = {name: self.last_validation.get(f"valid_{name}_loss") for name in ("network", "counts")}
        return {name: math.exp(min(loss, 700.0)) for name, loss in found.items() if loss}
