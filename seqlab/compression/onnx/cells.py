"""Every cell as ONNX nodes: the runtime's own kernel where ONNX has one, else the equations in a loop over time.

Shapes: T time, B batch, D input width, H hidden width, G gates in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...nn.cells.activation import LEAK
from .graph import CONTRIBUTED, Graph, quantised_rows

Written = tuple[str, list[str]]
"""Outputs (T, B, H) and the state after the last step."""
Writer = Callable[[Graph, Any, str, list[str]], Written]
"""(graph, cell, inputs (T, B, D), state) -> outputs and new state."""


def elman(activation: str, **attributes: Any) -> Writer:
    """h' = f(W x + U h + b)."""

    def write(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
        weight_ih, weight_hh, bias_ih, bias_hh = (
            [cell.weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            if hasattr(cell, "weight")
            else [cell.weight_ih, cell.weight_hh, cell.bias_ih, torch.zeros_like(cell.bias_ih)]
        )
        if not graph.int8:
            options: dict[str, Any] = {f"activation_{name}": [value] for name, value in attributes.items()}
            arrays = runtime_weights([weight_ih, weight_hh, torch.cat([bias_ih, bias_hh])])
            return kernel(graph, "RNN", arrays, x_TBD, state, activations=[activation], **options)

        def step(inputs: list[str], before: list[str]) -> Written:
            sums = graph.op("Add", inputs[0], graph.affine(before[0], weight_hh))
            h_BH = graph.op(activation, sums, **attributes)
            return h_BH, [h_BH]

        return graph.scan(step, [graph.affine(x_TBD, weight_ih, bias_ih + bias_hh)], state)

    return write


def gru(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """r, z = sigmoid(...); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h."""
    weights = [cell.weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    if not graph.int8:
        weight_ih, weight_hh, bias_ih, bias_hh = (reordered(weight, 3, (1, 0, 2)) for weight in weights)
        arrays = runtime_weights([weight_ih, weight_hh, torch.cat([bias_ih, bias_hh])])
        return kernel(graph, "GRU", arrays, x_TBD, state, linear_before_reset=1)
    weight_ih, weight_hh, bias_ih, bias_hh = weights

    def step(inputs: list[str], before: list[str]) -> Written:
        r_in, z_in, n_in = graph.ops("Split", 3, inputs[0], axis=-1)
        r_state, z_state, n_state = graph.ops("Split", 3, graph.affine(before[0], weight_hh, bias_hh), axis=-1)
        r = graph.op("Sigmoid", graph.op("Add", r_in, r_state))
        z = graph.op("Sigmoid", graph.op("Add", z_in, z_state))
        n = graph.op("Tanh", graph.op("Add", n_in, graph.op("Mul", r, n_state)))
        h_BH = mixed(graph, z, before[0], n)
        return h_BH, [h_BH]

    return graph.scan(step, [graph.affine(x_TBD, weight_ih, bias_ih)], state)


def lstm(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """The runtime's kernel, or with zoneout the equations."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        cell.weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    if cell.zoneout.p:
        sums_TBG = graph.affine(x_TBD, weight_ih, bias_ih + bias_hh)

        def step(inputs: list[str], before: list[str]) -> Written:
            sums = graph.op("Add", inputs[0], graph.affine(before[0], weight_hh))
            return lstm_step(graph, cell, sums, before)

        return graph.scan(step, [sums_TBG], state)
    order = (0, 3, 1, 2)  # torch: i, f, g, o; ONNX: i, o, f, g
    weight_ih, weight_hh, bias_ih, bias_hh = (
        reordered(weight, 4, order) for weight in (weight_ih, weight_hh, bias_ih, bias_hh)
    )
    bias = torch.cat([bias_ih, bias_hh])
    if not graph.int8:
        return kernel(graph, "LSTM", runtime_weights([weight_ih, weight_hh, bias]), x_TBD, state)
    (w_GD, w_scale_G), (r_GH, r_scale_G) = (quantised_rows(w.detach().cpu().numpy()) for w in (weight_ih, weight_hh))
    zero = np.zeros((1, len(w_GD)), np.int8)
    arrays = [w_GD.T[None], r_GH.T[None], bias.detach().cpu().numpy()[None]]
    behind = [w_scale_G[None], zero, r_scale_G[None], zero]
    return kernel(graph, "DynamicQuantizeLSTM", arrays, x_TBD, state, behind=behind, domain=CONTRIBUTED)


def lstm_step(graph: Graph, cell: Any, sums_BG: str, before: list[str], shown: Callable[[str], str] = str) -> Written:
    """One step from the sums of the gates i, f, g, o; `shown` is what of c the output gate lets through."""
    i, f, g, o = graph.ops("Split", 4, sums_BG, axis=-1)
    i, f, o = (graph.op("Sigmoid", one) for one in (i, f, o))
    c_BH = graph.op("Add", graph.op("Mul", f, before[1]), graph.op("Mul", i, graph.op("Tanh", g)))
    h_BH = graph.op("Mul", o, graph.op("Tanh", shown(c_BH)))
    new = [h_BH, c_BH]
    if cell.zoneout.p:
        hold, go_on = graph.constant(float(cell.zoneout.p)), graph.constant(1 - float(cell.zoneout.p))
        new = [
            graph.op("Add", graph.op("Mul", go_on, one), graph.op("Mul", hold, old))
            for one, old in zip(new, before, strict=True)
        ]
    return new[0], new


def layernorm_lstm(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """An LSTM whose sums and c are normalised."""

    def normalised(x: str, gain: Tensor, shift: Tensor) -> str:
        return graph.op("LayerNormalization", x, graph.weight(gain), graph.weight(shift), axis=-1)

    from_input = normalised(graph.affine(x_TBD, cell.weight("weight_ih")), cell.gain_ih, cell.weight("bias_ih"))

    def step(inputs: list[str], before: list[str]) -> Written:
        product = graph.affine(before[0], cell.weight("weight_hh"))
        sums = graph.op("Add", inputs[0], normalised(product, cell.gain_hh, cell.weight("bias_hh")))
        return lstm_step(graph, cell, sums, before, lambda c: normalised(c, cell.gain_cell, cell.bias_cell))

    return graph.scan(step, [from_input], state)


def mogrifier(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """An LSTM whose input and state modulate one another first."""
    if not len(cell.rounds_QR):
        return lstm(graph, cell, x_TBD, state)
    two = graph.constant(2.0)

    def step(inputs: list[str], before: list[str]) -> Written:
        x, h = inputs[0], before[0]
        for number, weight in enumerate(cell.rounds_QR):
            gate = graph.op("Mul", two, graph.op("Sigmoid", graph.affine(x if number % 2 else h, weight)))
            if number % 2:
                h = graph.op("Mul", gate, h)
            else:
                x = graph.op("Mul", gate, x)
        from_input = graph.affine(x, cell.weight("weight_ih"), cell.weight("bias_ih") + cell.weight("bias_hh"))
        return lstm_step(graph, cell, graph.op("Add", from_input, graph.affine(h, cell.weight("weight_hh"))), before)

    return graph.scan(step, [x_TBD], state)


def linear_loop(graph: Graph, keep_TBH: str, new_TBH: str, c_BH: str) -> Written:
    """c' = keep c + (1 - keep) new over time."""

    def step(inputs: list[str], before: list[str]) -> Written:
        c = mixed(graph, inputs[0], before[0], inputs[1])
        return c, [c]

    return graph.scan(step, [keep_TBH, new_TBH], [c_BH])


def mingru(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """z = sigmoid(...); h' = (1 - z) h + z new."""
    z, new = graph.ops("Split", 2, graph.affine(x_TBD, cell.weight_ih, cell.bias_ih), axis=-1)
    return linear_loop(graph, graph.op("Sigmoid", graph.op("Neg", z)), new, state[0])


def minlstm(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """c' = (f c + i new) / (f + i); the share of f is sigmoid(log f - log i)."""
    f, i, new = graph.ops("Split", 3, graph.affine(x_TBD, cell.weight_ih, cell.bias_ih), axis=-1)
    f, i = (graph.op("Softplus", graph.op("Neg", one)) for one in (f, i))  # -log sigmoid
    return linear_loop(graph, graph.op("Sigmoid", graph.op("Sub", i, f)), new, state[0])


def qrnn(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """z = tanh(...), f, o = sigmoid(...) of two inputs; c' = f c + (1 - f) z; h' = o c'."""
    first = graph.op("Unsqueeze", state[1], graph.constant([0]))
    before_TBD = graph.op("Concat", first, graph.part(x_TBD, 0, -1), axis=0)
    both = graph.op("Concat", before_TBD, x_TBD, axis=-1)
    z, f, o = graph.ops("Split", 3, graph.affine(both, cell.weight_ih, cell.bias_ih), axis=-1)
    c_TBH, last = linear_loop(graph, graph.op("Sigmoid", f), graph.op("Tanh", z), state[0])
    seen = graph.op("Squeeze", graph.part(x_TBD, -1, np.iinfo(np.int64).max), graph.constant([0]))
    return graph.op("Mul", graph.op("Sigmoid", o), c_TBH), [*last, seen]


def sru(graph: Graph, cell: Any, x_TBD: str, state: list[str]) -> Written:
    """f, r = sigmoid(W x + v c + b); c' = f c + (1 - f) W x; h' = r c' + (1 - r) a x."""
    v_forget, v_reset = (graph.weight(v) for v in cell.weight_state.chunk(2))
    sums_TBK = graph.affine(x_TBD, cell.weight_ih, cell.bias_ih)
    highway = x_TBD if isinstance(cell.highway, nn.Identity) else graph.affine(x_TBD, cell.highway.weight)
    skip_TBH = graph.op("Mul", graph.constant(float(cell.HIGHWAY)), highway)

    def step(inputs: list[str], before: list[str]) -> Written:
        new, f, r = graph.ops("Split", 3, inputs[0], axis=-1)
        f, r = (
            graph.op("Sigmoid", graph.op("Add", one, graph.op("Mul", v, before[0])))
            for one, v in ((f, v_forget), (r, v_reset))
        )
        c = mixed(graph, f, before[0], new)
        return mixed(graph, r, c, inputs[1]), [c]

    return graph.scan(step, [sums_TBK, skip_TBH], state)


WRITERS: dict[str, Writer] = {
    "rnn-tanh": elman("Tanh"),
    "rnn-relu": elman("Relu"),
    "rnn-leaky": elman("LeakyRelu", alpha=LEAK),
    "rnn-sigmoid": elman("Sigmoid"),
    "lstm": lstm,
    "lstm-layernorm": layernorm_lstm,
    "mogrifier": mogrifier,
    "gru": gru,
    "mingru": mingru,
    "minlstm": minlstm,
    "qrnn": qrnn,
    "sru": sru,
}
"""By the names of `seqlab.nn.CELLS`."""


def mixed(graph: Graph, share: str, one: str, other: str) -> str:
    """share one + (1 - share) other, elementwise."""
    return graph.op("Add", other, graph.op("Mul", share, graph.op("Sub", one, other)))


def kernel(
    graph: Graph,
    kind: str,
    arrays: Sequence[np.ndarray],
    x_TBD: str,
    state: list[str],
    *,
    behind: Sequence[np.ndarray] = (),
    **attributes: Any,
) -> Written:
    """A recurrence that ONNX has a node of; its states have one more axis, of directions.

    Args:
        graph: to write to.
        kind: the node's.
        arrays: input weights, recurrent weights and biases, each with the axis of directions first.
        x_TBD: inputs.
        state: parts (B, H).
        behind: weights that follow the states, behind the place of peepholes.
        **attributes: of the node.
    """
    zero = graph.constant([0])
    weights = [graph.weight(array) for array in arrays]
    initial = [graph.op("Unsqueeze", part, zero) for part in state]
    inputs = [x_TBD, *weights, "", *initial]  # no lengths: every sequence is as long as the window
    inputs += ["", *(graph.weight(array) for array in behind)] if behind else []
    size = arrays[1].shape[1 if behind else 2]
    y, *last = graph.ops(kind, 1 + len(state), *inputs, hidden_size=size, **attributes)
    return graph.op("Squeeze", y, graph.constant([1])), [graph.op("Squeeze", part, zero) for part in last]


def runtime_weights(weights: Sequence[Tensor]) -> list[np.ndarray]:
    """Weights with the axis of directions that ONNX has in front."""
    return [weight.detach().cpu().numpy()[None] for weight in weights]


def reordered(weight: Tensor, gates: int, order: Sequence[int]) -> Tensor:
    """The rows of a weight or bias, its gates in another order."""
    parts = weight.detach().chunk(gates)
    return torch.cat([parts[place] for place in order])
