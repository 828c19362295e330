"""Where seqlab keeps what it can make again: prepared texts, fetched corpora, phrases."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache: $SEQLAB_CACHE if set, else the folder that the operating system provides for a user's caches."""
    if os.environ.get("SEQLAB_CACHE"):
        return Path(os.environ["SEQLAB_CACHE"])
    import pooch

    return Path(pooch.os_cache("seqlab"))
