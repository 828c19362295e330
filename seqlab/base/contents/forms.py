"""What a JSON file of ours must hold, so that a value of another type is one sentence where the file is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError

Form = Any
"""A type; a tuple of forms, any of which will do; a list of one form, which every entry has; or a table of forms by
key, where a key that ends in "?" may be missing. Other keys may be there, with the form of OTHERS where that is
named."""
OTHERS = "*"
WORDS = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table", list: "a list",
    type(None): "null",
}  # fmt: skip


def check_form(path: str | Path, value: object, form: Form) -> None:
    """Refuse a value of another form than a file must hold.

    Args:
        path: the file.
        value: what was read from it.
        form: see `Form`.

    Raises:
        InputError: naming file and key.
    """
    if wrong := misfit(value, form):
        raise InputError(f"{path}: {wrong}; the file is damaged or was edited.")


def misfit(value: object, form: Form, key: str = "") -> str:
    """What does not have its form, "counts.0: must be a whole number"; empty where all has."""
    if isinstance(form, tuple):
        tables = [one for one in form if isinstance(one, Mapping)]
        if any(not misfit(value, one, key) for one in form):
            return ""
        return misfit(value, tables[0], key) if tables and isinstance(value, Mapping) else _wrong(key, *form)
    if isinstance(form, Mapping):
        return _misfit_table(value, form, key) if isinstance(value, Mapping) else _wrong(key, form)
    if not isinstance(form, list):
        return "" if type(value) is form else _wrong(key, form)
    if not isinstance(value, list):
        return _wrong(key, form)
    if isinstance(form[0], type):  # a vocabulary is looked through without a call an entry
        odd = next((place for place, one in enumerate(value) if type(one) is not form[0]), None)
        return "" if odd is None else _wrong(f"{key}.{odd}".lstrip("."), form[0])
    found = (misfit(one, form[0], f"{key}.{place}".lstrip(".")) for place, one in enumerate(value))
    return next(filter(None, found), "")


def _misfit_table(value: Mapping[str, object], form: Mapping[str, Form], key: str) -> str:
    for name in value if OTHERS in form else ():
        if wrong := misfit(value[name], form[OTHERS], f"{key}.{name}".lstrip(".")):
            return wrong
    for name, inner in form.items():
        plain = name.removesuffix("?")
        place = f"{key}.{plain}".lstrip(".")
        if plain in value:
            if wrong := misfit(value[plain], inner, place):
                return wrong
        elif name not in (plain + "?", OTHERS):
            return f"{place}: is missing"
    return ""


def _wrong(key: str, *forms: Form) -> str:
    kinds = (dict if isinstance(form, Mapping) else list if isinstance(form, list) else form for form in forms)
    return f"{key or 'the file'}: must be {' or '.join(WORDS[kind] for kind in kinds)}"


def take_over(target: object, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Set the attributes of an object to saved ones.

    Args:
        target: the object.
        saved: by name, from a file.
        own: what there is now, whose types the saved values must have.

    Raises:
        ValueError: another type, or a count or number that cannot be. Names that there are not, of another version, are
            left out.
    """
    known = {name: value for name, value in saved.items() if name in own}
    for name, value in known.items():
        if not _alike(value, own[name]):
            raise ValueError(f"{name} cannot be {str(value)[:40]}")
    for name, value in known.items():
        setattr(target, name, value)


def _alike(value: object, own: object) -> bool:
    """Whether a saved value can take the place of another: counts are not negative, numbers are numbers."""
    if isinstance(own, list):
        return isinstance(value, list) and all(_alike(one, 0.0) for one in value)
    if isinstance(own, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value
    if isinstance(own, int) and not isinstance(own, bool):
        return type(value) is int and 0 <= value < 1 << 63
    return type(value) is type(own)
