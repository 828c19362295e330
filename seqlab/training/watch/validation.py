"""Validation during training: exact, always on the same tokens, spread over the whole validation text, and never more
than a small share of the time.

Shapes: N validation tokens used.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ...base.interrupts import Abandoned
from ...evaluation.exact import evaluating, first_tokens, read_sample, readable
from ...evaluation.tuning import crossed
from ...models import LanguageModel
from ...models.counts.gate import Gate, mix
from ...models.counts.kneser_ney import NGramModel
from ...nn import NCE
from ...text import Corpus, EvaluationBatches
from ..optimize.averages import Average
from .costs import flops_per_token

FEWEST_TOKENS = 2_000
"""Validation tokens used at least, however short the training: fewer could not tell two models apart."""
VALIDATION_SHARE = 0.05
"""Share of the time, or of the arithmetic, that validation takes."""
NORMALIZER_TOKENS = 500
"""Validation tokens that the normalisation error of NCE is measured on."""


class Judged(NamedTuple):
    """What a validation found: the loss of network and counts together, how they are mixed, and the loss of the
    network alone; without counts both are the network's."""

    loss: float
    gate: Gate | None
    network: float

    def reaches(self, best: float) -> bool:
        """Whether these weights are to be kept where the lowest loss so far is `best`. Losses are equal where the
        counts are better off without any of the networks; the later one has learned more."""
        return math.isfinite(self.loss) and self.loss <= best


class Validator:
    """Validates a model and its average; the weights of the better one are kept when they are the best so far.

    Args:
        model: that is trained.
        corpus: with the validation text.
        average: of the weights.
        counts: that stand beside the network; None for a network alone.
        share: of the arithmetic.
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        average: Average,
        counts: NGramModel | None = None,
        share: float | None = None,
    ):
        self.model, self.corpus, self.average, self.counts = model, corpus, average, counts
        self.share = VALIDATION_SHARE if share is None else share
        self.start_id = corpus.tokenizer.start_id
        self.seconds = 0.0
        """Spent on validation in this sitting."""
        self.last_seconds: float | None = None
        self.stop: threading.Event | None = None
        """Once set, a validation under way raises Abandoned."""
        self._counted: tuple[int, np.ndarray, np.ndarray] | None = None

    def choose_tokens(self, trained: int) -> int:
        """Validation tokens to use, when validations are `trained` training tokens apart: FEWEST_TOKENS, twice as many,
        four times and so on up to what is affordable, or all; so runs that differ a little still compare."""
        assert self.corpus.valid is not None
        affordable = int(self.share * trained / self._relative_cost())
        doublings = max(0, int(math.log2(max(1.0, affordable / FEWEST_TOKENS))))
        tokens, every = FEWEST_TOKENS << doublings, len(self.corpus.valid)
        return every if affordable >= every else min(every, tokens)

    def _relative_cost(self) -> float:
        """Arithmetic of a validation token, in training tokens."""
        training, evaluation = flops_per_token(self.model)
        return evaluation * (1 if type(self.average) is Average else 2) / training

    def affordable(self, tokens: int, elapsed: float, trained: int) -> bool:
        """Whether another validation of `tokens` keeps validation within its share of the time.

        Args:
            elapsed: seconds of this sitting so far.
            trained: training tokens of this sitting so far.
        """
        expected = self.last_seconds
        if expected is None:
            expected = 2.0 * tokens * self._relative_cost() * elapsed / max(1, trained)
        return self.seconds + expected <= self.share * elapsed

    @torch.no_grad()
    def judge(self, tokens: int) -> Judged:
        """Exact nats per token, in its present state, of the model on `tokens` validation tokens spread over the text,
        by itself and with the counts."""
        valid = self.corpus.valid
        assert valid is not None
        with evaluating(self.model):
            places_N, scored = read_sample(self.model, valid, self.start_id, tokens, after_window=self.safe_point)
        network = -float(scored.log_p_N.mean())
        if self.counts is None:
            return Judged(network, None, network)
        if self._counted is None or self._counted[0] != tokens:
            self._counted = (tokens, *self.counts.score_places(valid, places_N))
        _, counts_N, known_N = self._counted
        kinds, width = self.counts.kinds, self.model.output.width
        mixed_N = mix(scored.log_p_N, counts_N, crossed(scored.log_p_N, counts_N, known_N, None, kinds))
        alone = float(max(scored.log_p_N.mean(), counts_N.mean()))
        if mixed_N.mean() < alone:  # of members that are alike, or on little text, a fitted gate can be worse
            gate = Gate.only(counts_N.mean() == alone, kinds, width)
            mixed_N = mix(scored.log_p_N, counts_N, gate.log_odds(known_N, np.zeros(len(known_N))))
            return Judged(-max(alone, float(mixed_N.mean())), gate, network)
        gate = Gate.fit(scored.log_p_N, counts_N, known_N, None, kinds, width)
        return Judged(-float(mixed_N.mean()), gate, network)

    def safe_point(self) -> None:
        """Leave the validation where a stop was requested.

        Raises:
            Abandoned: it was.
        """
        if self.stop is not None and self.stop.is_set():
            raise Abandoned

    @torch.inference_mode()
    def log_normalizer(self) -> dict[str, dict[str, float]]:
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

    def validate(self, tokens: int, best: float, keep: Callable[[Gate | None], None]) -> dict[str, float]:
        """Losses of the live weights and, once there is one, of the average; `keep` is called with the better of the
        two in the model, and with its gate, when it reaches `best`.

        Returns:
            {"valid_loss": the better one}, with counts "valid_network_loss" and "valid_counts_loss", and
            "live_valid_loss" and "average_valid_loss" where there are two.
        """
        began = time.monotonic()
        found = self._validate(tokens, best, keep)
        self.last_seconds = time.monotonic() - began
        self.seconds += self.last_seconds
        return found

    def _validate(self, tokens: int, best: float, keep: Callable[[Gate | None], None]) -> dict[str, float]:
        live = self.judge(tokens)
        if not self.average.started:
            if live.reaches(best):
                keep(live.gate)
            return self._losses(live)
        with self.average.swapped():
            averaged = self.judge(tokens)
            better = min(live, averaged, key=lambda judged: (judged.loss, judged.network))
            if better is averaged and averaged.reaches(best):
                keep(averaged.gate)
        if better is live and live.reaches(best):
            keep(live.gate)
        return {**self._losses(better), "live_valid_loss": live.loss, "average_valid_loss": averaged.loss}

    def _losses(self, judged: Judged) -> dict[str, float]:
        if self._counted is None:
            return {"valid_loss": judged.loss}
        counts = -float(self._counted[1].mean())
        return {"valid_loss": judged.loss, "valid_network_loss": judged.network, "valid_counts_loss": counts}

    def keep_untested(self, keep: Callable[[Gate | None], None]) -> None:
        """Without a validation text: `keep` the average once there is one, the live weights before."""
        if self.average.started:
            with self.average.swapped():
                keep(None)
        else:
            keep(None)
