"""What a person set: a file or nested values, and options by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError
from ..config import LanguageModelConfig, read_config

if TYPE_CHECKING:
    from ..training.planning import Layer


def language_model_layers(config: str | Path | Mapping[str, Any] | None, options: Mapping[str, Any]) -> list[Layer]:
    """What the person set, in ascending precedence: a configuration, then options by name."""
    from ..training.planning import Layer

    return [
        Layer(origin_of(config), LanguageModelConfig.checked(config_values(config), origin_of(config))),
        Layer("options", LanguageModelConfig.checked(options)),
    ]


def config_values(config: str | Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Nested settings from a file, or as they are given. Raises InputError for anything else."""
    if config is None:
        return {}
    if isinstance(config, str | Path):
        return read_config(config)
    if isinstance(config, Mapping):
        return config
    raise InputError(f"config: give a TOML or JSON file or nested values, not {type(config).__name__}.")


def origin_of(config: str | Path | Mapping[str, Any] | None) -> str:
    """Where settings come from, for error sentences."""
    return str(config) if isinstance(config, str | Path) else "config"
