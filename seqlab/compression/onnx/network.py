"""A whole network as an ONNX graph: token ids and a state in, log-probabilities of the next token and the state out.

Shapes: B batch, T time, V vocabulary, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import nn

from ...models import LanguageModel
from ...nn import CELLS, Cell
from .cells import WRITERS
from .graph import Graph


def softmax(graph: Graph, output: Any, hidden: str) -> str:
    """Log-probabilities of a softmax over the whole vocabulary, however it was trained."""
    return log_softmax(graph, graph.affine(hidden, output.weight, output.bias.squeeze(1)))


def adaptive(graph: Graph, output: Any, hidden: str) -> str:
    """Of the short list, and of every cluster what the head says of it plus what is inside."""
    count = output.short_list
    words = graph.affine(hidden, output.weight, output.bias.squeeze(1), rows=(0, count))
    clusters = graph.affine(hidden, output.cluster_weight, output.cluster_bias)
    head = log_softmax(graph, graph.op("Concat", words, clusters, axis=-1))
    parts = [graph.part(head, 0, count, axis=-1)]
    for cluster, (projection, (low, high)) in enumerate(zip(output.projections, output.clusters, strict=True)):
        narrow = graph.affine(hidden, projection.weight)
        bias_V = output.bias.squeeze(1)
        if len(output.tails):
            logits = graph.affine(narrow, output.tails[cluster], bias_V[low:high])
        else:
            logits = graph.affine(narrow, output.weight, bias_V, rows=(low, high))
        share = graph.part(head, count + cluster, count + cluster + 1, axis=-1)
        parts.append(graph.op("Add", log_softmax(graph, logits), share))
    return graph.op("Concat", *parts, axis=-1)


def mixture(graph: Graph, output: Any, hidden: str) -> str:
    """The weighted mean of several softmaxes, in logarithms."""
    latent = graph.op("Tanh", graph.affine(hidden, output.latent.weight, output.latent.bias))
    prior = log_softmax(graph, graph.affine(hidden, output.prior.weight))
    total = ""
    for component in range(output.mixture):
        own = graph.part(latent, component * output.width, (component + 1) * output.width, axis=-1)
        share = graph.part(prior, component, component + 1, axis=-1)
        log_probs = graph.op("Add", softmax(graph, output, own), share)
        if total:  # log(e^a + e^b) = a + softplus(b - a)
            log_probs = graph.op("Add", total, graph.op("Softplus", graph.op("Sub", log_probs, total)))
        total = log_probs
    return total


OUTPUTS: dict[str, Callable[[Graph, Any, str], str]] = {
    "full": softmax,
    "sampled": softmax,
    "nce": softmax,
    "adaptive": adaptive,
    "mixture": mixture,
}
"""By the names of `seqlab.nn.SOFTMAXES`."""


def log_softmax(graph: Graph, logits: str) -> str:
    """Normalised over the last axis."""
    return graph.op("LogSoftmax", logits, axis=-1)


def state_names(model: LanguageModel) -> list[list[str]]:
    """By layer, the names of the parts of its state, such as state_0_0 and state_0_1."""
    cells = cast("list[Cell]", list(model.cells))
    return [[f"state_{layer}_{part}" for part in range(cell.parts)] for layer, cell in enumerate(cells)]


def onnx_of(model: LanguageModel, metadata: dict[str, str], int8: bool = False) -> bytes:
    """The network as the bytes of an ONNX file.

    Inputs: `tokens` (B, T) int64, and every part of the state (B, H) float32 by its name. Outputs: `log_probs`
    (B, T, V) of each next token, and every part of the new state under its name with `new_` in front. B and T are
    free.

    Args:
        model: in evaluation mode. Words that are read by their characters are stored as vectors of the vocabulary.
        metadata: texts to store in the file.
        int8: matrices in int8 rather than float32.

    Raises:
        InputError: more weights than one file can hold.
    """
    from onnx import TensorProto, helper

    graph = Graph(int8)
    tokens_TB = graph.op("Transpose", "tokens", perm=[1, 0])
    vectors = model.word_vectors() if model.embedding is None else model.embedding
    x_TBD = graph.rows(graph.matrix(vectors), tokens_TB)
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "time"])]
    shape: list[str | int | None] = ["batch", "time", model.vocab_size]
    outputs = [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, shape)]
    adds = model.config.residual and not CELLS[model.config.cell].own_skip
    zero_state = model.init_state(1)
    for cell, names, zeros in zip(model.cells, state_names(model), zero_state, strict=True):
        y_TBH, after = WRITERS[model.config.cell](graph, cell, x_TBD, list(names))
        assert isinstance(cell, Cell)
        if adds and cell.input_dim == cell.hidden_dim:
            y_TBH = graph.op("Add", y_TBH, x_TBD)
        x_TBD = y_TBH
        for name, part, new in zip(names, zeros, after, strict=True):
            widths: list[str | int | None] = ["batch", part.shape[1]]
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, widths))
            outputs.append(helper.make_tensor_value_info(graph.named(new, f"new_{name}"), TensorProto.FLOAT, widths))
    if model.bridge is not None:
        x_TBD = graph.affine(x_TBD, cast("nn.Linear", model.bridge).weight)
    log_probs = OUTPUTS[model.config.softmax](graph, model.output, x_TBD)
    graph.named(graph.op("Transpose", log_probs, perm=[1, 0, 2]), "log_probs")
    return graph.model(inputs, outputs, metadata)
