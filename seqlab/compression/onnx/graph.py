"""Nodes of an ONNX graph, written one after another; matrices in float32 or in int8.

The int8 form is that of ONNX Runtime's dynamic quantisation: one scale a row of a matrix, inputs quantised as they come
(DynamicQuantizeLinear), products in integers (MatMulInteger). Weights take 7 bits, -63 to 63, because the products of
processors without VNNI add two of them in 16 bits, which 8 would overflow.

Shapes: T time, B batch, D width, N numbers out, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ...base.errors import InputError

OPSET = 17
"""ONNX operators of 2022, the first with LayerNormalization: every runtime of the last years has them."""
IR_VERSION = 8
CONTRIBUTED = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""
LEVELS = 63
LARGEST = (1 << 31) - (1 << 20)
"""Bytes of weights in one file; protobuf ends at 2 GiB."""


class Matrix(NamedTuple):
    """A matrix (N, D) in the graph: float32, or int8 with the scale of each row (N,)."""

    name: str
    scale: str | None


class Graph:
    """A graph under construction. Values are the names of what nodes produce.

    Args:
        int8: whether matrices are int8.
    """

    def __init__(self, int8: bool = False):
        self.int8 = int8
        self.nodes: list[Any] = []
        self.prepared: list[Any] = []
        """Nodes of weights alone, which run before all others; runtimes compute them when they load the file."""
        self.weights: dict[str, np.ndarray] = {}
        self._matrices: dict[int, tuple[Tensor, Matrix]] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self._count = 0

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One node with one output."""
        return self.ops(kind, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """One node with several outputs."""
        from onnx import helper

        names = [self._new(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names

    def named(self, value: str, name: str) -> str:
        """The same value as an output of the graph called `name`."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def weight(self, array: np.ndarray | Tensor) -> str:
        """An array that the file stores."""
        numbers = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
        name = self._new("weight")
        self.weights[name] = np.ascontiguousarray(numbers)
        return name

    def constant(self, value: float | Sequence[int]) -> str:
        """A float32 scalar, or integers (K,) as axes and shapes are."""
        key = ("float", value) if isinstance(value, float) else ("ints", *value)
        if key not in self._constants:
            array = np.float32(value) if isinstance(value, float) else np.array(value, np.int64)
            self._constants[key] = self.weight(np.asarray(array))
        return self._constants[key]

    def matrix(self, weight_ND: Tensor) -> Matrix:
        """A matrix that the file stores once, however often it is used."""
        if id(weight_ND) not in self._matrices:
            numbers = weight_ND.detach().cpu().numpy()
            if self.int8:
                codes, scale_N = quantised_rows(numbers)
                stored = Matrix(self.weight(codes), self.weight(scale_N))
            else:
                stored = Matrix(self.weight(numbers), None)
            self._matrices[id(weight_ND)] = (weight_ND, stored)
        return self._matrices[id(weight_ND)][1]

    def rows(self, matrix: Matrix, ids: str) -> str:
        """Rows (..., D) of a matrix by their ids (...)."""
        found = self.op("Gather", matrix.name, ids, axis=0)
        if matrix.scale is None:
            return found
        scale = self.op("Unsqueeze", self.op("Gather", matrix.scale, ids, axis=0), self.constant([-1]))
        return self.op("Mul", self.op("Cast", found, to=_float()), scale)

    def prepare(self, make: Callable[[], str]) -> str:
        """What `make` writes goes before all other nodes, outside any loop."""
        outside, self.nodes = self.nodes, self.prepared
        try:
            return make()
        finally:
            self.nodes = outside

    def part(self, value: str, low: int, high: int, axis: int = 0) -> str:
        """The slice [low, high) of an axis."""
        return self.op("Slice", value, *(self.constant([one]) for one in (low, high, axis)))

    def affine(
        self, x: str, weight_ND: Tensor, bias_N: Tensor | None = None, rows: tuple[int, int] | None = None
    ) -> str:
        """x W^T + b (..., N), of some rows [low, high) of W and b where they are given."""
        stored = self.matrix(weight_ND)
        if rows is not None:
            low, high = rows
            some = partial(self.part, low=low, high=high)
            scale = stored.scale and self.prepare(partial(some, stored.scale))
            stored = Matrix(self.prepare(partial(some, stored.name)), scale)
            bias_N = None if bias_N is None else bias_N[low:high]
        turned = self.prepare(lambda: self.op("Transpose", stored.name, perm=[1, 0]))
        if stored.scale is None:
            y = self.op("MatMul", x, turned)
        else:
            codes, scale, zero = self.ops("DynamicQuantizeLinear", 3, x)
            sums = self.op("Cast", self.op("MatMulInteger", codes, turned, zero), to=_float())
            y = self.op("Mul", sums, self.op("Mul", scale, stored.scale))
        return y if bias_N is None else self.op("Add", y, self.weight(bias_N))

    def scan(
        self, step: Callable[[list[str], list[str]], tuple[str, list[str]]], xs: Sequence[str], state: Sequence[str]
    ) -> tuple[str, list[str]]:
        """Run a step over the time axis.

        Args:
            step: (inputs (B, ...), state) -> (output (B, H), new state); what it writes becomes the body of the loop.
            xs: inputs (T, B, ...).
            state: before the first step.

        Returns:
            Outputs (T, B, H) and the state after the last step.
        """
        from onnx import helper

        outside, self.nodes = self.nodes, []
        inputs, before = ([self._new("in") for _ in values] for values in (xs, state))
        y, after = step(list(inputs), list(before))
        after = [self.op("Identity", one) for one in after]
        y = self.op("Identity", y)
        typed = [helper.make_tensor_value_info(name, _float(), None) for name in (*before, *inputs)]
        results = [helper.make_tensor_value_info(name, _float(), None) for name in (*after, y)]
        body = helper.make_graph(self.nodes, self._new("step"), typed, results)
        self.nodes = outside
        *last, ys = self.ops("Scan", len(state) + 1, *state, *xs, body=body, num_scan_inputs=len(xs))
        return ys, last

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any], metadata: dict[str, str]) -> bytes:
        """The file's bytes.

        Raises:
            InputError: more weights than one file can hold.
        """
        from onnx import checker, helper, numpy_helper

        size = sum(array.nbytes for array in self.weights.values())
        if size > LARGEST:
            raise InputError(
                f"the weights take {size / 2**30:.1f} GiB, and one ONNX file holds 2; export with int8, or a smaller "
                "model."
            )
        stored = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        graph = helper.make_graph([*self.prepared, *self.nodes], "network", list(inputs), list(outputs), stored)
        domains = {node.domain for node in self.nodes}
        imports = [helper.make_opsetid("", OPSET)]
        imports += [helper.make_opsetid(CONTRIBUTED, 1)] if CONTRIBUTED in domains else []
        made = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="seqlab")
        helper.set_model_props(made, metadata)
        checker.check_model(made)
        data: bytes = made.SerializeToString(deterministic=True)
        return data

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def quantised_rows(numbers_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N, D) int8 and scales (N,) float32, with numbers = codes * scale to half a scale."""
    scale_N = np.abs(numbers_ND).max(axis=1, initial=0).astype(np.float32) / np.float32(LEVELS)
    scale_N[scale_N == 0] = 1
    codes_ND = np.rint(numbers_ND / scale_N[:, None])
    return np.clip(codes_ND, -LEVELS, LEVELS).astype(np.int8), scale_N


def _float() -> int:
    """ONNX's number of the type float32."""
    from onnx import TensorProto

    return int(TensorProto.FLOAT)
