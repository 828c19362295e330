"""Everything that decides a training of a language model."""

from __future__ import annotations

from typing import Any, ClassVar

from ..settings import Settings
from .model import ModelConfig
from .text import TextConfig
from .training import TrainingConfig


class LanguageModelConfig(Settings):
    """Settings of text, model and training of a language model."""

    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    REMOVED: ClassVar[dict[str, Any]] = {
        "model.char_dim": 16,
        "model.char_filters": None,
        "model.char_highway": 1,
        "model.char_length": 32,
        "model.noise_power": 0.75,
        "model.unique_noise": True,
        "model.tail_shrink": None,
        "training.plateau_patience": 1,
    }
    FORGOTTEN: ClassVar[dict[str, Any]] = {
        "training.validation_share": 0.05,
        "training.log_lines": 500,
        "training.save_every": 30.0,
    }
