"""One token through embedding, layers and output layer of a model, compiled: a step of generation in one call.

Between two passes over a large matrix nothing is left in a CPU's caches, and every call of Python or torch starts from
memory: some forty of them took a fifth of a step in float32, and half of one in 8 bits.

The matrices are read where they lie. A table of integers has a line for each of them, and one for each layer: so one
compiled function serves models of any number of layers.

Shapes: B texts, E embedding width, D width of the output layer, K numbers of all parts of a state, V vocabulary, H
hidden width, F fields of a line of the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import carray
from numba.core import types

from ...base.compiled.simd import primitive
from ..kernels.affine_kernels import compiled, products, step
from ..kernels.gru_kernels import gru_states
from ..kernels.lstm_kernels import lstm_states
from ..packed.kernels import products_int8

FORM, WEIGHT, SCALES, BIAS, ROWS, WIDTH = range(6)
"""Fields of a matrix: its form, the addresses of its numbers, of their scales and of what is added, and its shape."""
FLOAT32, INT8 = range(2)
"""Forms of a matrix."""
CELL, ADDS = range(2)
"""Fields of a layer: its cell, and whether its input is added to its output."""
LSTM, GRU = range(2)
"""Cells. A layer has two matrices, for its input and for its state, each with a bias of its own."""


@primitive
def pointer(typing: Any, address: Any) -> Any:
    """The pointer to an address."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), emit


@compiled
def floats(address: Any, count: Any) -> Any:
    return carray(pointer(address), (count,), np.float32)


@compiled
def float_rows(matrix_F: Any) -> Any:
    return carray(pointer(matrix_F[WEIGHT]), (matrix_F[ROWS], matrix_F[WIDTH]), np.float32)


@compiled
def code_rows(matrix_F: Any) -> Any:
    return carray(pointer(matrix_F[WEIGHT]), (matrix_F[ROWS], matrix_F[WIDTH]), np.int8)


@compiled
def take(matrix_F: Any, n: Any, out_D: Any) -> None:
    """A row of a matrix."""
    if matrix_F[FORM] == FLOAT32:
        weight_D = float_rows(matrix_F)[n]
        for d in range(out_D.size):
            out_D[d] = weight_D[d]
    else:
        codes_D, scale = code_rows(matrix_F)[n], floats(matrix_F[SCALES], matrix_F[ROWS])[n]
        for d in range(out_D.size):
            out_D[d] = np.float32(codes_D[d]) * scale


@compiled
def copy_columns(source_BK: Any, at: Any, out_BD: Any) -> None:
    """Columns from `at` on."""
    for b in range(len(out_BD)):
        for d in range(out_BD.shape[1]):
            out_BD[b, d] = source_BK[b, at + d]


@compiled
def multiplied(matrix_F: Any, hidden_MD: Any, out_MN: Any) -> None:
    """out = hidden W^T + b."""
    bias_N = floats(matrix_F[BIAS], matrix_F[ROWS])
    if matrix_F[FORM] == FLOAT32:
        products(hidden_MD, float_rows(matrix_F), bias_N, out_MN)
    else:
        products_int8(hidden_MD, code_rows(matrix_F), floats(matrix_F[SCALES], matrix_F[ROWS]), bias_N, out_MN)


@compiled
def new_state(
    cell: Any, from_input_G: Any, from_state_G: Any, before_K: Any, at: Any, width: Any, after_K: Any, y_H: Any
) -> None:
    """The new state of a text in a layer, whose parts begin at column `at`, and its output."""
    if cell == LSTM:
        for g in range(from_input_G.size):
            from_input_G[g] += from_state_G[g]
        lstm_states(from_input_G, before_K[at + width : at + 2 * width], y_H, after_K[at + width : at + 2 * width])
    else:
        gru_states(from_input_G, from_state_G, before_K[at : at + width], y_H)
    for j in range(width):
        after_K[at + j] = y_H[j]


@step
def stack_step(
    matrices_XF: Any, layers_LF: Any, token_B: Any, state_BK: Any, after_BK: Any, hidden_BD: Any, logits_BV: Any
) -> bool:
    """Read a token of every text.

    Args:
        matrices_XF: the embedding, two of each layer, the bridge where there is one, the output layer.
        layers_LF: the layers.
        token_B: ids.
        state_BK: the state before them, the parts of all layers side by side.
        after_BK: room for the state after them.
        hidden_BD: room for what the output layer reads.
        logits_BV: room for the logits.

    Returns:
        False where an id is none of the vocabulary; nothing is written then.
    """
    batch, last = len(token_B), len(matrices_XF) - 1
    x_BD = np.empty((batch, matrices_XF[0, WIDTH]), np.float32)
    for b in range(batch):
        if not 0 <= token_B[b] < matrices_XF[0, ROWS]:
            return False
        take(matrices_XF[0], token_B[b], x_BD[b])
    at, from_input_BG = 0, x_BD
    for place in range(1, last + 1):  # one call of `multiplied`, so that it is compiled once
        layer, ends_layer = (place - 1) // 2, place % 2 == 0 and place <= 2 * len(layers_LF)
        right_BD, width = x_BD, matrices_XF[place, WIDTH]
        if ends_layer:
            right_BD = np.empty((batch, width), np.float32)
            copy_columns(state_BK, at, right_BD)
        elif place == last:
            copy_columns(x_BD, 0, hidden_BD)
        made_BN = logits_BV if place == last else np.empty((batch, matrices_XF[place, ROWS]), np.float32)
        multiplied(matrices_XF[place], right_BD, made_BN)
        if ends_layer:
            y_BH = np.empty((batch, width), np.float32)
            for b in range(batch):
                cell = layers_LF[layer, CELL]
                new_state(cell, from_input_BG[b], made_BN[b], state_BK[b], at, width, after_BK[b], y_BH[b])
                for j in range(width * layers_LF[layer, ADDS]):
                    y_BH[b, j] += x_BD[b, j]
            x_BD = y_BH
            at += width * (2 if layers_LF[layer, CELL] == LSTM else 1)
        elif layer < len(layers_LF):
            from_input_BG = made_BN
        else:
            x_BD = made_BN
    return True
