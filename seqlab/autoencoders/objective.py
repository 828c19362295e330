"""What a variational autoencoder is trained for, and what tells whether its points mean anything.

log p(x) >= ELBO = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z)), where p(z) is the standard normal distribution and q(z|x)
a normal one with diagonal covariance (Kingma & Welling 2014, https://arxiv.org/abs/1312.6114).

Shapes: B lines, Z latent dimensions, K samples, M points.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_2_PI = math.log(2.0 * math.pi)
ACTIVE = 0.01
"""Variance of its mean over lines above which a dimension is active (Burda et al. 2016, https://arxiv.org/abs/1509.00519)."""


class Posterior(NamedTuple):
    """Where lines lie. mean_BZ; log_var_BZ: log of the variances, None where every line is a point."""

    mean_BZ: Tensor
    log_var_BZ: Tensor | None

    def sample(self, noise: Tensor | None = None) -> Tensor:
        """A point of each line (B, Z), or (K, B, Z) for `noise` of that shape; standard normal noise is drawn where
        none is given."""
        if self.log_var_BZ is None:
            return self.mean_BZ
        noise = torch.randn_like(self.mean_BZ) if noise is None else noise
        return self.mean_BZ + (0.5 * self.log_var_BZ).exp() * noise

    def kl_BZ(self) -> Tensor:
        """KL divergence from the standard normal distribution in nats, by line and dimension; 0 for points."""
        if self.log_var_BZ is None:
            return torch.zeros_like(self.mean_BZ)
        return 0.5 * (self.mean_BZ.square() + self.log_var_BZ.exp() - 1.0 - self.log_var_BZ)

    def kl_sum(self, free: float = 0.0) -> Tensor:
        """KL divergence summed over lines and dimensions. Of a dimension whose mean over the batch is below `free`
        nats, `free` counts instead, which has no gradient (Kingma et al. 2016, https://arxiv.org/abs/1606.04934)."""
        kl_BZ = self.kl_BZ()
        return kl_BZ.sum() if not free else kl_BZ.mean(0).clamp(min=free).sum() * len(kl_BZ)

    def log_density(self, points: Tensor) -> Tensor:
        """log q(z|x) in nats of points (..., B, Z), one of each line: (..., B)."""
        assert self.log_var_BZ is not None
        return log_normal(points, self.mean_BZ, self.log_var_BZ)


def log_normal(points: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log-density of points (..., Z) under normal distributions with diagonal covariance, summed over Z."""
    distance = (points - mean).square() / log_var.exp()
    return -0.5 * (distance + log_var + LOG_2_PI).sum(-1)


def log_prior(points: Tensor) -> Tensor:
    """Log-density of points (..., Z) under the standard normal distribution."""
    return -0.5 * (points.square() + LOG_2_PI).sum(-1)


class NormalisedMeans(nn.Module):
    """Batch normalisation of posterior means with a fixed scale and a learned shift
    (Zhu et al. 2020, https://arxiv.org/abs/2004.12585).

    Over a batch the means have the variance scale^2 in every dimension, so that the mean KL divergence is at least
    Z scale^2 / 2 and no dimension can fall silent.

    Args:
        dim: Z.
        scale: standard deviation of the means.
    """

    def __init__(self, dim: int, scale: float):
        super().__init__()
        self.scale = scale
        self.shift = nn.Parameter(torch.zeros(dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))

    def forward(self, mean_BZ: Tensor) -> Tensor:
        """The normalised means; a single line, and evaluation, take the running statistics."""
        live = self.training and len(mean_BZ) > 1
        normal_BZ = F.batch_norm(mean_BZ, self.get_buffer("mean"), self.get_buffer("var"), training=live)
        return self.scale * normal_BZ + self.shift


def mutual_information(posterior: Posterior, points_BZ: Tensor) -> float:
    """Estimate of the mutual information of line and point in nats: E[log q(z|x) - log q(z)], where q(z) is the mean
    over the B lines (Hoffman & Johnson 2016, http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf).

    It is at most log B, whatever the truth: compare figures over equally many lines.

    Args:
        posterior: of B lines.
        points_BZ: a point drawn of each.
    """
    assert posterior.log_var_BZ is not None
    of_all_MB = torch.cat([
        log_normal(chunk_MZ[:, None], posterior.mean_BZ[None], posterior.log_var_BZ[None])
        for chunk_MZ in points_BZ.split(64)
    ])  # fmt: skip
    aggregate_M = of_all_MB.logsumexp(1) - math.log(len(points_BZ))
    return float((posterior.log_density(points_BZ) - aggregate_M).mean())


def active_units(mean_BZ: Tensor) -> int:
    """Dimensions whose mean varies from line to line, by a variance above ACTIVE."""
    return int((mean_BZ.var(0, correction=0) > ACTIVE).sum())


def importance_weighted(log_likelihood_KB: Tensor, posterior: Posterior, points_KBZ: Tensor) -> Tensor:
    """Estimate of log p(x) in nats by K samples, (B,): a bound from below that tightens with K
    (Burda et al. 2016, https://arxiv.org/abs/1509.00519).

    Args:
        log_likelihood_KB: log p(x|z) at each point.
        posterior: of the lines.
        points_KBZ: drawn of it.
    """
    weights_KB = log_likelihood_KB + log_prior(points_KBZ) - posterior.log_density(points_KBZ)
    return weights_KB.logsumexp(0) - math.log(len(weights_KB))
