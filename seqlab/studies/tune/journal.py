"""A study's folder: what it searches, its journal of trials, and which of its processes are alive.

    study.json    what is searched and for how long, written once when everything else is there
    journal.log   every trial (Optuna's journal storage), appended
    workers/      a file a process, locked while it lives
    best.toml, report.html, range-test.html

One lock keeps the processes apart; the system takes it back when its owner dies.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...base.errors import InputError
from ...base.storage.lock import FileLock

RECORD, JOURNAL, WORKERS, BEST, REPORT, RANGE_TEST = (
    "study.json",
    "journal.log",
    "workers",
    "best.toml",
    "report.html",
    "range-test.html",
)
LOCK = ".lock"
"""It is there from the beginning: a folder with it is a study's, however early its first process died."""
STUDY = "seqlab"
"""The study's name in its journal."""


def optuna_module() -> Any:
    """Optuna, quiet.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise InputError('a study needs Optuna, which is not installed here: pip install "seqlab[tune]".') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process of the study decides anything."""
    lock = FileLock(folder / LOCK)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def storage(folder: Path) -> Any:
    """The study's journal as Optuna's storage; a line that a killed process left unfinished is cut off."""
    optuna = optuna_module()
    path, lock = folder / JOURNAL, FileLock(folder / ".journal.lock")
    lock.acquire()
    try:
        if path.exists():
            with open(path, "r+b") as handle:
                content = handle.read()
                whole = content.rfind(b"\n") + 1
                if whole < len(content):
                    handle.truncate(whole)
    finally:
        lock.release()
    journal = optuna.storages.journal
    return optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))


@contextlib.contextmanager
def alive(folder: Path) -> Iterator[str]:
    """Inside, other processes see that this one lives. Yields: its name."""
    workers = folder / WORKERS
    workers.mkdir(exist_ok=True)
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    lock = FileLock(workers / name)
    lock.acquire()
    try:
        yield name
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            (workers / name).unlink()


def lives(folder: Path, name: str) -> bool:
    """Whether the process of that name lives, on whichever machine."""
    return bool(name) and FileLock(folder / WORKERS / name).held()
