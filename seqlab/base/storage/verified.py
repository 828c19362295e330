"""What was verified is not read again as long as it is the same file: a note in the cache, by inode, size and times."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import MANIFEST, manifest_entries, verify_manifest
from .cache import cache_folder

ALWAYS_BELOW = 4 << 20
"""Bytes that are verified every time: it takes milliseconds."""
SETTLED = 2.0
"""Seconds after which a change of a file shows in its times on every file system; FAT counts in steps of two."""
MOST_NOTES = 2000


def verified_once(files: Iterable[Path], what: str, verify: Callable[[], None]) -> None:
    """Verify files unless they passed already, and have not been written, replaced or moved elsewhere since.

    Hashing a matrix or a corpus of gigabytes takes seconds, opening it mapped milliseconds. So the first open verifies,
    and leaves a note in the cache; where that cannot be written, every open does.

    Args:
        files: all that `verify` reads.
        what: `verify` checks for, so that one check does not pass for another; part of the note.
        verify: raises where something is wrong.
    """
    files = list(files)
    before = _identities(files)
    if before is None or sum(size for _, _, size, _, _ in before) < ALWAYS_BELOW:
        verify()
        return
    key = hashlib.sha256(json.dumps([what, before]).encode()).hexdigest()
    note = cache_folder() / "verified" / key
    if note.exists():
        return
    verify()
    newest = max(max(written, changed) for *_, written, changed in before) / 1e9
    if _identities(files) == before and newest < time.time() - SETTLED:
        with contextlib.suppress(OSError):
            _leave(note)


def verify_folder_once(folder: Path) -> None:
    """Compare every file that a folder's manifest names with its digest, once (`verified_once`).

    Raises:
        InputError: as `verify_manifest` does.
    """
    names = [*manifest_entries(folder), MANIFEST]
    verified_once([folder / name for name in names], "digests", lambda: verify_manifest(folder))


def _identities(files: Iterable[Path]) -> list[tuple[int, int, int, int, int]] | None:
    """Device, inode, bytes and times of every file; None where one is missing."""
    try:
        found = [path.stat() for path in files]
    except OSError:
        return None
    return [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]


def _leave(note: Path) -> None:
    """Write a note; of too many the oldest half goes."""
    note.parent.mkdir(parents=True, exist_ok=True)
    notes = list(note.parent.iterdir())
    if len(notes) >= MOST_NOTES:
        notes.sort(key=lambda one: one.stat().st_mtime)
        for old in notes[: len(notes) // 2]:
            old.unlink(missing_ok=True)
    note.touch()
