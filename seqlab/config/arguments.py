"""Arguments of public functions: one of a wrong type is refused in a sentence, as a wrong setting is."""

from __future__ import annotations

import ast
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ..base.errors import InputError, did_you_mean
from .settings import excerpt

Checked = TypeVar("Checked", bound=Callable[..., Any])

ALIASES = {
    "CurveAxis": "str",
    "Member": "str",
    "Method": "str",
    "Sources": "str | Path | Sequence[str | Path]",
    "Verify": "bool | Literal['once']",
}
"""Names of annotations that are no classes. Those of a choice have sentences of their own, so any text will do here."""
PLURALS = {"a path": "paths", "text": "texts", "a number": "numbers", "a whole number": "whole numbers"}
PLAIN = (str, bytes, int, float, complex, list, tuple, dict, set, frozenset, type(None))
"""Of these an object of another class is never meant to be one."""
LOOKED_INTO = 100
"""Entries of a list that are looked at: the lists of names that people type are shorter."""


class Form(NamedTuple):
    """What an argument may be: a test, and words for the sentence; "" for words that go without saying."""

    fits: Callable[[Any], bool]
    words: str


def checked(thing: Checked) -> Checked:
    """Have a function, or every public method of a class, refuse arguments of a wrong type before anything else.

    The annotations say what is right. They are read as text, since most classes that they name are imported only by
    type checkers. Settings by name (`**options`) are left to the settings.
    """
    if not inspect.isclass(thing):
        return _checked(thing)
    for name, member in list(vars(thing).items()):
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            setattr(thing, name, _checked(member))
        elif isinstance(member, classmethod):
            setattr(thing, name, classmethod(_checked(member.__func__)))
    return thing


def _checked(function: Checked) -> Checked:
    code = inspect.unwrap(function).__code__
    names = code.co_varnames
    known = names[: code.co_argcount + code.co_kwonlyargcount]
    positional = names[: code.co_argcount]
    rest = names[len(known)] if code.co_flags & inspect.CO_VARARGS else None
    takes_any = bool(code.co_flags & inspect.CO_VARKEYWORDS)

    @functools.cache
    def forms() -> dict[str, Form]:
        return {name: form_of(text) for name, text in function.__annotations__.items() if isinstance(text, str)}

    def check(name: str, value: Any) -> None:
        form = forms().get(name)
        if form is not None and not form.fits(value):
            given = excerpt(value) if isinstance(value, PLAIN) else type(value).__name__
            raise InputError(f"{function.__name__}: {name}: must be {form.words}, not {given}.")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for name, value in zip(positional, args, strict=False):
            check(name, value)
        if rest is not None:
            for value in args[len(positional) :]:
                check(rest, value)
        for name, value in kwargs.items():
            if name in known:
                check(name, value)
            elif not takes_any:
                raise InputError(f"{function.__name__}: has no argument {name!r}.{did_you_mean(name, known)}")
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def form_of(annotation: str) -> Form:
    """What an annotation allows: `str | Path | None` any path or nothing."""
    return _form(ast.parse(annotation, mode="eval").body)


def _form(node: ast.expr) -> Form:
    if isinstance(node, ast.BinOp):
        forms = [_form(part) for part in _alternatives(node)]
        words = dict.fromkeys(form.words for form in forms if form.words)
        path = "a path" in words
        if path:
            words.pop("text", None)
        *most, last = words
        every = f"{', '.join(most)} or {last}" if most else last

        def fits(value: Any) -> bool:
            nameless = path and isinstance(value, str) and not value
            return not nameless and any(form.fits(value) for form in forms)

        return Form(fits, every)
    if isinstance(node, ast.Constant):
        return Form(lambda value: value is None, "") if node.value is None else form_of(str(node.value))
    if isinstance(node, ast.Subscript):
        return _form_of_several(ast.unparse(node.value), node.slice)
    return _form_of_one(ast.unparse(node))


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp):
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    elif isinstance(node, ast.Name) and node.id in ALIASES:
        yield from _alternatives(ast.parse(ALIASES[node.id], mode="eval").body)
    else:
        yield node


def _form_of_one(name: str) -> Form:
    if name in ALIASES:
        return form_of(ALIASES[name])
    if name in FORMS:
        return FORMS[name]
    if "." in name:  # an array, for which many things will do
        return Form(lambda value: True, "an array")
    article = "an" if name[0] in "AEIOU" else "a"
    return Form(lambda value: not isinstance(value, PLAIN), f"{article} {name}")


def _form_of_several(name: str, inside: ast.expr) -> Form:
    if name == "Literal":
        names = ast.literal_eval(inside)
        choices = names if isinstance(names, tuple) else (names,)
        return Form(lambda value: value in choices, " or ".join(map(repr, choices)))
    if name in ("Callable", "Unpack"):
        return Form(callable if name == "Callable" else lambda value: True, "a function")
    if name == "Mapping":
        return Form(lambda value: isinstance(value, Mapping), "nested values")
    each = _form(inside)

    def fits(value: Any) -> bool:
        if isinstance(value, str | bytes | Mapping) or not hasattr(type(value), "__iter__"):
            return False
        return not isinstance(value, list | tuple) or all(map(each.fits, value[:LOOKED_INTO]))

    return Form(fits, f"a list of {PLURALS[each.words]}" if each.words in PLURALS else "a list")


FORMS = {
    "None": Form(lambda value: value is None, ""),
    "str": Form(lambda value: isinstance(value, str), "text"),
    "Path": Form(lambda value: isinstance(value, os.PathLike), "a path"),
    "int": Form(lambda value: hasattr(type(value), "__index__"), "a whole number"),
    "float": Form(lambda value: hasattr(type(value), "__float__") or hasattr(type(value), "__index__"), "a number"),
    "bool": Form(lambda value: isinstance(value, int) or type(value).__name__ in ("bool", "bool_"), "True or False"),
    "object": Form(lambda value: True, "anything"),
    "Any": Form(lambda value: True, "anything"),
    "Iterable": Form(lambda value: isinstance(value, Iterable), "a list"),
}
