"""From a model to ids: reading a prompt, drawing from the model, and what it thought of every token.

Shapes: B rows of a batch, T or L positions, V vocabulary. Log-probabilities and entropies are in nats and
always those of the model itself, whatever rules changed the distribution that is drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base.errors import SeqlabError
from ..base.native import DOUBLES, FLOATS, INT, INTS, Native
from ..text.tokenizers.unfinished import Unfinished
from .healing import Healing
from .rules import BLOCK, KERNELS, Ban, Rule, apply_rules, is_compiled
from .stepping import StepModel

LARGEST_LOGITS = 1 << 22  # elements
LARGEST_BATCH = 1024
BELOW_ONE = 1 - 2**-50  # so that no rounding makes a share of a total the total itself
IN_CACHE = 1 << 17
"""Logits that rules and draws pass through at a time: half a megabyte stays in cache, and so does what rules make."""
NONE = np.empty(0, np.int64)
CHOOSE = Native(KERNELS, "choose", (FLOATS, INTS, INT, FLOATS, INT, INT, DOUBLES, INTS, DOUBLES, DOUBLES, FLOATS))
DESCRIBE = Native(KERNELS, "describe", (FLOATS, INT, INT, INTS, DOUBLES))


@dataclass(frozen=True)
class Continuation:
    """Ids that follow a prompt, with log-probability (nats), rank (1 is the model's favourite) and the
    entropy (nats) of the distribution each was chosen from. `finish` is "stop" or "length"."""

    ids: list[int]
    log_probs: list[float]
    ranks: list[int]
    entropies: list[float]
    finish: str

    @property
    def log_prob(self) -> float:
        """Total log-probability in nats."""
        return math.fsum(self.log_probs)

    def score(self, alpha: float = 0.0) -> float:
        """Total log-probability over the length penalty."""
        return self.log_prob / length_penalty(len(self.ids), alpha)


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha: GNMT, https://arxiv.org/abs/1609.08144, equation 14. 0 favours short
    texts, as probabilities do; above 0 longer ones gain; below 0 shorter ones gain more."""
    return ((5 + length) / 6) ** alpha


class Trace:
    """Prompt (start token first) and chosen tokens of B rows, growing by one column a step."""

    def __init__(self, prompt: Sequence[int], rows: int, length: int, device: torch.device):
        self.start = self.end = len(prompt)
        self.ids_BL = torch.empty(rows, len(prompt) + length, dtype=torch.int64, device=device)
        self.ids_BL[:, : self.start] = torch.tensor(prompt, dtype=torch.int64, device=device)
        self.figures_BL3 = torch.empty(rows, length, 3, dtype=torch.float64, device=device)

    @property
    def history_BT(self) -> Tensor:
        """All ids of text so far; the start token is none."""
        return self.ids_BL[:, 1 : self.end]

    def append(self, token_B: Tensor, figures_B3: Tensor) -> None:
        """Add a column of tokens, and what `describe` says of them."""
        self.figures_BL3[:, self.end - self.start] = figures_B3
        self.ids_BL[:, self.end] = token_B
        self.end += 1

    def select(self, index_B: Tensor) -> None:
        """Reorder, repeat or drop rows."""
        self.ids_BL = self.ids_BL.index_select(0, index_B)
        self.figures_BL3 = self.figures_BL3.index_select(0, index_B)

    def made(self, row: int) -> list[int]:
        """The ids of a row that were chosen."""
        ids: list[int] = self.ids_BL[row, self.start : self.end].tolist()
        return ids

    def continuation(self, row: int, finish: str) -> Continuation:
        """What row `row` holds after the prompt. Raises SeqlabError when the model gave numbers that are
        none."""
        figures = self.figures_BL3[row, : self.end - self.start].tolist()
        log_probs, ranks, entropies = zip(*figures, strict=True) if figures else ((), (), ())
        if not all(map(math.isfinite, log_probs)):
            raise broken_model()
        return Continuation(self.made(row), list(log_probs), [int(rank) for rank in ranks], list(entropies), finish)


def broken_model() -> SeqlabError:
    return SeqlabError("the model's output is not a number: training diverged or the weights are damaged.")


def read_prompts(model: StepModel, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Any]:
    """Logits (P, V) of the token after each of P prompts (ids, the start token first) and the state there.

    Args:
        model: that reads them; one that begins in several states reads a single prompt in all of them.
        prompts: all of one length.

    Raises SeqlabError when the model gave numbers that are none.
    """
    state = model.init_state(1)
    ids_PT = torch.tensor([list(one) for one in prompts], dtype=torch.int64, device=state_device(state))
    if len(prompts) > 1:
        state = model.select(state, ids_PT.new_zeros(len(prompts)))
    logits_PV, state = model.prefill(ids_PT, state)
    if not logits_PV.isfinite().all():
        raise broken_model()
    return logits_PV, state


def state_device(state: Any) -> torch.device:
    """Where a state (nested lists or tuples of tensors) is."""
    while not isinstance(state, Tensor):
        state = state[0]
    return state.device


def uniforms(seed: int, indices: Iterable[int], length: int) -> np.ndarray:
    """Uniform numbers in [0, BELOW_ONE), (len(indices), length) float64. A row depends on `seed` and its index
    only."""
    return np.stack([np.random.default_rng([seed, index]).random(length) * BELOW_ONE for index in indices])


def draw(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """One token a row from softmax(logits), (B,): the first whose cumulative probability exceeds the uniform
    number."""
    cumulative_BV = torch.cumsum(logits_BV.softmax(-1), -1, dtype=torch.float64)
    point_B = uniform_B * cumulative_BV[:, -1]
    token_B = torch.searchsorted(cumulative_BV, point_B[:, None], right=True)[:, 0]
    return token_B.clamp_(max=logits_BV.shape[-1] - 1)


def describe(logits_BV: Tensor, token_B: Tensor) -> Tensor:
    """Log-probability (nats) and rank of a token of each row, and the row's entropy (nats): (B, 3) float64."""
    if is_compiled(logits_BV):
        figures_B3 = torch.empty(len(logits_BV), 3, dtype=torch.float64)
        DESCRIBE(logits_BV.contiguous(), *logits_BV.shape, token_B.contiguous(), figures_B3)
        return figures_B3
    log_probs_BV = logits_BV.log_softmax(-1)
    chosen_B1 = log_probs_BV.gather(1, token_B[:, None])
    rank_B = (log_probs_BV > chosen_B1).sum(-1) + 1
    entropy_B = -(log_probs_BV.exp() * log_probs_BV).sum(-1)
    return torch.stack([chosen_B1[:, 0].double(), rank_B.double(), entropy_B.double()], -1)


def choose(logits_BV: Tensor, history_BT: Tensor, uniform_B: Tensor, rules: Sequence[Rule]) -> tuple[Tensor, Tensor]:
    """One token a row, (B,), drawn from what the rules leave of its logits, and what the model thought of it (see
    `describe`)."""
    if not is_compiled(logits_BV):
        token_B = draw(apply_rules(rules, logits_BV, history_BT), uniform_B)
        return token_B, describe(logits_BV, token_B)
    banned_N = NONE
    if len(rules) == 1 and isinstance(rules[0], Ban) and rules[0].most < logits_BV.shape[1]:
        banned_N, rules = rules[0].array_N, []
    token_B = torch.empty(len(logits_BV), dtype=torch.int64)
    figures_B3 = torch.empty(len(logits_BV), 3, dtype=torch.float64)
    types = logits_BV.shape[1]
    logits_BV, out = logits_BV.contiguous(), (uniform_B.contiguous(), token_B, figures_B3)
    scratch = torch.empty(-(-types // BLOCK), dtype=torch.float64), torch.empty(len(banned_N))
    rows = max(1, IN_CACHE // types)
    for start in range(0, len(logits_BV), rows):
        part = slice(start, start + rows)
        logits = logits_BV[part]
        allowed = apply_rules(rules, logits, history_BT[part]).contiguous() if rules else logits
        CHOOSE(allowed, banned_N, len(banned_N), logits, len(logits), types, *(one[part] for one in out), *scratch)
    return token_B, figures_B3


def rows_at_once(count: int, vocab_size: int) -> int:
    """How many of `count` texts are drawn side by side."""
    return min(count, max(1, min(LARGEST_BATCH, LARGEST_LOGITS // vocab_size)))


@torch.inference_mode()
def sample(
    model: StepModel,
    prompt: Sequence[int],
    length: int,
    *,
    count: int = 1,
    seed: int = 0,
    rules: Sequence[Rule] = (),
    ends: Callable[[int, int], bool] | None = None,
    reads: Sequence[Sequence[int]] = (),
    unfinished: Unfinished | None = None,
) -> list[Continuation]:
    """Draw `count` continuations of `prompt` (ids, the start token first), each of at most `length` tokens.

    Sample i depends on (seed, i) alone, not on how many others are drawn with it; with the rule `temperature`
    at 0 this is greedy decoding. `ends(i, token)` is called for every token of every sample in order; True
    makes it the sample's last. `reads` is what the model reads in the place of the prompt: the ids of words which the
    vocabulary lacks, or several lead-ins of one length, of which sample i follows number i mod their number; just so
    with the states of a model that begins in several (see `StepModel`). `unfinished` is how the text of the prompt may
    go on after these ids; tokens that only write it to its end do not count towards `length`.
    """
    logits_PV, state = read_prompts(model, reads or [prompt])
    healing = Healing(unfinished, model, logits_PV, state) if unfinished else None
    whole = length + (healing.most if healing else 0)
    rows = rows_at_once(count, model.vocab_size)
    done: dict[int, Continuation] = {}
    for first in range(0, count, rows):
        batch = list(range(first, min(first + rows, count)))
        trace = Trace(prompt, len(batch), whole, logits_PV.device)
        point_LB = torch.from_numpy(np.ascontiguousarray(uniforms(seed, batch, whole).T)).to(logits_PV.device)
        done |= _sample_batch(model, logits_PV, state, trace, batch, point_LB, rules, ends, healing)
    return [done[index] for index in range(count)]


def _sample_batch(
    model: StepModel,
    logits_PV: Tensor,
    state: Any,
    trace: Trace,
    batch: list[int],
    point_LB: Tensor,
    rules: Sequence[Rule],
    ends: Callable[[int, int], bool] | None,
    healing: Healing | None,
) -> dict[int, Continuation]:
    """The samples whose indices are `batch`, drawn at `point_LB`; rows that end leave the batch."""
    done: dict[int, Continuation] = {}
    device = logits_PV.device
    length = len(point_LB) - (healing.most if healing else 0)
    rules = [healing.rule, *rules] if healing else rules
    start_B = torch.tensor([index % len(logits_PV) for index in batch], device=device)
    logits_BV, state = logits_PV.index_select(0, start_B), model.select(state, start_B)
    while batch:
        token_B, figures_B3 = choose(logits_BV, trace.history_BT, point_LB[trace.end - trace.start], rules)
        trace.append(token_B, figures_B3)
        over = dict.fromkeys(rows_of_length(trace, range(len(batch)), length, healing), "length")
        if ends is not None:
            pairs = enumerate(zip(batch, token_B.tolist(), strict=True))
            over |= {row: "stop" for row, (index, token) in pairs if ends(index, token)}
        if over:
            done |= {batch[row]: trace.continuation(row, finish) for row, finish in over.items()}
            keep = [row for row in range(len(batch)) if row not in over]
            batch = [batch[row] for row in keep]
            keep_B = torch.tensor(keep, dtype=torch.int64, device=device)
            trace.select(keep_B)
            state, token_B = model.select(state, keep_B), token_B[keep_B]
            point_LB = point_LB[:, keep_B]
        if batch:
            logits_BV, state = model.step(token_B, state)
    return done


def rows_of_length(trace: Trace, rows: Iterable[int], length: int, healing: Healing | None) -> list[int]:
    """Those of the rows that have `length` tokens beyond the prompt."""
    made = trace.end - trace.start
    if made < length or healing is None:
        return list(rows) if made == length else []
    return [row for row in rows if made - healing.rewritten(trace.made(row)) >= length]


def best(candidates: Sequence[Continuation], count: int, alpha: float = 0.0) -> list[int]:
    """Indices of the `count` best-scored candidates, best first; the earlier one wins a tie."""
    return sorted(range(len(candidates)), key=lambda i: -candidates[i].score(alpha))[:count]
