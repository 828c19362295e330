"""Cells against their equations. Output layers and noise: test_losses.py."""

from __future__ import annotations

import pytest
import torch

from seqlab.nn import CELLS

B, T, D, H = 3, 7, 5, 6


@pytest.fixture(params=CELLS)
def cell(request):
    torch.manual_seed(0)
    return CELLS[request.param](D, H).double()


def random_state(cell, batch=B):
    return tuple(torch.randn_like(part) * 0.5 for part in cell.init_state(batch))


def test_fused_sequence_equals_the_equations(cell):
    x, state = torch.randn(B, T, D).double(), random_state(cell)
    y_fused, last_fused = cell(x, state)
    outputs = []
    for t in range(T):
        y, state = cell.equations(x[:, t], state)
        outputs.append(y)
    torch.testing.assert_close(y_fused, torch.stack(outputs, 1))
    for part, expected in zip(last_fused, state, strict=True):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize("gradient", [True, False])
def test_one_step_at_a_time_equals_the_whole_sequence_from_a_carried_state(cell, gradient):
    x, state = torch.randn(B, T, D).double(), random_state(cell)
    with torch.set_grad_enabled(gradient):
        whole, last = cell(x, state)
        pieces = []
        for t in range(T):
            y, state = cell(x[:, t : t + 1], state)
            pieces.append(y)
    torch.testing.assert_close(whole, torch.cat(pieces, 1))
    for part, expected in zip(state, last, strict=True):
        assert part.shape == (B, H)
        torch.testing.assert_close(part, expected)


def test_gradients_of_the_equations_and_of_the_fused_kernel_agree(cell):
    x = torch.randn(2, 3, D).double().requires_grad_()
    state = random_state(cell, 2)
    assert torch.autograd.gradcheck(lambda x: cell(x, state)[0], (x,))
    fused = torch.autograd.grad(cell(x, state)[0].square().sum(), list(cell.parameters()))
    total = x.new_zeros(())
    carried = state
    for t in range(3):
        y, carried = cell.equations(x[:, t], carried)
        total = total + y.square().sum()
    for left, right in zip(fused, torch.autograd.grad(total, list(cell.parameters())), strict=True):
        torch.testing.assert_close(left, right)


def test_state_starts_at_zero_and_is_batch_first(cell):
    state = cell.init_state(4)
    assert len(state) == cell.parts
    assert all(part.shape == (4, H) and not part.any() for part in state)
