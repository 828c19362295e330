"""A generated token of a word model of WikiText-2's size, V = 33,278, against its output layer alone; prints JSON.

    python -m benchmarks.models.generating [--rows generation/steps]

One text: against reading the output matrix once, by the fastest of a product with a vector (torch, numpy) and a sum. 64
texts: against the product 64 x D x V by the fastest library (torch, oneDNN, numpy). One thread, processor time, the
contestants in turn, medians; the weights are random, the counts those of the training text, and <unk> is banned.

The AVX2 path on a wider processor: ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2
NUMBA_CPU_NAME=haswell, NUMBA_CPU_FEATURES without avx512, OPENBLAS_CORETYPE=Haswell.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from seqlab.config import ModelConfig
from seqlab.generation.decoding import sample
from seqlab.generation.rules import make_rule
from seqlab.models import LanguageModel
from seqlab.models.counts.choice import count_text
from seqlab.models.counts.gate import Gate
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.interpolated import Members
from seqlab.nn import fast_float32

from .. import rows
from .together import corpus_of

SIZES = {"1x400": (400, 1), "2x200": (200, 2)}
"""Name -> width and layers."""
TOKENS = {1: 60, 64: 6}
"""Texts side by side -> tokens of each in a round."""
SETTINGS = {
    "": {},
    ", top-p 0.9": {"top_p": 0.9},
}
"""What is drawn from -> rules in addition to the ban of <unk>."""


def network(width: int, layers: int, vocab_size: int) -> LanguageModel:
    torch.manual_seed(1)
    config = ModelConfig(embed_dim=width, hidden_dim=width, layers=layers, softmax="full", dropout=0.0)
    model = LanguageModel(config, vocab_size)
    model.output.start_at_unigram(1e6 / np.arange(1, vocab_size + 1))
    return model.eval()


def seconds(contestants: dict[str, Callable[[], object]], repeats: int, rounds: int) -> dict[str, float]:
    """Median seconds of processor time of one repetition."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            began = time.process_time()
            run()
            found[name].append((time.process_time() - began) / repeats)
    return {name: statistics.median(values[1:]) for name, values in found.items()}


def repeated(call: Callable[[], object], times: int) -> Callable[[], object]:
    def run() -> None:
        for _ in range(times):
            call()

    return run


def floors(weight_VD: torch.Tensor, texts: int) -> dict[str, Callable[[], object]]:
    """What the output layer costs at least, by library."""
    hidden_BD = torch.randn(texts, weight_VD.shape[1])
    out_BV = torch.empty(texts, len(weight_VD))
    matrix, hidden, out = weight_VD.numpy(), hidden_BD.numpy(), out_BV.numpy()
    if texts == 1:
        return {
            "torch.mv": lambda: torch.mv(weight_VD, hidden_BD[0], out=out_BV[0]),
            "numpy": lambda: np.dot(matrix, hidden[0], out=out[0]),
            "sum": weight_VD.sum,
        }

    def onednn() -> None:
        with fast_float32():
            torch.mm(hidden_BD, weight_VD.T, out=out_BV)

    return {
        "torch.mm": lambda: torch.mm(hidden_BD, weight_VD.T, out=out_BV),
        "oneDNN": onednn,
        "numpy": lambda: np.matmul(hidden, matrix.T, out=out),
    }


@torch.inference_mode()
def measure(size: str, texts: int, counts: NGramModel, start_id: int, banned: int, rounds: int) -> dict[str, dict]:
    """Milliseconds of a step, and how often the fastest of its floors fits into it."""
    alone = network(*SIZES[size], counts.vocab_size)
    gate = Gate(np.zeros(counts.kinds, np.float32), np.zeros(alone.output.width, np.float32))
    models = {"network": alone, "network and counts": Members(alone, counts, gate).model()}
    length, weight_VD = TOKENS[texts], alone.output.weight.detach()
    contestants = {name: repeated(call, length) for name, call in floors(weight_VD, texts).items()}
    kinds = list(contestants)

    def writing(model, settings) -> Callable[[], object]:
        rules = [make_rule("ban", banned), *(make_rule(*one) for one in settings.items())]
        return lambda: sample(model, [start_id], length, count=texts, seed=1, rules=rules)

    for name, model in models.items():
        for words, settings in SETTINGS.items():
            contestants[name + words] = writing(model, settings)
    medians = seconds(contestants, length, rounds)
    floor = min(medians[kind] for kind in kinds)
    return {
        f"{size}, {texts} text{'s' * (texts > 1)}, {name}": {
            "processor time a step [ms]": round(1000 * value, 3),
            "times the fastest of these": round(value / floor, 3),
        }
        for name, value in medians.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--texts", nargs="*", type=int, choices=TOKENS, default=list(TOKENS))
    parser.add_argument("--rounds", type=int, default=7)
    rows.add_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    corpus = corpus_of("wikitext-2")
    start_id, banned = corpus.tokenizer.start_id, corpus.tokenizer.unk_id
    counts = count_text(corpus.train, len(corpus.tokenizer.vocab), start_id)
    found = {}
    for size in options.sizes:
        for texts in options.texts:
            found |= measure(size, texts, counts, start_id, banned, options.rounds)
    for name, figures in found.items():
        print(name, figures)
    limited = os.environ.get("NUMBA_CPU_NAME")
    where = "one thread, shared with other work" + (f", libraries and kernels limited to {limited}" if limited else "")
    rows.record(options.rows, found, where=where)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
