"""Settings that cannot be trained with are refused before any text is read, a lack of memory before any is taken."""

from __future__ import annotations

from pathlib import Path

from ...base.compiled.simd import padded
from ...base.cores import free_memory
from ...base.devices import resolve_device
from ...base.errors import InputError, option
from ...config import EmbeddingsConfig
from ...config.checks import LOOPS_DEVICES, check_vectors
from ..engines.table import possible_engines


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
    """Bytes of the matrices of a training, and of the copies that saving makes.

    Args:
        words: V.
        config: resolved settings, whose engine is chosen.

    Raises:
        InputError: the machine, or the GPU for the matrices alone, has not as much left; nothing is allocated yet.
    """
    assert config.dim is not None
    rows = 2 * words + ((config.buckets or 0) if config.subwords else 0)
    matrices = 4 * rows * padded(config.dim)
    for needed, free, kind in (
        (matrices, free_gpu_memory(config), "GPU memory"),
        (2 * matrices, free_memory(), "memory"),
    ):
        if free is not None and needed > free:
            raise InputError(
                f"{rows:,} vectors of {config.dim} dimensions need {needed / 1e9:.1f} GB of {kind}, of which "
                f"{free / 1e9:.1f} GB are left; take a larger {option('min_count')}, a smaller {option('dim')}"
                + (" or fewer buckets." if config.subwords else f" or a smaller {option('max_vocab')}.")
            )
    return 2 * matrices


def free_gpu_memory(config: EmbeddingsConfig) -> int | None:
    """Bytes of GPU memory that can still be had, None where the training runs on no GPU of CUDA."""
    if config.device == "cpu" or possible_engines(config)[0] == "cpu":
        return None
    import torch

    device = torch.device(resolve_device(config.device))
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
