"""Every setting, typed, validated and documented; JSON and TOML in, JSON out.

Each is a field made by `knob`, which carries meaning, tier, usual range, effect and source: help pages, `seqlab
settings` and the typed options of the Python functions are made from these.
"""

from .groups.autoencoder import AutoencoderConfig, LatentConfig
from .groups.embeddings import EmbeddingsConfig
from .groups.evaluation import EvaluationConfig
from .groups.generation import GenerationConfig
from .groups.language_model import LanguageModelConfig
from .groups.maps import MapConfig
from .groups.model import ModelConfig
from .groups.text import TextConfig
from .groups.training import TrainingConfig
from .names import NAMES
from .settings import FLAGS, Knob, Seed, Settings, merge, parse_set, read_config

__all__ = [
    "FLAGS",
    "NAMES",
    "AutoencoderConfig",
    "EmbeddingsConfig",
    "EvaluationConfig",
    "GenerationConfig",
    "Knob",
    "LanguageModelConfig",
    "LatentConfig",
    "MapConfig",
    "ModelConfig",
    "Seed",
    "Settings",
    "TextConfig",
    "TrainingConfig",
    "merge",
    "parse_set",
    "read_config",
]
