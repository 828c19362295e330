"""The one table of losses of word vectors: the name of each, and what every engine must know about it.

Each loss scores a target against noise words, or against all other words, and comes in one of two forms: a softmax
over the scores, or one logistic decision a score. Every engine has each form in a file of its own: `compiled/losses.py`
for the CPU, `torch/losses.py` for any device. A test compares both with the formulas in float64.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Form = Literal["softmax", "logistic"]


class Loss(NamedTuple):
    """What a training minimises."""

    form: Form
    """softmax: -log of the target's share. logistic: -log of being right about the target and every noise word."""
    corrected: bool
    """Whether log K q(w), how often the noise q is expected to draw a word, is taken from its score."""
    sampled: bool
    """Whether the target is scored against noise words, or against all other words (torch engine only)."""


LOSSES: dict[str, Loss] = {
    "sampled-softmax": Loss("softmax", corrected=True, sampled=True),
    "negative-sampling": Loss("logistic", corrected=False, sampled=True),
    "nce": Loss("logistic", corrected=True, sampled=True),
    "softmax": Loss("softmax", corrected=False, sampled=False),
}
"""Name -> loss: sampled softmax (Jean et al. 2015, https://arxiv.org/abs/1412.2007), negative sampling (Mikolov et al.
2013, https://arxiv.org/abs/1310.4546), noise-contrastive estimation (Mnih & Teh 2012, https://arxiv.org/abs/1206.6426),
full softmax."""
