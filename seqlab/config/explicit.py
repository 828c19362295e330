"""Options written out: what `help()` and a notebook show of a function that takes settings by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from .settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


def options_of(kind: type[Settings]) -> dict[str, FieldInfo]:
    """The fields of settings by bare name, nested groups included; a name that several groups share is left out."""
    found: dict[str, FieldInfo] = {}
    shared: set[str] = set()
    for name, field in kind.model_fields.items():
        nested = field.annotation
        inner = options_of(nested) if isinstance(nested, type) and issubclass(nested, Settings) else {name: field}
        shared |= found.keys() & inner.keys()
        found |= inner
    return {name: field for name, field in found.items() if name not in shared}


def explicit(kind: type[Settings]) -> Callable[[Function], Function]:
    """Give a function that takes `**options: Unpack[...]` a signature and a docstring that name every option.

    Type checkers and editors read the TypedDict; at run time `inspect.signature` and `help()` show each setting as a
    keyword with its default, and its sentence. The function itself stays as it is.

    Args:
        kind: the settings that `**options` may name; where two groups share a name, the name is left out, and only
            the dotted form in a configuration can turn it.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        taken = {p.name for p in fixed}
        options = {name: field for name, field in options_of(kind).items() if name not in taken}
        keywords = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.get_default(call_default_factory=True),
                annotation=field.annotation,
            )
            for name, field in options.items()
        ]
        function.__signature__ = signature.replace(parameters=[*fixed, *keywords])  # type: ignore[attr-defined]
        lines = [
            f"    {name} = {field.get_default(call_default_factory=True)!r}: {field.description}"
            for name, field in options.items()
        ]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", *lines])
        return function

    return decorate
