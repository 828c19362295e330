"""Weights that are stored in fewer bytes than float32 takes, and multiplied as they are stored."""

from .base import FEW, PackedWeight, bytes_of, dense, is_packed, unpack_
from .levels import Binary, Int4, Int8, Ternary
from .names import arrays_of, packed_in, stored_shapes
from .table import FORMS

__all__ = [
    "FEW",
    "FORMS",
    "Binary",
    "Int4",
    "Int8",
    "PackedWeight",
    "Ternary",
    "arrays_of",
    "bytes_of",
    "dense",
    "is_packed",
    "packed_in",
    "stored_shapes",
    "unpack_",
]
