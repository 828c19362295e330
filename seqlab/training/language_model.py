"""Training a language model: windows of running text or whole lines, validated by themselves and with the counts.

Shapes: N validation tokens used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..evaluation.estimates import Yardstick, estimate
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

    margins = True

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
            places_N, scored = read_sample(
                self.model, valid, self.start_id, tokens, self.counts is not None, after_window=self.safe_point
            )
        network_N = scored.log_p_N
        if self.counts is None:
            alone = estimate(network_N, valid)
            return Judged(alone.nats, alone.nats, {"valid_loss": alone.nats, **alone.margin()})
        if self._counted is None or self._counted[0] != tokens:
            self._counted = (tokens, *self.counts.score_places(valid, places_N))
        _, counts_N, known_N = self._counted
        mixed_N, gate = self.mixed(network_N, counts_N, known_N, scored.hidden_ND.float().numpy())
        together, network = (self.yardstick.estimate(log_p_N, counts_N, valid) for log_p_N in (mixed_N, network_N))
        figures = {
            "valid_loss": together.nats,
            **together.margin(),
            "valid_network_loss": network.nats,
            "valid_counts_loss": self.yardstick.mean,
        }
        return Judged(together.nats, network.nats, figures, gate)

    @cached_property
    def yardstick(self) -> Yardstick:
        """The counts as a measure of the validation text, which they read once."""
        assert self.counts is not None
        assert self.corpus.valid is not None
        return Yardstick(self.counts, self.corpus.valid)

    def mixed(
        self, network_N: np.ndarray, counts_N: np.ndarray, known_N: np.ndarray, hidden_ND: np.ndarray
    ) -> tuple[np.ndarray, Gate]:
        """Log-probabilities (N,) of network and counts together, mixed as at the end of training; and a gate for until
        then, which looks at what the counts know only. One member counts alone where a fitted gate is worse, as it can
        be of members that are alike, or on little text.

        Args:
            network_N, counts_N: log-probabilities of a sample of the text.
            known_N: what the counts know before each of its tokens.
            hidden_ND: states of the network there.
        """
        assert self.counts is not None
        kinds, width = self.counts.kinds, self.model.output.width
        mixed_N = mix(network_N, counts_N, crossed(network_N, counts_N, known_N, hidden_ND, kinds))
        by_counts = bool(counts_N.mean() >= network_N.mean())
        alone_N = counts_N if by_counts else network_N
        if mixed_N.mean() >= alone_N.mean():
            return mixed_N, Gate.fit(network_N, counts_N, known_N, None, kinds, width)
        gate = Gate.only(by_counts, kinds, width)
        sharp_N = mix(network_N, counts_N, gate.log_odds(known_N, np.zeros(len(known_N))))
        return max(sharp_N, alone_N, key=np.mean), gate

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
