"""The two engines behind one protocol, and which of them the settings leave possible."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from ...config import EmbeddingsConfig
from ...config.checks import LOOPS_DEVICES
from ..material.parts import WordParts
from ..material.words import ChosenWords
from .losses import LOSSES

RunningEngine = Literal["cpu", "torch"]


class Engine(Protocol):
    """The matrices of a training and what changes them.

    name: as in the settings. concurrent: whether several threads may call `run` at once.
    """

    name: str
    concurrent: bool

    def run(self, ids: np.ndarray, starts: np.ndarray, lr: float, seed: int) -> tuple[float, int]:
        """Train on a range of ids, at whose offsets `starts` documents start. Returns the sum of the losses in nats
        and the number of predictions."""

    def evaluate(self, ids: np.ndarray, starts: np.ndarray, seed: int) -> tuple[float, int]:
        """`run` that changes nothing; nothing else may run meanwhile."""

    def compile(self) -> None:
        """Do what takes time once."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything training has changed: "inputs" (rows of parts, D) and "outputs" (V, D)."""

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Continue from `arrays()`."""


def possible_engines(config: EmbeddingsConfig) -> tuple[RunningEngine, ...]:
    """The engines that settings and machine leave possible; of several, the faster one is to be measured.

    Args:
        config: settings that passed `training.checks.check`.

    Returns:
        One name where a loss, an engine or a device decides, or where there is no CUDA; else both, the compiled loops
        first.
    """
    if not LOSSES[config.loss].sampled:
        return ("torch",)
    if config.engine != "auto":
        return (config.engine,)
    if config.device not in LOOPS_DEVICES:
        return ("torch",)
    return ("cpu", "torch") if has_gpu(config.device) else ("cpu",)


def build_engine(words: ChosenWords, config: EmbeddingsConfig, parts: WordParts) -> Engine:
    """The engine that the settings name, or the first that is possible."""
    if possible_engines(config)[0] == "torch":
        from .torch.engine import TorchEngine

        return TorchEngine(words.counts_V, words.row_of_id_I, config, parts)
    from .compiled.engine import CpuEngine

    return CpuEngine(words, config, parts)


def has_gpu(device: str) -> bool:
    """Whether torch sees a GPU and the settings do not forbid it."""
    if device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
