"""What a packed weight is: a tensor to everybody who only reads it, whose numbers are made when they are needed.

A step of generation reads every weight once, so its time is that of the bytes it reads: products are made from the
packed numbers. Whatever else torch does with such a weight gets float32 numbers, made for that moment.

Shapes: N rows, D width, M positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeGuard, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from ...base.native import Native
from ..kernels.matrices import FLOAT32, LENGTH, MatrixKernels, line_of, multiply
from ..products import fast_float32

FEW = 12
"""Positions up to which it pays to go through the packed numbers for each of them."""
BLOCK = 1 << 18
"""Numbers unpacked at a time, so that they are still in cache when they are multiplied."""

KERNELS = "seqlab.nn.packed.kernels"
"""Where the compiled kernels are."""
FIELDS = LENGTH + 1
"""Of the line of a matrix."""
WIDEST = 4096
"""Columns of a matrix of several parts whose rows compiled kernels can put together."""

Shape = tuple[int, ...]
Model = TypeVar("Model", bound=nn.Module)


class PackedWeight(Tensor):
    """A matrix (N, D) in a form of its own. It never changes and has no gradient.

    Attributes:
        parts: the tensors it is made of, by name.
    """

    form: ClassVar[str]
    """Its name in `FORMS` and in files."""
    meaning: ClassVar[str]
    types: ClassVar[dict[str, tuple[torch.dtype, ...]]]
    """What its parts may be made of."""
    kernels: ClassVar[MatrixKernels | None] = None
    """The compiled ones, of forms that have some."""
    few: ClassVar[int] = FEW
    """Positions up to which `products` is sooner than `products_of_many`."""
    parts: dict[str, Tensor]

    @staticmethod
    def __new__(cls: Any, parts: Mapping[str, Tensor], shape: Shape) -> Any:
        made = Tensor._make_wrapper_subclass(cls, torch.Size(shape), dtype=torch.float32)
        made.parts = dict(parts)
        return made

    @property
    def compiled(self) -> bool:
        """Whether compiled kernels can read it where it lies."""
        return self.kernels is not None

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        """The packed weight nearest to a matrix."""
        raise NotImplementedError

    @classmethod
    def nearest(cls, weight_ND: Tensor) -> Tensor:
        """The matrix that the packed weight stands for, for training, which needs it at every step."""
        return cls.pack(weight_ND).unpacked()

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        """The shapes that the parts of a matrix of `shape` have; where there is a choice, as `stored` has it."""
        raise NotImplementedError

    def check(self) -> None:
        """Look whether the numbers of the parts, whose shapes are right, make sense together.

        Raises:
            ValueError: they do not.
        """
        wrong = [name for name, part in self.parts.items() if part.dtype not in self.types[name]]
        if wrong:
            raise ValueError(f"its {wrong[0]} are not of the type of {self.form} weights")

    def unpacked(self) -> Tensor:
        """The matrix (N, D) in float32."""
        raise NotImplementedError

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of the matrix (..., D) for ids (...)."""
        assert self.kernels is not None
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < len(self):
            raise IndexError(f"rows {ids.tolist()} are not all among the {len(self):,} there are.")
        out_RD = torch.empty(ids.numel(), self.shape[1])
        line = np.array(self.line(self.kernels.rows), np.int64)
        self.kernels.rows(line, ids.reshape(-1).contiguous(), ids.numel(), out_RD)
        return out_RD.view(*ids.shape, self.shape[1])

    def sliced(self, first: int, last: int) -> PackedWeight:
        """Rows `first` to `last`, packed, without a copy."""
        return type(self)({name: part[first:last] for name, part in self.parts.items()}, (last - first, self.shape[1]))

    def with_parts_as(self, form: type[PackedWeight]) -> PackedWeight:
        """The same matrix with the numbers it stores in another form."""
        return form.pack(self.unpacked())

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        """Its line for a compiled kernel (see `kernels.matrices`)."""
        raise NotImplementedError

    def products(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        """out = hidden W^T + b of a few positions, from the packed numbers."""
        assert self.kernels is not None
        multiply(self.kernels.products, self.line(self.kernels.products, bias_N), hidden_MD, out_MN)

    def products_of_many(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        """The same of more positions: here from blocks of rows, unpacked in turn."""
        with fast_float32():
            for first, last in blocks(*self.shape):
                block = self.sliced(first, last).unpacked()
                torch.addmm(bias_N[first:last], hidden_MD, block.T, out=out_MN[:, first:last])

    def affine(self, hidden: Tensor, bias_N: Tensor | None) -> Tensor:
        """hidden W^T + b (..., N) without gradients."""
        hidden_MD = hidden.reshape(-1, hidden.shape[-1]).float().contiguous()
        if bias_N is None:
            bias_N = hidden_MD.new_zeros(len(self))
        out_MN = hidden_MD.new_empty(len(hidden_MD), len(self))
        if len(hidden_MD) <= self.few:
            self.products(hidden_MD, bias_N.contiguous(), out_MN)
        else:
            self.products_of_many(hidden_MD, bias_N, out_MN)
        return out_MN.view(*hidden.shape[:-1], -1)

    @property
    def bytes(self) -> int:
        """What it takes, on disk and in memory."""
        return sum(bytes_of(part) for part in self.parts.values())

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{type(self).__name__}({tuple(self.shape)}, {self.bytes:,} bytes)"

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FACTS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if func in ITSELF:
            return args[0]
        if func is F.embedding and is_packed(args[1]):
            return args[1].rows(args[0])
        if func is F.linear and is_packed(args[1]) and not torch.is_grad_enabled():
            return args[1].affine(args[0], *(args[2:] or (kwargs.get("bias"),)))
        if func is Tensor.__getitem__ and isinstance(args[1], slice):
            first, last, stride = args[1].indices(len(args[0]))
            if stride == 1:
                return args[0].sliced(first, max(first, last))
        return func(*tree_map(dense, tuple(args)), **tree_map(dense, dict(kwargs)))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """What reaches torch's own code past the names of Python."""
        return func(*tree_map(dense, tuple(args)), **tree_map(dense, dict(kwargs or {})))


def _getters(*names: str) -> list[Any]:
    return [getattr(Tensor, name).__get__ for name in names]


FACTS = {
    *_getters("shape", "dtype", "device", "requires_grad", "is_leaf", "grad", "grad_fn", "ndim", "layout"),
    *_getters("is_sparse", "is_quantized", "is_meta", "is_cuda", "is_nested"),
    *(Tensor.numel, Tensor.dim, Tensor.size, Tensor.__len__, Tensor.is_floating_point, Tensor.is_complex),
}
"""What torch knows of the tensor without its numbers."""
ITSELF = {Tensor.detach, Tensor.requires_grad_, Tensor.data.__get__, Tensor.contiguous, Tensor.float, Tensor.cpu}  # type: ignore[attr-defined]
"""What leaves it as it is."""


def is_packed(value: object) -> TypeGuard[PackedWeight]:
    """Whether a tensor is a packed weight."""
    return isinstance(value, PackedWeight)


def line(weight: Tensor, bias_N: Tensor | None, first: bool) -> list[int]:
    """The line of a matrix in a kernel's table: rows of the first are read, by all others is multiplied."""
    kernels = weight.kernels if is_packed(weight) else FLOAT32
    assert kernels is not None
    kernel = kernels.rows if first else kernels.products
    if is_packed(weight):
        return weight.line(kernel, bias_N)
    return line_of(kernel, weight.data_ptr(), 0, bias_N, weight.shape, 0)


class Lines:
    """Lines of the parts of a packed weight, as its own line points to them: for as long as the weight is there."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[np.ndarray, Sequence[Tensor]]] = {}

    def at(self, lines: Sequence[list[int]], *alive: Tensor) -> int:
        """The address of lines; tensors that they point to stay alive."""
        key = tuple(number for one in lines for number in one)
        if key not in self._kept:
            self._kept[key] = np.array(lines, np.int64), alive
        return int(self._kept[key][0].ctypes.data)


def bytes_of(weight: Tensor) -> int:
    """Bytes of a weight, packed or not."""
    return weight.bytes if is_packed(weight) else weight.numel() * weight.element_size()


def dense(value: Any) -> Any:
    """A packed weight as float32 numbers; anything else as it is."""
    return value.unpacked() if is_packed(value) else value


def blocks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    """First and last row of the blocks in which a matrix is unpacked."""
    step = max(64, BLOCK // width)
    for first in range(0, rows, step):
        yield first, min(rows, first + step)


def unpack_(model: Model) -> Model:
    """Give a model float32 weights in place of packed ones, for what cannot go without: training, another device."""
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, weight in list(module._parameters.items()):
            if is_packed(weight):
                made.setdefault(id(weight), nn.Parameter(weight.unpacked()))
                setattr(module, name, made[id(weight)])
    return model
