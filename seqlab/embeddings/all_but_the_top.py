"""All-but-the-top: Simple and Effective Postprocessing for Word Representations, https://arxiv.org/abs/1702.01417

Word vectors share a mean and a few directions that say little about meaning; without them similarities tell more.
"""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 20
"""Numbers handled at once, 8 MB as float64."""


def without_top_directions(matrix_VD: np.ndarray, count: int) -> np.ndarray:
    """(V, D) float32: the rows minus their mean, then minus their projections on the first `count` principal
    directions; moments in float64, rows in blocks."""
    rows, dim = matrix_VD.shape
    if rows == 0:
        return matrix_VD.copy()
    step = max(1, BLOCK // max(1, dim))
    mean_D = matrix_VD.mean(axis=0, dtype=np.float64)
    covariance_DD = np.zeros((dim, dim))
    for start in range(0, rows if count else 0, step):
        centred = matrix_VD[start : start + step] - mean_D
        covariance_DD += centred.T @ centred
    top_DK = np.linalg.eigh(covariance_DD)[1][:, dim - count :]
    result = np.empty((rows, dim), np.float32)
    for start in range(0, rows, step):
        centred = matrix_VD[start : start + step] - mean_D
        result[start : start + step] = centred - (centred @ top_DK) @ top_DK.T
    return result
