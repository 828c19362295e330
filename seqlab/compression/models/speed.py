"""How fast a model writes."""

from __future__ import annotations

import time

import torch

from ...base.devices import torch_globals_restored
from ...models import LanguageModel

SECONDS = 1.0
WARM = 3
BLOCKS = 10


@torch.inference_mode()
def tokens_per_second(model: LanguageModel, streams: int, seconds: float = SECONDS) -> float:
    """Steps of the network, up to the logits of the next token, on one thread.

    Args:
        model: in evaluation mode, on the CPU.
        streams: texts written side by side.
        seconds: of processor time to measure for; the best of ten blocks counts, as other programs slow the others.

    Returns:
        Tokens of all streams together.
    """
    with torch_globals_restored(seed=0, threads=1):
        ids = torch.randint(0, model.vocab_size, (64, streams))
        state = model.init_state(streams)
        for place in range(WARM):  # kernels are compiled at the first
            _, state = model.step(ids[place], state)
        best = 0.0
        for _ in range(BLOCKS):
            began, count = time.process_time(), 0
            while (took := time.process_time() - began) < seconds / BLOCKS or not count:
                _, state = model.step(ids[count % len(ids)], state)
                count += 1
            best = max(best, count * streams / took)
    return best
