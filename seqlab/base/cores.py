"""How many cores of the machine this process may use, and how its threads wait for one another."""

from __future__ import annotations

import os

WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
"""How long a thread of OpenMP spins before it sleeps: rounds for GNU's library (Linux), milliseconds for LLVM's (macOS,
Windows). GNU's default of 300,000 rounds burns the time of a core that other work needs, and the thread waited for gets
none: on two cores with a load of nine a training step took 2.3 s with it, 0.17 s with 1,000. On an idle machine the
default is up to a quarter faster."""
IDLE = 0.25
"""Load a core below which a machine counts as idle."""
CGROUPS = "/sys/fs/cgroup"
"""Where Linux tells a container its share of the machine: https://docs.kernel.org/admin-guide/cgroup-v2.html"""


def wait_without_spinning() -> None:
    """Make OpenMP's threads sleep while they wait where the machine has other work, unless the environment says
    otherwise.

    It works only before torch is imported: the library reads these variables when it is loaded.
    """
    if "OMP_WAIT_POLICY" in os.environ or _load() < IDLE:
        return
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def keep_numpy_within_quota() -> None:
    """Let numpy's products start as many threads as a container's quota grants instead of one a core of the machine,
    which would wait for one another by spinning, unless the environment says otherwise.

    It works only before numpy is imported: its library reads the variable when it is loaded.
    """
    if available_cores() < _CORES_AT_START:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(available_cores()))


def _load() -> float:
    """Processes that want to run, per core, over the last minute; unknown on Windows, which counts as busy."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0


def _affinity() -> int:
    """Cores the system lets this thread run on; macOS and Windows (before Python 3.13) tell only how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return os.cpu_count() or 1


_CORES_AT_START = _affinity()
"""Read as soon as seqlab is imported: with OMP_PROC_BIND set, OpenMP later pins this very thread to one core."""


def available_cores() -> int:
    """Count the cores this process may use: its affinity, or a container's quota of processor time where that is less.

    joblib's `cpu_count` answers the same question, but importing it costs 0.3 s, and it reads the affinity when it is
    called, which is one core after OpenMP has pinned the thread.

    Returns:
        At least 1. A quota of one core and a half counts as two.
    """
    quota = _quota(CGROUPS)
    return max(1, _CORES_AT_START if quota is None else min(_CORES_AT_START, quota))


def _quota(root: str) -> int | None:
    """Cores' worth of time that the control group at `root` grants, rounded up, None where it sets no limit."""
    try:
        if os.path.exists(f"{root}/cpu.max"):  # version 2: "150000 100000", or "max 100000"
            granted, period = line_of(f"{root}/cpu.max").split()
        else:  # version 1: -1 without a limit
            granted, period = line_of(f"{root}/cpu/cpu.cfs_quota_us"), line_of(f"{root}/cpu/cpu.cfs_period_us")
        return -(-int(granted) // int(period)) if int(granted) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def line_of(path: str) -> str:
    """The whole of a small file of the system."""
    with open(path, encoding="ascii") as handle:
        return handle.read()
