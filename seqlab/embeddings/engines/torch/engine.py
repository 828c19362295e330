"""Word vector training in torch: the objective of the compiled kernels over large batches of windows, on a GPU or CPU.

Shapes: V words, D width, B windows of a batch, M contexts and P predictions of each (P = M for skip-gram, 1 for CBOW),
J = K + 1 scored words.

A batch's gradients are those of its sum of losses, taken on the rows it touches only, all at the same old values
(minibatched windows: Ji et al. 2016, https://arxiv.org/abs/1604.04661).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from ....base.devices import resolve_device
from ....base.errors import InputError, choose
from ....config import EmbeddingsConfig
from ...material.parts import WordParts
from ..losses import LOSSES
from .losses import full_losses, offsets, sampled_losses
from .rows import Gradient, PartRows, WordRows
from .windows import Windows, WindowSampler

LARGEST_STEP = 0.4
"""A row that R windows of a batch touch is moved by at most this times their mean gradient: by lr times the sum while
lr R is below it. All R gradients are taken at the same old values, so that lr R acts as one step's length; a bound on
it, unlike one on R, lets batches act as their windows one after the other once the learning rate has fallen.

Chosen on the first 2 M words of a 17 M word text like text8, 2 epochs of skip-gram, K = 15, 4,096 windows a batch
(loss of the last epoch, analogies, WordSim-353; the compiled loops: 2.39, 4.7 %, 0.447): 0.4 2.46, 4.2 %, 0.411; 0.8
2.44, 4.9 %, 0.428; 1.6 diverged, as did no bound. On a text of 40 words in batches of 1,000 windows negative sampling,
NCE and the full softmax diverged at 0.8 and learnt at 0.4. After 5 epochs of 3 M words little is left of the gap:
11.7 % and 0.610 at 0.4, 12.0 % and 0.604 with the compiled loops.
"""
FULL_SCORES = 1 << 25
"""Scores of the full softmax that are in memory at once (128 MB in float32, and the same a few times over)."""


class TorchEngine:
    """The matrices on a device, and everything that trains them.

    inputs: (V, D), or (parts.size, D) where words are made of parts. outputs: (V, D).

    The same seed gives the same bits on the CPU. On a GPU sums of rows are added in no fixed order, so that results
    differ by rounding, unless torch.use_deterministic_algorithms(True) is set.
    """

    name = "torch"
    concurrent = False

    def __init__(
        self,
        counts_V: np.ndarray,
        row_of_id_I: np.ndarray,
        config: EmbeddingsConfig,
        parts: WordParts | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        """Args:
            counts_V: how often each word occurs.
            row_of_id_I: row of each id of the corpus, -1 where it gets no vector.
            parts: what words are made of; None, or no more parts than words, is each a row of its own.

        Raises InputError when the loss or the device does not exist.
        """
        assert config.dim is not None
        self.config, self.loss = config, choose("loss", config.loss, LOSSES)
        self.device, self.dtype = torch.device(resolve_device(config.device)), dtype
        self.sampler = WindowSampler(counts_V, row_of_id_I, config, self.device, dtype)
        size = (parts.size if parts else len(counts_V), config.dim)
        self.rows = PartRows(parts, self.device) if parts and parts.size > len(counts_V) else WordRows()
        start = np.random.default_rng(config.seed).random(size, np.float32)
        start -= np.float32(0.5)
        start /= np.float32(config.dim)
        self.inputs = torch.as_tensor(start, dtype=dtype, device=self.device)
        self.outputs = torch.zeros(len(counts_V), config.dim, dtype=dtype, device=self.device)
        self.largest_step = LARGEST_STEP

    def compile(self) -> None:
        """Nothing takes time once."""

    def run(self, ids: np.ndarray, starts: np.ndarray, lr: float, seed: int) -> tuple[float, int]:
        """Train on a range of the corpus.

        Args:
            ids: unsigned integers. starts: int64 offsets in ids where documents start, the first is 0.
            lr: learning rate. seed: start of the random numbers of this range.

        Returns the sum of the losses in nats and the number of predictions.
        """
        total, predictions = self._zeros()
        for windows in self.sampler.batches(ids, starts, seed):
            loss, count = self.update(*windows, lr)
            total += loss
            predictions += count
        return total.item(), int(predictions.item())

    @torch.no_grad()
    def evaluate(self, ids: np.ndarray, starts: np.ndarray, seed: int) -> tuple[float, int]:
        """What `run` returns, without training."""
        total, predictions = self._zeros()
        for windows in self.sampler.batches(ids, starts, seed):
            for chunk in self._chunks(windows):
                loss, count = self._loss(self.input_rows(chunk.contexts_BM), self._output_rows(chunk), chunk)
                total += loss
                predictions += count
        return total.item(), int(predictions.item())

    def update(self, contexts_BM: Tensor, mask_BM: Tensor, scored_BJ: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        """One step of gradient descent on a batch of windows, see `Windows`.

        Returns the sum of the losses (float64) and the number of predictions, both still on the device.
        """
        windows = Windows(contexts_BM, mask_BM, scored_BJ)
        total, predictions = self._zeros()
        of_contexts: list[Tensor] = []
        dY: Tensor | None = None
        for chunk in self._chunks(windows):
            X_BMD, Y = self.input_rows(chunk.contexts_BM).requires_grad_(), self._output_rows(chunk).requires_grad_()
            loss, count = self._loss(X_BMD, Y, chunk)
            dX_BMD, dY_chunk = torch.autograd.grad(loss, (X_BMD, Y))
            total += loss.detach()
            predictions += count
            of_contexts.append(dX_BMD)
            dY = dY_chunk if dY is None else dY.add_(dY_chunk)  # several chunks share all outputs
        of_words = self._of_contexts(windows, torch.cat(of_contexts))
        assert dY is not None
        of_outputs = self._of_scored(windows, dY) if self.loss.sampled else self._of_all(windows, dY)
        self._descend(self.inputs, self.rows.spread(of_words), lr)
        self._descend(self.outputs, of_outputs, lr)
        return total, predictions

    def _chunks(self, windows: Windows) -> list[Windows]:
        """The batch in parts that fit in memory: all of it, but for the full softmax."""
        count, places = windows.contexts_BM.shape
        predictions = 1 if self.config.model == "cbow" else places
        size = count if self.loss.sampled else max(1, FULL_SCORES // (predictions * len(self.outputs)))
        return [Windows(*parts) for parts in zip(*(tensor.split(size) for tensor in windows), strict=True)]

    def _output_rows(self, windows: Windows) -> Tensor:
        """Output vectors (B, J, D) of the scored words, or (V, D) of all words for the full softmax."""
        return embedding(windows.scored_BJ, self.outputs) if self.loss.sampled else self.outputs.detach()

    def _loss(self, X_BMD: Tensor, Y: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
        """Sum of the losses in float64 and number of predictions, from the contexts' and the output vectors."""
        hidden_BPD, predicts_BP = X_BMD, windows.mask_BM
        if self.config.model == "cbow":
            found_B1 = windows.mask_BM.sum(1, keepdim=True)
            share_BM = windows.mask_BM.to(self.dtype) / found_B1.clamp(min=1)
            hidden_BPD, predicts_BP = share_BM[:, None] @ X_BMD, found_B1 > 0
        if self.loss.sampled:
            offsets_BJ = offsets(windows.scored_BJ, self.sampler.log_expected_V, self.loss.corrected)
            losses = sampled_losses(hidden_BPD, Y, offsets_BJ, self.loss) * predicts_BP
        else:
            targets_BP = windows.scored_BJ[:, :1].expand_as(predicts_BP)
            losses = full_losses(hidden_BPD[predicts_BP], Y, targets_BP[predicts_BP])
        return losses.sum(dtype=torch.float64), predicts_BP.sum()

    def _of_contexts(self, windows: Windows, dX_BMD: Tensor) -> Gradient:
        """Gradient of the contexts' words. The corrected update of CBOW gives each a share of one."""
        weight_BM = windows.mask_BM.to(self.dtype)
        if self.config.model == "cbow":
            found_B1 = windows.mask_BM.sum(1, keepdim=True).clamp(min=1)
            if self.config.cbow_update == "corrected":
                weight_BM = weight_BM / found_B1
            else:
                dX_BMD *= found_B1[:, None]
        return Gradient(windows.contexts_BM.flatten(), dX_BMD.flatten(0, 1), weight_BM.flatten())

    def _of_scored(self, windows: Windows, dY_BJD: Tensor) -> Gradient:
        """Gradient of the scored words' output vectors. The noise words of a window weigh as much as its target."""
        weight_BJ = windows.mask_BM.any(1)[:, None].repeat(1, windows.scored_BJ.shape[1]).to(self.dtype)
        weight_BJ[:, 1:] /= self.config.samples
        return Gradient(windows.scored_BJ.flatten(), dY_BJD.flatten(0, 1), weight_BJ.flatten())

    def _of_all(self, windows: Windows, dY_VD: Tensor) -> Gradient:
        """Gradient of all output vectors under the full softmax; a word weighs as often as it is a target."""
        words_V = torch.arange(len(self.outputs), device=self.device)
        weight_B = windows.mask_BM.any(1).to(self.dtype)
        weight_V = weight_B.new_zeros(len(words_V)).index_add_(0, windows.scored_BJ[:, 0], weight_B)
        return Gradient(words_V, dY_VD, weight_V)

    def _descend(self, matrix: Tensor, gradient: Gradient, lr: float) -> None:
        """Take the gradient from rows of a matrix: `lr` of it, or less where LARGEST_STEP is reached."""
        rows_N, gradient_ND, weight_N = gradient
        repeats_R = weight_N.new_zeros(len(matrix)).index_add_(0, rows_N, weight_N)
        step_R = (self.largest_step / repeats_R).clamp(max=lr)
        gradient_ND *= step_R[rows_N, None]
        matrix.index_add_(0, rows_N, gradient_ND, alpha=-1)

    def _zeros(self) -> tuple[Tensor, Tensor]:
        """Sums of losses and predictions; they stay on the device, so no batch waits for them."""
        zero = torch.zeros((), dtype=torch.float64, device=self.device)
        return zero, zero.to(torch.int64)

    def input_rows(self, words: Tensor) -> Tensor:
        """Input vectors (..., D) of words (...)."""
        return self.rows.compose(self.inputs, words.flatten()).view(*words.shape, -1)

    def vectors(self) -> np.ndarray:
        """Input vectors (V, D) float32 of all words."""
        words_V = torch.arange(len(self.outputs), device=self.device)
        return np.concatenate([self.input_rows(chunk).float().cpu().numpy() for chunk in words_V.split(1 << 16)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that training has changed."""
        return {"inputs": self.inputs.cpu().numpy().copy(), "outputs": self.outputs.cpu().numpy().copy()}

    def load_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` returned. Raises InputError when a shape differs."""
        for name in ("inputs", "outputs"):
            matrix = getattr(self, name)
            if arrays[name].shape != tuple(matrix.shape):
                raise InputError(f"{name}: expected shape {tuple(matrix.shape)}, not {arrays[name].shape}.")
            matrix.copy_(torch.as_tensor(arrays[name]))
