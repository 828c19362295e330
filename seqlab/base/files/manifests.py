"""A folder's manifest.json: the size and digest of every file in it, by which damage is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import InputError
from .json_files import read_json, write_json
from .tensors import carried_digest

MANIFEST = "manifest.json"


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
