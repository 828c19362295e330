"""How much a disk has room for."""

from __future__ import annotations

import shutil
from pathlib import Path

SPARE = 0.1
"""Share of the free space of a disk that is left free."""


def room(folder: str | Path) -> float:
    """Bytes that may be written into a folder."""
    return (1 - SPARE) * shutil.disk_usage(folder).free
