"""The table of what can be tuned."""

from __future__ import annotations

from .base import Tunable
from .language_model import TunableLanguageModel
from .vectors import TunableVectors

TUNABLES: dict[str, type[Tunable]] = {one.name: one for one in (TunableLanguageModel, TunableVectors)}
"""Name in study.json -> what is tuned."""
