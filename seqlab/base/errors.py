"""The two errors seqlab raises on purpose. The command line prints them as one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class SeqlabError(Exception):
    """Something failed while running: a diverging loss, a full disk. Exit code 1."""

    exit_code = 1


class InputError(SeqlabError, ValueError):
    """Bad usage, input or configuration: the message names the file, line or key and what to do. Exit code 2."""

    exit_code = 2


def did_you_mean(word: str, candidates: Iterable[str], count: int = 1, likeness: float = 0.6) -> str:
    """`" Did you mean 'x'?"` for the candidates closest to `word`, or an empty string when none is so alike."""
    close = difflib.get_close_matches(word, list(candidates), n=count, cutoff=likeness)
    return f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


def counted(count: int, noun: str) -> str:
    """ "1 word", "1,234 words" """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def choose(key: str, name: str, table: Mapping[str, Value]) -> Value:
    """`table[name]`. Raises InputError listing the choices when there is none."""
    if name not in table:
        raise InputError(f"{key}: {name!r} is not one of {', '.join(table)}.{did_you_mean(name, table)}")
    return table[name]
