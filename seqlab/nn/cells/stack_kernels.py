"""One token through embedding, layers and output layer of a model, compiled: a step of generation in one call.

Between two passes over a large matrix nothing is left in a CPU's caches, and every call of Python or torch starts from
memory: some forty of them took a fifth of a step in float32, and half of one in 8 bits.

The matrices are read where they lie. A table has a line for each of them and one for each layer, which name the kernels
to call by their addresses: so one compiled function serves models of any number of layers, cells and forms of weights,
and only the kernels that a model needs are compiled.

Shapes: B texts, E embedding width, D width of the output layer, K numbers of all parts of a state, V vocabulary, H
hidden width, G numbers of all gates, F fields of a line of a table, X matrices, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...base.compiled.formulas import Number, vector_loop
from ...base.compiled.pointers import after, call
from ...base.numerics import emit_logistic, emit_tanh
from ..kernels.matrices import FUNCTION, WIDTH
from .stack import ADDS, CELL, LAYER_FIELDS, MATRIX_FIELDS, PARTS


@vector_loop()
def copied(x: Number) -> Sequence[Number]:
    return [x]


@vector_loop()
def added(x: Number, y: Number) -> Sequence[Number]:
    return [x + y]


@vector_loop()
def lstm(*numbers: Number) -> Sequence[Number]:
    """h and c from c before, the parts of i, f, g and o that come from the input, and those from the state."""
    c, (i, f, g, o) = numbers[0], (x + u for x, u in zip(numbers[1:5], numbers[5:], strict=True))
    c = emit_logistic(f) * c + emit_logistic(i) * emit_tanh(g)
    return [emit_logistic(o) * emit_tanh(c), c]


@vector_loop()
def gru(*numbers: Number) -> Sequence[Number]:
    """h from h before, the parts of r, z and n that come from the input, and those from the state."""
    h, r_x, z_x, n_x, r_u, z_u, n_u = numbers
    n = emit_tanh(n_x + emit_logistic(r_x + r_u) * n_u)
    return [n + emit_logistic(z_x + z_u) * (h - n)]


def cell_lstm(from_input_BG: Any, from_state_BG: Any, before: Any, beyond: Any, texts: int, width: int) -> None:
    """The state of a layer after a token: h of all texts, then c of all texts.

    Args:
        from_input_BG, from_state_BG: parts of the gates.
        before: the state so far.
        beyond: where the new state goes.
        texts: B.
        width: of the layer.
    """
    for b in range(texts):
        x_G, u_G = after(from_input_BG, 4 * b * width), after(from_state_BG, 4 * b * width)
        h, c = b * width, (texts + b) * width
        lstm(
            0,
            width,
            (after(beyond, h), after(beyond, c)),
            (
                after(before, c), x_G, after(x_G, width), after(x_G, 2 * width), after(x_G, 3 * width),
                u_G, after(u_G, width), after(u_G, 2 * width), after(u_G, 3 * width),
            ),
        )  # fmt: skip


def cell_gru(from_input_BG: Any, from_state_BG: Any, before: Any, beyond: Any, texts: int, width: int) -> None:
    """The state of a layer after a token: h of all texts.

    Args:
        from_input_BG, from_state_BG: parts of the gates.
        before: the state so far.
        beyond: where the new state goes.
        texts: B.
        width: of the layer.
    """
    for b in range(texts):
        x_G, u_G, h = after(from_input_BG, 3 * b * width), after(from_state_BG, 3 * b * width), b * width
        gru(
            0,
            width,
            (after(beyond, h),),
            (
                after(before, h), x_G, after(x_G, width), after(x_G, 2 * width),
                u_G, after(u_G, width), after(u_G, 2 * width),
            ),
        )  # fmt: skip


def stack_step(
    matrices_XF: Any, matrices: int, layers_LF: Any, layers: int, token_B: Any, texts: int, before: Any, beyond: Any,
    hidden_BD: Any, logits_BV: Any, widest: int, scratch: Any,
) -> None:  # fmt: skip
    """Read a token of every text.

    Args:
        matrices_XF: the embedding, two of each layer, the bridge where there is one, the output layer.
        matrices: X.
        layers_LF: the layers.
        layers: L.
        token_B: ids.
        texts: B.
        before: the state before them, (B, H) of each part of each layer in turn.
        beyond: room for the state after them.
        hidden_BD: room for what the output layer reads.
        logits_BV: room for the logits.
        widest: numbers of the largest of all vectors between embedding and logits.
        scratch: room for (3 B, widest) and `matrices.scratch_size`.
    """
    x_BD, from_input_BG, from_state_BG = scratch, after(scratch, texts * widest), after(scratch, 2 * texts * widest)
    free = after(scratch, 3 * texts * widest)
    call(matrices_XF[FUNCTION], matrices_XF, token_B, texts, x_BD)
    read_BD, layer, at = x_BD, 0, 0
    for place in range(1, matrices):
        matrix_F, layer_F = after(matrices_XF, place * MATRIX_FIELDS), after(layers_LF, layer * LAYER_FIELDS)
        ends_layer = layer < layers and place % 2 == 0
        width = matrix_F[WIDTH]
        right_BD, made_BN = read_BD, from_input_BG
        if ends_layer:
            right_BD, made_BN = after(before, at), from_state_BG
        elif place == matrices - 1:
            copied(0, texts * width, (hidden_BD,), (read_BD,))
            made_BN = logits_BV
        call(matrix_F[FUNCTION], matrix_F, right_BD, texts, made_BN, free)
        if ends_layer:
            y_BH = after(beyond, at)
            call(layer_F[CELL], from_input_BG, from_state_BG, after(before, at), y_BH, texts, width)
            if layer_F[ADDS]:
                added(0, texts * width, (x_BD,), (read_BD, y_BH))
                y_BH = x_BD
            read_BD, layer, at = y_BH, layer + 1, at + texts * width * layer_F[PARTS]
        elif layer == layers:
            read_BD = made_BN
