"""JSON files: written whole, and read with the file and line named where their text is broken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..printing import quoted
from .replacing import atomic_file


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, complete or not at all."""
    with atomic_file(path) as handle:
        handle.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass") + b"\n")


def read_json(path: str | Path) -> Any:
    """Read the value of a JSON file.

    Raises:
        InputError: naming the file, and the line where its text is broken.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; the file is damaged.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    return json_value(text, str(path), "; the file is damaged")


def json_value(text: str, source: str, meaning: str = "") -> Any:
    """The value of a text in JSON, in whose tables every key is there once.

    Args:
        text: the JSON.
        source: what the sentence calls it.
        meaning: what it means that the text is broken, as the end of the sentence.

    Raises:
        InputError: naming `source`, and the line or key.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: line {error.lineno}: not valid JSON ({error.msg}){meaning}.") from None
    except _RepeatedKeyError as error:
        raise InputError(
            f"{source}: the key {quoted(error.key)} stands twice in one table; leave one of them."
        ) from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, thousands of brackets
        raise InputError(f"{source}: holds a number or a nesting that is too long{meaning}.") from None


class _RepeatedKeyError(ValueError):
    """A table of JSON has a key twice, of which Python would take the last in silence."""

    def __init__(self, key: str):
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON, whose keys must be distinct."""
    table = dict(pairs)
    if len(table) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _RepeatedKeyError(next(key for key, count in counts.items() if count > 1))
    return table


def json_line(value: Any) -> bytes:
    """A value as one line of a JSON Lines file."""
    return json.dumps(value).encode() + b"\n"


def write_json_lines(path: str | Path, values: Iterable[Any]) -> None:
    """Write values as JSON Lines, complete or not at all."""
    with atomic_file(path) as handle:
        handle.writelines(map(json_line, values))
