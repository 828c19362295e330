"""hidden W^T + b without gradients, as a step of generation needs it, by whatever is fastest for so many rows.

Weights that are no plain tensors, as packed ones (`seqlab.nn.packed`), multiply themselves. Others:

| rows | who multiplies | why |
| --- | --- | --- |
| up to FEW | dot products of rows far apart | only reading W once counts: MKL and oneDNN take 2 to 4 times as long |
| up to MANY | tiles in registers, W as it lies | libraries lay W out anew: as fast as oneDNN, twice as fast as MKL |
| more | oneDNN, or where it would round, MKL | |

Small matrices are torch's: they would not repay loading compiled code. Measured in benchmarks/LOG.md.

Shapes: M rows, D width, N numbers out.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..products import fast_float32
from .matrices import FLOAT32, line_of, multiply

FEW, MANY = 12, 128
PLAIN = (Tensor, nn.Parameter)
LARGE = 1 << 17
"""Numbers in a matrix from which it pays to load compiled code."""


def is_compiled(hidden: Tensor, weight_ND: Tensor, rows: int = MANY) -> bool:
    """Whether `affine` takes compiled code, and that for at most so many rows."""
    return (
        not torch.is_grad_enabled()
        and hidden.numel() <= rows * hidden.shape[-1]
        and weight_ND.numel() >= LARGE
        and hidden.dtype == weight_ND.dtype == torch.float32
        and type(weight_ND) in PLAIN
        and hidden.device.type == weight_ND.device.type == "cpu"
    )


def affine(hidden: Tensor, weight_ND: Tensor, bias_N: Tensor) -> Tensor:
    """(..., N) of hidden (..., D)."""
    if is_compiled(hidden, weight_ND):
        hidden_MD = hidden.reshape(-1, hidden.shape[-1]).contiguous()
        return _compiled(hidden_MD, weight_ND, bias_N).view(*hidden.shape[:-1], -1)
    if torch.is_grad_enabled() or hidden.device.type != "cpu" or hidden.numel() <= MANY * hidden.shape[-1]:
        return F.linear(hidden, weight_ND, bias_N)
    with fast_float32():
        return F.linear(hidden, weight_ND, bias_N)


def _compiled(hidden_MD: Tensor, weight_ND: Tensor, bias_N: Tensor) -> Tensor:
    out_MN = hidden_MD.new_empty(len(hidden_MD), len(weight_ND))
    if len(hidden_MD) <= FEW:
        weight_ND, bias_N = weight_ND.contiguous(), bias_N.contiguous()
        line = line_of(FLOAT32.products, weight_ND.data_ptr(), 0, bias_N, weight_ND.shape, 0)
        multiply(FLOAT32.products, line, hidden_MD, out_MN)
        return out_MN
    from .affine_kernels import TILE, multiply_many

    hidden, weight, bias, out = (part.numpy(force=True) for part in (hidden_MD, weight_ND, bias_N, out_MN))
    by_threads(len(weight), TILE, lambda begin, end: multiply_many(hidden, weight, bias, begin, end, out))
    return out_MN


def by_threads(rows: int, tile: int, run: Callable[[int, int], None]) -> None:
    """Call `run(begin, end)` for all rows of a matrix, in whole tiles for each of torch's threads."""
    threads = torch.get_num_threads()
    if threads == 1:
        run(0, rows)
        return
    tiles = -(-rows // tile)
    bounds = [min(tiles * part // threads * tile, rows) for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, bounds[:-1], bounds[1:]))
