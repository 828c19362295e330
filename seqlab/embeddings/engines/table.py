"""What trains word vectors: compiled loops on the CPU, or torch on a GPU. Both do the same updates."""

from __future__ import annotations

import os
from typing import Literal, Protocol

import numpy as np

from ...base.errors import InputError
from ...config import EmbeddingsConfig
from ...config.checks import FULL_SOFTMAX, LOOPS_DEVICES, check_vectors
from ..material.parts import Parts
from ..material.words import Words
from .compiled.simd import padded


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
        """Go on from `arrays()`."""


def check(config: EmbeddingsConfig) -> None:
    """Refuse settings that cannot be trained with here.

    Raises:
        InputError: settings that contradict each other, or a device that is not here.
    """
    check_vectors(config)
    if config.device not in LOOPS_DEVICES:
        from .torch.engine import resolve_device

        resolve_device(config.device)


def choose_engine(config: EmbeddingsConfig) -> Literal["cpu", "torch"]:
    """The name of the engine that suits settings and machine: torch where the loss or a device asks for it, or where
    there is a GPU."""
    if config.loss == FULL_SOFTMAX:
        return "torch"
    if config.engine != "auto":
        return config.engine
    return "torch" if config.device not in LOOPS_DEVICES or has_gpu(config.device) else "cpu"


def build_engine(words: Words, config: EmbeddingsConfig, parts: Parts) -> Engine:
    """The engine that suits settings and machine, for settings that passed `check`."""
    if choose_engine(config) == "torch":
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


def memory_needed(words: int, config: EmbeddingsConfig) -> int:
    """Bytes of the matrices of a training, and of the copies that saving makes. Raises InputError where the machine,
    or the GPU for the matrices alone, has not as much left, before anything is allocated."""
    rows = 2 * words + ((config.buckets or 0) if config.subwords else 0)
    matrices = 4 * rows * padded(config.dim)
    for needed, free, kind in (
        (matrices, free_gpu_memory(config), "GPU memory"),
        (2 * matrices, free_memory(), "memory"),
    ):
        if free is not None and needed > free:
            raise InputError(
                f"{rows:,} vectors of {config.dim} dimensions need {needed / 1e9:.1f} GB of {kind}, of which "
                f"{free / 1e9:.1f} GB are left; take a larger --min-count, a smaller --dim"
                + (" or fewer buckets." if config.subwords else " or a smaller --max-vocab.")
            )
    return 2 * matrices


def free_gpu_memory(config: EmbeddingsConfig) -> int | None:
    """Bytes of GPU memory that can still be had, None where the training runs on no GPU of CUDA."""
    if config.device == "cpu" or choose_engine(config) == "cpu":
        return None
    import torch

    from .torch.engine import resolve_device

    device = resolve_device(config.device)
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def free_memory() -> int | None:
    """Bytes of memory that can still be had, None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            return None
