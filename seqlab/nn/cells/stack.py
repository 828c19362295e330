"""A whole model as one compiled step of a few texts, where its parts have such steps (see `stack_kernels`).

Shapes: B texts, D width of the output layer, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...base.native import FLOATS, INT, INTS, Native
from ..kernels.affine import FEW, LARGE, PLAIN
from ..kernels.matrices import ALIGNED, scratch_size
from ..packed import is_packed
from ..packed.base import FIELDS, line
from .base import Cell, State

MATRIX_FIELDS, LAYER_FIELDS = FIELDS, 3
"""Of a line of the tables."""
CELL, ADDS, PARTS = range(LAYER_FIELDS)
"""Fields of a layer: the kernel of its cell, whether its input is added to its output, and how many parts, each as wide
as its output, the state has. A layer has two matrices, for its input and for its state, each with a bias of its own."""

KERNELS = "seqlab.nn.cells.stack_kernels"
STEP = Native(KERNELS, "stack_step", (INTS, INT, INTS, INT, INTS, INT, FLOATS, FLOATS, FLOATS, FLOATS, INT, FLOATS))
CELL_KERNELS = {
    name: Native(KERNELS, f"cell_{name}", (FLOATS, FLOATS, FLOATS, FLOATS, INT, INT)) for name in ("lstm", "gru")
}
"""By what `Cell.compiled_step` names."""


class StackState(list[State]):
    """A state whose parts lie one after another.

    Attributes:
        numbers: all of them; the tensors of the list are views of it.
    """

    def __init__(self, numbers: Tensor, widths: Sequence[Sequence[int]], texts: int):
        parts = iter(numbers.split([texts * width for layer in widths for width in layer]))
        super().__init__(tuple(next(parts).view(texts, width) for width in layer) for layer in widths)
        self.numbers = numbers


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
        adds = [parts.adds and cell.input_dim == cell.hidden_dim for cell in parts.cells]
        self._matrices_XF = np.array([line(*one, first=not place) for place, one in enumerate(matrices)], np.int64)
        self._layers_LF = np.array(
            [
                (CELL_KERNELS[name].address, add, cell.parts)
                for (name, _), add, cell in zip(found, adds, parts.cells, strict=True)
            ],
            np.int64,
        )
        self._zeros, self._known = zeros, len(weights[0])
        self._widths = [[cell.hidden_dim] * cell.parts for cell in parts.cells]
        self._sizes = sum(map(sum, self._widths)), weights[-1].shape[1], len(weights[-1])
        inner = [weights[0].shape[1], *(len(weight) for weight in weights[1:-1])]
        self._widest = -(-max(inner) // ALIGNED) * ALIGNED
        self._scratch = [
            3 * texts * self._widest + max(scratch_size(texts, weight.shape[1]) for weight in weights)
            for texts in range(FEW + 1)
        ]
        self.most = min([FEW, *(one.few for one in weights if is_packed(one))])
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
        if not all(0 <= id < self._known for id in token_B.tolist()):
            raise IndexError(f"ids {token_B.tolist()} are not all below {self._known:,}, the vocabulary.")
        if isinstance(state, StackState):
            before = state.numbers
        else:
            before = torch.cat([part.reshape(-1) for layer in state for part in layer])
        texts, (numbers, width, types) = len(token_B), self._sizes
        after = torch.empty(texts * numbers)
        hidden_BD, logits_BV = torch.empty(texts, width), torch.empty(texts, types)
        tables = self._matrices_XF, len(self._matrices_XF), self._layers_LF, len(self._layers_LF)
        arrays = token_B.contiguous(), texts, before, after, hidden_BD, logits_BV
        STEP(*tables, *arrays, self._widest, torch.empty(self._scratch[texts]))
        return hidden_BD, logits_BV, StackState(after, self._widths, texts)


def readable(weights: Iterable[Tensor]) -> bool:
    """Whether compiled kernels can read weights where they lie."""
    return all(
        one.compiled
        if is_packed(one)
        else (type(one) in PLAIN and one.device.type == "cpu" and one.dtype == torch.float32 and one.is_contiguous())
        for one in weights
    )
