"""How much the counts say beside a network, at every position of a text.

The weight of the counts is logistic(b[k] + h . w): k is what the counts know there (how long a context they have seen
and how often, see `trie.known`; Jelinek & Mercer 1980 called these buckets), h is what the output layer reads.
The mixture of two distributions by a weight that depends on nothing to come is a distribution.

Shapes: N positions, K kinds of knowledge, D width of the hidden states. Logarithms are natural.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kneser_ney import BOUND
from .mixture import fit_weights

KIND_RIDGE = 2.0
"""Penalty on how far a kind's bias is from the common one: half as much as a position that tells clearly."""
HIDDEN_RIDGE = 30.0
"""The same on the weights of the hidden states, each scaled to unit variance."""
LEAST = 1e-300
"""Probability, in that of the better member, below which a mixture is not told apart while the gate is fitted."""
ROUNDS = 60
"""Of the optimiser at most."""


@dataclass(frozen=True, eq=False)
class Gate:
    """Weights of the counts.

    Attributes:
        bias_K: log-odds by what the counts know, float32.
        weight_D: of the hidden states, float32.
    """

    bias_K: np.ndarray
    weight_D: np.ndarray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gate):
            return NotImplemented
        return all(map(np.array_equal, self.arrays().values(), other.arrays().values()))

    __hash__ = None  # type: ignore[assignment]

    def log_odds(self, known_N: np.ndarray, projected_N: np.ndarray) -> np.ndarray:
        """Log-odds (N,) of the counts, float64; `projected_N`: the hidden states times `weight_D`."""
        return np.clip(self.bias_K[known_N].astype(np.float64) + projected_N, -BOUND, BOUND)

    def mixed(
        self, network_N: np.ndarray, counts_N: np.ndarray, known_N: np.ndarray, projected_N: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (N,) of the mixture, from those of its members, and the weights of the counts (N,)."""
        odds_N = self.log_odds(known_N, projected_N)
        return mix(network_N, counts_N, odds_N), logistic(odds_N)

    @classmethod
    def fit(
        cls,
        network_N: np.ndarray,
        counts_N: np.ndarray,
        known_N: np.ndarray,
        hidden_ND: np.ndarray | None,
        kinds: int,
        width: int = 0,
    ) -> Gate:
        """The gate under which a text is most likely, held back by two ridges; fit it on text that neither member was
        trained on.

        Args:
            network_N, counts_N: log-probabilities of the tokens by each member.
            known_N: what the counts knew before each.
            hidden_ND: what the output layer read before each; None for weights that do not look at it.
            kinds: K.
            width: D, needed without hidden states.
        """
        from scipy.optimize import minimize

        share = fit_weights(np.stack([network_N, counts_N], axis=1), 1e-5)[1]
        start = float(np.clip(np.log(share + 1e-9) - np.log(1 - share + 1e-9), -BOUND / 2, BOUND / 2))
        if hidden_ND is None:
            hidden_ND = np.empty((len(network_N), 0), np.float32)
        scale_D = 1.0 / np.maximum(hidden_ND.std(0, dtype=np.float64), 1e-6)
        scaled_ND = hidden_ND * scale_D.astype(np.float32)
        penalty = np.concatenate([[0.0], np.full(kinds, KIND_RIDGE), np.full(len(scale_D), HIDDEN_RIDGE)])
        # einsum, as numpy's products by @ start a thread a core of the machine, quota or not, which spin between them
        count, larger_N = len(network_N), np.maximum(network_N, counts_N)
        network_p_N, counts_p_N = np.exp(network_N - larger_N), np.exp(counts_N - larger_N)
        ahead_N = counts_p_N - network_p_N

        def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
            common, bias_K, weight_D = values[0], values[1 : kinds + 1], values[kinds + 1 :]
            odds_N = common + bias_K[known_N] + np.einsum("nd,d->n", scaled_ND, weight_D.astype(np.float32))
            weight_N = logistic(odds_N)
            mixed_p_N = np.maximum(network_p_N + weight_N * ahead_N, LEAST)
            slope_N = weight_N * (weight_N - 1.0) * ahead_N / mixed_p_N
            by_kind_K = np.bincount(known_N, slope_N, minlength=kinds)
            by_hidden_D = np.einsum("n,nd->d", slope_N.astype(np.float32), scaled_ND)
            slope = np.concatenate([[slope_N.sum()], by_kind_K, by_hidden_D]) + penalty * values
            return float(-np.log(mixed_p_N).sum() + 0.5 * (penalty * values**2).sum()) / count, slope / count

        first = np.zeros(len(penalty))
        first[0] = start
        found = minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS}).x
        bias_K, weight_D = found[0] + found[1 : kinds + 1], found[kinds + 1 :] * scale_D
        return cls(
            bias_K.astype(np.float32), weight_D.astype(np.float32) if len(weight_D) else np.zeros(width, np.float32)
        )

    @classmethod
    def only(cls, counts: bool, kinds: int, width: int) -> Gate:
        """The gate that listens to one member as far as BOUND allows."""
        odds = BOUND if counts else -BOUND
        return cls(np.full(kinds, odds, np.float32), np.zeros(width, np.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, to be saved."""
        return {"gate.bias": self.bias_K, "gate.weight": self.weight_D}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Gate:
        """From `arrays()`."""
        return cls(arrays["gate.bias"], arrays["gate.weight"])


def logistic(odds_N: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-odds)), by a function that does not overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * odds_N)


def mix(network_N: np.ndarray, counts_N: np.ndarray, odds_N: np.ndarray) -> np.ndarray:
    """log((1 - w) exp(network) + w exp(counts)) where w has these log-odds."""
    return np.logaddexp(network_N - np.logaddexp(0.0, odds_N), counts_N - np.logaddexp(0.0, -odds_N))
