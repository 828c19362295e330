"""Everything that decides a training of a language model."""

from __future__ import annotations

from .model import ModelConfig
from .settings import Settings
from .text import TextConfig
from .training import TrainingConfig


class LanguageModelConfig(Settings):
    """Settings of text, model and training of a language model."""

    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
