"""Rules of decoding: functions `(logits_BV, history_BT) -> logits_BV` that are applied one after the other.

`RULES` lists them in the default order, and that order has reasons:

1. what may not be generated at all (`ban`, `no_repeat_ngram`): later rules share out the rest;
2. penalties: their strength is meant for the model's own logits, so nothing may have rescaled them before;
3. `temperature`;
4. truncation (`top_k`, `typical`, `top_p`, `min_p`, `epsilon`), measured on the distribution that is drawn
   from, so `top_p=0.9` always keeps 90 % of what is left. Truncating before the temperature (then the number
   of candidates does not grow with it) is a matter of writing the rules in that order.

No rule is on unless requested, except that `TextGenerator` bans the unknown token. Before all of them `healing` has the
end of the prompt written again.

Every rule keeps shape and dtype, leaves its input untouched, removes a token by setting it to -inf, never
makes NaN, and leaves at least one token in every row: one that would remove all passes the row on unchanged.
Equal logits are ranked by id, the lowest first.

Shapes: B rows, V vocabulary, T tokens of text so far (prompt included, start token not).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError, choose
from ..base.native import DOUBLE, FLOATS, INT, INTS, Native

Rule = Callable[[Tensor, Tensor], Tensor]

MAX_PENALTY = 1e4
LARGE = 1 << 11
"""Types from which compiled code is worth loading."""
BLOCK = 1024
"""Tokens that compiled code adds in float32; blocks are added in float64."""
KERNELS = "seqlab.generation.kernels"
KEEP_LARGEST = Native(KERNELS, "keep_largest", (FLOATS, INT, INT, INTS, FLOATS, FLOATS))
NUCLEUS = Native(KERNELS, "nucleus", (FLOATS, INT, INT, DOUBLE, INTS, FLOATS, FLOATS))


def apply_rules(rules: Sequence[Rule], logits_BV: Tensor, history_BT: Tensor) -> Tensor:
    """`logits_BV` after every rule in order."""
    for rule in rules:
        logits_BV = rule(logits_BV, history_BT)
    return logits_BV


def make_rule(name: str, value: Any) -> Rule:
    """The rule `name` of RULES. Raises InputError for an unknown name or a value the rule has no use for."""
    return choose("rule", name, RULES)(value)


def _number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: float = -math.inf
) -> float:
    """`value` as a finite float with low <= value <= high and value > above."""
    limits = [f"at least {low:g}"] * (low > -math.inf) + [f"above {above:g}"] * (above > -math.inf)
    limits += [f"at most {high:g}"] * (high < math.inf)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high and number > above):
        raise InputError(f"{name}={value} is not a number {' and '.join(limits)}".rstrip() + ".")
    return number


def _whole(name: str, value: Any) -> int:
    """`value` as an integer of at least 1."""
    number = _number(name, value, 1)
    if number != int(number):
        raise InputError(f"{name}={value} is not a whole number.")
    return int(number)


def _unless_empty(changed_BV: Tensor, logits_BV: Tensor) -> Tensor:
    """`changed_BV`, but the old row where no token would be left."""
    empty_B1 = changed_BV.amax(-1, keepdim=True) == -math.inf
    return torch.where(empty_B1, logits_BV, changed_BV) if empty_B1.any() else changed_BV


def _keep(logits_BV: Tensor, keep_BV: Tensor) -> Tensor:
    """Only the tokens of `keep_BV`."""
    return _unless_empty(logits_BV.masked_fill(~keep_BV, -math.inf), logits_BV)


def is_compiled(logits_BV: Tensor) -> bool:
    """Whether `kernels` are to work on such logits."""
    return logits_BV.device.type == "cpu" and logits_BV.dtype == torch.float32 and logits_BV.shape[1] >= LARGE


def _keep_largest(logits_BV: Tensor, count_B1: Tensor, threshold_B1: Tensor) -> Tensor:
    """The `count_B1` largest of each row, none below `threshold_B1`; lower ids win ties."""
    if is_compiled(logits_BV):
        logits_BV = logits_BV.contiguous()
        kept_BV, bounds = torch.empty_like(logits_BV), (count_B1.contiguous(), threshold_B1.contiguous())
        KEEP_LARGEST(logits_BV, *logits_BV.shape, *bounds, kept_BV)
        return kept_BV
    above_BV = logits_BV > threshold_B1
    tied_BV = logits_BV == threshold_B1
    room_B1 = count_B1 - above_BV.sum(-1, keepdim=True)
    return _keep(logits_BV, above_BV | (tied_BV & (tied_BV.cumsum(-1) <= room_B1)))


class Ban:
    """The rule `ban`, which drawing applies by itself where it is the only one.

    Attributes:
        array_N: ids.
        most: the largest.
    """

    def __init__(self, ids: Sequence[int]):
        self.array_N, self.most = np.array(ids, np.int64), max(ids, default=-1)

    def __call__(self, logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        ids_N = torch.from_numpy(self.array_N).to(logits_BV.device)
        return _unless_empty(logits_BV.index_fill(1, ids_N, -math.inf), logits_BV)


def ban(tokens: Any) -> Rule:
    """Never these tokens: an id or several. (`TextGenerator` also takes their text, such as `<unk>`.)"""
    ids = list(tokens) if isinstance(tokens, list | tuple | set) else [tokens]
    if not all(isinstance(token, int) and token >= 0 for token in ids):
        raise InputError(f"ban={tokens} does not name token ids.")
    return Ban(ids)


def no_repeat_ngram(n: Any) -> Rule:
    """No sequence of `n` tokens twice (https://arxiv.org/abs/1705.04304, section 2.5)."""
    n = _whole("no_repeat_ngram", n)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        length = history_BT.shape[1]
        if length < n:
            return logits_BV
        ngrams_BMN = history_BT.unfold(1, n, 1)
        tail_B1N = history_BT[:, None, length - n + 1 :]
        row_R, start_R = (ngrams_BMN[..., :-1] == tail_B1N).all(-1).nonzero(as_tuple=True)
        keep_BV = torch.ones_like(logits_BV, dtype=torch.bool)
        keep_BV[row_R, ngrams_BMN[row_R, start_R, -1]] = False
        return _keep(logits_BV, keep_BV)

    return rule


def _counts(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
    ones_BT = torch.ones_like(history_BT, dtype=logits_BV.dtype)
    return torch.zeros_like(logits_BV).scatter_add_(1, history_BT, ones_BT)


def repetition_penalty(penalty: Any) -> Rule:
    """Logits of tokens already there: positive ones divided, negative ones multiplied by `penalty` (1: no
    change).

    CTRL, https://arxiv.org/abs/1909.05858, section 4.1, which only divides: that would favour repeating a
    token with a negative logit.
    """
    penalty = _number("repetition_penalty", penalty, 1 / MAX_PENALTY, MAX_PENALTY)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        penalised_BV = torch.where(logits_BV > 0, logits_BV / penalty, logits_BV * penalty)
        penalised_BV = penalised_BV.clamp(max=torch.finfo(logits_BV.dtype).max)
        seen_BV = _counts(logits_BV, history_BT) > 0
        return _unless_empty(torch.where(seen_BV, penalised_BV, logits_BV), logits_BV)

    return rule


def presence_penalty(penalty: Any) -> Rule:
    """Subtract `penalty` from the logit of every token already there."""
    penalty = _number("presence_penalty", penalty, -MAX_PENALTY, MAX_PENALTY)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        return logits_BV - penalty * (_counts(logits_BV, history_BT) > 0).to(logits_BV.dtype)

    return rule


def frequency_penalty(penalty: Any) -> Rule:
    """Subtract `penalty` from a token's logit for every time it is already there."""
    penalty = _number("frequency_penalty", penalty, -MAX_PENALTY, MAX_PENALTY)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        return logits_BV - penalty * _counts(logits_BV, history_BT)

    return rule


def temperature(value: Any) -> Rule:
    """Divide logits by `value`: below 1 bolder choices, above 1 more variety. 0 keeps only the most probable
    token."""
    value = _number("temperature", value, 0)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        if value == 1:
            return logits_BV
        if value == 0:
            best_B1 = logits_BV.argmax(-1, keepdim=True)
            return torch.full_like(logits_BV, -math.inf).scatter_(1, best_B1, 0.0)
        # The largest becomes 0 first, so that a tiny divisor gives -inf for the others and never inf - inf.
        shifted_BV = logits_BV - logits_BV.amax(-1, keepdim=True)
        return shifted_BV / max(value, torch.finfo(logits_BV.dtype).tiny)

    return rule


def top_k(k: Any) -> Rule:
    """The `k` most probable tokens (https://arxiv.org/abs/1805.04833)."""
    k = _whole("top_k", k)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        if k >= logits_BV.shape[-1]:
            return logits_BV
        threshold_B1 = logits_BV.topk(k).values[:, -1:]
        return _keep_largest(logits_BV, torch.full_like(threshold_B1, k, dtype=torch.int64), threshold_B1)

    return rule


def typical(mass: Any) -> Rule:
    """Locally typical sampling (https://arxiv.org/abs/2202.00666): the tokens whose information is nearest
    the entropy, as few as hold probability `mass`."""
    mass = _number("typical", mass, high=1, above=0)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        if mass == 1:
            return logits_BV
        log_probs_BV = logits_BV.log_softmax(-1)
        probs_BV = log_probs_BV.exp()
        information_BV = -log_probs_BV
        entropy_B1 = (probs_BV * information_BV).nan_to_num(0.0).sum(-1, keepdim=True)
        order_BV = (information_BV - entropy_B1).abs().sort(dim=-1, stable=True).indices
        sorted_BV = probs_BV.gather(1, order_BV)
        before_BV = sorted_BV.cumsum(-1, dtype=torch.float64) - sorted_BV
        keep_BV = torch.zeros_like(order_BV, dtype=torch.bool).scatter_(1, order_BV, before_BV < mass)
        return _keep(logits_BV, keep_BV)

    return rule


def top_p(mass: Any) -> Rule:
    """Nucleus sampling (https://arxiv.org/abs/1904.09751): the most probable tokens, as few as hold
    probability `mass`."""
    mass = _number("top_p", mass, high=1, above=0)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        if mass == 1:
            return logits_BV
        if is_compiled(logits_BV):
            logits_BV = logits_BV.contiguous()
            count_B1 = torch.empty(len(logits_BV), 1, dtype=torch.int64)
            threshold_B1 = logits_BV.new_empty(len(logits_BV), 1)
            weights_V = logits_BV.new_empty(logits_BV.shape[1])
            NUCLEUS(logits_BV, *logits_BV.shape, mass, count_B1, threshold_B1, weights_V)
            return _keep_largest(logits_BV, count_B1, threshold_B1)
        sorted_BV = logits_BV.sort(-1, descending=True).values
        probs_BV = sorted_BV.softmax(-1)
        before_BV = probs_BV.cumsum(-1, dtype=torch.float64) - probs_BV
        count_B1 = (before_BV < mass).sum(-1, keepdim=True)
        return _keep_largest(logits_BV, count_B1, sorted_BV.gather(1, count_B1 - 1))

    return rule


def min_p(share: Any) -> Rule:
    """The tokens with at least `share` of the best one's probability (https://arxiv.org/abs/2407.01082)."""
    share = _number("min_p", share, 0, 1)
    log_share = math.log(share) if share else -math.inf

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        threshold_B1 = logits_BV.amax(-1, keepdim=True) + log_share
        everything_B1 = torch.full_like(threshold_B1, logits_BV.shape[-1], dtype=torch.int64)
        return _keep_largest(logits_BV, everything_B1, threshold_B1)

    return rule


def epsilon(probability: Any) -> Rule:
    """The tokens of at least this `probability`, or the best one (https://arxiv.org/abs/2210.15191)."""
    probability = _number("epsilon", probability, 0, 1)

    def rule(logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        probs_BV = logits_BV.softmax(-1)
        best_BV = torch.zeros_like(probs_BV, dtype=torch.bool).scatter_(1, logits_BV.argmax(-1, keepdim=True), True)
        return _keep(logits_BV, (probs_BV >= probability) | best_BV)

    return rule


# Restraints also have a meaning when searching for the best text; the others shape what is drawn from.
RESTRAINTS: dict[str, Callable[[Any], Rule]] = {
    "ban": ban,
    "no_repeat_ngram": no_repeat_ngram,
    "repetition_penalty": repetition_penalty,
    "presence_penalty": presence_penalty,
    "frequency_penalty": frequency_penalty,
}
RULES: dict[str, Callable[[Any], Rule]] = RESTRAINTS | {
    "temperature": temperature,
    "top_k": top_k,
    "typical": typical,
    "top_p": top_p,
    "min_p": min_p,
    "epsilon": epsilon,
}
