"""Schedules: pure functions of progress, against torch's own where it has them."""

from __future__ import annotations

import math

import pytest
import torch

from seqlab.schedules import BATCH_SCALING, SCHEDULES, STAIRS, batch_size_at, learning_rate_factor

STEPS = 400


def torch_factors(make) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    factors = []
    for _ in range(STEPS):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return factors


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("constant", lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0)),
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, STEPS)),
        ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, STEPS // STAIRS, 0.1 ** (1 / (STAIRS - 1)))),
        ("exponential", lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.1 ** (1 / STEPS))),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1)),
    ],
)
def test_schedules_equal_those_of_torch(name, make):
    ours = [learning_rate_factor(name, step / STEPS, 0.0, 0.1) for step in range(STEPS)]
    assert ours == pytest.approx(torch_factors(make), rel=1e-6)


def test_one_cycle_equals_that_of_torch():
    """torch spaces its two phases over steps 0 ... pct * n - 1 ... n - 1."""
    make = lambda o: torch.optim.lr_scheduler.OneCycleLR(  # noqa: E731
        o, 1.0, total_steps=STEPS, pct_start=0.3, div_factor=25, final_div_factor=10, cycle_momentum=False
    )
    expected = torch_factors(make)[: STEPS - 1]
    rise = 0.3 * STEPS - 1
    progress = [0.3 * s / rise if s <= rise else 0.3 + 0.7 * (s - rise) / (STEPS - 1 - rise) for s in range(STEPS - 1)]
    ours = [learning_rate_factor("one-cycle", p, None, 1 / 250) for p in progress]
    assert ours == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_defined_at_both_ends_and_beyond(name):
    for progress in (0.0, 1.0, 1.7):
        assert 0 < learning_rate_factor(name, progress, None, 0.05) <= 1
    assert learning_rate_factor(name, 2.0, None, 0.05) == learning_rate_factor(name, 1.0, None, 0.05)


def test_the_batch_schedule_takes_the_last_size_reached():
    growth = [(0.0, 8), (0.3, 16), (0.6, 32)]
    assert [batch_size_at(p, 99, growth) for p in (0.0, 0.29, 0.3, 0.59, 0.6, 1.0)] == [8, 8, 16, 16, 32, 32]
    assert batch_size_at(0.1, 5, [(0.5, 10)]) == 5
    assert batch_size_at(0.1, 5, []) == 5


def test_batch_scaling():
    assert {name: scale(4.0) for name, scale in BATCH_SCALING.items()} == {"none": 1.0, "linear": 4.0, "sqrt": 2.0}
    assert math.isclose(BATCH_SCALING["sqrt"](0.25), 0.5)
