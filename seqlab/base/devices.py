"""torch's devices, and its global settings, which are changed only for as long as the work lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import InputError


def resolve_device(name: str) -> str:
    """The name of a device that is available on this machine.

    Args:
        name: "auto" (cuda where there is one, else cpu), or a name that torch knows, such as "cpu" or "cuda:1".

    Raises:
        InputError: the device is not available.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError):
        raise InputError(f"device {name!r} is not available here; use auto, cpu or cuda.") from None
    return name


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Modules made inside leave their initial numbers undrawn: use it where a file's numbers replace them at once.

    Orthogonal matrices of a model with 1,024 hidden units take seconds to draw, and torch's generators stay as they
    are. Constants such as biases are set all the same.
    """
    from torch.overrides import TorchFunctionMode

    class NothingDrawn(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            name, options = getattr(func, "__name__", ""), kwargs or {}
            if name.endswith(("normal_", "uniform_")):
                return args[0] if args else options["tensor"]
            if name == "linalg_qr":
                return args[0], args[0]
            if name == "eye" and "out" in options:
                return options["out"]
            return func(*args, **options)

    with NothingDrawn():
        yield


@contextmanager
def without_weights() -> Iterator[None]:
    """Modules made inside have shapes but no numbers (torch's "meta" device): in no memory, and at once.

    Nothing is drawn, for which torch would load its compiler on that device: longer than importing torch itself.
    """
    import torch

    with torch.device("meta"), nothing_drawn():
        yield


@contextmanager
def torch_globals_restored(seed: int | None = None, threads: int | None = None) -> Iterator[None]:
    """Whatever happens inside, torch's random generators and its number of CPU threads are afterwards as they were.

    A library that seeds the global generator or changes the thread count for good surprises whoever called it.

    Args:
        seed: of the generators inside; None leaves them as they are.
        threads: CPU threads inside; None or 0 leaves them as they are.
    """
    import torch

    count, state = torch.get_num_threads(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        if threads:
            torch.set_num_threads(threads)
        if seed is not None:
            torch.manual_seed(seed)
        yield
    finally:
        torch.set_num_threads(count)
        torch.set_rng_state(state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
