"""The two errors seqlab raises on purpose. The command line prints them as one sentence."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from .printing import quoted

Value = TypeVar("Value")


SPELT = (0, 7, 8, 9)
"""Combining classes of marks that are as much of a letter as any: vowel signs, nuktas, viramas."""

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


def folded(text: str) -> str:
    """`text` without what people leave out when they type: case, accents, points, invisible joiners."""
    text = text.casefold()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text).replace("ı", "i")
    return "".join(c for c in decomposed if unicodedata.combining(c) in SPELT and unicodedata.category(c) != "Cf")


def distance(a: str, b: str, most: int) -> int:
    """Letters to insert, leave out, replace or swap with their neighbour to make `b` of `a`; more than `most`: `most`
    + 1. Optimal string alignment, https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance."""
    if abs(len(a) - len(b)) > most or len(set(a) ^ set(b)) > 2 * most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)


def close(word: str, candidates: Iterable[str], count: int, likeness: float | None = None) -> list[str]:
    """At most `count` candidates that are written like `word`, the closest first, equally close ones in their order.

    Those that differ in case and accents only come first; without any, those one letter away, or two where the word
    has more than five.

    Args:
        word: what was typed.
        candidates: what exists, the more frequent first.
        count: how many.
        likeness: without any of these, what is similar by difflib's ratio, which finds parts of a name too; None: no.
    """
    typed = folded(word)
    plain = {name: folded(name) for name in candidates}
    if same := [name for name, letters in plain.items() if letters == typed]:
        return same[:count]
    most = 1 if len(typed) <= 5 else 2
    far = [(distance(typed, letters, most), name) for name, letters in plain.items()] if len(typed) > 2 else []
    if near := sorted((found for found in far if found[0] <= most), key=lambda found: found[0]):
        return [name for _, name in near[:count]]
    if likeness is None:
        return []
    return difflib.get_close_matches(word, list(plain), n=count, cutoff=likeness)


def did_you_mean(word: str, candidates: Iterable[str], count: int = 1, likeness: float | None = 0.6) -> str:
    """Suggest what a person may have meant, as the end of an error's sentence.

    Args:
        word: what was typed.
        candidates: what exists.
        count: suggest at most this many.
        likeness: see `close`.

    Returns:
        `" Did you mean 'x'?"`, or an empty string when nothing is similar enough.
    """
    found = close(word, candidates, count, likeness)
    return f" Did you mean {' or '.join(map(quoted, found))}?" if found else ""


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
