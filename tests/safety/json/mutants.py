"""JSON files changed in one place at a time, behind digests that fit again."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.base.files import write_manifest

Place = tuple[str | int, ...]
DELETE, TWICE = "delete", "twice"
"""What can be done with a key besides giving it another value."""
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 7.5, 1e300, 10**12, 10**30, 2**63, "", "x", "a\ud800b", "\x1b[31m", "3", [], {}, [[]],
    [None], [1, "a"], {"a": 1}, [{"a": [1]}], float("nan"),
)  # fmt: skip


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in nested values; of long lists the ends."""
    if place:
        yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*place, key))
    elif isinstance(value, list):
        for index in {0, len(value) - 1} if value else ():
            yield from places(value[index], (*place, index))


def mutant(value: Any, seed: int) -> tuple[bytes, str]:
    """The file with one place changed, and what was done."""
    draw = random.Random(seed)
    changed = copy.deepcopy(value)
    place = draw.choice(list(places(value)))
    parent = changed
    for step in place[:-1]:
        parent = parent[step]
    what = draw.choice([DELETE, TWICE, *VALUES])
    if what == DELETE:
        del parent[place[-1]]
    elif what == TWICE and isinstance(parent, dict):
        mark = "\0twice\0"
        parent[mark] = draw.choice(VALUES[:10])
        text = encoded(changed)
        return text.replace(encoded(mark), encoded(place[-1])), f"{place} twice"
    else:
        parent[place[-1]] = "y" if what == TWICE else what
    if "digest" in changed and place[0] != "digest" and "vocab" in changed:
        content = {key: inner for key, inner in changed.items() if key != "digest"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        changed["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    return encoded(changed), f"{place} = {what!r}"


def encoded(value: Any) -> bytes:
    """JSON as a file has it."""
    return json.dumps(value).encode()


def write_mutant(folder: Path, name: str, original: Any, seed: int) -> str:
    """Put a mutant of a file in its place, behind a manifest that fits. Returns what was changed."""
    content, what = mutant(original, seed)
    (folder / name).write_bytes(content)
    if name != "manifest.json":
        write_manifest(folder, list(json.loads((folder / "manifest.json").read_bytes())["files"]))
    return f"{name}: {what}"
