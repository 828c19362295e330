"""Token healing: what is generated begins with the end of the prompt that its last tokens may cut in the wrong place.

"the ki" is spelt otherwise than "the king", and a model of word pieces has hardly seen a space by itself. So these
tokens are held back, and the first new ones write them again in any way the model knows: the distribution is exactly
P(tokens | the prompt as text). A token that writes only a part of the end counts with the probability that the model
goes on to the rest of it.

Shapes: B rows, T tokens of text so far, V vocabulary, W ways to write the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..text.tokenizers.unfinished import Unfinished
from .stepping import StepModel


class Healing:
    """The rule that comes before all others while the end of the prompt is written again.

    Args:
        unfinished: the prompt.
        model, logits_1V, state: after the tokens of the prompt that are certain.

    Attributes:
        most: tokens that may write nothing beyond the prompt.
    """

    def __init__(self, unfinished: Unfinished, model: StepModel, logits_1V: Tensor, state: Any):
        self.ways = unfinished.ways
        self.place = {way.before: index for index, way in enumerate(self.ways)}
        self.start = len(unfinished.ids)
        self.most = 1 + max(len(way.before) for way in self.ways)
        first_1 = torch.zeros(1, dtype=torch.int64, device=logits_1V.device)
        self.added_WV = torch.full((len(self.ways), model.vocab_size), -torch.inf, device=logits_1V.device)
        self.total_W = torch.zeros(len(self.ways), dtype=torch.float64)
        after: dict[tuple[int, ...], tuple[Tensor, Any]] = {(): (logits_1V, state)}
        for way in self.ways[1:]:
            token_1 = torch.tensor(way.before[-1:], device=logits_1V.device)
            after[way.before] = model.step(token_1, model.select(after[way.before[:-1]][1], first_1))
        for index in range(len(self.ways) - 1, -1, -1):
            way = self.ways[index]
            self.added_WV[index, torch.from_numpy(way.completing)] = 0
            log_probs_V = after[way.before][0][0].double().log_softmax(-1)
            self.total_W[index] = (log_probs_V + self.added_WV[index]).logsumexp(0)
            if way.before:
                self.added_WV[self.place[way.before[:-1]], way.before[-1]] = self.total_W[index]

    def rule(self, logits_BV: Tensor, history_BT: Tensor) -> Tensor:
        """Only what writes the end, or a part of it that can go on to the rest; free once it is written."""
        made = history_BT.shape[1] - self.start
        if made >= self.most:
            return logits_BV
        changed_BV = logits_BV.clone()
        for row, ids in enumerate(history_BT[:, self.start :].tolist()):
            way = self.place.get(tuple(ids))
            if way is not None:
                # What the tokens so far were given for the rest is taken back, so that totals are the model's own.
                given = float(self.total_W[way]) if ids else 0.0
                changed_BV[row] += self.added_WV[way].to(logits_BV.dtype) - given
        return changed_BV

    def rewritten(self, ids: Sequence[int]) -> int:
        """How many of the first new tokens write nothing beyond the prompt."""
        count = 0
        while count < len(ids) and (*ids[: count + 1],) in self.place:
            count += 1
        way = self.ways[self.place[(*ids[:count],)]]
        return count + (count < len(ids) and ids[count] == way.exact)
