"""The two forms of a loss as plain torch formulas that autograd differentiates, in any precision.

Shapes: B windows, P predictions of a window, J scored words (the target first), N rows of any list, V words, D width.

A form sees z (..., J): the scores of a prediction minus one offset per column. The offset of a corrected
loss is log K q(w), how often the noise q was expected to draw that word, for the target as for the noise (Jean et
al. 2015, https://arxiv.org/abs/1412.2007); a noise word that happens to equal the target does not count, which an
infinite offset says.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..losses import Form, Loss


def softmax(z: Tensor) -> Tensor:
    """-log softmax(z)[..., 0], shape (...)."""
    return z.logsumexp(-1) - z[..., 0]


def logistic(z: Tensor) -> Tensor:
    """-log s(z_0) - sum_{j>0} log s(-z_j), shape (...), with s the logistic function.

    Noise-contrastive estimation where z is corrected (Mnih & Teh 2012, https://arxiv.org/abs/1206.6426), negative
    sampling where it is not (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546).
    """
    return softplus(-z[..., 0]) + softplus(z[..., 1:]).sum(-1)


FORMS: dict[Form, Callable[[Tensor], Tensor]] = {"softmax": softmax, "logistic": logistic}
"""Form of a loss -> z (..., J) -> nats (...)."""


def offsets(scored_BJ: Tensor, log_expected_V: Tensor, corrected: bool) -> Tensor:
    """What is taken from every score (B, J): log K q(w) where corrected; infinity for noise equal to the target."""
    values = log_expected_V[scored_BJ] if corrected else torch.zeros_like(scored_BJ, dtype=log_expected_V.dtype)
    hits_BJ = scored_BJ == scored_BJ[:, :1]
    hits_BJ[:, 0] = False
    return values.masked_fill(hits_BJ, torch.inf)


def sampled_losses(hidden_BPD: Tensor, scored_BJD: Tensor, offsets_BJ: Tensor, loss: Loss) -> Tensor:
    """Losses (B, P) of predicting a window's target, whose output vector is scored_BJD[:, 0], against its noise."""
    return FORMS[loss.form](hidden_BPD @ scored_BJD.mT - offsets_BJ[:, None])


def full_losses(hidden_ND: Tensor, outputs_VD: Tensor, targets_N: Tensor) -> Tensor:
    """Losses (N,) of predicting each target among all V words: `softmax` with the target's column wherever it is."""
    scores_NV = hidden_ND @ outputs_VD.T
    return scores_NV.logsumexp(1) - scores_NV.gather(1, targets_N[:, None])[:, 0]
