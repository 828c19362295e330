"""Machine code of a kernel (`seqlab.base.native`), by numba."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from numba.core import compiler, registry, types
from numba.core.compiler_lock import global_compiler_lock


def kind_of(name: str) -> Any:
    """numba's type of an argument."""
    kind = getattr(types, name.rstrip("*"))
    return types.CPointer(kind) if name.endswith("*") else kind


def machine_code(
    function: Callable[..., None], arguments: Collection[str], fastmath: Collection[str]
) -> tuple[str, bytes]:
    """Compile a function of addresses and numbers.

    It has two more arguments in front, as numba's functions have: where its result goes, and what it raised. A function
    of C around it would need numba's own library for the case that it raises.

    Returns:
        The name of the function, and an object file.
    """
    target, flags = registry.cpu_target, compiler.Flags()
    options = {"nopython": True, "fastmath": set(fastmath), "error_model": "numpy"}
    target.options.parse_as_flags(flags, options)
    for name in ("no_cpython_wrapper", "no_cfunc_wrapper", "no_compile"):
        setattr(flags, name, True)
    contexts, kinds = (target.typing_context, target.target_context), tuple(map(kind_of, arguments))
    with global_compiler_lock:
        made = compiler.compile_extra(*contexts, function, kinds, types.void, flags, {})
        _, _, (code, _) = made.library.serialize_using_object_code()
    return made.fndesc.llvm_func_name, code
