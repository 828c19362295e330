"""How well a model of running text begins one: nats of the beginnings of held-out paragraphs, by what is read before.

    python -m benchmarks.models.beginnings shakespeare RUN [--rows generation/beginnings-shakespeare]

RUN was trained on that text by `seqlab train lm`. The lead-ins are the run's; as every sample has one of them, a text
has the mean of its probabilities behind each. "its own context": the LENGTH tokens that stand before it.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import seqlab
from benchmarks import rows
from benchmarks.models.together import corpus_of
from seqlab.generation.decoding import read_prompts
from seqlab.generation.stepping import StepModel
from seqlab.text.ids.lead_ins import LENGTH, find_lead_ins, line_ends

TEXTS, TOKENS = 300, 24
PARTS = {"token 1": (0, 1), "2 to 4": (1, 4), "5 to 10": (4, 10), "11 to 24": (10, 24), "all": (0, 24)}


def paragraphs(ids_N: np.ndarray, ends_V: np.ndarray) -> np.ndarray:
    """Places of TEXTS beginnings behind an empty line, by chance."""
    ends_N = ends_V[ids_N]
    places = 2 + np.flatnonzero((ends_N[:-2] > 0) & (ends_N[1:-1] > 0) & (ends_N[2:] == 0))
    places = places[(places >= LENGTH) & (places < len(ids_N) - TOKENS)]
    return np.random.default_rng(0).choice(places, min(TEXTS, len(places)), replace=False)


def log_probs(model: StepModel, read: list[int], ids_NT: np.ndarray) -> np.ndarray:
    """Log-probability of every token of N texts of T tokens behind what is read first."""
    logits_1V, state = read_prompts(model, [read])
    first_N = torch.zeros(len(ids_NT), dtype=torch.int64)
    logits_NV, state = logits_1V[first_N], model.select(state, first_N)
    found = []
    for ids_N in torch.from_numpy(ids_NT).T:
        found.append(logits_NV.float().log_softmax(-1).gather(1, ids_N[:, None])[:, 0].double().numpy())
        logits_NV, state = model.step(ids_N, state)
    return np.stack(found, 1)


def mixture(every_PNT: np.ndarray) -> np.ndarray:
    """Log-probabilities of every token where a text has the mean of its probabilities."""
    total_NT = np.logaddexp.reduce(every_PNT.cumsum(-1), 0) - np.log(len(every_PNT))
    return np.diff(total_NT, axis=1, prepend=0)


@torch.inference_mode()
def measure(name: str, path: str) -> dict[str, dict[str, float]]:
    torch.set_num_threads(1)
    lm, corpus = seqlab.load(path), corpus_of(name)
    tokenizer, model = lm.tokenizer, lm.members.model()
    assert tokenizer.digest == corpus.tokenizer.digest
    assert corpus.valid is not None
    valid_N = corpus.valid[:].astype(np.int64)
    places = paragraphs(valid_N, line_ends(tokenizer))
    ids_NT = np.stack([valid_N[place : place + TOKENS] for place in places])
    start, lead_ins = [tokenizer.start_id], find_lead_ins(corpus.train, tokenizer)
    before = [[*start, *valid_N[place - LENGTH : place]] for place in places]
    found = {
        "the start token": log_probs(model, start, ids_NT),
        "two line ends": log_probs(model, 2 * [int(valid_N[places[0] - 1])], ids_NT),
        "the first lead-in": log_probs(model, lead_ins[0], ids_NT),
        "one of the lead-ins": mixture(np.stack([log_probs(model, one, ids_NT) for one in lead_ins])),
        "its own context": np.concatenate(
            [log_probs(model, one, ids_1T) for one, ids_1T in zip(before, ids_NT[:, None], strict=True)]
        ),
    }
    return {
        name: {f"{part} [nats per token]": float(-found_NT[:, a:b].mean()) for part, (a, b) in PARTS.items()}
        for name, found_NT in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", choices=["shakespeare", "wikitext-2"])
    parser.add_argument("run")
    rows.add_option(parser)
    options = parser.parse_args()
    found = measure(options.text, options.run)
    for name, line in found.items():
        print(name, {part: round(value, 4) for part, value in line.items()})
    rows.record(options.rows, found)


if __name__ == "__main__":
    main()
