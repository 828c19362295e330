"""Giving the matrices of a model another form."""

from __future__ import annotations

from torch import Tensor

from ...models import LanguageModel
from ...nn.packed import FORMS, PackedWeight, bytes_of, dense, is_packed
from ...run import set_weights

SMALLEST = 4096
"""Numbers of a matrix below which it stays as it is: its scales and the work of unpacking would outweigh the gain."""
NARROWEST = 16
"""Rows or columns below which it does so too."""


def matrices(model: LanguageModel) -> dict[str, Tensor]:
    """The weights that can be packed by name, tied ones once."""
    aliases = model.aliases()
    return {name: weight for name, weight in model.state_dict().items() if name not in aliases and is_matrix(weight)}


def is_matrix(weight: Tensor) -> bool:
    """Whether a weight is a matrix that is worth packing."""
    return len(weight.shape) == 2 and weight.numel() >= SMALLEST and min(weight.shape) >= NARROWEST


def pack_(model: LanguageModel, form: str) -> None:
    """Give every matrix a form; one that is packed has its own parts packed where it has any."""
    set_weights(model, {name: packed_as(form, weight) for name, weight in matrices(model).items()})


def packed_as(form: str, weight: Tensor) -> PackedWeight:
    """A weight in a form."""
    if is_packed(weight) and weight.form != form:
        return weight.with_parts_as(FORMS[form])
    return FORMS[form].pack(dense(weight))


def weight_bytes(model: LanguageModel) -> int:
    """What the weights take, tied ones once."""
    aliases = model.aliases()
    return sum(bytes_of(weight) for name, weight in model.state_dict().items() if name not in aliases)
