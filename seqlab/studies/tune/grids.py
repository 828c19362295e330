"""A plain grid as a person writes it: KEY=VALUE,VALUE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...base.errors import InputError
from ...config import parse_set


def parse_grid(assignments: Sequence[str]) -> dict[str, list[Any]]:
    """`["lr=1e-3,3e-3", "dropout=0,0.2"]` as values by setting.

    Raises:
        InputError: no values, or a setting twice.
    """
    found: dict[str, list[Any]] = {}
    for assignment in assignments:
        key, equals, values = assignment.partition("=")
        parts = [part.strip() for part in values.split(",") if part.strip()]
        if not equals or not key.strip() or not parts:
            raise InputError(f"--grid {assignment!r}: write a setting and its values, such as lr=1e-3,3e-3.")
        if key.strip() in found:
            raise InputError(f"--grid {key.strip()}: is there twice; write all its values in one.")
        found[key.strip()] = [parse_set([f"value={part}"])["value"] for part in parts]
    return found
