"""Files that are never half-written: temporary sibling, fsync, rename; and tensors that carry their own digest."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .errors import InputError, SeqlabError
from .printing import quoted
from .storage.exchange import exchange
from .storage.held import OLD, held, sweep
from .storage.inside import move_inside
from .storage.outputs import check_folder, descriptor_of, is_replaceable, is_stream, make_parent, place_of, stays

if TYPE_CHECKING:
    import numpy as np

MANIFEST = "manifest.json"
LONGEST_HEADER = 100_000_000
"""Bytes: what safetensors itself allows."""
TENSOR_TYPES = {
    **{f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{f"f{size}": f"F{8 * size}" for size in (2, 4, 8)},
    "b1": "BOOL",
}
"""numpy's name of a type -> that of safetensors."""
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
            replace(temporary, place)
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


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, complete or not at all."""
    with atomic_file(path) as handle:
        handle.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass") + b"\n")


def read_json(path: str | Path) -> Any:
    """Read the value of a JSON file.

    Raises:
        InputError: naming the file, and the line where its text is broken.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; the file is damaged.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    return json_value(text, str(path), "; the file is damaged")


def json_value(text: str, source: str, meaning: str = "") -> Any:
    """The value of a text in JSON, in whose tables every key is there once.

    Args:
        text: the JSON.
        source: what the sentence calls it.
        meaning: what it means that the text is broken, as the end of the sentence.

    Raises:
        InputError: naming `source`, and the line or key.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: line {error.lineno}: not valid JSON ({error.msg}){meaning}.") from None
    except _RepeatedKeyError as error:
        raise InputError(
            f"{source}: the key {quoted(error.key)} stands twice in one table; leave one of them."
        ) from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, thousands of brackets
        raise InputError(f"{source}: holds a number or a nesting that is too long{meaning}.") from None


class _RepeatedKeyError(ValueError):
    """A table of JSON has a key twice, of which Python would take the last in silence."""

    def __init__(self, key: str):
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON, whose keys must be distinct."""
    table = dict(pairs)
    if len(table) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _RepeatedKeyError(next(key for key, count in counts.items() if count > 1))
    return table


def json_line(value: Any) -> bytes:
    """A value as one line of a JSON Lines file."""
    return json.dumps(value).encode() + b"\n"


def write_json_lines(path: str | Path, values: Iterable[Any]) -> None:
    """Write values as JSON Lines, complete or not at all."""
    with atomic_file(path) as handle:
        handle.writelines(map(json_line, values))


def sha256(path: str | Path) -> str:
    """Compute the hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_manifest(folder: str | Path, names: list[str]) -> None:
    """Record the size and SHA-256 of a folder's files in its manifest.json.

    Written last, it marks the folder as complete and lets every later reader notice damage. Of a tensor file the digest
    that it carries itself is recorded too: `verify_manifest` explains what for.

    Args:
        folder: the folder.
        names: the files to record, relative to the folder, with forward slashes.
    """
    folder = Path(folder)
    entries: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        path = folder / name
        entries[name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
        if name.endswith(".safetensors"):
            entries[name]["content"] = carried_digest(path)
    write_json(folder / MANIFEST, {"files": entries})


def manifest_entries(folder: str | Path) -> dict[str, tuple[int, str, str | None]]:
    """What a folder's manifest says of every file: bytes, SHA-256, and of tensor files the digest that they carry.

    Raises:
        InputError: there is no manifest, or it cannot be read.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        raise InputError(f"{folder}: has no {MANIFEST}; it is not complete, or not a seqlab folder.")
    manifest = read_json(folder / MANIFEST)
    try:
        return {
            str(name): (int(e["bytes"]), str(e["sha256"]), e.get("content")) for name, e in manifest["files"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputError(f"{folder / MANIFEST}: not a seqlab manifest; the file is damaged.") from None


def verify_manifest(folder: str | Path, later: Collection[str] = ()) -> None:
    """Check every file that a folder's manifest names.

    Args:
        folder: the folder.
        later: tensor files that `load_tensors` verifies when it reads them, if ever. Here only their size is checked
            and that they carry the digest that was recorded, so that no byte is read twice. Where an older manifest
            did not record it they are read like the others.

    Raises:
        InputError: naming the first file that is missing or has changed, or the manifest if it cannot be read.
    """
    folder = Path(folder)
    for name, (size, digest, content) in manifest_entries(folder).items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing; the folder is incomplete, restore it or make it again.")
        same = path.stat().st_size == size
        if same and content and name in later:
            same = carried_digest(path) == content
        elif same:
            same = sha256(path) == digest
        if not same:
            raise InputError(f"{path}: differs from its digest in {MANIFEST}; the file is damaged or was edited.")


def carried_digest(path: str | Path) -> str | None:
    """The digest in the header of a tensor file, None where it carries none or its header cannot be read."""
    try:
        with open(path, "rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(min(length, LONGEST_HEADER)))
        return str(header["__metadata__"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tensor_digest(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Compute the hexadecimal SHA-256 of arrays (names, types, shapes and bytes) and of metadata."""
    import numpy as np

    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_tensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays as one safetensors file that carries its own SHA-256.

    safetensors itself has no checksum. With one in its header a file can be verified without a manifest, so weights
    and training state are replaced by a single rename.

    Args:
        path: the file; it appears complete or not at all.
        tensors: arrays by name.
        metadata: texts to store with them.
    """
    import numpy as np

    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    written = {**(metadata or {}), "sha256": tensor_digest(arrays, metadata or {})}
    ordered = dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))
    with atomic_file(path) as handle:
        handle.write(tensor_header({name: (array.dtype.str, array.shape) for name, array in ordered.items()}, written))
        for array in ordered.values():
            handle.write(array.reshape(-1).view(np.uint8).data)


def tensor_header(tensors: Mapping[str, tuple[str, Sequence[int]]], metadata: Mapping[str, str]) -> bytes:
    """The start of a safetensors file, before the bytes of its arrays; the same for the same arrays.

    safetensors itself writes the metadata in another order each time, so that equal trainings would differ in bytes.

    Layout: https://github.com/huggingface/safetensors#format

    Args:
        tensors: numpy's name of the type, such as "<f4", and the shape of every array, in the order of the file.
        metadata: texts to store with them.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name, (type_, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * int(type_[2:])
        header[name] = {"dtype": TENSOR_TYPES[type_[1:]], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def load_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save_tensors` wrote.

    Returns:
        The arrays by name, and the metadata.

    Raises:
        InputError: when the file is missing, is not safetensors, or differs from its digest.
    """
    import safetensors

    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as handle:
            metadata = dict(handle.metadata() or {})
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except Exception as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error}); the file is damaged.") from None
    digest = metadata.pop("sha256", None)
    if digest is None or digest != tensor_digest(tensors, metadata):
        raise InputError(f"{path}: its content differs from its digest; the file is damaged.")
    return tensors, metadata


def tensor_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a tensor file's arrays, from its header: nothing else is read.

    Raises:
        InputError: when the file is missing or is not safetensors.
    """
    import safetensors

    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as handle:
            return {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except Exception as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error}); the file is damaged.") from None


def cache_folder() -> Path:
    """Where seqlab stores what it can make again: $SEQLAB_CACHE, or the folder that the system has for caches."""
    if os.environ.get("SEQLAB_CACHE"):
        return Path(os.environ["SEQLAB_CACHE"])
    import platformdirs

    return Path(platformdirs.user_cache_dir("seqlab"))
