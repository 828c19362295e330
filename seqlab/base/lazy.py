"""Names of a package that are loaded on first use, so that importing it costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .errors import did_you_mean


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a module's `__getattr__` (PEP 562), which imports a public name when it is first used.

    A package with heavy parts uses it so that importing the package, or printing a help page, loads none of them.

    Args:
        package: the package's name, `__name__`.
        homes: for each public name the submodule it comes from. No name may be that of a submodule: importing the
            submodule would put the module in its place.

    Returns:
        The function to assign to `__getattr__`.
    """

    def getattribute(name: str) -> Any:
        if name not in homes:
            meant = "" if name.startswith("_") else did_you_mean(name, homes)
            raise AttributeError(f"module {package!r} has no attribute {name!r}.{meant}")
        value = getattr(importlib.import_module(f".{homes[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    return getattribute
