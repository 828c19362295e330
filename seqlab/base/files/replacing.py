"""Files and folders that are never half-written: temporary sibling, fsync, rename."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import SeqlabError
from ..storage.exchange import exchange
from ..storage.held import OLD, held, sweep
from ..storage.inside import move_inside
from ..storage.outputs import check_folder, descriptor_of, is_replaceable, is_stream, make_parent, place_of, stays

WINDOWS = os.name == "nt"
RENAME_WAITS = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0)
"""Seconds between attempts to replace a file that another program has open, on Windows."""


@contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` complete or not at all.

    Use it for everything a reader may open while it is being written, and for everything that must survive a crash.

    Args:
        path: where the file goes; missing parent folders are made, an earlier file is replaced, of a link the target.
            Pipes and devices are written to as it comes, and so is, at the end, a file in a folder that may not be
            written to.

    Yields:
        A handle to write to. The bytes are on disk, under their final name, once the block has ended.
    """
    place = place_of(path)
    if is_stream(path):
        with _stream(path, place) as handle:
            yield handle
        return
    make_parent(place)
    if not is_replaceable(place):
        with tempfile.TemporaryFile() as spool:
            yield spool
            _copy_into(spool, place)
        return
    sweep(place)
    with _temporary_file(place) as temporary:
        with open(temporary, "r+b") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        try:
            replace(temporary, place)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            with open(temporary, "rb") as spool:  # a file that is mounted by itself, as containers do
                _copy_into(spool, place)
            temporary.unlink()
    _sync_folder(place.parent)


def _stream(path: str | Path, place: Path) -> IO[bytes]:
    """A pipe or device to write to; what this process has open already goes on where it is."""
    number = descriptor_of(path)
    if number is None:
        return io.BufferedWriter(_OneWay(place, "wb"))
    if number == 1:
        sys.stdout.flush()
    return os.fdopen(os.dup(number), "wb")


class _OneWay(io.FileIO):
    """A pipe or device, written from beginning to end; some devices pretend that one could go back in them."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def _copy_into(spool: IO[bytes], place: Path) -> None:
    """Give a file that cannot be replaced a new content."""
    spool.seek(0)
    with open(place, "r+b") as handle:
        shutil.copyfileobj(spool, handle, 1 << 20)
        handle.truncate()
        os.fsync(handle.fileno())


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """A new empty file next to `path`, held as ours; removed if the block fails."""
    while True:
        temporary = _sibling(path)
        try:
            with open(temporary, "xb"):
                pass
            with held(temporary) as there:
                if there:
                    yield temporary
                    return
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_folder(path: str | Path, *markers: str, overwrite: bool = False) -> Iterator[Path]:
    """Make a folder that appears under `path` complete or not at all.

    Args:
        path: where the folder goes, or a link to it; an earlier one is replaced if `check_folder` allows it.
        markers: file names by which seqlab recognises an earlier folder of its own.
        overwrite: replace whatever is there: for places in the cache, which nobody chose.

    Yields:
        A temporary folder to fill: next to `path`, or inside where that is a folder which must stay (`inside`). If the
        block fails it is removed, and what was there stays.

    Raises:
        InputError: as `check_folder` does, before anything is written.
    """
    place = place_of(path)
    if overwrite:
        sweep(place)
        if not place.is_dir():
            place.unlink(missing_ok=True)
    else:
        check_folder(path, *markers)
    make_parent(place)
    inside = stays(place)
    with temporary_folder(place / "new" if inside else place) as temporary:
        yield temporary
        for child in temporary.rglob("*"):
            if child.is_file():
                _sync_file(child)
        if inside:
            move_inside(temporary, place)
        elif place.is_dir():
            _exchange(temporary, place)
        else:
            try:
                replace(temporary, place)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                _exchange(temporary, place)  # another process has made it meanwhile
    _sync_folder(place if inside else place.parent)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A new folder next to `path`, held as ours; removed if the block fails, and after a kill by the next `sweep`."""
    while True:
        temporary = _sibling(path)
        try:
            temporary.mkdir()
            with held(temporary) as there:
                if there:
                    yield temporary
                    return
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _exchange(new: Path, path: Path) -> None:
    """Put the folder `new` in the place of the folder `path`: at once where the system can, else by two renames, after
    which the old one comes back if the second fails."""
    if exchange(new, path):
        shutil.rmtree(new, ignore_errors=True)
        return
    old = _sibling(path, OLD)
    with held(path):
        replace(path, old)
        try:
            replace(new, path)
        finally:  # an interrupt may come after the rename too
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                replace(old, path)


def _sibling(path: Path, label: str = "") -> Path:
    """A new hidden name in the folder of `path`."""
    return path.parent / f".{path.name}{label}.{secrets.token_hex(4)}"


def replace(source: str | Path, target: str | Path) -> None:
    """Rename `source` to `target`, replacing a file of that name, as `os.replace` does.

    Windows refuses while any program has the file open: virus scanners and indexers do for a moment, a
    memory map of our own for as long as it lives. So a refusal is tried again for two seconds.

    Raises:
        SeqlabError: on Windows, when the file stays in use.
    """
    waits = iter(RENAME_WAITS if WINDOWS else ())
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            wait = next(waits, None)
            if wait is None:
                if not WINDOWS:
                    raise
                busy = target if os.path.exists(target) else source
                raise SeqlabError(
                    f"{busy}: cannot be replaced ({str(error.strerror).lower()}); close the programs and notebooks "
                    "that have it open, then run the command again."
                ) from error
            time.sleep(wait)


def _sync_file(path: Path) -> None:
    """Wait until a file's bytes are on disk. Windows can only do that for a handle that may write."""
    with open(path, "r+b" if WINDOWS else "rb") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk, where the system and the file system can do that.

    Windows cannot open a folder, and some network file systems cannot flush one.
    """
    if WINDOWS:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder one may write to but not list
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
