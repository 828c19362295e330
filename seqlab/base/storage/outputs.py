"""Where output goes: settled before the work starts; links are followed, pipes and devices are written to."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .held import sweep
from .inside import finish_moves

DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)|/dev/(stdout|stderr)")
"""Names of what this process has open already."""
PROBE_BYTES = 4096


def place_of(path: str | Path) -> Path:
    """The file or folder that a path names: of a link its target, whether that exists or not.

    Raises:
        InputError: the link leads back to itself.
    """
    path = Path(path)
    if not path.is_symlink() and path.name not in ("", ".."):
        return path
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise InputError(f"{path}: is a link that leads back to itself; name another output.")
    return place


def descriptor_of(path: str | Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout names, None of any other path."""
    match = DESCRIPTOR.fullmatch(os.path.abspath(path))
    if match is None or os.name == "nt":
        return None
    return int(match[1] or match[2] or {"stdout": 1, "stderr": 2}[match[3]])


def is_stream(path: str | Path) -> bool:
    """Whether a path names a pipe, a terminal or another device, which is written to and never replaced."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def is_replaceable(place: Path) -> bool:
    """Whether another file can take the place of one: its folder may be written to."""
    return not place.exists() or os.access(place.parent, os.W_OK)


def check_file(path: str | Path) -> None:
    """Make sure that a file can be written; call it before the work whose result it will hold.

    Raises:
        InputError: a folder, a disk or a socket is there, or nothing can be written.
    """
    if descriptor_of(path) is not None:
        return
    place = place_of(path)
    if place.is_dir():
        raise InputError(f"{path}: is a folder; name a file.")
    if place.is_block_device() or place.is_socket():
        raise InputError(f"{path}: is a disk or a socket; name a file.")
    if is_stream(place) or not is_replaceable(place):
        if not os.access(place, os.W_OK):
            raise InputError(f"{path}: may not be written to; name another file.")
        return
    check_parent(place)
    _probe(place.parent, path)


def check_not_read(path: str | Path, sources: Iterable[object]) -> None:
    """Make sure that output does not replace a file that the same work reads.

    Args:
        path: where output goes.
        sources: what is read; whatever is no file among them does not matter.

    Raises:
        InputError: one of them is that file.
    """
    if _is_file(path) and any(_is_file(one) and os.path.samefile(path, one) for one in sources):  # type: ignore[arg-type]
        raise InputError(f"{path}: is read too, and would be lost; name another output.")


def _is_file(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and os.path.isfile(value)


def check_folder(path: str | Path, *markers: str) -> None:
    """Make sure that a folder can be written, and refuse to replace somebody's other files.

    Call it before long work whose result will go to `path`. What killed writers left there is removed.

    Args:
        path: where a folder is to be written.
        markers: file names by which seqlab recognises a folder that it wrote itself.

    Raises:
        InputError: unless nothing is there, or an empty folder, or a folder that holds one of `markers`; or nothing
            can be written there.
    """
    check_place(path)
    place = place_of(path)
    if place.is_dir() and any(place.iterdir()) and not any((place / marker).is_file() for marker in markers):
        raise InputError(f"{path}: is a folder with other things in it; name a new folder.")
    if place.exists() and not place.is_dir():
        raise InputError(f"{path}: is a file; name a new folder.")


def check_place(path: str | Path) -> None:
    """Make sure that something can be written where a folder is to be; what killed writers left there is removed.

    Raises:
        InputError: nothing can be written there.
    """
    place = place_of(path)
    sweep(place)
    if place.is_dir():
        finish_moves(place)
        sweep(place / "new")
        _probe(place, path)
    if not stays(place):
        check_parent(place)
        _probe(place.parent, path)


def check_parent(path: Path) -> None:
    """Make sure that there can be a folder to write `path` in.

    Raises:
        InputError: a file is where one of its folders should be.
    """
    there = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not there.is_dir():
        raise InputError(f"{path}: cannot be written, because {there} is a file and no folder.")


def make_parent(path: Path) -> None:
    """Make the folder that a file or folder is to be written in. Raises InputError as `check_parent` does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        check_parent(path)
        raise


def stays(place: Path) -> bool:
    """Whether a folder must stay the one it is: a mount point, the current one, or one in a folder that may not be
    written to."""
    return place.is_dir() and (os.path.ismount(place) or place.samefile(".") or not os.access(place.parent, os.W_OK))


def scratch(path: str | Path) -> Path | None:
    """The folder for temporary files of a large output: next to it where that can be, else None, the system's own."""
    if is_stream(path):
        return None
    parent = place_of(path).parent
    make_parent(parent / "file")
    return parent if os.access(parent, os.W_OK) else None


def _probe(folder: Path, path: str | Path) -> None:
    """Write a little, unnamed where the system can: permissions alone know nothing of full disks and quotas."""
    folder = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as handle:
            handle.write(bytes(PROBE_BYTES))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: nothing can be written in {folder} ({reason}); name another place.") from None
