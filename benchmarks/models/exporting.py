"""Networks in ONNX Runtime: size, speed of a step, and what int8 costs, for a given run.

    python -m benchmarks.models.exporting runs/book [--rows compression/onnx]

A step reads one token of one stream on one thread and gives the distribution of the next: processor time, programs in
turn, medians. The first tokens of the run's test text (validation text, where there is none) are scored by the network
and by both files.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from seqlab import load_language_model
from seqlab.compression.onnx.export import Session
from seqlab.compression.onnx.network import onnx_of
from seqlab.evaluation.sources import read_source
from seqlab.models import LanguageModel
from seqlab.run import MODEL

from .. import rows

ROUNDS, STEPS, TOKENS, WINDOW = 9, 60, 6_400, 64


class Ours:
    """The network with the face of a `Session`."""

    def __init__(self, model: LanguageModel):
        self.model, self.init_state = model, model.init_state

    def read(self, tokens_BT: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        tokens = torch.from_numpy(tokens_BT)
        if tokens.shape[1] == 1:
            logits_BV, state = self.model.step(tokens[:, 0], state)
            return logits_BV.log_softmax(-1)[:, None].numpy(), state
        logits_BTV, state = self.model.sequence_logits(tokens, state)
        return logits_BTV.log_softmax(-1).numpy(), state


def loss(reader: Any, ids: np.ndarray, start_id: int) -> float:
    """Mean nats per token of `ids`, read as one stream."""
    inputs, state, total = np.concatenate([[start_id], ids[:-1]]), reader.init_state(1), 0.0
    for start in range(0, len(ids), WINDOW):
        log_probs_1TV, state = reader.read(inputs[None, start : start + WINDOW], state)
        total -= float(log_probs_1TV[0][np.arange(len(log_probs_1TV[0])), ids[start : start + WINDOW]].sum())
    return total / len(ids)


def stepper(reader: Any, ids: np.ndarray) -> Callable[[], None]:
    """A round of single steps."""

    def run() -> None:
        state = reader.init_state(1)
        for id in ids[:STEPS]:
            _, state = reader.read(np.array([[id]]), state)

    return run


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    rows.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_language_model(arguments.run)
    model, start_id = lm.model, lm.tokenizer.start_id
    text = read_source(lm.run, None, None)
    ids = text.tokens[:TOKENS].astype(np.int64)
    files = {"ONNX Runtime, float32": onnx_of(model, {}), "ONNX Runtime, int8": onnx_of(model, {}, int8=True)}
    readers = {"seqlab": Ours(model), **{name: Session(model, data) for name, data in files.items()}}
    sizes = {"seqlab": (lm.run.path / MODEL).stat().st_size, **{name: len(data) for name, data in files.items()}}
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(ROUNDS + 1):
        for name, reader in readers.items():
            began = time.process_time()
            stepper(reader, ids)()
            if number:
                seconds[name].append((time.process_time() - began) / STEPS)
    lines = {
        name: {
            "step [microseconds]": 1e6 * median(seconds[name]),
            "file [MB]": sizes[name] / 1e6,
            "perplexity": math.exp(loss(reader, ids, start_id)),
        }
        for name, reader in readers.items()
    }
    print(json.dumps(lines, indent=1))
    rows.record(
        arguments.rows,
        lines,
        "seqlab",
        f"network alone, first {len(ids):,} tokens of the {text.split} text",
        where="one thread, busy",
    )


if __name__ == "__main__":
    main()
