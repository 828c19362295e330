"""Test sets of word vectors: question files, similarity files, and the question sets seqlab ships."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...base.errors import InputError, did_you_mean
from ...base.storage.streams import parked, read_once

PREFIX, SUFFIX = "questions-", ".txt"
"""The set NAME is the file questions-NAME.txt of the installed package `seqlab_data`."""
SYNTACTIC = "gram"
"""What the names of syntactic sections start with."""

Question = tuple[str, str, str, str]
"""a is to b as c is to d."""


class Section(NamedTuple):
    name: str
    questions: list[Question]

    @property
    def kind(self) -> str:
        return "syntactic" if self.name.startswith(SYNTACTIC) else "semantic"


class Pair(NamedTuple):
    first: str
    second: str
    score: float


def shipped_sets() -> dict[str, Traversable]:
    """Name -> file of the question sets that come with seqlab."""
    files = {
        file.name.removeprefix(PREFIX).removesuffix(SUFFIX): file
        for file in importlib.resources.files("seqlab_data").iterdir()
        if file.name.startswith(PREFIX) and file.name.endswith(SUFFIX)
    }
    return dict(sorted(files.items()))


def _read_lines(name: str, file: Traversable) -> list[str]:
    """Lines split at line feeds only. Raises InputError when the file cannot be read or is not UTF-8."""
    try:
        if isinstance(file, Path):
            with read_once():
                file = parked(file)
        return file.read_bytes().decode("utf-8-sig").split("\n")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file.") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}.") from None


def _find(source: str | Path) -> Traversable:
    """The file `source`, else the shipped set of that name."""
    path, name, sets = Path(source), str(source), shipped_sets()
    if path.is_file() or path.name != name:
        return path
    if name not in sets:
        raise InputError(
            f"{name}: no such file, nor a question set of that name.{did_you_mean(name, sets)} Sets: {', '.join(sets)}."
        )
    return sets[name]


def read_questions(source: str | Path) -> list[Section]:
    """Sections of a file, or of the shipped set named `source`; a file of that name goes first.

    Lines are ": name", which starts a section, and either questions (four words, the questions-words format) or
    pairs (two words). Pairs stand for the questions "a b c d" of every two pairs (a, b) and (c, d) of a section, both
    ways round, that have no word in common. Empty lines and lines that start with # are passed over.

    Raises InputError naming file and line of what is malformed, and suggesting a set where none has that name.
    """
    groups: dict[int, tuple[str, list[list[str]]]] = {}
    columns = 0
    for number, line in enumerate(_read_lines(str(source), _find(source)), 1):
        words = line.split()
        if line.startswith(":"):
            groups[number] = (line[1:].strip(), [])
        elif words and not line.startswith("#"):
            if not groups:
                raise InputError(f"{source}:{number}: words before the first section; start with ': name'.")
            columns = columns or len(words)
            if columns not in (2, 4):
                raise InputError(f"{source}:{number}: {len(words)} words; a question has four, a pair two.")
            if len(words) != columns:
                expected = "a question has four" if columns == 4 else "a pair has two"
                raise InputError(f"{source}:{number}: {len(words)} words; {expected}, as the lines above.")
            groups[max(groups)][1].append(words)
    sections = [
        Section(name, expand_pairs(rows) if columns == 2 else [(a, b, c, d) for a, b, c, d in rows])
        for name, rows in groups.values()
    ]
    if not any(section.questions for section in sections):
        raise InputError(f"{source}: holds no questions.")
    return sections


def expand_pairs(pairs: Sequence[Sequence[str]]) -> list[Question]:
    """Questions of every two pairs, in either order, that have no word in common (without regard to case)."""

    folded = [{word.upper() for word in pair} for pair in pairs]
    return [
        (a, b, c, d)
        for first, (a, b) in zip(folded, pairs, strict=True)
        for second, (c, d) in zip(folded, pairs, strict=True)
        if not first & second
    ]


def read_similarity(path: str | Path) -> list[Pair]:
    """Pairs of a similarity file: word, word and score a line, separated by tabs (or spaces, where no tab is).

    Lines that start with # and a first line that names the columns are passed over. Raises InputError naming file
    and line of what is malformed.
    """
    pairs = []
    for number, line in enumerate(_read_lines(str(path), Path(path)), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        try:
            first, second, score = fields
            pair = Pair(first, second, float(score))
        except ValueError:
            if number == 1 and len(fields) > 2 and not any(character.isdigit() for character in fields[-1]):
                continue
            raise InputError(f"{path}:{number}: not 'word TAB word TAB score'.") from None
        if not np.isfinite(pair.score):
            raise InputError(f"{path}:{number}: the score is not a finite number.")
        pairs.append(pair)
    if not pairs:
        raise InputError(f"{path}: holds no pairs 'word TAB word TAB score'.")
    return pairs
