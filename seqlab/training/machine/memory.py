"""How much memory a training takes, known from its sizes alone, and refused where the machine has less.

The factors are measured: peaks of one step of every cell and output layer, beyond what the process had before
(tests/training/machine/test_memory_of_training.py compares them with estimates). An estimate is to lie between the peak
and twice that.

Shapes: N positions of a window, H hidden width, E embedding width.
"""

from __future__ import annotations

import torch

from ...base.devices import resolve_device, without_weights
from ...base.errors import option
from ...base.resources.memory import check_memory, free_gpu_memory
from ...config import LanguageModelConfig, TrainingConfig
from ...config.checks import batches
from ...models import LanguageModel
from ..optimize.optimizers import OPTIMIZERS

FLOAT = 4
"""Bytes of a number."""
COPIES, SPARSE_COPIES, COPIES_ON_GPU = 7, 4, 2
"""Of the weights without what optimiser and average keep: weights and gradients; and on the CPU those of the trial that
times steps, what saving and clipping hold in passing, and what the allocator keeps of matrices below 32 MB. Weights
with sparse gradients have fewer."""
PASSING = 160_000_000
"""Bytes that validating and saving take with any model, and up to 130 MB for kernels that are compiled under way."""
WORKING = 4
"""Numbers of a position and unit of the widest layer that only the step in hand needs."""
WORD_BYTES, CHARACTER_COPIES = 10, 4
"""Bytes of a word that is read by its characters, and numbers for each of these and each filter."""


def check_fits(config: LanguageModelConfig, vocab_size: int, processes: int = 1) -> None:
    """Refuse a training that the machine's memory cannot hold, before anything of it is allocated.

    Args:
        config: its settings.
        vocab_size: V.
        processes: that share every batch.

    Raises:
        InputError: saying how much it needs, how much is left, and which settings to lower; or sizes that contradict
            each other.
    """
    with without_weights():
        model = LanguageModel(config.model, vocab_size)
    weights = weight_bytes(model, config.training)
    parameters = sum(weight.numel() for weight in model.parameters())
    sizes = f"{option('hidden_dim')}, {option('embed_dim')}, {option('layers')} or {option('vocab_size')}"
    what = f"training {parameters:,} parameters"
    device = torch.device(resolve_device(config.training.device))
    gpu = free_gpu_memory(device)
    if gpu is not None:
        on_gpu = weights * COPIES_ON_GPU // COPIES
        check_memory(what, on_gpu, f"lower {sizes}", gpu, "GPU memory")
        check_memory(what, 2 * FLOAT * parameters, f"lower {sizes}")
        return
    check_memory(what, weights, f"lower {sizes}")
    streams = max(size for _, size in batches(config.training)) // processes
    check_memory(
        f"{what} on windows of {streams:,} streams and {config.training.bptt:,} tokens",
        needed_bytes(model, config.training, processes),
        f"lower {option('batch_size')} or {option('bptt')}, raise accumulate, or lower {sizes}",
    )


def needed_bytes(model: LanguageModel, training: TrainingConfig, processes: int = 1) -> int:
    """Bytes of a training on the CPU: what is as large as the weights, and what a window keeps.

    Args:
        model: its shapes; weights are not needed.
        training: optimiser, average, batch, window and accumulation.
        processes: that share every batch.
    """
    return weight_bytes(model, training) + window_bytes(model, training, processes)


def weight_bytes(model: LanguageModel, training: TrainingConfig) -> int:
    """Weights and everything that is as large: gradients, optimiser, average, the trial's copy."""
    sparse = sum(weight.numel() for weight in model.sparse_parameters())
    dense = sum(weight.numel() for weight in model.parameters()) - sparse
    more = OPTIMIZERS[training.optimizer](training).slots + (training.average != "none")
    return FLOAT * (dense * (COPIES + more) + sparse * (SPARSE_COPIES + more)) + PASSING


def window_bytes(model: LanguageModel, training: TrainingConfig, processes: int = 1) -> int:
    """What a window of training keeps until its gradients are made.

    Args:
        model: its shapes; weights are not needed.
        training: batch, window and accumulation.
        processes: that share every batch.
    """
    streams = max(size for _, size in batches(training)) // processes
    positions = max(1, streams * training.bptt // training.accumulate)
    config = model.config
    cells = model.layers
    active = [config.dropout_of("hidden") > 0] * (len(cells) - 1) + [config.dropout_of("output") > 0]
    masks = [2 * dropped + 2 * (config.zoneout > 0) for dropped in active]
    stored = [(cell.kept + mask) * cell.hidden_dim for cell, mask in zip(cells, masks, strict=True)]
    widest = max(config.embed_dim, *(cell.hidden_dim for cell in cells))
    bridge = 0 if model.bridge is None else 3 * config.embed_dim
    numbers = positions * (sum(stored) + max(stored) + WORKING * widest + bridge)
    if model.characters is not None:
        features = model.characters.cnn.projection.in_features
        numbers += min(positions, model.vocab_size) * features * WORD_BYTES * CHARACTER_COPIES
    return FLOAT * int(numbers + model.output.window_numbers(positions))
