"""Two trainings on one folder are kept apart by a lock that the system takes back when its owner dies.

The lock is a file next to the folder, `.NAME.lock`, which goes with the training. On network file systems it is as good
as their locks are: NFS keeps two machines apart; a file system without locks lets both train, and so does a parent
folder in which nothing can be written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import InputError
from .held import fcntl, sweep, sweep_inside

LOOK_EVERY = 0.05
"""Seconds between two looks at a lock that the system does not wait for."""

PATIENCE = 120.0
"""Seconds to wait at most for another program that does what is needed here."""


class FolderInUse(InputError):
    """Another program trains into a folder."""


@contextlib.contextmanager
def only_trainer(folder: str | Path | None) -> Iterator[None]:
    """Be the only program that trains into a folder; what killed ones left in it is removed.

    Args:
        folder: that is trained into, whether it exists or not; None for nowhere.

    Raises:
        FolderInUse: another program trains there.
    """
    if folder is None:
        yield
        return
    place = Path(os.path.realpath(folder))
    made = [one for one in place.parents if not one.exists()]
    lock = place.parent / f".{place.name}.lock"
    handle = _locked(lock, folder)
    try:
        if handle is not None:
            sweep(place)
            for inside in (place, place / "state"):
                sweep_inside(inside)
        yield
    finally:
        if handle is not None:
            _release(handle, lock)
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def _opened(lock: Path) -> IO[bytes] | None:
    """The lock file; None where it cannot be made."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return open(lock, "ab")
    except OSError:
        return None


def _locked(lock: Path, folder: str | Path) -> IO[bytes] | None:
    """The lock file, locked until it is closed; None where there can be none."""
    while True:
        handle = _opened(lock)
        if handle is None:
            return None
        try:
            if not _lock(handle):
                handle.close()
                raise FolderInUse(
                    f"{folder}: another program is training there; wait until it has ended, or name another output "
                    "folder."
                )
            if os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
                return handle
        except OSError:  # no locks here, or the file has just gone
            if not lock.exists():
                handle.close()
                continue
            handle.close()
            return None
        handle.close()


@contextlib.contextmanager
def turn(lock: Path) -> Iterator[None]:
    """Do one after another what several programs begin at the same time, so that the later ones find its result.

    A program that was suspended keeps nobody waiting for longer than PATIENCE, and neither a file system without locks
    nor a folder in which nothing can be written keeps anybody from going on.

    Args:
        lock: a file that is there meanwhile.
    """
    handle = _waited_for(lock, time.monotonic() + PATIENCE)
    try:
        yield
    finally:
        if handle is not None:
            _release(handle, lock)


def _waited_for(lock: Path, until: float) -> IO[bytes] | None:
    """The lock file, locked until it is closed; None where it cannot be had."""
    while True:
        handle = _opened(lock)
        if handle is None:
            return None
        try:
            if _lock(handle) and os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
                return handle
        except OSError:  # no locks here, or the file has just gone
            if lock.exists():
                until = 0.0
        handle.close()
        if time.monotonic() > until:
            return None
        time.sleep(LOOK_EVERY)


class FileLock:
    """A lock that processes wait for, and that the system takes back when its owner dies.

    Args:
        path: the file that is locked; it is made, and stays.
    """

    def __init__(self, path: Path):
        self.path = path
        self.handle: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock; True once it is ours."""
        handle = open(self.path, "ab")  # noqa: SIM115
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            else:
                while not _lock(handle):
                    time.sleep(LOOK_EVERY)
        except BaseException:
            handle.close()
            raise
        self.handle = handle
        return True

    def held(self) -> bool:
        """Whether somebody has the lock now; the file is opened for writing, as NFS locks nothing else."""
        try:
            with open(self.path, "r+b") as handle:
                return not _lock(handle)
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go of it."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def _lock(handle: IO[bytes]) -> bool:
    """Lock a file that nobody else has locked; whether that was so. Raises OSError where nothing can be locked."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    except (BlockingIOError, PermissionError):
        return False
    return True


def _release(handle: IO[bytes], lock: Path) -> None:
    """Remove the lock file and let go of it: in this order where an open file can be removed."""
    if fcntl is None:
        handle.close()
    with contextlib.suppress(OSError):
        lock.unlink()
    handle.close()
