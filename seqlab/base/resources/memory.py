"""How much memory is left, and one sentence for what would need more, before any of it is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..cores import CGROUPS, line_of
from ..errors import InputError

if TYPE_CHECKING:
    import torch

OWN_GROUPS = "/proc/self/cgroup"
"""Where Linux tells a process the control groups that it is in: https://man7.org/linux/man-pages/man7/cgroups.7.html"""
UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def check_memory(what: str, needed: float, remedy: str, free: int | None = None, kind: str = "memory") -> None:
    """Refuse work that would not fit into what is left, before anything of it exists.

    Args:
        what: needs the memory, as the subject of a sentence: "a beam of 9,000 hypotheses".
        needed: bytes, never more than about twice what the work really takes.
        remedy: what to lower, as an imperative: "lower --beam".
        free: bytes that are left; None asks the machine.
        kind: of the memory, where it is not the machine's own.

    Raises:
        InputError: less is left than is needed.
    """
    free = free_memory() if free is None else free
    if free is not None and needed > free:
        raise InputError(
            f"{what} would need about {shown_bytes(needed)} of {kind}, of which {shown_bytes(free)} are left; {remedy}."
        )


def shown_bytes(size: float) -> str:
    """A number of bytes as people say it: "512 bytes", "3.4 GB"."""
    unit, name = next(((unit, name) for unit, name in UNITS if size >= unit), (1, "bytes"))
    return f"{size / unit:,.0f} {name}" if size >= 10 * unit or unit == 1 else f"{size / unit:.1f} {name}"


def free_gpu_memory(device: torch.device) -> int | None:
    """Bytes of memory left on a CUDA device, None for any other."""
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.mem_get_info(device)[0]


def free_memory() -> int | None:
    """Bytes of memory this process can still have: what the system has left, or what a container's limit or a limit of
    the process (`ulimit -v`) leaves where that is less.

    Returns:
        None where the system does not tell. Pages of files that the system can drop count as free; on macOS, which
        tells only how much there is, all of it counts.
    """
    free = [size for size in (_system_memory(), _container_memory(CGROUPS), _address_space()) if size is not None]
    return min(free) if free else None


def _system_memory() -> int | None:
    if os.name == "nt":
        return _windows_memory()
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _windows_memory() -> int | None:
    """The physical memory that GlobalMemoryStatusEx reports as available:
    https://learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi-memorystatusex"""
    import ctypes

    words, quads = ["length", "load"], ["total", "available", "pages", "free_pages", "virtual", "free_virtual", "more"]
    fields = [(name, ctypes.c_uint32) for name in words] + [(name, ctypes.c_uint64) for name in quads]
    status = type("MemoryStatus", (ctypes.Structure,), {"_fields_": fields})()
    status.length = ctypes.sizeof(status)
    call = ctypes.windll.kernel32.GlobalMemoryStatusEx  # type: ignore[attr-defined, unused-ignore]
    return int(status.available) if call(ctypes.byref(status)) else None


def _container_memory(root: str) -> int | None:
    """What the control groups of this process leave of their limits, None where none sets one.

    Every group above limits those below it, so the least counts.
    """
    left = [size for group in _groups(root) if (size := _left_of(group)) is not None]
    return min(left) if left else None


def _groups(root: str) -> Iterator[str]:
    """Folders of the control groups that account for this process's memory, from `root` down.

    Inside a container the names in OWN_GROUPS may be those of the machine outside, of which only `root` is seen.
    """
    version_2 = os.path.exists(f"{root}/cgroup.controllers") or os.path.exists(f"{root}/memory.max")
    folder = root if version_2 else f"{root}/memory"
    yield folder
    try:
        lines = line_of(OWN_GROUPS).splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if (version_2 and number == "0") or (not version_2 and "memory" in controllers.split(",")):
            for part in path.strip("/").split("/") if path.strip("/") else ():
                folder = f"{folder}/{part}"
                yield folder


def _left_of(group: str) -> int | None:
    """What one control group leaves of its limit, None where it sets none.

    Usage counts the pages of files that were read; those not in active use are given back on demand.
    """
    limit, usage, inactive = (
        ("memory.max", "memory.current", "inactive_file")
        if os.path.exists(f"{group}/memory.max")
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    )
    try:
        granted = int(line_of(f"{group}/{limit}"))  # "max" in version 2, 2^63 less a page in version 1: no limit
        used = int(line_of(f"{group}/{usage}"))
        facts = dict(line.split() for line in line_of(f"{group}/memory.stat").splitlines())
        return max(0, granted - used + int(facts.get(inactive, 0)))
    except (OSError, ValueError):
        return None


def _address_space() -> int | None:
    """What RLIMIT_AS leaves to this process, None where it is not set or cannot be known."""
    try:
        import resource

        granted = resource.getrlimit(resource.RLIMIT_AS)[0]
        if granted == resource.RLIM_INFINITY:
            return None
        used = int(line_of("/proc/self/statm").split()[0]) * resource.getpagesize()
        return max(0, granted - used)
    except (ImportError, OSError, ValueError):
        return None
