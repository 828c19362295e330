"""Validation during training: exact, always on the same tokens, and at a fixed share of the training's arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ...evaluation.exact import QUICK_STREAM_TOKENS, first_tokens, negative_log_likelihood, readable, streams_for
from ...models import LanguageModel
from ...nn import NCE
from ...text import Corpus, EvaluationBatches
from ..optimize.averages import Average
from .costs import flops_per_token

FEWEST_TOKENS = 5_000
"""Validation tokens used at least, however short the training: fewer could not tell two models apart."""
VALIDATION_SHARE = 0.05
"""Arithmetic a validation takes, as a share of that of the training since the one before."""
NORMALIZER_TOKENS = 500
"""Validation tokens that the normalisation error of NCE is measured on."""


class Validator:
    """Validates a model and its average; the better one's weights are stored when they are the best so far."""

    def __init__(self, model: LanguageModel, corpus: Corpus, average: Average, share: float | None = None):
        self.model, self.corpus, self.average = model, corpus, average
        self.share = VALIDATION_SHARE if share is None else share
        self.start_id = corpus.tokenizer.start_id

    def choose_tokens(self, trained: int) -> int:
        """Validation tokens to use, when validations are `trained` training tokens apart: FEWEST_TOKENS, twice as many,
        four times and so on up to what is affordable, or all; so runs that differ a little still compare."""
        assert self.corpus.valid is not None
        training, evaluation = flops_per_token(self.model)
        models = 1 if type(self.average) is Average else 2
        affordable = int(self.share * trained * training / (evaluation * models))
        doublings = max(0, int(math.log2(max(1.0, affordable / FEWEST_TOKENS))))
        tokens, every = FEWEST_TOKENS << doublings, len(self.corpus.valid)
        return every if affordable >= every else min(every, tokens)

    def loss(self, tokens: int) -> float:
        """Exact nats per token of the model in its present state on the first `tokens` validation tokens."""
        assert self.corpus.valid is not None
        streams = streams_for(tokens, QUICK_STREAM_TOKENS)
        nats, count = negative_log_likelihood(self.model, self.corpus.valid, self.start_id, streams, tokens)
        return nats / count

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

    def validate(self, tokens: int, best: float, keep: Callable[[], None]) -> dict[str, float]:
        """Losses of the live weights and, once there is one, of the average; `keep` is called with the better of the
        two in the model when it is below `best`.

        Returns:
            {"valid_loss": the better one}, and "live_valid_loss" and "average_valid_loss" where there are two.
        """
        live = self.loss(tokens)
        if not self.average.started:
            if live < best:
                keep()
            return {"valid_loss": live}
        with self.average.swapped():
            averaged = self.loss(tokens)
            if averaged < min(live, best):
                keep()
        if live <= averaged and live < best:
            keep()
        return {"valid_loss": min(live, averaged), "live_valid_loss": live, "average_valid_loss": averaged}

    def keep_untested(self, keep: Callable[[], None]) -> None:
        """Without a validation text: `keep` the average once there is one, the live weights before."""
        if self.average.started:
            with self.average.swapped():
                keep()
        else:
            keep()
