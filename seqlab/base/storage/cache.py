"""The cache, done without where it cannot be written: what belongs there is then made for this process alone."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..progress import notify

_instead: list[Path] = []
"""The folder that stands for a cache which cannot be written, once there is one."""


def cache_folder() -> Path:
    """Where seqlab stores what it can make again: $SEQLAB_CACHE, or the folder that the system has for caches."""
    if os.environ.get("SEQLAB_CACHE"):
        return Path(os.environ["SEQLAB_CACHE"])
    import platformdirs

    return Path(platformdirs.user_cache_dir("seqlab"))


def cached(*parts: str) -> Iterator[Path]:
    """Where an entry of the cache may be: there, or in the folder that stands for it."""
    for folder in (cache_folder(), *_instead):
        yield folder.joinpath(*parts)


def writable_cache() -> Path:
    """The cache to write to; where that cannot be done, a temporary folder, which ends with the process."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        return _temporary(folder, (error.strerror or str(error)).lower())


@cache
def _temporary(folder: Path, reason: str) -> Path:
    notify(f"{folder}: the cache cannot be written ({reason}); what belongs there is made again every time")
    place = Path(tempfile.mkdtemp(prefix="seqlab-cache-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _instead.append(place)
    return place
