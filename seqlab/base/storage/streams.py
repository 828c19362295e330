"""Standard input and pipes, which can be read only once: a command parks each in a temporary file at its first use.

So `seqlab neighbors <(zcat v.gz)` and `seqlab evaluate A B --text -` may read a stream twice, or seek in it.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from ..errors import InputError, SeqlabError
from ..resources.disk import room

STDIN = "-"
BLOCK = 1 << 20


class _Parked:
    """The copies of one command, by device and number of the pipe."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.folder: Path | None = None
        self.copies: dict[tuple[int, int], Path] = {}


_current: ContextVar[_Parked | None] = ContextVar("parked", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Inside, `parked` reads every stream once and its copies stay; inside another, that one's."""
    if _current.get() is not None:
        yield
        return
    place = _Parked()
    token = _current.set(place)
    try:
        with place.stack:
            yield
    finally:
        _current.reset(token)


def reads_once(path: str | Path) -> bool:
    """Whether a path is "-" or names something that can be read only once, a pipe or a device."""
    if str(path) == STDIN:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def parked(path: str | Path, near: Path | None = None) -> Path:
    """The file to read for a path: itself, or the copy of a stream, made now where this is its first use.

    To be called inside `read_once`.

    Args:
        path: a file or folder, which is returned as it is; "-" for standard input, a pipe.
        near: a folder for the copy; None takes the cache's disk.

    Returns:
        A file or folder.

    Raises:
        InputError: standard input is closed, or it is a device that never ends.
        SeqlabError: the disk has not enough space.
    """
    if not reads_once(path):
        return Path(path)
    from ..files import temporary_folder  # here, as every command comes by this file
    from .cache import writable_cache
    from .held import sweep

    held = _current.get()
    assert held is not None, "inside read_once"
    key = _identity(path)
    if key in held.copies:
        return held.copies[key]
    with _opened(path) as source:
        if held.folder is None:
            place = (near or writable_cache()) / "stream"
            sweep(place)
            held.folder = held.stack.enter_context(temporary_folder(place))
            held.stack.callback(shutil.rmtree, held.folder, ignore_errors=True)
        copy = held.folder / str(len(held.copies))
        limit = room(held.folder)
        with copy.open("wb") as target:
            while block := source.read(BLOCK):
                if target.tell() + len(block) > limit:
                    raise SeqlabError(f"{path}: is longer than the {limit / 1e9:.1f} GB for which there is room.")
                target.write(block)
        held.copies[key] = copy
    return copy


@contextmanager
def _opened(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) == STDIN:
        if sys.stdin is None or getattr(sys.stdin, "closed", False):
            raise InputError("-: standard input is closed; name a file, or pipe a text into the command.")
        yield sys.stdin.buffer
        return
    try:
        source = Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    with source:
        yield source


def _identity(path: str | Path) -> tuple[int, int]:
    """Device and number of a stream, the same under every name that it has; a named pipe must not be opened twice.

    Raises:
        InputError: it is a device such as /dev/zero, which never ends; terminals and /dev/null do.
    """
    try:
        facts = os.fstat(sys.stdin.fileno()) if str(path) == STDIN else os.stat(path)
    except (AttributeError, OSError, ValueError):  # closed, or what stands for it in a test or a notebook
        return 0, 0
    if stat.S_ISBLK(facts.st_mode) or (stat.S_ISCHR(facts.st_mode) and not _ends(path, facts)):
        raise InputError(f"{path}: is a device, not a text or a file of vectors.")
    return facts.st_dev, facts.st_ino


def _ends(path: str | Path, facts: os.stat_result) -> bool:
    """Whether a device of characters comes to an end."""
    if os.name == "nt" or facts.st_rdev == os.stat(os.devnull).st_rdev:
        return True
    with _opened(path) as source:
        return source.isatty()


@contextmanager
def parked_as(path: str | Path) -> Iterator[Path]:
    """`parked` inside its own `read_once`; what goes wrong is said of `path`, not of the copy."""
    with read_once():
        place = parked(path)
        try:
            yield place
        except InputError as error:
            if place == Path(path):
                raise
            raise InputError(str(error).replace(str(place), str(path))) from None
