"""What compiled kernels of a few texts know of a matrix: a line of integers, most of them addresses.

A matrix is read where it lies, so new numbers in the same memory count at once.

Shapes: N rows, D width, M positions, F fields.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...base.native import FLOATS, INT, INTS, Native

FUNCTION, WEIGHT, SCALES, BIAS, ROWS, WIDTH, LENGTH = range(7)
"""Fields of a line: the kernel to call, where numbers, scales and what is added lie, and the shape; packed forms have
scales, and those with several in a row say how many numbers share one."""
ALIGNED = 16
"""Numbers of a line of the cache: what is cut out of scratch memory begins with one."""


class MatrixKernels(NamedTuple):
    """The compiled kernels of a form of matrix.

    products(line, hidden_MD, M, out_MN, scratch): out = hidden W^T + b.
    rows(line, ids, M, out_MD): some rows.
    """

    products: Native
    rows: Native


def kernels_of(module: str, form: str) -> MatrixKernels:
    """Those that a module has for a form."""
    products = Native(module, f"products_{form}", (INTS, FLOATS, INT, FLOATS, FLOATS))
    return MatrixKernels(products, Native(module, f"rows_{form}", (INTS, INTS, INT, FLOATS)))


FLOAT32 = kernels_of("seqlab.nn.kernels.affine_kernels", "float32")
"""Of plain matrices."""


def scratch_size(texts: int, width: int) -> int:
    """float32 numbers that `products` needs beside it: the hidden states as integers, what is between two factors, and
    tables."""
    return texts * (3 * width + 320 + ALIGNED) + 1024


def line_of(
    kernel: Native, weight: int, scales: int, bias_N: Tensor | None, shape: torch.Size, length: int
) -> list[int]:
    """The line of a matrix for one of its kernels.

    Args:
        kernel: of its form.
        weight, scales: addresses; 0 for scales of a form without.
        bias_N: what is added; None for nothing.
        shape: N, D.
        length: numbers of a row that share a scale.
    """
    return [kernel.address, weight, scales, 0 if bias_N is None else bias_N.data_ptr(), *shape, length]


def multiply(kernel: Native, line: list[int], hidden_MD: Tensor, out_MN: Tensor) -> None:
    """out = hidden W^T + b of a few positions.

    Args:
        kernel: of the form of W.
        line: of W and b.
        hidden_MD: positions.
        out_MN: the result.
    """
    scratch = torch.empty(scratch_size(*hidden_MD.shape))
    kernel(np.array(line, np.int64), hidden_MD, len(hidden_MD), out_MN, scratch)
