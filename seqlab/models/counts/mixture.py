"""Mixtures of models, weighted by expectation maximisation (Jelinek & Mercer 1980), and the two simplest models to mix.

Shapes: N tokens, M models, V vocabulary. Logarithms are natural.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.errors import InputError
from ...text import TokenFile


def uniform_log_probs(tokens: TokenFile, vocab_size: int) -> np.ndarray:
    """(N,) -log V: every word is as likely."""
    return np.full(len(tokens), -math.log(vocab_size))


def interpolate(log_p_NM: np.ndarray, weights_M: np.ndarray) -> np.ndarray:
    """(N,) log of the weighted mean of the models' probabilities.

    Raises InputError for weights that are negative, do not sum to one or are not one a model.
    """
    weights_M = np.asarray(weights_M, np.float64)
    if weights_M.shape != log_p_NM.shape[1:] or (weights_M < 0).any() or not math.isclose(weights_M.sum(), 1.0):
        raise InputError(
            f"mixture weights: {weights_M.tolist()} for {log_p_NM.shape[1]} models; "
            "give one a model, none negative, summing to 1."
        )
    used = weights_M > 0
    joint_NM = log_p_NM[:, used] + np.log(weights_M[used])
    return np.asarray(np.logaddexp.reduce(joint_NM, axis=1))


def fit_weights(log_p_NM: np.ndarray, tolerance: float = 1e-7, rounds: int = 10_000) -> np.ndarray:
    """The mixture weights under which a text is most likely: (M,) float64. Fit them on validation text, not on test.

    A round sets each weight to its model's mean share of the mixture; the likelihood never falls, and as it is concave
    in the weights there is one maximum. With g_m the mean ratio of model m to the mixture, that maximum is at most
    log max(g) above: it stops there, not when the weights move slowly.

    Args:
        tolerance: stop this close to the maximum, in nats per token.
        rounds: stop after so many anyway.

    Raises:
        InputError: there are no tokens, or one that no model gives a probability.
    """
    if not log_p_NM.size:
        raise InputError("mixture weights: there are no tokens to fit them on.")
    best_N1 = log_p_NM.max(1, keepdims=True)
    if not np.isfinite(best_N1).all():
        place = int(np.flatnonzero(~np.isfinite(best_N1[:, 0]))[0])
        raise InputError(f"mixture weights: no model gives token {place:,} a probability; leave it out.")
    p_NM = np.exp(log_p_NM - best_N1)
    weights_M = np.full(log_p_NM.shape[1], 1.0 / log_p_NM.shape[1])
    for _ in range(rounds):
        gain_M = (1.0 / (p_NM @ weights_M)) @ p_NM / len(p_NM)
        if math.log(gain_M.max()) <= tolerance:
            break
        weights_M = weights_M * gain_M
        weights_M /= weights_M.sum()
    return weights_M
