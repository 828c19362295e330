"""Files that are never half-written: temporary sibling, fsync, rename; and tensors that carry their own digest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import InputError

MANIFEST = "manifest.json"


@contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def check_replaceable(path: str | Path, *markers: str) -> None:
    """Raise InputError unless a folder may be written at `path`: nothing is there, or an empty folder, or one that
    holds one of the files `markers`, by which seqlab knows its own. Nobody's other files are ever replaced."""
    path = Path(path)
    if path.is_dir() and any(path.iterdir()) and not any((path / marker).is_file() for marker in markers):
        raise InputError(f"{path}: is a folder with other things in it; name a new folder.")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; name a new folder.")


@contextmanager
def atomic_folder(path: str | Path, *markers: str) -> Iterator[Path]:
    """A folder that appears under `path` complete or not at all; an earlier one with one of the files `markers` is
    replaced.

    Raises InputError as `check_replaceable` does, before anything is written.
    """
    check_replaceable(path, *markers)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        for child in temporary.rglob("*"):
            if child.is_file():
                with child.open("rb") as handle:
                    os.fsync(handle.fileno())
        os.chmod(temporary, 0o777 & ~_umask())
        if path.is_dir() and not path.is_symlink():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically."""
    with atomic_file(path) as handle:
        handle.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass") + b"\n")


def read_json(path: str | Path) -> Any:
    """The value of a JSON file. Raises InputError naming the file, and line where the text is broken."""
    path = Path(path)
    try:
        return json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; the file is damaged.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno}: not valid JSON ({error.msg}); the file is damaged.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_manifest(folder: str | Path, names: list[str]) -> None:
    """Record size and sha256 of `names` (relative to `folder`) in its manifest.json."""
    folder = Path(folder)
    entries = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in sorted(names)
    }
    write_json(folder / MANIFEST, {"files": entries})


def verify_manifest(folder: str | Path) -> None:
    """Check every file the manifest names. Raises InputError naming the first that is missing or changed."""
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        raise InputError(f"{folder}: has no {MANIFEST}; it is not complete, or not a seqlab folder.")
    manifest = read_json(folder / MANIFEST)
    try:
        entries = {str(name): (int(e["bytes"]), str(e["sha256"])) for name, e in manifest["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{folder / MANIFEST}: not a seqlab manifest; the file is damaged.") from None
    for name, (size, digest) in entries.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing; the folder is incomplete, restore it or make it again.")
        if path.stat().st_size != size or sha256(path) != digest:
            raise InputError(f"{path}: differs from its digest in {MANIFEST}; the file is damaged or was edited.")


def tensor_digest(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Hexadecimal SHA-256 of names, types, shapes and bytes of arrays, and of the metadata."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_tensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays as one safetensors file, atomically, with a sha256 of content and metadata in its header.

    safetensors itself has no checksum; the digest makes one file verifiable on its own, so that weights and
    state can be replaced by a single rename.
    """
    import safetensors.numpy

    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    header = dict(metadata or {})
    header["sha256"] = tensor_digest(arrays, metadata or {})
    with atomic_file(path) as handle:
        handle.write(safetensors.numpy.save(arrays, header))


def load_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata written by `save_tensors`. Raises InputError when anything differs from the digest."""
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
