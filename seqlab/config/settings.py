"""What every group of settings can do: validate, merge, name what is wrong in one sentence; and what a knob carries."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..base.errors import InputError, did_you_mean, option
from .names import Tier

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""What numpy's and torch's generators both take."""
PathText = Annotated[str, BeforeValidator(lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value)]
"""A path, stored as text."""

WIDEST = 1 << 16
"""Numbers of a vector or a hidden state beyond which a setting is a slip: four times the widest models published."""

MEASURED = "measured here, see benchmarks/"
FLAGS = "flags"
"""The source of settings that a person typed as options, by whose names errors then speak."""
PRACTICE = "common practice, not measured here"
YOURS = "depends on your text, your machine or your wish"
"""Sources of a default that comes from no paper."""


@dataclass(frozen=True)
class Knob:
    """What is known about a setting besides its name, type and default.

    Attributes:
        tier: how likely a person is to turn it.
        usual: the range people use.
        effect: what changes when it is turned.
        source: where default or method come from: a paper, a measurement, practice.
    """

    tier: Tier
    usual: str
    effect: str
    source: str


def knob(default: Any, meaning: str, *, tier: Tier, usual: str, effect: str, source: str = YOURS, **bounds: Any) -> Any:
    """A field of `Settings` with everything a help page says about it; `bounds` are pydantic's (ge, lt, ...)."""
    about = {"knob": Knob(tier, usual, effect, source)}
    return Field(default, description=meaning, json_schema_extra=about, **bounds)  # type: ignore[arg-type]


class Settings(BaseModel):
    """Settings that belong together; none of their numbers may be infinite or not a number.

    Attributes:
        REMOVED: settings of earlier versions that are constants now, with the value they have, by dotted key.
        FORGOTTEN: the same for settings that no result depends on: whatever value an old folder has is ignored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    REMOVED: ClassVar[dict[str, Any]] = {}
    FORGOTTEN: ClassVar[dict[str, Any]] = {}

    @classmethod
    def build(cls, values: Mapping[str, Any], source: str = "configuration") -> Self:
        """Validate nested `values`; one InputError sentence naming `source` and the key when something is wrong."""
        sentence = _truth_for_number(cls, values)
        try:
            if not sentence:
                return cls.model_validate(values)
        except ValidationError as error:
            sentence = _sentence(cls, error)
        if source == FLAGS:
            key, colon, rest = sentence.partition(": ")
            raise InputError(f"{option(key.rpartition('.')[2])}{colon}{rest}")
        raise InputError(f"{source}: {sentence}")

    @classmethod
    def of_record(cls, values: Mapping[str, Any], source: str) -> Self:
        """The settings stored in a folder, which an earlier version may have written.

        Raises:
            InputError: naming `source` and the setting that this version no longer has.
        """
        return cls.build(cls.without_removed(values, source), source)

    @classmethod
    def without_removed(cls, values: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Stored `values` less the settings that are constants now.

        Raises:
            InputError: one of them had a value other than that constant.
        """
        kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
        for key in (*cls.REMOVED, *cls.FORGOTTEN):
            section, _, leaf = key.rpartition(".")
            inside = kept.get(section) if section else kept
            if not isinstance(inside, dict) or leaf not in inside:
                continue
            value = inside.pop(leaf)
            if key in cls.REMOVED and value != cls.REMOVED[key]:
                raise InputError(
                    f"{source}: {key} = {value!r} is a setting that only seqlab 0.1 has; open it with that version, "
                    "or train again with this one."
                )
        return kept

    def updated(self, overrides: Mapping[str, Any], source: str = "configuration") -> Self:
        """A copy with dotted (`"training.lr"`) or nested `overrides` applied and everything validated again."""
        return self.build(merge(self.model_dump(), self.qualified(overrides)), source)

    @classmethod
    def checked(cls, values: Mapping[str, Any], source: str = "configuration") -> dict[str, Any]:
        """Nested `values` as settings store them: "5" is the number 5. Raises InputError as `build` does."""
        given = merge({}, cls.qualified(values))
        return _chosen(cls.build(merge(cls().model_dump(), given), source).model_dump(), given)

    @classmethod
    def qualified(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` with bare names (`"lr"`) that belong to one section only spelled out (`"training.lr"`)."""
        keys = cls.keys()
        homes = {leaf: [k for k in keys if k.rpartition(".")[2] == leaf] for leaf in values}
        return {
            homes[name][0] if name not in keys and len(homes[name]) == 1 else name: value
            for name, value in values.items()
        }

    @classmethod
    def keys(cls) -> list[str]:
        """All dotted keys."""
        found = []
        for name, field in cls.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Settings):
                found += [f"{name}.{key}" for key in kind.keys()]  # noqa: SIM118
            else:
                found.append(name)
        return found


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides`, nested tables merged; a dotted key reaches into them."""
    merged = dict(base)
    for key, value in overrides.items():
        head, _, rest = key.partition(".")
        if rest:
            value = {rest: value}
        if isinstance(value, Mapping):
            inner = merged.get(head)
            merged[head] = merge(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[head] = value
    return merged


def _chosen(values: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Those of nested `values` that `keys` has too."""
    return {
        key: _chosen(values[key], inner)
        if isinstance(inner, Mapping) and isinstance(values[key], dict)
        else values[key]
        for key, inner in keys.items()
    }


def _truth_for_number(cls: type[Settings], values: Mapping[str, Any], inside: str = "") -> str:
    """What is wrong with the first number that is given as true or false, which would be read as 1 or 0; else ""."""
    for name, field in cls.model_fields.items():
        kind, value = field.annotation, values.get(name)
        if isinstance(kind, type) and issubclass(kind, Settings) and isinstance(value, Mapping):
            if sentence := _truth_for_number(kind, value, f"{inside}{name}."):
                return sentence
        elif isinstance(value, bool) and (number := _number_in(kind)):
            return f"{inside}{name}: must be {number}, not {value}."
    return ""


def _number_in(kind: Any) -> str:
    """What an annotation that allows numbers calls them; "" where it allows none, or truth values too."""
    kinds = [kind, *(inner for part in get_args(kind) for inner in (part, *get_args(part)))]
    if bool in kinds:
        return ""
    return WANTED["float_"] if float in kinds else WANTED["int_"] if int in kinds else ""


def _sentence(cls: type[Settings], error: ValidationError) -> str:
    """What is wrong with the first setting that is."""
    first = error.errors()[0]
    key, kind = ".".join(str(part) for part in first["loc"]), first["type"]
    if kind == "extra_forbidden":
        return _unknown(cls, key)
    if kind == "too_short":
        return f"{key}: must hold at least one entry, or be left out."
    context = first.get("ctx", {})
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", context["expected"])
        given = excerpt(first["input"])
        return f"{key}: {given} is not one of {', '.join(names)}.{did_you_mean(given.strip(QUOTES), names)}"
    bound = context.get(BOUNDS.get(kind, ("",))[0])
    wanted = (
        BOUNDS[kind][1].format(figure(bound))
        if kind in BOUNDS
        else next((words for start, words in WANTED.items() if kind.startswith(start)), "")
    )
    if wanted:
        return f"{key}: must be {wanted}, not {excerpt(first['input'])}."
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{key}: {message}, not {excerpt(first['input'])}."


QUOTES = "'\""


def figure(bound: Any) -> str:
    """A limit as people write it: "65,536", "0.5"; what is no number as it is."""
    return f"{bound:,.15g}" if isinstance(bound, float) else f"{bound:,}" if isinstance(bound, int) else str(bound)


BOUNDS = {
    "greater_than": ("gt", "above {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "below {}"),
    "less_than_equal": ("le", "{} or less"),
}
WANTED = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "text",
    "list_": "a list",
    "tuple_": "a pair",
    "model_": "a table of settings",
}
"""What a value must be, by the start of pydantic's type of error."""


def _unknown(cls: type[Settings], key: str) -> str:
    """What to say of a key that there is not: a setting that became a constant, or a slip."""
    leaf = key.rpartition(".")[2]
    for removed, value in (cls.REMOVED | cls.FORGOTTEN).items():
        if removed == key or (removed.rpartition(".")[2] == leaf and "." not in key):
            return f"{removed}: is no longer a setting; it is always {value!r}."
    keys = cls.keys()
    sections = {other.partition(".")[0] for other in keys if "." in other}
    hint = did_you_mean(key, [*keys, *sorted(sections)]) or did_you_mean(
        leaf, [other.rpartition(".")[2] for other in keys]
    )
    same_leaf = [other for other in keys if other.rpartition(".")[2] == leaf]
    if same_leaf:
        hint = f" Did you mean {same_leaf[0]!r}?"
    return f"unknown key {excerpt(key)}.{hint}"


LARGEST_FILE, DEEPEST = 1 << 20, 8
"""Bytes of a configuration file, and tables within one another, that no configuration has."""


def read_config(path: str | Path) -> dict[str, Any]:
    """Nested values of a TOML or JSON configuration file.

    Raises:
        InputError: naming the file, and the place in it where its text is broken.
    """
    from ..base.files import json_value
    from ..base.storage.streams import parked_as

    path = Path(path)
    try:
        with parked_as(path) as place, place.open("rb") as handle:
            data = handle.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration file.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()}).") from None
    if len(data) > LARGEST_FILE:
        raise InputError(f"{path}: is larger than {LARGEST_FILE:,} bytes; give a file of settings, in TOML or JSON.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the settings as UTF-8.") from None
    values = json_value(text, str(path)) if path.suffix == ".json" else toml_values(text, str(path))
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold one JSON object.")
    if depth(values) > DEEPEST:
        raise InputError(f"{path}: holds more than {DEEPEST} tables within one another; settings have two at most.")
    return values


def toml_values(text: str, source: str) -> dict[str, Any]:
    """Values of a text in TOML. Raises InputError naming `source` and where the text is broken."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML ({error}).") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, thousands of brackets
        raise InputError(f"{source}: holds a number or a nesting that is too long.") from None


def depth(value: object) -> int:
    """Tables and lists within one another; 1 for a flat table."""
    deepest, level = 0, list[Any]([value])
    while level:
        inner = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
        level, deepest = [part for part in inner if isinstance(part, dict | list)], deepest + 1
    return deepest


def parse_set(assignments: list[str]) -> dict[str, Any]:
    """`["training.lr=0.01"]` as `{"training.lr": 0.01}`; values are read as TOML, anything else as text."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {excerpt(assignment)}: write key=value, such as training.lr=0.01.")
        name = key.strip()
        if name.count(".") >= DEEPEST:
            raise InputError(f"--set {excerpt(name)}: has more than {DEEPEST} parts; settings have two at most.")
        try:
            values[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[name] = text
        except (ValueError, RecursionError):
            raise InputError(f"--set {excerpt(name)}: holds a number or a nesting that is too long.") from None
        if isinstance(values[name], dict | list) and depth(values[name]) > DEEPEST:
            raise InputError(f"--set {excerpt(name)}: holds more than {DEEPEST} tables within one another.")
    return values


def excerpt(value: object, most: int = 60) -> str:
    """A value as Python writes it, cut where it is long: what a file holds may be of any length."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= most else f"{text[:most]}..."
