"""numba's cache of compiled functions: a damaged file of it is compiled again, and where none can be written, none is.

numba itself raises what pickle makes of the damage, and refuses to compile where it finds no folder for the result. Of
two processes that store forms of one function at the same time, it may forget one form, or give one the code of the
other: here they take turns, and the second one loads what the first has compiled.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from numba import njit as njit
from numba.core import caching, config
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

from ..storage.lock import turn


@functools.cache
def guard() -> None:
    """Make numba's cache forgiving, for all compiled functions of the process."""
    index, data, init, compile_now = (
        caching.IndexDataCacheFile._load_index,
        caching.IndexDataCacheFile._load_data,
        caching.CacheImpl.__init__,
        Dispatcher.compile,
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

    def save(self: Any, key: Any, code: Any) -> None:
        place = Path(self._index_path)
        with turn(place.with_name(f".{place.name}.lock")):
            known = load_index(self)
            taken = {name for other, name in known.items() if other != key}
            known[key] = next(name for n in itertools.count(1) if (name := self._data_name(n)) not in taken)
            self._save_data(known[key], code)
            self._save_index(known)

    def compile_in_turn(self: Any, signature: Any) -> Any:
        if not isinstance(self._cache, caching.FunctionCache) or not self._can_compile:
            return compile_now(self, signature)
        key = repr((self._cache._cache_file._index_path, self._cache._index_key(signature, self.targetctx.codegen())))
        name = f".{hashlib.sha256(key.encode()).hexdigest()[:16]}.lock"
        with global_compiler_lock, turn(Path(self._cache.cache_path) / name):
            return compile_now(self, signature)

    def find_place(self: Any, function: Any) -> None:
        try:
            init(self, function)
        except RuntimeError:
            config.CACHE_DIR = _temporary_folder()  # type: ignore[attr-defined]
            init(self, function)

    caching.IndexDataCacheFile._load_index = load_index  # type: ignore[method-assign]
    caching.IndexDataCacheFile._load_data = load_data  # type: ignore[method-assign]
    caching.IndexDataCacheFile.save = save  # type: ignore[method-assign]
    caching.CacheImpl.__init__ = find_place  # type: ignore[method-assign]
    Dispatcher.compile = compile_in_turn  # type: ignore[method-assign, assignment]


@functools.cache
def _temporary_folder() -> str:
    folder = tempfile.mkdtemp(prefix="seqlab-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return os.fspath(folder)


guard()
