"""Every setting, typed, validated and documented; JSON and TOML in, JSON out.

Each is a field made by `knob`, which carries meaning, tier, usual range, effect and source: help pages, `seqlab
settings` and the typed options of the Python functions are made from these.
"""

from .embeddings import EmbeddingsConfig
from .evaluation import EvaluationConfig
from .generation import GenerationConfig
from .language_model import LanguageModelConfig
from .model import ModelConfig
from .names import NAMES
from .settings import Knob, Seed, Settings, merge, parse_set, read_config
from .text import TextConfig
from .training import TrainingConfig

__all__ = [
    "NAMES",
    "EmbeddingsConfig",
    "EvaluationConfig",
    "GenerationConfig",
    "Knob",
    "LanguageModelConfig",
    "ModelConfig",
    "Seed",
    "Settings",
    "TextConfig",
    "TrainingConfig",
    "merge",
    "parse_set",
    "read_config",
]
