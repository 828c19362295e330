"""Named settings, shipped in presets.toml."""

from __future__ import annotations

import copy
import functools
import tomllib
from importlib.resources import files
from typing import Any

from ..base.errors import choose, option


def presets() -> dict[str, dict[str, Any]]:
    """Name -> {"about": a line, "when": limits (optional), "text", "model", "training": settings}; one that reproduces
    a figure also says on what "data" and "hardware", what is "expected", with how many "types" it is
    meant, and which "curve" shows it learn.

    "when" may limit the `tokenizers`, the `types` of the vocabulary and the `tokens` of the training text from above,
    and from below its tokens (`over`), the `minutes` that were asked for, and the `passes` over it and `updates` that
    can be reached. "by_passes" lists settings that override these from so many passes on.
    """
    return copy.deepcopy(_shipped())


def preset(name: str) -> dict[str, Any]:
    """The settings of a preset by section. Raises InputError listing the names for an unknown one."""
    chosen = choose(option("preset"), name, _shipped())
    return copy.deepcopy({section: chosen[section] for section in ("text", "model", "training") if section in chosen})


@functools.cache
def _shipped() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("seqlab_data") / "presets.toml").read_text("utf-8"))
