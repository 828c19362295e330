"""Cells that are parallel in time: compiled sweeps against torch's path and the plain loop.

Equations against sequences, for every cell: test_nn.py.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from seqlab.nn import CELLS
from seqlab.nn.cells import parallel as parallel_cells
from seqlab.nn.cells.parallel import ParallelCell
from seqlab.nn.kernels.sweeps import linear_recurrence
from seqlab.nn.products import has_bfloat16_products

PARALLEL = [name for name, cell in CELLS.items() if issubclass(cell, ParallelCell)]
UNROLLED = ["rnn-sigmoid", "rnn-leaky"]


@pytest.fixture(params=PARALLEL)
def name(request):
    return request.param


def build(name, input_dim, hidden_dim, **knobs):
    torch.manual_seed(0)
    cell = CELLS[name](input_dim, hidden_dim, **knobs)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return cell


def losses_and_gradients(run, cell, x, state):
    """Outputs, last state and all gradients (weights, inputs, carried state) of a loss that weighs each differently."""
    leaves = [x.clone().requires_grad_(), *(part.clone().requires_grad_() for part in state)]
    y, last = run(leaves[0], tuple(leaves[1:]))
    generator = torch.Generator().manual_seed(5)
    weigh = [torch.randn(part.shape, generator=generator, dtype=torch.float64).to(part.dtype) for part in (y, *last)]
    loss = sum((part * weight).sum() for part, weight in zip((y, *last), weigh, strict=True))
    gradients = torch.autograd.grad(loss, [*leaves, *cell.parameters()])
    return [y, *last, *gradients]


def by_equations(cell):
    def run(x_BTD, state):
        outputs = []
        for x_BD in x_BTD.unbind(1):
            y_BH, state = cell.equations(x_BD, state)
            outputs.append(y_BH)
        return torch.stack(outputs, 1), state

    return run


def without_kernel(cell):
    def run(x_BTD, state):
        y_BTH, last_BH = cell.uncompiled(cell.sums(x_BTD, state, x_BTD.dtype), x_BTD, state[0])
        return y_BTH, (last_BH, *cell.rest(x_BTD))

    return run


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("batch", "time", "width", "hidden"), [(3, 9, 37, 37), (2, 1, 5, 19), (1, 33, 16, 16)])
def test_kernel_scan_and_loop_agree_in_values_and_gradients(name, batch, time, width, hidden, dtype):
    cell = build(name, width, hidden, precision="float32").to(dtype)
    x = torch.randn(batch, time, width, dtype=dtype)
    state = tuple(torch.randn_like(part) for part in cell.init_state(batch))
    expected = losses_and_gradients(by_equations(cell), cell, x, state)
    tolerance = {"rtol": 2e-4, "atol": 2e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-10}
    for run in (cell, without_kernel(cell)):
        for found, wanted in zip(losses_and_gradients(run, cell, x, state), expected, strict=True):
            torch.testing.assert_close(found, wanted, **tolerance)


def test_reading_without_gradients_gives_the_same_in_any_length(name, monkeypatch):
    cell = build(name, 5, 6).eval()
    x = torch.randn(2, 30, 5)
    with torch.no_grad():
        short = cell(x, cell.init_state(2))
        monkeypatch.setattr(parallel_cells, "FEW", 1)
        long = cell(x, cell.init_state(2))
    for found, wanted in zip((short[0], *short[1]), (long[0], *long[1]), strict=True):
        torch.testing.assert_close(found, wanted)


def test_gradcheck_of_weights_inputs_and_carried_state(name):
    cell = build(name, 3, 4).double()
    x = torch.randn(2, 4, 3).double().requires_grad_()
    state = tuple(torch.randn_like(part).requires_grad_() for part in cell.init_state(2))

    def run(x, *rest):
        state, weights = rest[: len(state_names)], dict(zip(names, rest[len(state_names) :], strict=True))
        y, last = torch.func.functional_call(cell, weights, (x, state))
        return (y, *last)

    state_names, names = range(len(state)), [key for key, _ in cell.named_parameters()]
    assert torch.autograd.gradcheck(run, (x, *state, *cell.parameters()))


@pytest.mark.skipif(not has_bfloat16_products(), reason="the processor has no bfloat16 products")
def test_rounded_products_change_values_and_gradients_only_a_little(name):
    exact, rounded = (build(name, 24, 24, precision=precision) for precision in ("float32", "bfloat16"))
    x, state = torch.randn(4, 20, 24), exact.init_state(4)
    pairs = zip(*(losses_and_gradients(c, c, x, state) for c in (exact, rounded)), strict=True)
    for wanted, found in pairs:
        assert found.dtype == torch.float32
        assert (found - wanted).norm() < 0.02 * wanted.norm()
    assert not torch.equal(exact(x, state)[0], rounded(x, state)[0])
    torch.testing.assert_close(rounded.eval()(x, state)[0], exact.eval()(x, state)[0], rtol=0, atol=0)


def test_extreme_sums_and_long_sequences_stay_finite(name):
    cell = build(name, 6, 6)
    x = torch.randn(2, 2000, 6) * torch.logspace(-2, 3, 2000)[:, None]
    for run in (cell, without_kernel(cell)):
        for part in losses_and_gradients(run, cell.eval(), x, cell.init_state(2)):
            assert part.isfinite().all()


def test_a_nan_in_the_sums_is_not_hidden(name):
    cell = build(name, 4, 4)
    x = torch.randn(1, 5, 4)
    x[0, 2] = torch.nan
    y, _ = cell(x, cell.init_state(1))
    assert y[0, :2].isfinite().all()
    assert y[0, 2:].isnan().all()


@pytest.mark.parametrize("time", [1, 2, 7, 64, 100])
def test_scan_equals_the_loop_with_gradients(time):
    torch.manual_seed(2)
    keep, add = torch.rand(2, time, 3).double(), torch.randn(2, time, 3).double()
    keep[:, time // 2] = 0
    leaves = [part.requires_grad_() for part in (keep, add, torch.randn(2, 3).double())]
    c, rows = leaves[2], []
    for t in range(time):
        c = leaves[0][:, t] * c + leaves[1][:, t]
        rows.append(c)
    loop, scanned = torch.stack(rows, 1), linear_recurrence(*leaves)
    torch.testing.assert_close(scanned, loop)
    weights = torch.randn_like(loop)
    for found, wanted in zip(*(torch.autograd.grad(c, leaves, weights) for c in (scanned, loop)), strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_new_cell_remembers(name):
    torch.manual_seed(0)
    cell = CELLS[name](16, 16).eval()
    zero = cell.init_state(4)
    state = (zero[0] + 1, *zero[1:])
    _, after = cell(torch.randn(4, 1, 16) * 0.1, state)
    assert 0.6 < (after[0] - cell(torch.zeros(4, 1, 16), zero)[1][0]).mean() < 0.9


@pytest.mark.parametrize("name", UNROLLED)
def test_unrolled_activations_against_autograd(name):
    cell = build(name, 5, 7).double()
    x = torch.randn(3, 11, 5).double()
    state = (torch.randn(3, 7).double(),)
    expected = losses_and_gradients(by_equations(cell), cell, x, state)
    for found, wanted in zip(losses_and_gradients(cell, cell, x, state), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", UNROLLED)
def test_dropped_recurrent_weights_get_no_gradient(name):
    cell = build(name, 6, 6, weight_drop=0.5)
    y, _ = cell(torch.randn(2, 5, 6), cell.init_state(2))
    y.square().sum().backward()
    share = (cell.weight_hh.grad == 0).float().mean()
    assert 0.2 < share < 0.8


def test_other_cells_single_steps_and_prompts_never_wait_for_numba():
    code = (
        "import sys, torch; from seqlab.nn import CELLS\n"
        "x = torch.zeros(1, 30, 4)\n"
        "with torch.no_grad():\n"
        f"    for cell in [CELLS[name](4, 4) for name in {['lstm', *UNROLLED, *PARALLEL]}]:\n"
        "        cell(x[:, :1], cell(x, cell.init_state(1))[1])\n"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
