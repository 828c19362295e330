"""Beam search that knows when to stop: https://aclanthology.org/D17-1227 (Huang et al. 2017), optimal beam
search.

Shapes: K live hypotheses, V vocabulary, N candidates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..text.tokenizers.unfinished import Unfinished
from .decoding import Continuation, Trace, describe, length_penalty, read_prompts, rows_of_length
from .healing import Healing
from .rules import Rule, apply_rules
from .stepping import StepModel


def largest(values_N: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest finite values, in descending order, and their positions; the lower position wins a
    tie."""
    count = min(count, len(values_N))
    threshold = values_N.topk(count).values[-1]
    position_M = (values_N >= threshold).nonzero()[:, 0]
    sorted_M, order_M = values_N[position_M].sort(descending=True, stable=True)
    finite = int((sorted_M[:count] > -math.inf).sum())
    return sorted_M[:finite], position_M[order_M[:finite]]


class Finished:
    """The best `count` finished hypotheses by score; of equal ones the earlier comes first."""

    def __init__(self, count: int):
        self.count = count
        self.entries: list[tuple[float, Continuation]] = []

    def add(self, score: float, continuation: Continuation) -> None:
        self.entries.append((score, continuation))
        self.entries.sort(key=lambda entry: -entry[0])
        del self.entries[self.count :]

    def settled(self, best_live: float, length: int, limit: int, alpha: float) -> bool:
        """Whether no live hypothesis, now of `length` tokens and at best of total `best_live`, can still get
        in.

        Going on can only lower a total, which is negative: for alpha > 0 the kindest divisor ahead is that of
        the longest text, for alpha < 0 that of the next token.
        """
        if len(self.entries) < self.count:
            return False
        bound = best_live / length_penalty(limit if alpha > 0 else length + 1, alpha)
        return self.entries[-1][0] >= bound


@torch.inference_mode()
def beam_search(
    model: StepModel,
    prompt: Sequence[int],
    length: int,
    width: int,
    *,
    count: int = 1,
    rules: Sequence[Rule] = (),
    eos_id: int | None = None,
    alpha: float = 0.0,
    complete: Callable[[list[int]], bool] | None = None,
    reads: Sequence[Sequence[int]] = (),
    unfinished: Unfinished | None = None,
) -> list[Continuation]:
    """The `count` best continuations of `prompt` (ids, the start token first) that a beam of `width` finds,
    best first.

    A hypothesis is finished by `eos_id`, by `complete(ids so far)`, or by having `length` tokens. Its score
    is its total log-probability over `length_penalty(its length, alpha)`. A token that ends a text counts
    only while it is among the `width` best continuations of a step, so a beam of 1 is greedy decoding. The
    search goes on until the best finished hypotheses cannot be beaten. Rules act on log-probabilities: they
    forbid or make dearer, never lift above 0. `reads`,
    which has one entry at most, and `unfinished` are as in `sample`.
    """
    logits_KV, state = read_prompts(model, reads or [prompt])
    healing = Healing(unfinished, model, logits_KV, state) if unfinished else None
    limit = length + (healing.most if healing else 0)
    rules = [healing.rule, *rules] if healing else rules
    trace = Trace(prompt, 1, limit, logits_KV.device)
    total_K = torch.zeros(1, dtype=torch.float64, device=logits_KV.device)
    finished = Finished(count)

    def finish(row: int, made: int, reason: str) -> None:
        score = float(total_N[row]) / length_penalty(made, alpha)
        finished.add(score, trace.continuation(row, reason))

    for made in range(1, limit + 1):
        log_probs_KV = logits_KV.log_softmax(-1)
        gain_KV = apply_rules(rules, log_probs_KV, trace.history_BT).double().clamp(max=0)
        total_N, position_N = largest((total_K[:, None] + gain_KV).flatten(), 2 * width)
        parent_N, token_N = position_N // gain_KV.shape[1], position_N % gain_KV.shape[1]
        trace.select(parent_N)
        trace.append(token_N, describe(log_probs_KV[parent_N], token_N))

        ended = [token == eos_id for token in token_N.tolist()]
        live = [row for row, end in enumerate(ended) if not end][:width]
        for row in (row for row, end in enumerate(ended[:width]) if end):
            finish(row, made, "stop")
        if complete is not None:
            whole = [row for row in live if complete(trace.made(row))]
            live = [row for row in live if row not in whole]
            for row in whole:
                finish(row, made, "stop")
        for row in (full := rows_of_length(trace, live, length, healing)):
            finish(row, made, "length")
        live = [row for row in live if row not in full]
        if not live or finished.settled(float(total_N[live[0]]), made, limit, alpha):
            break
        live_K = torch.tensor(live, device=total_N.device)
        trace.select(live_K)
        total_K = total_N[live_K]
        logits_KV, state = model.step(token_N[live_K], model.select(state, parent_N[live_K]))
    return [continuation for _, continuation in finished.entries]
