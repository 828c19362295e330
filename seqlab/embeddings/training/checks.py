"""Settings that cannot be trained with are refused before any text is read, a lack of memory before any is taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...base.compiled.simd import padded
from ...base.cores import available_cores
from ...base.devices import resolve_device
from ...base.errors import InputError, option
from ...base.resources.memory import check_memory, free_gpu_memory
from ...config import EmbeddingsConfig
from ...config.checks import LOOPS_DEVICES, check_vectors
from ..engines.table import possible_engines

if TYPE_CHECKING:
    import torch

FLOAT = 4
"""Bytes of a number."""


def check(config: EmbeddingsConfig, resume: str | Path | None = None) -> None:
    """Refuse settings that no training on this machine can have.

    Args:
        config: the settings.
        resume: the folder of a training to continue, where there is one.

    Raises:
        InputError: settings that contradict each other, a device that is not available, or two things to start from.
    """
    check_vectors(config)
    if config.device not in LOOPS_DEVICES:
        resolve_device(config.device)
    if resume is not None and config.init:
        raise InputError("resume and init: both say what to start from; give one of them.")


def memory_needed(words: int, config: EmbeddingsConfig) -> int:
    """Bytes of a training: its matrices, the copies that drawing and saving them makes, and its windows.

    Args:
        words: V.
        config: resolved settings, whose engine is chosen or the first that is possible.

    Raises:
        InputError: the machine, or the GPU for the matrices alone, has not as much left; nothing is allocated yet.
    """
    assert config.dim is not None
    width = padded(config.dim)
    rows = 2 * words + ((config.buckets or 0) if config.subwords else 0)
    engine, matrices = possible_engines(config)[0], FLOAT * rows * width
    windows = windows_of_torch(config) if engine == "torch" else windows_of_loops(config)
    what = f"{rows:,} vectors of {config.dim} dimensions"
    remedy = f"take a larger {option('min_count')}, a smaller {option('dim')}" + (
        " or fewer buckets" if config.subwords else f" or a smaller {option('max_vocab')}"
    )
    gpu = gpu_of(config, engine)
    if gpu is not None:
        check_memory(what, matrices, remedy, free_gpu_memory(gpu), "GPU memory")
    check_memory(what, 2 * matrices, remedy)
    if gpu is None:
        smaller = f"take a smaller {option('window')}" + (f" or {option('batch_size')}" if engine == "torch" else "")
        check_memory(f"windows of {config.window:,} words on both sides", windows + 2 * matrices, smaller)
    return 2 * matrices


def windows_of_loops(config: EmbeddingsConfig) -> int:
    """Bytes of what every thread of the compiled loops keeps of its window: words, changes and scores."""
    assert config.dim is not None
    threads = config.workers or available_cores()
    return FLOAT * threads * 2 * config.window * (2 * padded(config.dim) + padded(config.samples + 1))


def windows_of_torch(config: EmbeddingsConfig) -> int:
    """Bytes of a batch's contexts, their vectors and the gradients of these."""
    assert config.dim is not None
    return FLOAT * config.batch_size * 2 * config.window * (2 * config.dim + config.samples)


def gpu_of(config: EmbeddingsConfig, engine: str) -> torch.device | None:
    """The GPU that the matrices will be on, None where they are in the machine's memory."""
    if config.device == "cpu" or engine == "cpu":
        return None
    import torch

    device = torch.device(resolve_device(config.device))
    return device if device.type == "cuda" else None
