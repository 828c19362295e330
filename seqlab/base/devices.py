"""Which device to compute on."""

from __future__ import annotations

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
