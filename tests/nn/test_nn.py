"""Cells against their equations. Output layers and noise: test_losses.py."""

from __future__ import annotations

import pytest
import torch

from seqlab.base.devices import torch_globals_restored
from seqlab.nn import CELLS, Dropout
from seqlab.nn.kernels.affine import FEW, MANY, affine

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
    for part, expected, zero in zip(state, last, cell.init_state(B), strict=True):
        assert part.shape == zero.shape
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
    assert state[0].shape == (4, H)
    assert all(part.dim() == 2 and len(part) == 4 and not part.any() for part in state)


def test_dropout_zeroes_a_share_and_keeps_the_mean() -> None:
    layer = Dropout(0.3)
    torch.manual_seed(1)
    x = torch.ones(400, 500, requires_grad=True)
    y = layer(x)
    kept = y != 0
    assert kept.double().mean().item() == pytest.approx(0.7, abs=0.005)
    assert y[kept].unique().tolist() == pytest.approx([1 / 0.7], rel=1e-4)
    assert kept.double().mean(0).std().item() == pytest.approx((0.7 * 0.3 / 400) ** 0.5, rel=0.15)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert layer.eval()(x) is x


def test_dropout_follows_torchs_seed_and_state() -> None:
    layer, x = Dropout(0.5), torch.ones(1000)
    torch.manual_seed(3)
    first, state, second = layer(x), torch.get_rng_state(), layer(x)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), second)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [1, 3, FEW, FEW + 1, 40, MANY, MANY + 1])
def test_products_of_steps_are_exact_for_any_number_of_rows(rows, threads):
    torch.manual_seed(0)
    wide_1MD, weight_ND, bias_N = torch.randn(1, rows, 300), torch.randn(1000, 150), torch.randn(1000, 1).squeeze(1)
    with torch_globals_restored(threads=threads), torch.inference_mode():
        for hidden_1MD in (wide_1MD[..., :150], wide_1MD[..., ::2]):
            expected_1MN = hidden_1MD.double() @ weight_ND.double().T + bias_N.double()
            found_1MN = affine(hidden_1MD, weight_ND, bias_N)
            torch.testing.assert_close(found_1MN.double(), expected_1MN, rtol=0, atol=5e-5)


@pytest.mark.parametrize("batch", [B, FEW + 5])
@pytest.mark.parametrize("name", ["rnn-tanh", "rnn-relu", "lstm", "gru"])
@torch.no_grad()
def test_steps_of_wide_cells_equal_their_sequence(name, batch):
    torch.manual_seed(0)
    cell = CELLS[name](256, 512).eval()
    x_BTD, state = torch.randn(batch, T, 256), cell.init_state(batch)
    y_BTH, last = cell(x_BTD, state)
    for t in range(T):
        y_B1H, state = cell(x_BTD[:, t : t + 1], state)
        torch.testing.assert_close(y_B1H[:, 0], y_BTH[:, t])
    torch.testing.assert_close(state, last)
