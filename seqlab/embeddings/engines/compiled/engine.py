"""The engine of compiled loops: the matrices, and a kernel with everything it needs but a range of text."""

from __future__ import annotations

import numpy as np

from ....base.compiled.simd import padded
from ....config import EmbeddingsConfig
from ...material.noise import NOISE_POWER, WORD_NOISE, alias_table, as_threshold, keep_probabilities
from ...material.parts import WordParts
from ...material.words import ChosenWords
from .kernels import Kernel, aligned, build_kernel


class CpuEngine:
    """Trains on the CPU without a lock; may be run by several threads at once.

    Args:
        words: which get vectors.
        config: model, loss, sizes.
        parts: the rows of which a word's vector is the mean.

    inputs: (rows of parts, D) float32, D padded to whole vector instructions by columns that stay zero.
    outputs: (V, D) float32.
    """

    name, concurrent = "cpu", True

    def __init__(self, words: ChosenWords, config: EmbeddingsConfig, parts: WordParts):
        assert config.dim is not None
        self.config, self.parts, self.dim = config, parts, config.dim
        noise = WORD_NOISE[config.noise](words.counts_V, NOISE_POWER)
        self.alias_table = alias_table(noise)
        self.log_expected = np.log(config.samples * noise).astype(np.float32)
        self.rows = words.row_of_id_I
        keep = np.zeros(len(self.rows))
        kept = np.flatnonzero(self.rows >= 0)
        keep[kept] = keep_probabilities(words.counts_V, config.subsample)[self.rows[kept]]
        self.keep = as_threshold(keep)
        width = padded(self.dim)
        self.inputs, self.outputs = aligned(parts.size, width), aligned(len(words.words), width)
        start = np.random.default_rng(config.seed).random((parts.size, self.dim), np.float32)
        start -= np.float32(0.5)
        start /= np.float32(self.dim)
        self.inputs[:, : self.dim] = start
        self.kernel: Kernel = build_kernel(width, config.samples, config.loss, cbow=config.model == "cbow")

    def run(self, ids: np.ndarray, starts: np.ndarray, lr: float, seed: int) -> tuple[float, int]:
        """Train on a range of ids, at whose offsets `starts` documents start. Returns the sum of the losses in nats
        and the number of predictions. One thread at a time gives the same bits every time."""
        ids = ids.view(np.ndarray)
        ids.flags.writeable = False  # as slices of a memory map are: one type, one compilation
        return self.kernel(
            ids,
            starts,
            self.rows,
            self.keep,
            self.parts.offsets,
            self.parts.rows,
            self.alias_table,
            self.log_expected,
            self.inputs,
            self.outputs,
            self.config.window,
            self.config.dynamic_window,
            self.config.cbow_update == "corrected",
            np.float32(lr),
            np.uint64(seed),
        )

    def evaluate(self, ids: np.ndarray, starts: np.ndarray, seed: int) -> tuple[float, int]:
        """`run` that changes nothing; no other thread may train meanwhile."""
        return self.run(ids, starts, 0.0, seed)

    def compile(self) -> None:
        """Make the kernel, or load it from numba's cache."""
        self.run(np.zeros(1, np.uint16), np.zeros(1, np.int64), 0.0, 0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything training has changed: "inputs" and "outputs", without padding."""
        return {"inputs": self.inputs[:, : self.dim], "outputs": self.outputs[:, : self.dim]}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `arrays()`. Raises ValueError when a shape differs."""
        for name, matrix in (("inputs", self.inputs), ("outputs", self.outputs)):
            if arrays[name].shape != (len(matrix), self.dim):
                raise ValueError(f"{name} has the shape {arrays[name].shape}, not {(len(matrix), self.dim)}")
            matrix[:, : self.dim] = arrays[name]
