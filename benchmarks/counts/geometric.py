"""The geometric mixture of a network and counts: P(w) proportional to p(w)^a q(w)^b, with exponents that depend on the
context as the weights of a linear mixture do (logistic mixing, Mahoney 2005, generalised to more than two words).

Where both models are sure of different words a linear mixture hedges; where both find the same word likely the
geometric one finds it likelier still. It needs the probabilities of all words, not only of the one that came.

Shapes: N tokens, F features, K buckets, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Exponents:
    """Both exponents, linear in features and a bucket, fitted by L-BFGS.

    Args:
        l2: penalty on the squared weights, in nats per token.
        flat: the same exponents everywhere.
    """

    def __init__(self, l2: float, flat: bool = False):
        self.l2, self.flat = l2, flat

    def fit(
        self, log_p_2NV: list[np.ndarray], targets_N: np.ndarray, x_NF: np.ndarray, bucket_N: np.ndarray, buckets: int
    ) -> Exponents:
        """Fit to a text; features are standardised by it."""
        self.mean_F, self.scale_F = x_NF.mean(0), x_NF.std(0) + 1e-6
        self.w_F2 = torch.zeros(x_NF.shape[1], 2, requires_grad=not self.flat)
        self.offset_K2 = torch.zeros(buckets, 2, requires_grad=not self.flat)
        self.bias_2 = torch.full((2,), 0.5, requires_grad=True)
        parameters = [one for one in (self.w_F2, self.offset_K2, self.bias_2) if one.requires_grad]
        x, bucket, targets = *self._inputs(x_NF, bucket_N), torch.from_numpy(targets_N)
        both = [torch.from_numpy(one) for one in log_p_2NV]
        search = torch.optim.LBFGS(parameters, max_iter=40, history_size=10, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            value = torch.nn.functional.cross_entropy(self._logits(both, x, bucket), targets)
            value = value + self.l2 * (self.w_F2.square().sum() + 0.1 * self.offset_K2.square().sum())
            value.backward()
            return value

        search.step(closure)
        return self

    def _inputs(self, x_NF: np.ndarray, bucket_N: np.ndarray) -> tuple[Tensor, Tensor]:
        standard_NF = np.clip((x_NF - self.mean_F) / self.scale_F, -5.0, 5.0)
        return torch.from_numpy(standard_NF).float(), torch.from_numpy(bucket_N)

    def _logits(self, both: list[Tensor], x_NF: Tensor, bucket_N: Tensor) -> Tensor:
        exponent_N2 = x_NF @ self.w_F2 + self.offset_K2[bucket_N] + self.bias_2
        return exponent_N2[:, :1] * both[0] + exponent_N2[:, 1:] * both[1]

    @torch.inference_mode()
    def log_probs(
        self, log_p_2NV: list[np.ndarray], targets_N: np.ndarray, x_NF: np.ndarray, bucket_N: np.ndarray
    ) -> np.ndarray:
        """log P of the targets (N,)."""
        both = [torch.from_numpy(one) for one in log_p_2NV]
        log_p_NV = self._logits(both, *self._inputs(x_NF, bucket_N)).log_softmax(1)
        return log_p_NV.gather(1, torch.from_numpy(targets_N)[:, None]).squeeze(1).double().numpy()
