"""Adaptive softmax: frequent words in a short list, rare ones in clusters that few positions have to look into.

Shapes: N positions, D width, V vocabulary, C short list, K clusters.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...base.errors import InputError
from ..kernels.affine import affine
from .base import OutputLayer, unigram_log_probs
from .fused import Computed, Fused, Gradients, chunk_rows, cross_entropy, exact_losses

POSITIONS, FEWEST = 1024, 32
"""For the choice of cutoffs: positions of a batch, and how many a product has to have before fewer cost less."""


def zipf_counts(vocab_size: int) -> np.ndarray:
    """Counts (V,) proportional to 1 / rank: what a text's words follow when nothing else is known."""
    return 1e6 / np.arange(1, vocab_size + 1)


def choose_cutoffs(counts: np.ndarray, most: int = 3) -> list[int]:
    """First ids of the clusters, at most `most`, that make a batch's products cheapest; [] where one softmax is.

    All rows count as equally wide: else the cheapest short list would hold three words. `counts` (V,) are in
    descending order; those of Zipf's law cost WikiText-2 3 % more than its own.
    """
    size = len(counts)
    mass = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    mass /= mass[-1]
    grid = sorted({int(place) for place in np.geomspace(1, size, 32)[1:-1]} - {size})
    best: tuple[float, list[int]] = (POSITIONS * size, [])
    for clusters in range(1, most + 1):
        for cuts in itertools.combinations(grid, clusters):
            cost = POSITIONS * (cuts[0] + clusters)
            for low, high in itertools.pairwise([*cuts, size]):
                cost += max(FEWEST, POSITIONS * (mass[high] - mass[low])) * (high - low)
            best = min(best, (cost, list(cuts)))
    return best[1]


def cluster_shares(counts: np.ndarray, clusters: Sequence[tuple[int, int]]) -> list[float]:
    """Share of a text's words, of `counts` (V,), that lie in each cluster of ids [low, high)."""
    return [float(counts[low:high].sum() / max(1, counts.sum())) for low, high in clusters]


class AdaptiveSoftmax(OutputLayer):
    """Exact softmax in two steps: a short list of words and clusters, then the words of the target's cluster.

    Grave et al. 2017, https://arxiv.org/abs/1609.04309. P(w) = P(w | head) in the short list and
    P(cluster | head) P(w | cluster) elsewhere. A cluster reads the hidden state through its own projection. Words
    whose cluster has full width are rows of `weight`, so that tying reaches them; narrower ones have rows of their own.
    Wants ids in descending frequency.

    Args:
        vocab_size, width, weight: see `OutputLayer`.
        cutoffs: first id of each cluster; None: chosen for Zipf's law (`choose_cutoffs` does it for counts).
        tail_shrink: factor by which each cluster is narrower than the one before; None: 1 with a weight given (tied),
            else 2.
        precision: of the products while training: auto, float32 or bfloat16.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        weight: nn.Parameter | None = None,
        cutoffs: Sequence[int] | None = None,
        tail_shrink: float | None = None,
        precision: str = "auto",
    ):
        shrink = tail_shrink if tail_shrink is not None else (2.0 if weight is None else 1.0)
        if cutoffs is None:
            cutoffs = choose_cutoffs(zipf_counts(vocab_size))
        edges = [0, *cutoffs, vocab_size]
        if any(low >= high for low, high in itertools.pairwise(edges)):
            raise InputError(
                f"model.cutoffs: must rise between 1 and {vocab_size - 1} (the vocabulary has {vocab_size} types), "
                f"not {list(cutoffs)}."
            )
        widths = [max(1, int(width / shrink**index)) for index in range(1, len(edges) - 1)]
        super().__init__(vocab_size, width, weight, rows=vocab_size if shrink == 1.0 else edges[1])
        self.precision = precision
        self.cutoffs = tuple(cutoffs)
        self.short_list = edges[1]
        self.clusters = list(itertools.pairwise(edges[1:]))
        self.cluster_shares = cluster_shares(zipf_counts(vocab_size), self.clusters)
        self.cluster_weight = nn.Parameter(torch.empty(len(widths), width))
        self.cluster_bias = nn.Parameter(torch.zeros(len(widths)))
        self.projections = nn.ModuleList()
        self.tails = nn.ParameterList()
        nn.init.normal_(self.cluster_weight, std=width**-0.5)
        for narrow, (low, high) in zip(widths, self.clusters, strict=True):
            projection = nn.Linear(width, narrow, bias=False)
            (nn.init.eye_ if narrow == width else nn.init.orthogonal_)(projection.weight)
            self.projections.append(projection)
            if shrink != 1.0:
                self.tails.append(nn.Parameter(torch.empty(high - low, narrow)))
                nn.init.normal_(self.tails[-1], std=narrow**-0.5)

    def word_rows(self) -> dict[str, Tensor]:
        tails = {f"tails.{cluster}": torch.arange(*self.clusters[cluster]) for cluster in range(len(self.tails))}
        return super().word_rows() | tails

    def set_counts(self, counts: np.ndarray) -> None:
        self.cluster_shares = cluster_shares(counts, self.clusters)

    def multiply_adds(self) -> tuple[float, float]:
        """The mean over positions: the head everywhere, a cluster where the text's target lies in it."""
        total = float((self.short_list + len(self.clusters)) * self.width)
        for cluster, share in enumerate(self.cluster_shares):
            rows, narrow = self.tail(cluster)[0].shape
            total += share * narrow * (self.width + rows)
        return total, total

    def window_numbers(self, positions: int) -> int:
        return 6 * chunk_rows(positions, self.vocab_size) * self.vocab_size  # head and clusters, one after the other

    def start_at_unigram(self, counts: np.ndarray) -> None:
        """As everywhere; within a cluster its words' frequencies, and the cluster's own in the head."""
        super().start_at_unigram(counts)
        log_probs = torch.from_numpy(unigram_log_probs(counts))
        with torch.no_grad():
            for index, (low, high) in enumerate(self.clusters):
                mass = torch.logsumexp(log_probs[low:high], 0)
                self.cluster_bias[index] = mass
                self.bias[low:high] -= mass.to(self.bias)

    def head(self) -> tuple[Tensor, Tensor]:
        """Rows (C + K, D) and biases (C + K,) of the short list's words and of the clusters."""
        count = self.short_list
        return (
            torch.cat([self.weight[:count], self.cluster_weight]),
            torch.cat([self.bias[:count, 0], self.cluster_bias]),
        )

    def tail(self, cluster: int) -> tuple[Tensor, Tensor]:
        """Rows (words, width of the cluster) and biases (words,) of a cluster's words."""
        low, high = self.clusters[cluster]
        weight = self.tails[cluster] if len(self.tails) else self.weight[low:high]
        return weight, self.bias[low:high, 0]

    def log_probs(self, hidden: Tensor) -> Tensor:
        head = F.log_softmax(affine(hidden, *self.head()), dim=-1)
        parts = [head[..., : self.short_list]]
        for cluster, projection in enumerate(self.projections):
            inside = F.log_softmax(affine(projection(hidden), *self.tail(cluster)), dim=-1)
            parts.append(inside + head[..., self.short_list + cluster, None])
        return torch.cat(parts, dim=-1)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.log_probs(hidden)

    def split(self, targets_N: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Targets in the head (N,), and the positions whose target lies in each cluster."""
        head_N, positions = targets_N.clone(), []
        for cluster, (low, high) in enumerate(self.clusters):
            inside_N = (targets_N >= low) & (targets_N < high)
            head_N[inside_N] = self.short_list + cluster
            positions.append(inside_N.nonzero().squeeze(1))
        return head_N, positions

    @torch.no_grad()
    def exact_losses(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        head_N, positions = self.split(targets_N)
        losses_N = exact_losses(hidden_ND, *self.head(), head_N)
        for cluster, (place, projection) in enumerate(zip(positions, self.projections, strict=True)):
            inside = targets_N[place] - self.clusters[cluster][0]
            losses_N[place] += exact_losses(projection(hidden_ND[place]), *self.tail(cluster), inside)
        return losses_N

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self.exact_losses(hidden_ND, targets_N).mean()
        head_N, positions = self.split(targets_N)
        loss = hidden_ND.new_zeros(())
        shared: list[tuple[Tensor, Tensor, int, int]] = []
        for cluster, (place, projection) in enumerate(zip(positions, self.projections, strict=True)):
            low, high = self.clusters[cluster]
            narrow, inside = projection(hidden_ND[place]), targets_N[place] - low
            if len(self.tails):
                rows, bias = self.tail(cluster)
                loss = loss + cross_entropy(
                    narrow, rows, bias, inside, precision=self.precision, positions=len(targets_N)
                )
            else:
                shared.append((narrow, inside, low, high))
        slices = [(targets, low, high) for _, targets, low, high in shared]
        return loss + Fused.apply(
            _shared_rows_gradients,
            self.weight,
            self.bias,
            self.cluster_weight,
            self.cluster_bias,
            hidden_ND,
            *(narrow for narrow, _, _, _ in shared),
            head_N,
            self.short_list,
            slices,
            self.precision,
        )


def _shared_rows_gradients(
    wanted: Sequence[bool],
    weight_VD: Tensor,
    bias_V1: Tensor,
    cluster_weight_KD: Tensor,
    cluster_bias_K: Tensor,
    hidden_ND: Tensor,
    *rest: Any,
) -> Computed:
    """Mean loss of the head plus that of the clusters whose words are rows of the same weight. Their gradients are
    written into one tensor, where slices of a parameter would each make autograd fill one of its size.

    `rest` is the hidden states of each cluster's positions; targets in the head (N,); C; for each cluster the targets
    in it, its first and last row; precision.
    """
    *narrow, head_N, count, slices, precision = rest
    scale = 1.0 / len(head_N)
    grad_weight, grad_bias = torch.zeros_like(weight_VD), torch.zeros_like(bias_V1)
    head_weight = torch.cat([weight_VD[:count], cluster_weight_KD])
    head_bias = torch.cat([bias_V1[:count, 0], cluster_bias_K])
    head_grad, head_bias_grad = torch.zeros_like(head_weight), torch.zeros_like(head_bias)
    head = Gradients(hidden_ND, None, head_weight, head_bias, head_N, scale, precision, 0.0, head_grad, head_bias_grad)
    grad_weight[:count], grad_bias[:count, 0] = head_grad[:count], head_bias_grad[:count]
    losses, grad_narrow = [head.loss], []
    for hidden, (targets, low, high) in zip(narrow, slices, strict=True):
        rows, bias = weight_VD[low:high], bias_V1[low:high, 0]
        grads = grad_weight[low:high], grad_bias[low:high, 0]
        tail = Gradients(hidden, None, rows, bias, targets, scale, precision, 0.0, *grads)
        losses.append(tail.loss)
        grad_narrow.append(tail.hidden_MD)
    gradients = [grad_weight, grad_bias, head_grad[count:], head_bias_grad[count:], head.hidden_MD, *grad_narrow]
    return torch.stack(losses).sum(), [part if wanted[index] else None for index, part in enumerate(gradients)]
