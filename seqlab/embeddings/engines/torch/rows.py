"""How a word's input vector is made of rows of a matrix, and how its gradient returns to them.

Shapes: N words of any list, U different ones, P parts of them, D width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

from ...material.parts import WordParts


class Gradient(NamedTuple):
    """What is to be taken from rows of a matrix; a row may occur several times.

    weight_N: how much of a whole gradient each entry is; their sum bounds the step of a row.
    """

    rows_N: Tensor
    gradient_ND: Tensor
    weight_N: Tensor


class WordRows:
    """A word is one row of its own."""

    def compose(self, matrix: Tensor, words_N: Tensor) -> Tensor:
        """Vectors (N, D) of words."""
        return embedding(words_N, matrix)

    def spread(self, gradient: Gradient) -> Gradient:
        """A gradient of words as one of the matrix."""
        return gradient


class PartRows:
    """A word is the mean of its parts (subwords: Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606).

    Every part receives the word's whole gradient, not its share in the mean, as in the fastText program: a word then
    moves as far as one with a row of its own.
    """

    def __init__(self, parts: WordParts, device: torch.device):
        self.offsets_V1 = torch.as_tensor(parts.offsets, dtype=torch.int64, device=device)
        self.rows_P = torch.as_tensor(parts.rows, dtype=torch.int64, device=device)

    def compose(self, matrix: Tensor, words_N: Tensor) -> Tensor:
        """Vectors (N, D) of words; each different word is composed once."""
        words_U, which_N = words_N.unique(return_inverse=True)
        rows_P, size_U = self._parts(words_U)
        return embedding(which_N, embedding_bag(rows_P, matrix, size_U.cumsum(0) - size_U, mode="mean"))

    def spread(self, gradient: Gradient) -> Gradient:
        """A gradient of words as one of the matrix."""
        words_U, which_N = gradient.rows_N.unique(return_inverse=True)
        rows_P, size_U = self._parts(words_U)
        sum_UD = gradient.gradient_ND.new_zeros(len(words_U), gradient.gradient_ND.shape[1])
        sum_UD.index_add_(0, which_N, gradient.gradient_ND)
        weight_U = gradient.weight_N.new_zeros(len(words_U)).index_add_(0, which_N, gradient.weight_N)
        word_P = torch.arange(len(words_U), device=rows_P.device).repeat_interleave(size_U)
        return Gradient(rows_P, sum_UD[word_P], weight_U[word_P])

    def _parts(self, words_U: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (P,) of the words' parts, one word after the other, and how many each has (U,)."""
        start_U = self.offsets_V1[words_U]
        size_U = self.offsets_V1[words_U + 1] - start_U
        shift_P = (start_U - size_U.cumsum(0) + size_U).repeat_interleave(size_U)
        return self.rows_P[shift_P + torch.arange(len(shift_P), device=shift_P.device)], size_U
