"""A whole model as one compiled step of a few texts, where its parts have such steps (see `stack_kernels`).

Shapes: B texts, D width of the output layer, K numbers of all parts of a state, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..kernels.affine import FEW, LARGE, PLAIN
from ..packed import Int8, is_packed
from .base import Cell, State


class StackState(list[State]):
    """A state whose parts lie side by side.

    Attributes:
        numbers_BK: all of them; the tensors of the list are views of it.
    """

    def __init__(self, numbers_BK: np.ndarray, widths: Sequence[Sequence[int]]):
        views = iter(torch.from_numpy(numbers_BK).split([width for layer in widths for width in layer], dim=1))
        super().__init__(tuple(next(views) for _ in layer) for layer in widths)
        self.numbers_BK = numbers_BK


class StackParts(NamedTuple):
    """What a model is made of.

    embedding: (V, E). cells: from the bottom. adds: whether the input of a layer that is as wide as its output is added
    to it. bridge: between the last cell and the output layer. output: weight and bias of the output layer.
    """

    embedding: Tensor
    cells: Sequence[Cell]
    adds: bool
    bridge: Tensor | None
    output: tuple[Tensor, Tensor]


class Stack:
    """One compiled step of a model, for as long as its weights are where they are.

    Args:
        model: whose parts are watched.
        parts: of the model, None for one that has no compiled step.
    """

    def __init__(self, model: nn.Module, parts: StackParts | None):
        self._parts = [
            (entries, name, part)
            for module in model.modules()
            for entries in (module._modules, module._parameters)
            for name, part in entries.items()
            if part is not None and (isinstance(part, Tensor) or next(part.parameters(), None) is not None)
        ]
        self._plain = [part for _, _, part in self._parts if isinstance(part, Tensor) and not is_packed(part)]
        self._addresses = [part.data_ptr() for part in self._plain]
        self.works = parts is not None and self._gather(parts)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """A copy of a model makes its own."""
        return type(None), ()

    def is_current(self) -> bool:
        """Whether no part of the model has been replaced, nor the memory of a weight; new numbers there are read."""
        return all(entries.get(name) is part for entries, name, part in self._parts) and self._addresses == [
            part.data_ptr() for part in self._plain
        ]

    def _gather(self, parts: StackParts) -> bool:
        """Write the tables that the kernel reads. Returns False where a part of the model has no compiled step."""
        steps = [cell.compiled_step() for cell in parts.cells]
        found = [step for step in steps if step is not None]
        zeros = torch.zeros(0 if parts.bridge is None else len(parts.bridge))
        matrices = [(parts.embedding, zeros)]
        for _, (of_input, of_state, *biases) in found:
            matrices += [(of_input, biases[0]), (of_state, biases[1])]
        matrices += [(parts.bridge, zeros)] if parts.bridge is not None else []
        matrices.append(parts.output)
        weights = [weight for weight, _ in matrices]
        if len(found) < len(steps) or not (any(part.numel() >= LARGE for part in weights) and readable(weights)):
            return False
        if not readable(bias for _, bias in matrices):
            return False
        from . import stack_kernels

        codes = {"lstm": stack_kernels.LSTM, "gru": stack_kernels.GRU}
        adds = [parts.adds and cell.input_dim == cell.hidden_dim for cell in parts.cells]
        self._step = stack_kernels.stack_step
        self._matrices_XF = np.array([line_of(*one) for one in matrices], np.int64)
        self._layers_LF = np.array([(codes[name], add) for (name, _), add in zip(found, adds, strict=True)], np.int64)
        self._zeros = zeros
        self._widths = [[cell.hidden_dim] * cell.parts for cell in parts.cells]
        self._sizes = sum(map(sum, self._widths)), weights[-1].shape[1], len(weights[-1])
        self.most = Int8.few if any(map(is_packed, weights)) else FEW
        return True

    def step(self, token_B: Tensor, state: Sequence[State]) -> tuple[Tensor, Tensor, StackState]:
        """Read a token of every text, `most` of them at most.

        Args:
            token_B: ids.
            state: before them.

        Returns:
            What the output layer reads (B, D), logits (B, V), and the state after them.

        Raises:
            IndexError: an id is none of the vocabulary.
        """
        if isinstance(state, StackState):
            before_BK = state.numbers_BK
        else:
            before_BK = torch.cat([part for layer in state for part in layer], dim=1).numpy()
        rows, (numbers, width, types) = len(token_B), self._sizes
        after_BK, hidden_BD, logits_BV = (np.empty((rows, size), np.float32) for size in (numbers, width, types))
        arrays = token_B.numpy(), before_BK, after_BK, hidden_BD, logits_BV
        if not self._step(self._matrices_XF, self._layers_LF, *arrays):
            raise IndexError(f"ids {token_B.tolist()} are not all below {self._matrices_XF[0, 4]:,}, the vocabulary.")
        return torch.from_numpy(hidden_BD), torch.from_numpy(logits_BV), StackState(after_BK, self._widths)


def readable(weights: Iterable[Tensor]) -> bool:
    """Whether the kernel can read weights where they lie."""
    return all(
        isinstance(one, Int8)
        or (type(one) in PLAIN and one.device.type == "cpu" and one.dtype == torch.float32 and one.is_contiguous())
        for one in weights
    )


def line_of(weight: Tensor, bias: Tensor) -> tuple[int, ...]:
    """The line of a matrix in the kernel's table."""
    from .stack_kernels import FLOAT32, INT8

    if isinstance(weight, Int8):
        addresses = INT8, weight.parts["codes"].data_ptr(), weight.parts["scales"].data_ptr()
    else:
        addresses = FLOAT32, weight.data_ptr(), 0
    return *addresses, bias.data_ptr(), *weight.shape
