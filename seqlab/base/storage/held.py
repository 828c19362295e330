"""Temporary files and folders are held by a lock that dies with their owner; those that nobody holds are swept away.

Network file systems and Windows cannot lock a folder: there nothing can be told dead, and what a killed program left
stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OLD = ".old"
"""In the name of a folder that was moved away to make room for a new one."""
TEMPORARY = re.compile(rf"\.(.+?)({re.escape(OLD)})?\.[0-9a-f]{{8}}")
"""Names that stand for another one until they are renamed to it."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Inside, `sweep` leaves a temporary file or folder of ours alone.

    Yields:
        Whether it is still there: a sweep may have taken it before it was held.
    """
    descriptor = _locked(path, wait=True)
    try:
        yield descriptor is None or _is_at(descriptor, path)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def sweep(path: Path) -> None:
    """Remove what killed writers of `path` left next to it, or put back what they had moved away.

    Args:
        path: the file or folder that is about to be written.
    """
    for stray, moved_away in _strays(path.parent).get(path.name, []):
        descriptor = _locked(stray, wait=False)
        if descriptor is None:
            continue
        try:
            with contextlib.suppress(OSError):
                if moved_away and not os.path.lexists(path):
                    os.rename(stray, path)
                elif stray.is_dir() and not stray.is_symlink():
                    shutil.rmtree(stray, ignore_errors=True)
                else:
                    stray.unlink()
        finally:
            os.close(descriptor)


def sweep_inside(folder: Path) -> None:
    """`sweep` for every file that may have been written in a folder of ours."""
    for name in _strays(folder):
        sweep(folder / name)


def _strays(folder: Path) -> dict[str, list[tuple[Path, bool]]]:
    """The temporary files and folders in a folder by the name they stand for, and whether that was moved away."""
    found: dict[str, list[tuple[Path, bool]]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if match := TEMPORARY.fullmatch(name):
                found.setdefault(match[1], []).append((folder / name, match[2] is not None))
    return found


def held_by_another(path: Path) -> bool:
    """Whether a living program of ours holds a file or folder; False where that cannot be told."""
    descriptor = _locked(path, wait=False)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None and fcntl is not None


def _locked(path: Path, wait: bool) -> int | None:
    """A descriptor that locks a file or folder until it is closed; None where it cannot be locked, or is already."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False
