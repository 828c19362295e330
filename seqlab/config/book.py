"""The book of settings: every knob with all that is known about it, and every name a knob can take, by any word.

`seqlab settings NAME`, `seqlab.settings("lstm")`, help pages and the reference are made from it.
"""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from ..base.errors import InputError, counted, did_you_mean
from ..base.results import Result, Table, line
from .arguments import checked
from .groups.autoencoder import LatentConfig
from .groups.embeddings import EmbeddingsConfig
from .groups.evaluation import EvaluationConfig
from .groups.generation import GenerationConfig
from .groups.maps import MapConfig
from .groups.model import ModelConfig
from .groups.text import TextConfig
from .groups.training import TrainingConfig
from .names import NAMES, Tier, table_of
from .settings import Knob, Settings, figure

SECTIONS: dict[str, type[Settings]] = {
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "autoencoder": LatentConfig,
    "embeddings": EmbeddingsConfig,
    "generation": GenerationConfig,
    "evaluation": EvaluationConfig,
    "map": MapConfig,
}
RULES = "generation.rules"
"""The setting whose names are decoding rules."""
DETAILED = 3
"""Up to so many settings are printed with everything known about them."""
WIDEST = 110
"""Columns of the printed book at most: longer lines are hard to read."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: section and name, such as training.lr.
        type: what values it takes, in words.
        default: the value it has when nothing is set.
        tier: essential, recipe or internal.
        meaning, usual, effect, source: what it does, the range people use, what changes when it is turned, and where
            method or default come from.
        names: meaning of each name it can take, where there is a table of them.
    """

    key: str
    type: str
    default: Any
    tier: Tier
    meaning: str
    usual: str
    effect: str
    source: str
    names: dict[str, str]

    @property
    def section(self) -> str:
        """Group of settings it belongs to."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """Name without its section: the keyword in Python."""
        return self.key.partition(".")[2]

    def text(self) -> str:
        """Everything known about it, a line a fact."""
        value = json.dumps(self.default)
        facts = {
            "type": self.type,
            "default": shown(self.default),
            "usual": self.usual,
            "effect": self.effect,
            "source": self.source,
            "tier": self.tier,
            "Python": f"{self.name}={self.default!r}",
        }
        if self.section not in ("generation", "evaluation", "map") and self.default is not None:
            facts["shell"] = f"--set {self.name}={value}"
            if self.tier == "essential" and not isinstance(self.default, bool):  # which all have flags
                facts["shell"] = f"--{self.name.replace('_', '-')} {shown(self.default)}"
        lines = [self.key, *wrapped(self.meaning, "  ")]
        for name, fact in facts.items():
            lines += wrapped(fact, f"  {name:<9}")
        for name, meaning in self.names.items():
            lines += wrapped(meaning, f"    {name:<18}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self)}


@dataclass(frozen=True)
class Name:
    """One of the names that settings can take, such as the cell lstm.

    Attributes:
        name: itself.
        table: the table it is in, such as cells.
        meaning: what it stands for.
        settings: keys of the settings that take it.
    """

    name: str
    table: str
    meaning: str
    settings: list[str]

    def text(self) -> str:
        """Name, meaning and how to choose it."""
        return "\n".join(wrapped(f"{self.meaning}; for {', '.join(self.settings)}", f"{self.name:<18}"))


class Book(Result):
    """Settings and names: all there are, or those that a word concerns."""

    headers: ClassVar = ("setting", "default", "tier", "meaning", "usual", "effect", "source", "type")

    def __init__(
        self, settings: list[Setting], names: list[Name], about: str | None = None, also: tuple[str, ...] = ()
    ):
        self.settings, self.names, self.about, self.also = settings, names, about, also

    def __repr__(self) -> str:
        what = [f"about {self.about!r}"] if self.about else []
        counts = [counted(len(self.settings), "setting"), counted(len(self.names), "name") if self.names else ""]
        return line("Settings", [*what, *counts])

    def __len__(self) -> int:
        return len(self.settings)

    def __iter__(self) -> Iterator[Setting]:
        return iter(self.settings)

    def __getitem__(self, key: str) -> Setting:
        """The setting of that key, or of that name where no other has it. Raises KeyError where there is none."""
        found = [one for one in self.settings if key in (one.key, one.name)]
        if len(found) != 1:
            raise KeyError(key)
        return found[0]

    def table(self) -> Table:
        """A row a setting, then a row a name."""
        rows: list[list[Any]] = [
            [one.key, shown(one.default), one.tier, one.meaning, one.usual, one.effect, one.source, one.type]
            for one in self.settings
        ]
        rows += [[f"{one.table}: {one.name}", None, None, one.meaning, None, None, None, None] for one in self.names]
        return Table(self.headers, rows, f"Settings about {self.about}" if self.about else "")

    def text(self) -> str:
        """What `seqlab settings` prints: all about a few settings, or a line about each of many."""
        blocks = ["\n".join(one.text() for one in self.names)] if self.names else []
        also = ["\n".join(wrapped(", ".join(self.also), "see also: "))] if self.also else []
        if len(self.settings) <= DETAILED:
            return "\n\n".join([*blocks, *(one.text() for one in self.settings), *also])
        for section in dict.fromkeys(one.section for one in self.settings):
            for tier in get_args(Tier):
                chosen = [one for one in self.settings if (one.section, one.tier) == (section, tier)]
                if chosen:
                    blocks.append("\n".join([f"{section}: {tier}", *(row for one in chosen for row in brief(one))]))
        return "\n\n".join(blocks)

    def to_json(self) -> dict[str, Any]:
        """{"settings": [...], "names": [...]}"""
        return {"settings": [one.to_json() for one in self.settings], "names": [vars(one) for one in self.names]}


def brief(setting: Setting) -> list[str]:
    """Name, default and meaning."""
    return wrapped(setting.meaning, f"  {setting.name:<20}{shown(setting.default):<17}")


def wrapped(text: str, start: str) -> list[str]:
    """`text` after `start`, its further lines below its first; a start too long gets a line of its own."""
    width = min(WIDEST, max(60, shutil.get_terminal_size((WIDEST, 24)).columns))
    return textwrap.wrap(text, width, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False)


def shown(value: Any) -> str:
    """A default as people read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value == []:
        return "-"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


@checked
def settings(name: str | None = None) -> Book:
    """Every setting, or what a word is about: a setting, a section, a table or one of its names.

    Args:
        name: "dropout" or "training.clip" (a setting), "model" (a section), "cells" (a table), "lstm" (a name: also
            the settings that concern it), any other word (wherever it occurs); None for everything.

    Raises:
        InputError: the word occurs nowhere; the message suggests the nearest one.
    """
    everything = list(all_settings())
    if name is None:
        return Book(everything, [])
    word = name.strip().lstrip("-").lower()
    if not word:
        raise InputError("settings: name a setting, a section or a word, or leave the name out.")
    key = word.replace("-", "_")
    names = list(all_names(everything))
    section = [one for one in everything if one.section == key]
    exact = [one for one in everything if key in (one.key, one.name) and one not in section]
    table = [one for one in names if one.table == key]
    if section or exact or table:
        also = tuple(one.key for one in everything if key in one.name and one not in exact) if exact else ()
        return Book(exact + section, table, word, also)
    called = [one for one in names if one.name == word]
    spelt = "[ _-]".join(map(re.escape, re.split("[ _-]+", word)))
    mentions = re.compile(rf"(?<![\w-]){spelt}s?(?![\w-])", re.IGNORECASE)
    about = [one for one in everything if mentions.search(" ".join((one.key, one.meaning, one.usual, one.effect)))]
    if called:
        takes = [one for one in everything if any(one.key in each.settings for each in called)]
        return Book([*takes, *(one for one in about if one not in takes)], called, word)
    called = [one for one in names if mentions.search(f"{one.name} {one.meaning}")]
    about = about or [one for one in everything if key in one.key]
    if about or called:
        return Book(about, called, word)
    known = [*SECTIONS, *(one.key for one in everything), *(one.name for one in everything), *(n.name for n in names)]
    hint = did_you_mean(key, known) or did_you_mean(word, known)
    raise InputError(f"settings: there is none called {name!r}, and none mentions it.{hint}")


def all_settings() -> Iterator[Setting]:
    """Every setting, section by section."""
    for section, kind in SECTIONS.items():
        for name, field in kind.model_fields.items():
            if not (isinstance(field.annotation, type) and issubclass(field.annotation, Settings)):
                yield setting_of(f"{section}.{name}", field)


def all_names(everything: list[Setting]) -> Iterator[Name]:
    """Every name of every table."""
    for table, meanings in NAMES.items():
        takers = [one.key for one in everything if one.names == meanings]
        if table == "dynamic_rules":
            takers = ["evaluation.dynamic"]
        for name, meaning in meanings.items():
            yield Name(name, table, meaning, takers)


def setting_of(key: str, field: FieldInfo) -> Setting:
    """What the field of a configuration says about the setting `key`."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    knob = extra["knob"]
    assert isinstance(knob, Knob)
    table = "rules" if key == RULES else table_of(field.annotation)
    return Setting(
        key,
        type_words(field.annotation, field),
        field.default,
        knob.tier,
        field.description or "",
        knob.usual,
        knob.effect,
        knob.source,
        NAMES[table] if table else {},
    )


WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "none"}


def type_words(kind: Any, field: FieldInfo | None = None) -> str:
    """The values of a type in words, with the bounds of its field."""
    if kind in WORDS:
        words = WORDS[kind]
    elif get_origin(kind) is Literal:
        words = f"one of {', '.join(get_args(kind))}"
    elif get_origin(kind) in (list, tuple):
        inner = ", ".join(type_words(one) for one in get_args(kind) if one is not Any)
        words = f"{'list' if get_origin(kind) is list else 'pair'}{f' of {inner}' if inner else ''}"
    elif hasattr(kind, "__metadata__"):
        words = type_words(get_args(kind)[0])
    else:
        words = " or ".join(type_words(one) for one in get_args(kind)) or getattr(kind, "__name__", str(kind)).lower()
    bounds = {
        name: figure(getattr(one, name))
        for one in (field.metadata if field else ())
        for name in BOUNDS
        if hasattr(one, name)
    }
    if {"ge", "le"} <= bounds.keys():
        return f"{words}, {bounds['ge']} to {bounds['le']}"
    return ", ".join([words, *(BOUNDS[name].format(value) for name, value in bounds.items())])


BOUNDS = {"gt": "above {}", "ge": "{} or more", "lt": "below {}", "le": "{} or less"}
