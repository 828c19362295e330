"""Where the time of a training step is spent on this machine, and how close it comes to the rate of matrix products.

Shapes: B streams, T time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np
import torch

from ...base.devices import resolve_device, torch_globals_restored
from ...models import LanguageModel
from ...nn import fast_float32
from ...run import Run
from ...text import Batch
from ..step import PlainWindowReader, TrainingStep
from .costs import flops_by_part

SECONDS, FEWEST = 0.8, 3
"""Time spent on steps after the first, and how many there are at least."""
PRODUCT_SECONDS, PRODUCT_WIDTH = 0.5, 2048
"""Time spent on the machine's product rate, and the side of its square matrices: 50 MB, far out of cache."""
PHASES = ("embedding", "cells", "output", "clipping", "update")
"""Of a step. The first three: forward and back, dropout included. Clipping: gradients brought to one entry a row,
penalties added, norms. Update: optimiser and average."""


class Stopwatch:
    """Seconds by part: what passed since the last mark belongs to the part marked now."""

    def __init__(self, device: torch.device):
        self.device = device
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.last = self.now()

    def now(self) -> float:
        """After everything that was started on the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def mark(self, part: str) -> None:
        """`part` ends now."""
        now = self.now()
        self.seconds[part] += now - self.last
        self.last = now


@contextmanager
def watched(model: LanguageModel, watch: Callable[[], Stopwatch]) -> Iterator[None]:
    """Mark where the parts of forward and back-propagation end, as long as this lasts."""

    def cells_begin(module: Any, inputs: tuple[Any, ...]) -> None:
        watch().mark("embedding")
        if inputs[0].requires_grad:
            inputs[0].register_hook(lambda gradient: watch().mark("cells"))

    def output_begins(module: Any, inputs: tuple[Any, ...]) -> None:
        watch().mark("cells")
        inputs[0].register_hook(lambda gradient: watch().mark("output"))

    hooks = [
        model.cells[0].register_forward_pre_hook(cells_begin),
        model.output.register_forward_pre_hook(output_begins),
        model.output.register_forward_hook(lambda module, inputs, loss: watch().mark("output")),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def step_seconds(run: Run, device: str) -> list[dict[str, float]]:
    """Seconds by part of a few training steps of a run's configuration, from fresh weights, on words drawn by their
    frequency in the training text."""
    config, counts = run.config.training, run.tokenizer.vocab.counts
    model = LanguageModel(run.config.model, len(counts), config.seed)
    model.output.start_at_unigram(counts)
    model.set_words(run.tokenizer.vocab.itos)
    if model.embedding is not None:
        model.embedding.requires_grad_(not config.freeze_embeddings)
    model = model.to(device).train()
    step = TrainingStep(model, config, PlainWindowReader(model))
    generator = np.random.default_rng(config.seed)
    shares = np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum()
    state, watch = model.init_state(config.batch_size), Stopwatch(model.device)
    first = "cells" if config.freeze_embeddings else "embedding"  # back-propagation ends there
    taken: list[dict[str, float]] = []
    with watched(model, lambda: watch):
        began = time.perf_counter()
        while len(taken) <= FEWEST or time.perf_counter() - began < SECONDS:
            ids_BT = generator.choice(len(counts), (config.batch_size, config.bptt + 1), p=shares)
            watch = Stopwatch(model.device)

            def mark(phase: str, watch: Stopwatch = watch) -> None:
                watch.mark(first if phase == "gradient" else phase)

            batch = Batch(ids_BT[:, :-1], ids_BT[:, 1:])
            state = step.take(len(taken), batch, state, config.lr, mark=mark).state
            step.observe(1.0)
            watch.mark("update")
            taken.append(watch.seconds)
            if len(taken) == 1:
                began = time.perf_counter()
    return taken[1:]


@torch.inference_mode()
def product_rate(device: str) -> float:
    """Floating-point operations a second of a large float32 matrix product, the best of several."""
    clock = Stopwatch(torch.device(device))
    left, right = (torch.ones(PRODUCT_WIDTH, PRODUCT_WIDTH, device=device) for _ in range(2))
    out, fastest = torch.empty_like(left), float("inf")
    with fast_float32():
        torch.mm(left, right, out=out)
        began = clock.now()
        while fastest == float("inf") or clock.now() - began < PRODUCT_SECONDS:
            start = clock.now()
            torch.mm(left, right, out=out)
            fastest = min(fastest, clock.now() - start)
    return 2.0 * PRODUCT_WIDTH**3 / fastest


def measure(run: Run, threads: int | None = None) -> dict[str, Any]:
    """Time a few training steps of a run, in one process, and the machine's products: two seconds for a small model.

    Args:
        threads: of the CPU; None: those of the configuration, as in training.

    Returns:
        {"device", "threads", "step_seconds", "tokens_per_second": without validation and saving,
        "shares": {part: share of the time}, "flops_per_second": of the products needed,
        "product_rate": what the machine reaches in a large float32 product, "of_product_rate": the one as a share of
        the other, "of_product_rate_by_part": the same for cells and output layer alone; above 1 where the output layer
        multiplies in bfloat16}.
    """
    config = run.config.training
    device = resolve_device(config.device)
    with torch_globals_restored(config.seed, threads or config.threads):
        taken, rate, used = step_seconds(run, device), product_rate(device), torch.get_num_threads()
    seconds = {part: median(step[part] for step in taken) for part in PHASES}
    total = sum(seconds.values())
    tokens = config.batch_size * config.bptt
    flops = {part: tokens * cost.training for part, cost in flops_by_part(run.blueprint()).items()}
    return {
        "device": device,
        "threads": used,
        "step_seconds": total,
        "tokens_per_second": tokens / total,
        "shares": {part: took / total for part, took in seconds.items()},
        "flops_per_second": sum(flops.values()) / total,
        "product_rate": rate,
        "of_product_rate": sum(flops.values()) / total / rate,
        "of_product_rate_by_part": {part: needed / seconds[part] / rate for part, needed in flops.items()},
    }
