"""What to type instead, by setting: the values that remedies name, from what a check measured."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from ....diagnosis.curves import rounded
from ..measure.figures import CheckFigures

Values = Mapping[str, float]


def best_rate(figures: CheckFigures) -> Values:
    """A third of the best rate tried: few steps favour high rates."""
    return {} if figures.rates is None else {"lr": rounded(figures.rates.best / 3)}


def lower_rate(figures: CheckFigures) -> Values:
    """A third of the rate, or of the best rate tried where that is lower, so that remedies agree."""
    return {"lr": min([rounded(figures.config.training.lr / 3), *best_rate(figures).values()])}


def looser_clipping(figures: CheckFigures) -> Values:
    return {"clip": rounded(2 * median(figures.steps.norms)), **lower_rate(figures)}


def fewer_layers(figures: CheckFigures) -> Values:
    return {"layers": max(1, figures.config.model.layers // 2)}


def wider(figures: CheckFigures) -> Values:
    return {"hidden_dim": 2 * figures.config.model.hidden_dim}


def narrower(figures: CheckFigures) -> Values:
    return {"hidden_dim": max(1, figures.config.model.hidden_dim // 2)}


def less_memory(figures: CheckFigures) -> Values:
    training = figures.config.training
    return {
        "batch_size": max(1, training.batch_size // 2),
        "bptt": max(1, training.bptt // 2),
        **narrower(figures),
    }
