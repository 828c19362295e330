"""The weights of a model as arrays of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..models import Network
from ..nn.packed import arrays_of, is_packed

if TYPE_CHECKING:
    from torch import Tensor


def model_arrays(model: Network) -> dict[str, np.ndarray]:
    """The weights as numpy arrays, tied tensors once."""
    aliases, arrays = model.aliases(), dict[str, np.ndarray]()
    for name, weight in model.state_dict().items():
        if name not in aliases:
            arrays |= arrays_of(name, weight)
    return arrays


def set_weights(model: Network, weights: Mapping[str, Tensor]) -> None:
    """Give a model the weights of a file, by name of its state; packed ones take the place of its parameters."""
    import torch

    model.load_state_dict({name: weight for name, weight in weights.items() if not is_packed(weight)}, strict=False)
    packed = {name: weight for name, weight in weights.items() if is_packed(weight)}
    aliases = {alias: name for alias, name in model.aliases().items() if name in packed}
    made = {name: torch.nn.Parameter(weight, requires_grad=False) for name, weight in packed.items()}
    for name, parameter in {**made, **{alias: made[name] for alias, name in aliases.items()}}.items():
        module, _, last = name.rpartition(".")
        setattr(model.get_submodule(module), last, parameter)
