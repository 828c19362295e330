"""Tensor files that carry their own digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .replacing import atomic_file

if TYPE_CHECKING:
    import numpy as np

LONGEST_HEADER = 100_000_000
"""Bytes: what safetensors itself allows."""
TENSOR_TYPES = {
    **{f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{f"f{size}": f"F{8 * size}" for size in (2, 4, 8)},
    "b1": "BOOL",
}
"""numpy's name of a type -> that of safetensors."""


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
