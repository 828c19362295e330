"""A folder that another program replaces meanwhile is read as it was before, or as it is after; never half and half."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..files import MANIFEST
from .inside import finish_moves

Value = TypeVar("Value")

WAITS = (0.0, 0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Seconds before each further attempt."""


def read_whole(folder: str | Path, read: Callable[[], Value]) -> Value:
    """Call `read`, which reads files of a folder, until the folder is the same before and after.

    Every writer of ours replaces a folder as a whole, its manifest with it; memory maps opened by `read` stay those of
    the folder they were opened in. What `read` raises while the folder changes is no damage, and it is called again.

    Args:
        folder: that is read.
        read: reads what is wanted; may be called several times.

    Returns:
        What `read` returns.

    Raises:
        Exception: what `read` raises of a folder that stays the same.
    """
    path = Path(folder)
    recover(path)
    for wait in WAITS:
        before = _version(path)
        failure = None
        try:
            value = read()
        except Exception as error:
            failure = error
        if before == _version(path) and not (before is None and _is_being_replaced(path)):
            if failure is not None:
                raise failure
            return value
        time.sleep(wait)
    return read()


def recover(folder: Path) -> None:
    """Finish what a writer that was killed left half-done inside a folder, where this program may write to it."""
    with contextlib.suppress(OSError):
        finish_moves(folder)


def _version(folder: Path) -> tuple[object, ...] | None:
    """What changes whenever the folder is replaced, or its manifest written again; None where there is neither."""
    try:
        place = folder.stat()
    except OSError:
        return None
    try:
        manifest = (folder / MANIFEST).stat()
    except OSError:
        return place.st_dev, place.st_ino
    times = manifest.st_mtime_ns, manifest.st_ctime_ns
    return place.st_dev, place.st_ino, manifest.st_ino, manifest.st_size, *times


def _is_being_replaced(folder: Path) -> bool:
    """Whether the old folder has been moved away and the new one is not in place yet, as where none can exchange."""
    try:
        return any(name.startswith(f".{folder.name}.old.") for name in os.listdir(folder.parent))
    except OSError:
        return False
