"""Which text is trained on and which are for validation and test, where the sources themselves say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ...base.kinds import kind_of
from ...catalogue import corpora
from .readers import Sources, corpus_name, left_out, listed, text_files

NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("valid", "validation", "val", "dev"), "valid"
)
"""Words in the names of files, and the split that each means."""
BESIDE = {"readme", "license", "licence", "copying"}
"""Words in the names of files that are about a text and no part of it."""


class Splits(NamedTuple):
    """What to read for "train" and perhaps "valid" and "test".

    note: what was understood from the names of files and which were left out, to be said; empty where nothing was.
    """

    sources: Mapping[str, Sources]
    note: str = ""


def splits_of(sources: Sources, valid: Sources | None = None, test: Sources | None = None) -> Splits:
    """The splits of what was given: a corpus of the catalogue brings its own, and so does a folder whose files are all
    called train, valid or test. Those that are given by name go before.

    Args:
        sources: the text.
        valid, test: texts named for these splits.

    Raises:
        InputError: a folder without files.
    """
    given = {name: part for name, part in (("valid", valid), ("test", test)) if part}
    if name := corpus_name(sources):
        return Splits({**corpora.splits(name), **given})
    if not (found := _by_name(sources)):
        folders = [path for path in map(Path, listed(sources)) if str(path) != "-" and path.expanduser().is_dir()]
        notes = [left_out(path.expanduser()) for path in folders if kind_of(path.expanduser()) == "folder"]
        return Splits({"train": sources, **given}, "; ".join(filter(None, notes)))
    folder = listed(sources)[0]
    said = ", ".join(f"{name}: {_listed(paths)}" for name, paths in found.items() if name not in given)
    note = f"{folder}: split as its files are called: {said}; name the files themselves to read them as one text"
    return Splits({**found, **given}, note)


def _by_name(sources: Sources) -> dict[str, list[Path]]:
    """The files of a folder by split; nothing where one of them is of no split, where all are of one, or where their
    names differ by more than that and by numbers."""
    paths = listed(sources)
    if len(paths) != 1 or str(paths[0]) == "-" or kind_of(folder := Path(paths[0]).expanduser()) != "folder":
        return {}
    found: dict[str, list[Path]] = {"train": [], "valid": [], "test": []}
    others = set()
    for path in text_files(folder):
        words = re.findall("[a-z]+", path.relative_to(folder).parts[0].lower())
        if not BESIDE.isdisjoint(words):
            continue
        splits = [NAMES[word] for word in words if word in NAMES]
        others.add(tuple(word for word in words if word not in NAMES))
        if len(splits) != 1 or len(others) > 1:
            return {}
        found[splits[0]].append(path)
    found = {name: paths for name, paths in found.items() if paths}
    return found if "train" in found and len(found) > 1 else {}


def _listed(paths: list[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1:,} more"
