"""What torch's kernels are made to do beyond torch's own modules: bfloat16 training and dropped recurrent weights."""

from __future__ import annotations

import pytest
import torch

from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS, LSTM, FusedCell
from seqlab.nn.cells.fused import WEIGHTS, WIDE
from seqlab.nn.kernels.gru import GRUSequence

B, T, D, H = 4, 12, 24, 32
FUSED = [name for name, cell in CELLS.items() if issubclass(cell, FusedCell)]


def inputs(dtype=torch.float32):
    torch.manual_seed(1)
    return torch.randn(B, T, D, dtype=dtype), (torch.randn(B, H, dtype=dtype), torch.randn(B, H, dtype=dtype))


@pytest.mark.parametrize(("name", "width"), [("lstm", H), ("lstm", WIDE), ("gru", H)])
def test_bfloat16_training_is_near_float64_and_evaluation_exact(name, width):
    torch.manual_seed(0)
    cell = CELLS[name](D, width, precision="bfloat16")
    for bias in ("bias_ih", "bias_hh"):
        torch.nn.init.normal_(cell.weight(bias), std=0.3)
    exact = CELLS[name](D, width, precision="float32").double()
    exact.load_state_dict(cell.state_dict())
    x, _ = inputs()
    state = tuple(torch.randn(B, width) for _ in range(cell.parts))
    y, last = cell(x, state)
    y_exact, last_exact = exact(x.double(), tuple(part.double() for part in state))
    assert y.dtype == last[-1].dtype == torch.float32
    for rounded, reference in zip((y, *last), (y_exact, *last_exact), strict=True):
        error = (rounded.double() - reference).norm() / reference.norm()
        assert 1e-5 < error < 1e-2
    y.square().sum().backward()
    y_exact.square().sum().backward()
    for rounded, reference in zip(cell.parameters(), exact.parameters(), strict=True):
        assert rounded.grad.dtype == torch.float32
        assert (rounded.grad.double() - reference.grad).norm() / reference.grad.norm() < 2e-2
    cell.eval()
    torch.testing.assert_close(cell(x, state)[0].double(), y_exact, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(cell.train()(x, state)[0].double(), y_exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FUSED)
def test_weight_drop_zeroes_recurrent_weights_for_a_whole_window(name):
    """Compared with the equations under the very mask that the generator's state gives."""
    torch.manual_seed(0)
    cell = CELLS[name](D, H, weight_drop=0.5).double()
    torch.nn.init.normal_(cell.weight("weight_hh"), std=0.1)
    x, state = inputs(torch.float64)
    state = state[: cell.parts]
    generator = torch.get_rng_state()
    y, _ = cell(x, state)
    torch.set_rng_state(generator)
    dropped = cell.weight_drop(cell.weight("weight_hh")).detach()
    assert 0.4 < (dropped == 0).double().mean() < 0.6
    whole = cell.weight("weight_hh").detach().clone()
    cell.weight("weight_hh").data.copy_(dropped)
    outputs = []
    for t in range(T):
        output, state = cell.equations(x[:, t], state)
        outputs.append(output)
    torch.testing.assert_close(y, torch.stack(outputs, 1))
    cell.weight("weight_hh").data.copy_(whole)
    y.square().sum().backward()
    gradient = cell.weight("weight_hh").grad
    assert gradient[dropped != 0].any()
    assert not gradient[dropped == 0].any(), "dropped weights learn nothing"


def test_our_own_gru_sequence_is_the_equations_and_its_gradients_are_exact():
    torch.manual_seed(0)
    cell = CELLS["gru"](5, 6).double()
    for bias in ("bias_ih", "bias_hh"):
        torch.nn.init.normal_(cell.weight(bias))
    weight_ih, weight_hh, bias_ih, bias_hh = (cell.weight(name).detach() for name in WEIGHTS)
    bias = bias_ih + torch.cat([bias_hh[:12], torch.zeros(6).double()])
    x, h = torch.randn(T, 3, 5).double(), torch.randn(3, 6).double()
    sums = torch.nn.functional.linear(x, weight_ih, bias)
    y, last = GRUSequence.apply(sums, h, weight_hh, bias_hh[12:])
    state = (h,)
    for t in range(T):
        expected, state = cell.equations(x[t], state)
        torch.testing.assert_close(y[t], expected)
    torch.testing.assert_close(last, state[0])
    given = [
        part[:3].clone().requires_grad_() if part is sums else part.clone().requires_grad_()
        for part in (sums, h, weight_hh, bias_hh[12:])
    ]
    assert torch.autograd.gradcheck(GRUSequence.apply, given)


def test_weight_drop_is_off_in_evaluation_and_new_in_every_window():
    torch.manual_seed(0)
    cell, plain = LSTM(D, H, weight_drop=0.5), LSTM(D, H)
    plain.load_state_dict(cell.state_dict())
    x, state = inputs()
    first, second = cell(x, state)[0], cell(x, state)[0]
    assert not torch.equal(first, second)
    torch.testing.assert_close(cell.eval()(x, state)[0], plain.eval()(x, state)[0])


def test_a_cell_refuses_knobs_it_has_not():
    sizes = {"embed_dim": 8, "hidden_dim": 8, "layers": 1}
    taken = LanguageModel(ModelConfig(**sizes, weight_drop=0.3, precision="float32"), 10).cells[0]
    assert taken.weight_drop.p == 0.3
    assert not taken.rounded
    with pytest.raises(InputError, match=r"model\.zoneout: model\.cell = 'gru' has no zoneout"):
        LanguageModel(ModelConfig(**sizes, cell="gru", zoneout=0.1), 10)
