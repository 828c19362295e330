"""A matrix times few vectors, compiled: every row of the matrix is read once and multiplied with all vectors.

Shapes: M vectors, D their length, N rows of the matrix.
"""

from __future__ import annotations

from typing import Any

from .lstm_kernels import step


@step
def multiply_few(hidden_MD: Any, weight_ND: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b."""
    for n in range(weight_ND.shape[0]):
        row_D = weight_ND[n]
        for m in range(hidden_MD.shape[0]):
            vector_D, total = hidden_MD[m], bias_N[n]
            for d in range(row_D.size):
                total += row_D[d] * vector_D[d]
            out_MN[m, n] = total
