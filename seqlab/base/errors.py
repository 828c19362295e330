"""The two errors seqlab raises on purpose. The command line prints them as one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

Value = TypeVar("Value")


_shell = False
"""Whether the person types commands, rather than Python."""


@contextmanager
def in_words_of_the_shell() -> Iterator[None]:
    """Inside, sentences name options as the command line has them."""
    global _shell
    before, _shell = _shell, True
    try:
        yield
    finally:
        _shell = before


def option(name: str, value: object = None) -> str:
    """An option in the words of the face in use, for a sentence: `--min-count 2`, or `min_count=2` in Python.

    Args:
        name: as the settings have it.
        value: what to set it to; None names the option alone.
    """
    if _shell:
        flag = f"--{name.replace('_', '-')}"
        if value in ("yes", "no"):
            return flag if value == "yes" else f"--no-{flag[2:]}"
        if value is True:
            return flag
        return flag if value is None else f"{flag} {value}"
    return name if value is None else f"{name}={value!r}"


class SeqlabError(Exception):
    """Something failed while running: a diverging loss, a full disk. Exit code 1."""

    exit_code = 1


class InputError(SeqlabError, ValueError):
    """Bad usage, input or configuration: the message names the file, line or key and what to do. Exit code 2."""

    exit_code = 2


def did_you_mean(word: str, candidates: Iterable[str], count: int = 1, likeness: float = 0.6) -> str:
    """Suggest what a person may have meant, as the end of an error's sentence.

    Args:
        word: what was typed.
        candidates: what exists.
        count: suggest at most this many.
        likeness: how similar a suggestion must be, from 0 to 1 (difflib's ratio).

    Returns:
        `" Did you mean 'x'?"`, or an empty string when nothing is similar enough.
    """
    close = difflib.get_close_matches(word, list(candidates), n=count, cutoff=likeness)
    return f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 word", "1,234 words"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def check_same_settings(path: object, saved: Mapping[str, object], ours: Mapping[str, object]) -> None:
    """Refuse to resume what was begun with other settings.

    Args:
        path: the folder, for the error's sentence.
        saved: its settings, by dotted key.
        ours: those of the new command.

    Raises:
        InputError: naming the first setting that differs.
    """
    for key, value in ours.items():
        if saved.get(key) != value:
            raise InputError(
                f"{path}: was started with {key} = {saved.get(key)!r}, not {value!r}; "
                "use the same setting to resume, or another output folder."
            )


def choose(key: str, name: str, table: Mapping[str, Value]) -> Value:
    """Look up a name that a person chose.

    Args:
        key: the setting, for the error's sentence.
        name: the chosen name.
        table: what there is to choose from.

    Returns:
        `table[name]`.

    Raises:
        InputError: when there is no such name; the sentence lists the choices and suggests the closest.
    """
    if name not in table:
        raise InputError(f"{key}: {name!r} is not one of {', '.join(table)}.{did_you_mean(name, table)}")
    return table[name]
