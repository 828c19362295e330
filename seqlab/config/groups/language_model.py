"""Everything that decides a training of a language model."""

from __future__ import annotations

from ..settings import Settings
from .model import ModelConfig
from .text import TextConfig
from .training import TrainingConfig


class LanguageModelConfig(Settings):
    """Settings of text, model and training of a language model."""

    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
