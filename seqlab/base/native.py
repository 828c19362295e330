"""Compiled kernels as functions of C: addresses and numbers go in, and a process that only calls them needs no numba.

A function of numba that takes arrays is typed, optimised and wrapped for them by each process that meets it anew, and
numba itself takes 0.8 s of processor time to import and to look through its types. The machine code of a kernel here is
stored as numba stores its own: beside the source, else in the cache. Later processes load it in a millisecond.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import hashlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SeqlabError
from .files import atomic_file
from .storage.cache import cache_folder
from .storage.lock import turn

FLOATS, DOUBLES, BYTES, INTS32, INTS, UINTS = (
    f"{name}*" for name in ("float32", "float64", "int8", "int32", "int64", "uint32")
)
"""Arguments that are the address of numbers: of an array or tensor without gaps, which may be passed itself."""
INT, FLOAT, DOUBLE = "int64", "float32", "float64"
"""Numbers."""
C_TYPES = {INT: ctypes.c_int64, FLOAT: ctypes.c_float, DOUBLE: ctypes.c_double}
_unused = ctypes.c_void_p(0)
_UNUSED = ctypes.addressof(_unused)
"""Where the machine code of numba leaves None for a result, and would leave an exception."""
SUMS = ("contract", "reassoc")
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""


class Native:
    """A kernel that is compiled once per machine, when it is first called or its address first asked for.

    Args:
        module: where it is written, imported to compile it alone. A change of any file of its room, or of what is
            compiled in `seqlab.base`, compiles it anew.
        name: its name there.
        arguments: of what it is a function; it returns nothing, and must not raise.
        fastmath: LLVM's flags for arithmetic.
    """

    def __init__(self, module: str, name: str, arguments: Collection[str], fastmath: Collection[str] = SUMS):
        self.module, self.name, self.arguments = module, name, tuple(arguments)
        self.fastmath = sorted(fastmath)

    def __repr__(self) -> str:
        return f"Native({self.module}.{self.name})"

    def __call__(self, *arguments: Any) -> None:
        """Call it; no other thread of Python has to wait.

        Raises:
            TypeError: an array is of other numbers than the kernel reads, or has gaps.
        """
        given = [
            one if type(one) is int or kind in C_TYPES else address_of(one, kind)
            for one, kind in zip(arguments, self.arguments, strict=True)
        ]
        self._function(_UNUSED, _UNUSED, *given)

    @functools.cached_property
    def address(self) -> int:
        """Where its machine code begins, for kernels that call it."""
        return self._loaded[1]

    @functools.cached_property
    def _function(self) -> Any:
        kinds: list[Any] = [C_TYPES.get(kind, ctypes.c_void_p) for kind in self.arguments]
        return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *kinds)(self.address)

    @functools.cached_property
    def _loaded(self) -> tuple[Any, int]:
        """What keeps the machine code in memory, and where that begins."""
        stamp = json.dumps([self.fastmath, _stamp(self.module)])
        kind = hashlib.sha256(f"{self.arguments}{_machine()}".encode()).hexdigest()[:12]
        name = f"{self.name}-{kind}.native"
        if (stored := self._stored(name, stamp)) is None:
            with turn(next(_folders(self.module)) / f".{name}.lock"):
                if (stored := self._stored(name, stamp)) is None:
                    stored = self._compile()
                    self._store(name, stamp, *stored)
        return _load(*stored)

    def _stored(self, name: str, stamp: str) -> tuple[str, bytes] | None:
        """Symbol and machine code from wherever they are."""
        return next((found for folder in _folders(self.module) if (found := _read(folder / name, stamp))), None)

    def _store(self, name: str, stamp: str, symbol: str, code: bytes) -> None:
        """Keep them where they can be kept, if anywhere."""
        head = {"stamp": stamp, "symbol": symbol, "digest": hashlib.sha256(code).hexdigest()}
        for folder in _folders(self.module):
            try:
                with atomic_file(folder / name) as file:
                    file.write(json.dumps(head).encode() + b"\n" + code)
                return
            except (OSError, SeqlabError):
                continue

    def _compile(self) -> tuple[str, bytes]:
        with _without_collections(), _without_linear_algebra():
            from .compiled.building import machine_code

            function = getattr(importlib.import_module(self.module), self.name)
            return machine_code(function, self.arguments, self.fastmath)


@contextmanager
def _without_collections() -> Iterator[None]:
    """No collection of garbage, which goes through all of torch and numba again and again: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _without_linear_algebra() -> Iterator[None]:
    """No scipy.linalg, in which numba looks for products that no kernel uses."""
    absent = "numba" not in sys.modules and "scipy.linalg" not in sys.modules
    if absent:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["scipy.linalg"]


def address_of(numbers: Any, kind: str) -> int:
    """Where the numbers of an array or a tensor begin.

    Raises:
        TypeError: they are of another type than `kind`, or have gaps.
    """
    array = isinstance(numbers, np.ndarray)
    if _kind_of(numbers.dtype) != kind:
        raise TypeError(f"the kernel reads {kind[:-1]} numbers, these are {numbers.dtype}")
    if not (numbers.flags.c_contiguous if array else numbers.is_contiguous()):
        raise TypeError("the kernel reads numbers without gaps")
    found: int = numbers.ctypes.data if array else numbers.data_ptr()
    return found


@functools.cache
def _kind_of(dtype: Any) -> str:
    """The kind of argument that numbers of a type of numpy or torch are."""
    return str(dtype).removeprefix("torch.") + "*"


def _folders(module: str) -> Iterator[Path]:
    """Where the machine code of a module's kernels may be, the best place first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
        return
    yield _source(module).parent / "__pycache__"
    yield cache_folder() / "compiled"


@functools.cache
def _source(module: str) -> Path:
    """The file of a module, which is not imported for it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"no module {module}")
    return Path(spec.origin)


@functools.cache
def _stamp(module: str) -> str:
    """What changes with the files that a kernel is made of, and with the compiler."""
    import llvmlite  # type: ignore[import-untyped]

    base = Path(__file__).parent
    room = base.parent / module.split(".")[1] if module.startswith("seqlab.") else _source(module)
    files = [*(base / "compiled").glob("*.py"), base / "numerics.py"]
    files += room.rglob("*.py") if room.is_dir() else [room]
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(files)]
    return hashlib.sha256(json.dumps([llvmlite.__version__, states]).encode()).hexdigest()


@functools.cache
def _machine() -> str:
    """The processor that is compiled for."""
    from llvmlite import binding

    wanted = [os.environ.get(name) for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX")]
    present = binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return json.dumps([wanted, present])


def _read(path: Path, stamp: str) -> tuple[str, bytes] | None:
    """Symbol and machine code in a file; None where it is missing, damaged, or of other sources."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        known = json.loads(head)
        if known["stamp"] == stamp and known["digest"] == hashlib.sha256(code).hexdigest():
            return known["symbol"], code
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return None


def _load(symbol: str, code: bytes) -> tuple[Any, int]:
    """Make machine code ready to be called: what keeps it in memory, and where it begins."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine, engine.get_function_address(symbol)
