"""Named settings, shipped in presets.toml for language models and in autoencoders.toml for autoencoders."""

from __future__ import annotations

import copy
import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ..base.errors import choose, option

LANGUAGE_MODELS, AUTOENCODERS = "presets.toml", "autoencoders.toml"
"""What there are presets for."""
SECTIONS = ("text", "model", "training", "autoencoder")
"""Of settings."""


def presets(of: str = LANGUAGE_MODELS) -> Mapping[str, Mapping[str, Any]]:
    """Name -> {"about": a line, "when": limits (optional), and settings by section}; one that reproduces a figure also
    says on what "data" and "hardware", what is "expected", with how many "types" it is
    meant, and which "curve" shows it learn.

    "when" of an autoencoder's limits the `tokenizers` and the `lines` of the training text. That of a language model
    may limit the `tokenizers`, the `types` of the vocabulary and the `tokens` of the training text from above,
    and from below its tokens (`over`), the `minutes` that were asked for, and the `passes` over it and `updates` that
    can be reached. "by_passes" lists settings that override these, and one another, from so many passes on.
    "decay_passes" sets the weight decay by the size of the text. All is for reading only: no copy is made, as every
    training looks here several times.

    Args:
        of: LANGUAGE_MODELS or AUTOENCODERS.
    """
    return _shipped(of)


def preset(name: str, of: str = LANGUAGE_MODELS) -> dict[str, Any]:
    """The settings of a preset by section. Raises InputError listing the names for an unknown one."""
    chosen = choose(option("preset"), name, _shipped(of))
    return copy.deepcopy({section: chosen[section] for section in SECTIONS if section in chosen})


@functools.cache
def _shipped(of: str) -> Mapping[str, Mapping[str, Any]]:
    read = tomllib.loads((files("seqlab_data") / of).read_text("utf-8"))
    return MappingProxyType({name: MappingProxyType(one) for name, one in read.items()})
