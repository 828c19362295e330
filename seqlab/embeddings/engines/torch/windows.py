"""Windows of a text drawn on a device, all at once: subsampling, reach, contexts and noise without a Python loop.

Shapes: I ids of the corpus, V words, N remaining words of a range, B windows of a batch, M = 2 window places for
contexts, J = K + 1 scored words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....config import EmbeddingsConfig
from ...material.noise import NOISE_POWER, WORD_NOISE, alias_table, keep_probabilities


class Windows(NamedTuple):
    """A batch of windows; all rows are in [0, V), also where the mask is False.

    contexts_BM: rows of the words around each centre.
    mask_BM: which of them the window has.
    scored_BJ: row of the centre, then rows of the K noise words that its contexts share.
    """

    contexts_BM: Tensor
    mask_BM: Tensor
    scored_BJ: Tensor


class WindowSampler:
    """Draws windows as the compiled kernels do, though with other random numbers.

    log_expected_V: log K q(w) of the noise, for the objectives' correction.
    """

    def __init__(
        self,
        counts_V: np.ndarray,
        row_of_id_I: np.ndarray,
        config: EmbeddingsConfig,
        device: torch.device,
        dtype: torch.dtype,
    ):
        noise_V = WORD_NOISE[config.noise](counts_V, NOISE_POWER)
        table = alias_table(noise_V)
        keep_I = np.zeros(len(row_of_id_I))
        keep_I[row_of_id_I >= 0] = keep_probabilities(counts_V, config.subsample)[row_of_id_I[row_of_id_I >= 0]]
        self.config, self.device = config, device
        self.row_of_id_I = torch.as_tensor(row_of_id_I, dtype=torch.int64, device=device)
        self.keep_I = torch.as_tensor(keep_I, dtype=torch.float32, device=device)
        self.threshold_V = torch.as_tensor(table[:, 0] / 2**32, dtype=torch.float32, device=device)
        self.alias_V = torch.as_tensor(table[:, 1].astype(np.int64), device=device)
        self.log_expected_V = torch.as_tensor(np.log(config.samples * noise_V), dtype=dtype, device=device)
        reach = torch.arange(1, config.window + 1, device=device)
        self.distance_M = torch.cat([-reach.flip(0), reach])

    def batches(self, ids: np.ndarray, starts: np.ndarray, seed: int) -> Iterator[Windows]:
        """One window around every remaining word of a range of the corpus, in batches of at most `batch_size`.

        A batch takes every n-th centre of the range: neighbours share most of their contexts, and apart from each
        other they do not move the same rows by gradients that are stale in the same way.

        Args:
            ids: (any,) unsigned integers. starts: offsets in ids where documents start; no window crosses one.
            seed: start of all random numbers.
        """
        random = torch.Generator(self.device).manual_seed(seed)
        rows_N, document_N = self.keep(ids, starts, random)
        count = -(-len(rows_N) // self.config.batch_size)
        for first in range(count):
            centre_B = torch.arange(first, len(rows_N), count, device=self.device)
            contexts_BM, mask_BM = self.contexts(rows_N, document_N, centre_B, random)
            noise_BK = self.noise((len(centre_B), self.config.samples), random)
            yield Windows(contexts_BM, mask_BM, torch.cat([rows_N[centre_B, None], noise_BK], dim=1))

    def keep(self, ids: np.ndarray, starts: np.ndarray, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows (N,) of the words that min-count and subsampling leave, and the document (N,) each is in."""
        ids_T = torch.from_numpy(np.asarray(ids).astype(np.int32)).to(self.device)
        place_N = (torch.rand(len(ids_T), generator=random, device=self.device) < self.keep_I[ids_T]).nonzero()[:, 0]
        starts_S = torch.as_tensor(starts, dtype=torch.int64, device=self.device)
        return self.row_of_id_I[ids_T[place_N]], torch.searchsorted(starts_S, place_N, right=True)

    def contexts(
        self, rows_N: Tensor, document_N: Tensor, centre_B: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Contexts (B, M) around each centre and which of them count: those of its document within its reach, which
        is uniform on 1..window, or always `window`."""
        window = self.config.window
        place_BM = centre_B[:, None] + self.distance_M
        inside_BM = place_BM.clamp(0, len(rows_N) - 1)
        mask_BM = (place_BM == inside_BM) & (document_N[inside_BM] == document_N[centre_B, None])
        if self.config.dynamic_window:
            reach_B = torch.randint(1, window + 1, (len(centre_B),), generator=random, device=self.device)
            mask_BM &= self.distance_M.abs() <= reach_B[:, None]
        return rows_N[inside_BM], mask_BM

    def noise(self, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
        """Rows drawn from the noise by its alias table."""
        rows = torch.randint(len(self.alias_V), shape, generator=random, device=self.device)
        height = torch.rand(shape, generator=random, device=self.device)
        return torch.where(height < self.threshold_V[rows], rows, self.alias_V[rows])
