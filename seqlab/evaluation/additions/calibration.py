"""Temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599): P(w) proportional to exp(logit / T).

Shapes: N tokens, M of a chunk, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...base.progress import Progress
from ...nn import OutputLayer
from ..exact import logit_chunks
from ..scored_text import Addition, Network, ScoredText

TEMPERATURE_TOKENS = 20_000
"""Tokens the temperature is fitted on at most."""
ROUNDS, TOLERANCE = 20, 1e-6
"""Newton steps at most, and the change of 1 / temperature that ends them."""


@torch.inference_mode()
def tempered_log_probs(
    output: OutputLayer, hidden_ND: Tensor, ids_N: Tensor, temperature: float, quiet: bool = True
) -> np.ndarray:
    """Exact log-probability of every token at a temperature: (N,) float64."""
    log_p_N = np.empty(len(ids_N))
    with Progress("calibrating", len(ids_N), "tokens", quiet=quiet) as progress:
        for part, logits_MV, own_M in logit_chunks(output, hidden_ND, ids_N):
            log_p_M = own_M / temperature - (logits_MV / temperature).logsumexp(1)
            log_p_N[part] = log_p_M.double().cpu().numpy()
            progress.update(min(part.stop, len(ids_N)))
    return log_p_N


@torch.inference_mode()
def fit_temperature(output: OutputLayer, hidden_ND: Tensor, ids_N: Tensor) -> float:
    """The temperature under which the tokens are most likely.

    In b = 1 / temperature the loss is convex: its slope is the mean over tokens of E[logit] - logit of the token, its
    curvature that of Var[logit], both under the model at b. Newton steps, none changing b more than twofold.
    """
    inverse = 1.0
    for _ in range(ROUNDS):
        slope = curvature = 0.0
        for _, logits_MV, own_M in logit_chunks(output, hidden_ND, ids_N):
            p_MV = (logits_MV * inverse).softmax(1)
            mean_M = (p_MV * logits_MV).sum(1)
            slope += float((mean_M - own_M).double().sum())
            curvature += float((p_MV * (logits_MV - mean_M[:, None]).square()).sum(1).double().sum())
        if curvature <= 0.0:
            break
        before = inverse
        inverse = min(max(inverse - slope / curvature, inverse / 2), inverse * 2)
        if abs(inverse - before) <= TOLERANCE:
            break
    return 1.0 / inverse


class Temperature(Addition):
    """The network with all its logits divided by one number."""

    name = row = "temperature"
    alone = True
    needs_hidden = True

    def __init__(self, network: Network):
        self.output, self.temperature = network.model.output, 1.0

    def tune(self, valid: ScoredText) -> dict[str, Any]:
        ids_N = torch.from_numpy(valid.tokens[:TEMPERATURE_TOKENS].astype(np.int64))
        self.temperature = fit_temperature(self.output, valid.hidden_ND[:TEMPERATURE_TOKENS], ids_N)
        return {"temperature": self.temperature, "tuning_tokens": len(ids_N)}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        ids_N = torch.from_numpy(text.tokens[:].astype(np.int64))
        return tempered_log_probs(self.output, text.hidden_ND, ids_N, self.temperature, text.quiet)
