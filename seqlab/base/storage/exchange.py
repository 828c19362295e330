"""Two folders swap their names at once, where the system can: a reader finds the one or the other, never nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

AT_FDCWD = -100
SWAP = 2
"""RENAME_EXCHANGE of Linux's renameat2(2) and RENAME_SWAP of macOS' renamex_np(2)."""


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two files or folders on one file system.

    Returns:
        Whether that was done: not on Windows, and not on every file system.
    """
    import ctypes

    if sys.platform not in ("linux", "darwin"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        return bool(library.renamex_np(*names, SWAP) == 0)
    if not hasattr(library, "renameat2"):  # glibc before 2.28
        return False
    return bool(library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], SWAP) == 0)
