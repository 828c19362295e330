"""Files that are never half-written, and that say when they are damaged."""

from .json_files import json_line, json_value, read_json, write_json, write_json_lines
from .manifests import MANIFEST, manifest_entries, sha256, verify_manifest, write_manifest
from .replacing import atomic_file, atomic_folder, replace, temporary_folder
from .tensors import carried_digest, load_tensors, save_tensors, tensor_digest, tensor_header, tensor_shapes

__all__ = [
    "MANIFEST",
    "atomic_file",
    "atomic_folder",
    "carried_digest",
    "json_line",
    "json_value",
    "load_tensors",
    "manifest_entries",
    "read_json",
    "replace",
    "save_tensors",
    "sha256",
    "temporary_folder",
    "tensor_digest",
    "tensor_header",
    "tensor_shapes",
    "verify_manifest",
    "write_json",
    "write_json_lines",
    "write_manifest",
]
