"""Cross-entropy of a softmax over a large vocabulary, without storing the logits of all positions.

Each chunk of positions makes its logits, its losses and its share of the gradients while it is in memory; the backward
pass only hands them over. As Wijmans et al. 2024 (https://arxiv.org/abs/2411.09009), without their recomputation.
Logits are in base 2, since torch's exp2 is several times faster than its exp.

Shapes: N positions, K softmaxes mixed at each (1: a plain softmax), D width, V vocabulary, M = N K rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..packed import dense
from ..products import Products, fast_float32, products_for

CHUNK = 1 << 21
"""Logits in memory at once: 8 MB of float32 stay in cache."""
FEWEST_ROWS = 80
"""Rows of a chunk however large the vocabulary: with fewer, adding up weight gradients costs more than making them."""

LOG2_E = math.log2(math.e)


def chunk_rows(rows: int, vocab_size: int, multiple_of: int = 1) -> int:
    """Rows of a chunk: chunks of equal size, about CHUNK logits each, whole positions of `multiple_of` rows."""
    most = max(FEWEST_ROWS, CHUNK // vocab_size)
    pieces = max(1, math.ceil(rows / most))
    return max(1, math.ceil(rows / (pieces * multiple_of))) * multiple_of


def exponentials_(logits_MV: Tensor) -> tuple[Tensor, Tensor]:
    """Replace base-2 logits by 2^(logit - max) of their row; returns (the sums of the rows, the base-2 log of the sum
    of 2^logit), each (M,)."""
    largest_M1 = logits_MV.amax(1, keepdim=True)
    sum_M = logits_MV.sub_(largest_M1).exp2_().sum(1)
    return sum_M, sum_M.log2() + largest_M1.squeeze(1)


@torch.no_grad()
def exact_losses(hidden_MD: Tensor, weight_VD: Tensor, bias_V: Tensor, targets_M: Tensor) -> Tensor:
    """-log softmax(hidden W^T + b)[target] in the precision of the weight, without holding all logits.

    Args:
        hidden_MD: hidden states.
        weight_VD, bias_V: of the output layer.
        targets_M: ids.

    Returns:
        Losses (M,) in nats.
    """
    losses_M = hidden_MD.new_empty(len(hidden_MD))
    rows = chunk_rows(len(hidden_MD), len(weight_VD))
    products, bias_V = Products(dense(weight_VD), rows), bias_V * LOG2_E
    with fast_float32():
        for start in range(0, len(hidden_MD), rows):
            part = slice(start, start + rows)
            logits_MV = products.logits(hidden_MD[part] * LOG2_E, bias_V)
            target_M = logits_MV.gather(1, targets_M[part, None]).squeeze(1)
            losses_M[part] = exponentials_(logits_MV)[1] - target_M
    return losses_M / LOG2_E


@torch.no_grad()
def log_normalizers(hidden_MD: Tensor, weight_VD: Tensor, bias_V: Tensor) -> Tensor:
    """log sum exp of the logits hidden W^T + b (M,), without holding all of them."""
    zeros_M = torch.zeros(len(hidden_MD), dtype=torch.int64, device=hidden_MD.device)
    first_M = hidden_MD @ weight_VD[0] + bias_V[0]
    return exact_losses(hidden_MD, weight_VD, bias_V, zeros_M) + first_M


class Gradients:
    """Loss and gradients of sum_n scale * -log sum_k prior_nk softmax(h_nk W^T + b)[target_n], chunk by chunk.

    Args:
        hidden_MD: K consecutive rows for each position.
        log_prior_NK: None for K = 1.
        precision: of the products, see `products_for`.
        smoothing: share of the target's probability spread over the vocabulary (K = 1 only,
            https://arxiv.org/abs/1512.00567).
        grad_weight_VD, grad_bias_V: zeroed, are added to; None when the weight is not trained.

    Attributes:
        loss: the sum.
        hidden_MD, log_prior_NK: the gradients of those.
    """

    def __init__(
        self,
        hidden_MD: Tensor,
        log_prior_NK: Tensor | None,
        weight_VD: Tensor,
        bias_V: Tensor,
        targets_N: Tensor,
        scale: float,
        precision: str,
        smoothing: float,
        grad_weight_VD: Tensor | None,
        grad_bias_V: Tensor | None,
    ):
        mixed = 1 if log_prior_NK is None else log_prior_NK.shape[1]
        targets_M1 = targets_N.repeat_interleave(mixed)[:, None]
        self.hidden_MD = torch.empty_like(hidden_MD)
        self.log_prior_NK = None if log_prior_NK is None else torch.empty_like(log_prior_NK)
        losses = [hidden_MD.new_zeros(0)]
        rows = chunk_rows(len(hidden_MD), len(weight_VD), mixed)
        products = products_for(weight_VD, rows, precision)
        bias2_V = bias_V * LOG2_E
        with fast_float32():
            for start in range(0, len(hidden_MD), rows):
                part = slice(start, start + rows)
                logits_MV = products.logits(hidden_MD[part] * LOG2_E, bias2_V)
                loss_M, sum_M1 = softmax_gradient_(logits_MV, targets_M1[part], smoothing)
                share_M1 = scale / sum_M1
                if log_prior_NK is not None and self.log_prior_NK is not None:
                    positions = slice(start // mixed, (start + rows) // mixed)
                    joint_NK = log_prior_NK[positions] - loss_M.view(-1, mixed)
                    loss_M = -joint_NK.logsumexp(1)
                    posterior_NK = (joint_NK + loss_M[:, None]).exp_()
                    self.log_prior_NK[positions] = -scale * posterior_NK
                    share_M1 *= posterior_NK.view(-1, 1)
                losses.append(loss_M)
                self.hidden_MD[part] = products.grad_hidden(logits_MV).mul_(share_M1)
                if grad_weight_VD is not None:
                    products.add_grad_weight(logits_MV, hidden_MD[part] * share_M1, grad_weight_VD)
                if grad_bias_V is not None:
                    grad_bias_V.add_((share_M1.T @ logits_MV).squeeze(0))
        self.loss = torch.cat(losses).sum() * scale


def softmax_gradient_(logits_MV: Tensor, targets_M1: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy (M,) in nats of base-2 logits, which are replaced by the gradient with respect to natural ones
    times the sums (M, 1) that are returned too: whoever uses it divides by them, M D numbers instead of M V."""
    target_M = logits_MV.gather(1, targets_M1).squeeze(1)
    if smoothing:
        target_M += smoothing * (logits_MV.mean(1) - target_M)
    sum_M, log_sum_M = exponentials_(logits_MV)
    sum_M1 = sum_M[:, None]
    logits_MV.scatter_add_(1, targets_M1, (smoothing - 1.0) * sum_M1)
    if smoothing:
        logits_MV.sub_(sum_M1, alpha=smoothing / logits_MV.shape[1])
    return (log_sum_M - target_M) / LOG2_E, sum_M1


Computed = tuple[Tensor, list[Tensor | None]]


class Fused(torch.autograd.Function):
    """A loss whose gradients are made together with it.

    `compute(wanted, *inputs)` gives the loss and the gradients of the leading inputs, None where not `wanted`. The
    first backward pass hands them over without a copy, a further one makes them again.
    """

    @staticmethod
    def forward(ctx: Any, compute: Callable[..., Computed], *inputs: Any) -> Tensor:
        ctx.compute = compute
        ctx.save_for_backward(*(part if isinstance(part, Tensor) else None for part in inputs))
        ctx.plain = [None if isinstance(part, Tensor) else part for part in inputs]
        loss, ctx.gradients = compute(ctx.needs_input_grad[1:], *inputs)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            saved = zip(ctx.saved_tensors, ctx.plain, strict=True)
            inputs = (plain if tensor is None else tensor for tensor, plain in saved)
            gradients = ctx.compute(ctx.needs_input_grad[1:], *inputs)[1]
        if grad.device.type != "cpu" or grad.item() != 1.0:
            gradients = [None if part is None else part * grad for part in gradients]
        return None, *gradients, *(None for _ in range(len(ctx.plain) - len(gradients)))


def _cross_entropy_gradients(
    wanted: Sequence[bool],
    hidden_MD: Tensor,
    log_prior_NK: Tensor | None,
    weight_VD: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    scale: float,
    precision: str,
    smoothing: float,
) -> Computed:
    grad_weight_VD = torch.zeros_like(weight_VD) if wanted[2] else None
    grad_bias_V = torch.zeros_like(bias_V) if wanted[3] else None
    work = Gradients(
        hidden_MD,
        log_prior_NK,
        weight_VD,
        bias_V,
        targets_N,
        scale,
        precision,
        smoothing,
        grad_weight_VD,
        grad_bias_V,
    )
    return work.loss, [work.hidden_MD, work.log_prior_NK, grad_weight_VD, grad_bias_V]


def cross_entropy(
    hidden_MD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    log_prior_NK: Tensor | None = None,
    precision: str = "auto",
    smoothing: float = 0.0,
    positions: int | None = None,
) -> Tensor:
    """Mean of -log softmax(hidden W^T + b)[target], gradients made on the way.

    Args:
        hidden_MD: hidden states; with `log_prior_NK` each position has K consecutive rows of them.
        weight_VD, bias_V: of the output layer.
        targets_N: ids.
        log_prior_NK: of a mixture, whose probability is meant then.
        precision: of the products: float32, bfloat16 or auto.
        smoothing: weight of the uniform distribution that the target is mixed with.
        positions: what the sum is divided by; N by default.
    """
    scale = 1.0 / (len(targets_N) if positions is None else positions)
    tensors = (hidden_MD, weight_VD, bias_V) if log_prior_NK is None else (hidden_MD, log_prior_NK, weight_VD, bias_V)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return Fused.apply(
            _cross_entropy_gradients, hidden_MD, log_prior_NK, weight_VD, bias_V, targets_N, scale, precision, smoothing
        )
    mixed = 1 if log_prior_NK is None else log_prior_NK.shape[1]
    losses_M = exact_losses(hidden_MD, weight_VD, bias_V, targets_N.repeat_interleave(mixed))
    if log_prior_NK is not None:
        return -(log_prior_NK - losses_M.view(-1, mixed)).logsumexp(1).sum() * scale
    loss = losses_M.sum() * scale
    if smoothing:
        target_N = torch.linalg.vecdot(hidden_MD, weight_VD[targets_N]) + bias_V[targets_N]
        loss += scale * smoothing * (target_N - hidden_MD @ weight_VD.mean(0) - bias_V.mean()).sum()
    return loss
