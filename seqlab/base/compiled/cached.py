"""numba's cache of compiled functions: a damaged file of it is compiled again, and where none can be written, none is.

numba itself raises what pickle makes of the damage, and refuses to compile where it finds no folder for the result.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from typing import Any

from numba import njit as njit
from numba.core import caching, config


@functools.cache
def guard() -> None:
    """Make numba's cache forgiving, for all compiled functions of the process."""
    index, data, init = (
        caching.IndexDataCacheFile._load_index,
        caching.IndexDataCacheFile._load_data,
        caching.CacheImpl.__init__,
    )

    def load_index(self: Any) -> Any:
        try:
            return index(self)
        except Exception:
            return {}

    def load_data(self: Any, name: Any) -> Any:
        try:
            return data(self, name)
        except Exception as error:
            raise OSError("damaged") from error  # which numba takes for a file that has gone

    def find_place(self: Any, function: Any) -> None:
        try:
            init(self, function)
        except RuntimeError:
            config.CACHE_DIR = _temporary_folder()  # type: ignore[attr-defined]
            init(self, function)

    caching.IndexDataCacheFile._load_index = load_index  # type: ignore[method-assign]
    caching.IndexDataCacheFile._load_data = load_data  # type: ignore[method-assign]
    caching.CacheImpl.__init__ = find_place  # type: ignore[method-assign]


@functools.cache
def _temporary_folder() -> str:
    folder = tempfile.mkdtemp(prefix="seqlab-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return os.fspath(folder)


guard()
