"""What trainings measured, one JSON object a line; damaged lines are left out: only pictures depend on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError, counted
from ..progress import notify

REQUIRED = ("step", "tokens", "seconds")
"""What every line has."""
BY_PART = ("grad_norms", "saturated", "dead", "log_normalizer")
"""What has a number for each of several parts; everything else is one number."""
LARGEST = 1e300


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Read the lines of a metrics.jsonl, [] where there is none; a last line that is still being written is left out.

    A line that is damaged is left out too, and named on stderr: it must not keep a training from being resumed.

    Args:
        path: the file.

    Raises:
        InputError: something that is no file is there.
    """
    path = Path(path)
    if not path.exists():
        return []
    if not path.is_file():
        raise InputError(f"{path}: is not a file; remove it, and run the command again.")
    lines: list[dict[str, Any]] = []
    damaged: list[int] = []
    for number, text in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not text.endswith(b"\n"):
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if _is_line(line):
            lines.append(line)
        else:
            damaged.append(number)
    if damaged:
        others = f" and {counted(len(damaged) - 1, 'other')}" if damaged[1:] else ""
        notify(f"{path}: line {damaged[0]:,}{others} left out, damaged")
    return lines


def _is_line(value: Any) -> bool:
    if not isinstance(value, dict) or not all(_is_value(name, one) for name, one in value.items()):
        return False
    first = [value.get(name) for name in REQUIRED]
    return all(_is_number(one) and one is not None and 0 <= one < LARGEST for one in first)


def _is_value(name: str, value: Any) -> bool:
    if name in BY_PART:
        return isinstance(value, dict) and all(map(_is_number, value.values()))
    return _is_number(value)


def _is_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and not LARGEST <= abs(value) < float("inf"))
