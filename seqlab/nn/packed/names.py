"""Packed weights among the named arrays of a file: NAME.FORM.PART, such as embedding.int8.codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from .base import PackedWeight, Shape, is_packed
from .table import FORMS

Value = TypeVar("Value")


def arrays_of(name: str, weight: Tensor) -> dict[str, np.ndarray]:
    """The arrays that a file holds of a weight, packed or not."""
    if not is_packed(weight):
        return {name: weight.detach().cpu().numpy()}
    inside = [arrays_of(f"{name}.{weight.form}.{part}", tensor) for part, tensor in weight.parts.items()]
    return {key: array for one in inside for key, array in one.items()}


def grouped(stored: Mapping[str, Value]) -> tuple[dict[str, Value], dict[tuple[str, str], dict[str, Value]]]:
    """What a file holds, in two: the values of plain weights by name, and by (name, form) those of the parts of packed
    ones, whose own parts are not taken apart yet."""
    plain: dict[str, Value] = {}
    packed: dict[tuple[str, str], dict[str, Value]] = {}
    for key, value in stored.items():
        words = key.split(".")
        place = next((i for i in range(1, len(words) - 1) if words[i] in FORMS), None)
        if place is None:
            plain[key] = value
        else:
            name, part = ".".join(words[:place]), ".".join(words[place + 1 :])
            packed.setdefault((name, words[place]), {})[part] = value
    return plain, packed


def packed_in(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """The weights that a file holds, packed ones as such.

    Args:
        arrays: by name in the file.
        shapes: of the weights by name.

    Raises:
        ValueError: the numbers of a packed weight make no sense; the file is damaged.
    """
    plain, packed = grouped(arrays)
    weights = {name: torch.from_numpy(array) for name, array in plain.items()}
    for (name, form), inside in packed.items():
        inner = FORMS[form].part_shapes(shapes[name], {part: array.shape for part, array in inside.items()})
        weight = FORMS[form](packed_in(inside, inner), shapes[name])
        weight.check()
        weights[name] = weight
    return weights


def stored_shapes(stored: Mapping[str, Shape], expected: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of the weights that a file holds, from those of its tensors.

    Args:
        stored: by name in the file.
        expected: those that the weights should have.

    Returns:
        Shapes by name; a packed weight whose parts make no such matrix is left out.
    """
    plain, packed = grouped(stored)
    for (name, form), parts in packed.items():
        shape = expected.get(name, ())
        if len(shape) == 2 and name not in plain and _makes(FORMS[form], shape, parts):
            plain[name] = shape
    return plain


def _makes(form: type[PackedWeight], shape: Shape, parts: Mapping[str, Shape]) -> bool:
    """Whether parts of these shapes make a matrix of `shape`."""
    try:
        layout = form.part_shapes(shape, parts)
    except (LookupError, StopIteration):
        return False
    return stored_shapes(parts, layout) == layout
