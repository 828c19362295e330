"""Training a language model, and evaluating it exactly."""

from .evaluation import evaluate_language_model, negative_log_likelihood, scores
from .loop import Trainer, check, total_steps
from .optimizers import OPTIMIZERS, Optimizer
from .presets import describe, preset, presets, suggest
from .pretrained import Coverage, start_from_vectors

__all__ = [
    "OPTIMIZERS",
    "Coverage",
    "Optimizer",
    "Trainer",
    "check",
    "describe",
    "evaluate_language_model",
    "negative_log_likelihood",
    "preset",
    "presets",
    "scores",
    "start_from_vectors",
    "suggest",
    "total_steps",
]
