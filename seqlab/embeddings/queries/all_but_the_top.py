"""All-but-the-top: Simple and Effective Postprocessing for Word Representations, https://arxiv.org/abs/1702.01417

Word vectors share a mean and a few directions that say little about meaning; without them similarities tell more.
"""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 20
"""Numbers handled at once, 8 MB as float64."""


def shared_directions(matrix_VD: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean (D,) of the rows and their first `count` principal directions (D, count); in float64, by blocks."""
    rows, dim = matrix_VD.shape
    if rows == 0:
        return np.zeros(dim), np.zeros((dim, 0))
    step = max(1, BLOCK // max(1, dim))
    mean_D = matrix_VD.mean(axis=0, dtype=np.float64)
    covariance_DD = np.zeros((dim, dim))
    for start in range(0, rows if count else 0, step):
        centred = matrix_VD[start : start + step] - mean_D
        covariance_DD += centred.T @ centred
    return mean_D, np.linalg.eigh(covariance_DD)[1][:, dim - count :]


def without(matrix_ND: np.ndarray, mean_D: np.ndarray, directions_DK: np.ndarray) -> np.ndarray:
    """(N, D) float32: the rows minus the mean, then minus their projections on the directions."""
    result = np.empty(matrix_ND.shape, np.float32)
    step = max(1, BLOCK // max(1, matrix_ND.shape[1]))
    for start in range(0, len(result), step):
        centred = matrix_ND[start : start + step] - mean_D
        result[start : start + step] = centred - (centred @ directions_DK) @ directions_DK.T
    return result
