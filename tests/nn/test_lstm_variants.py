"""Zoneout, layer normalisation and modulated inputs of LSTMs. What every cell must do: test_nn.py."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.models.language_model import LanguageModel
from seqlab.nn import CELLS, held_masks
from seqlab.nn.kernels.lstm import unrolled
from seqlab.nn.products import has_bfloat16_products

B, T, D, H = 3, 5, 4, 6
KINDS = ["lstm", "lstm-layernorm", "mogrifier"]


@pytest.fixture(params=KINDS)
def kind(request):
    torch.manual_seed(0)
    return request.param


def random_state(batch=B, dtype=torch.float64):
    return tuple(torch.randn(batch, H, dtype=dtype) * 0.5 for _ in range(2))


def unlike_initial(cell):
    """`cell` with gains and shifts moved away from 1 and 0."""
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if "gain" in name or "bias" in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return cell


@pytest.mark.parametrize("along", ["random directions", pytest.param("every direction", marks=pytest.mark.slow)])
@pytest.mark.parametrize("knobs", [{"zoneout": 0.3}, {"weight_drop": 0.4}, {"zoneout": 0.3, "weight_drop": 0.4}])
def test_gradients_under_fixed_masks_are_exact(kind, knobs, along):
    cell = unlike_initial(CELLS[kind](D, H, **knobs).double())
    x, state = torch.randn(2, 3, D).double().requires_grad_(), random_state(2)
    for part in state:
        part.requires_grad_()
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(x, h, c, *values):
        torch.manual_seed(7)
        y, last = torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (x, (h, c)))
        return y, *last

    assert torch.autograd.gradcheck(run, (x, *state, *parameters), fast_mode=along == "random directions")


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_on_the_kernel_is_the_equations_and_the_published_rule(kind, training):
    cell = unlike_initial(CELLS[kind](D, H, zoneout=0.4).double()).train(training)
    x, state = torch.randn(B, T, D).double(), random_state()
    torch.manual_seed(5)
    y, last = cell(x, state)
    torch.manual_seed(5)
    mask, hold = kept = cell.zoneout((2, T, B, H), x)
    torch.testing.assert_close(unrolled(cell.equations, x, state, kept), (y, last))
    assert hold == (1.0 if training else 0.4)
    assert training != bool(mask.all())
    for t in range(T):
        _, new = cell.equations(x[:, t], state)
        held = hold * mask[:, t].double()
        state = tuple(m * old + (1 - m) * n for m, old, n in zip(held, state, new, strict=True))
        torch.testing.assert_close(y[:, t], state[0])
    torch.testing.assert_close(last, state)


def test_evaluation_takes_the_expectation_of_one_step_and_steps_agree_with_sequences(kind):
    cell = CELLS[kind](D, H, zoneout=0.25)
    x, state = torch.randn(1, 1, D), random_state(1, torch.float32)
    many = 20_000
    with torch.no_grad():
        _, sampled = cell(x.expand(many, 1, D), tuple(part.expand(many, H) for part in state))
        cell.eval()
        _, expected = cell(x, state)
        _, again = cell(x, state)
        longer, _ = cell(x.expand(1, 4, D), state)
    for one, mean, same in zip(sampled, expected, again, strict=True):
        torch.testing.assert_close(one.mean(0, keepdim=True), mean, atol=0.01, rtol=0)
        assert torch.equal(mean, same)
    torch.testing.assert_close(longer[:, 0], expected[0])


def test_no_zoneout_changes_nothing_and_nearly_one_freezes_the_state(kind):
    plain, zero, frozen = (CELLS[kind](D, H, zoneout=z) for z in (0.0, 0.0, 1 - 2**-16))
    for cell in (zero, frozen):
        cell.load_state_dict(plain.state_dict())
    x, state = torch.randn(B, T, D), random_state(dtype=torch.float32)
    before = torch.get_rng_state()
    assert torch.equal(plain(x, state)[0], zero(x, state)[0])
    assert torch.equal(torch.get_rng_state(), before)
    _, last = frozen(x, state)
    assert sum(int((new != old).sum()) for new, old in zip(last, state, strict=True)) <= 2


def test_masks_follow_torchs_generator_and_differ_between_steps_and_parts(kind):
    cell = CELLS[kind](D, H, zoneout=0.5, weight_drop=0.5)
    x, state = torch.randn(B, T, D), random_state(dtype=torch.float32)
    saved = torch.get_rng_state()
    first, second = cell(x, state)[0], cell(x, state)[0]
    assert not torch.equal(first, second)
    torch.set_rng_state(saved)
    assert torch.equal(cell(x, state)[0], first)
    assert torch.equal(cell(x, state)[0], second)
    mask = cell.zoneout((2, 40, 30, 50), x).mask_PTBH
    assert mask.double().mean().item() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(mask[0], mask[1])
    assert not torch.equal(mask[:, 0], mask[:, 1])


def test_dropped_weights_are_those_of_the_equations(kind):
    cell = unlike_initial(CELLS[kind](D, H, weight_drop=0.5).double())
    x, state = torch.randn(B, T, D).double(), random_state()
    with held_masks(cell):
        y, last = cell(x, state)
        dropped = cell.weight_drop(cell.weight("weight_hh"))
    assert 0.2 < (dropped == 0).double().mean() < 0.8
    for t in range(T):
        h, state = cell.equations(x[:, t], state, dropped)
        torch.testing.assert_close(y[:, t], h)
    torch.testing.assert_close(last, state)


def test_layer_norm_lstm_against_torchs_layer_norm_written_out():
    torch.manual_seed(1)
    cell = unlike_initial(CELLS["lstm-layernorm"](D, H).double())
    x, (h, c) = torch.randn(B, 1, D).double(), random_state()
    y, (_, new_c) = cell(x, (h, c))
    gates = F.layer_norm(x[:, 0] @ cell.layer.weight_ih_l0.T, (4 * H,), cell.gain_ih, cell.layer.bias_ih_l0)
    gates = gates + F.layer_norm(h @ cell.layer.weight_hh_l0.T, (4 * H,), cell.gain_hh, cell.layer.bias_hh_l0)
    i, f, g, o = (gates[:, part * H : (part + 1) * H] for part in range(4))
    expected_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    torch.testing.assert_close(new_c, expected_c)
    normal = (expected_c - expected_c.mean(1, keepdim=True)) / (expected_c.var(1, False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(y[:, 0], o.sigmoid() * (cell.gain_cell * normal + cell.bias_cell).tanh())


def test_layer_norm_ignores_the_scale_of_the_weights():
    torch.manual_seed(2)
    cell = CELLS["lstm-layernorm"](D, H).double()
    x, state = torch.randn(B, T, D).double(), random_state()
    before = cell(x, state)[0]
    with torch.no_grad():
        cell.weight("weight_ih").mul_(1000)
        cell.weight("weight_hh").mul_(1000)
    torch.testing.assert_close(cell(x, state)[0], before, atol=1e-3, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_mogrifier_without_rounds_is_the_lstm(training):
    lstm, mogrifier = CELLS["lstm"](D, H).train(training), CELLS["mogrifier"](D, H, mogrifier_rounds=0).train(training)
    mogrifier.load_state_dict(lstm.state_dict())
    lstm, mogrifier = lstm.double(), mogrifier.double()
    x, state = torch.randn(B, T, D).double(), random_state()
    torch.testing.assert_close(mogrifier(x, state), lstm(x, state))
    one = x[:, 0]
    assert all(map(torch.equal, mogrifier.equations(one, state)[1], lstm.equations(one, state)[1]))


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_mogrifier_rounds_take_turns(rounds):
    torch.manual_seed(3)
    cell = CELLS["mogrifier"](D, H, mogrifier_rounds=rounds).double()
    shapes = [(D, H), (H, D)]
    assert [tuple(weight.shape) for weight in cell.rounds_QR] == [shapes[i % 2] for i in range(rounds)]
    x, (h, c) = torch.randn(B, D).double(), random_state()
    y, _ = cell(x[:, None], (h, c))
    moved_x, moved_h = x, h
    for i, weight in enumerate(cell.rounds_QR, start=1):
        if i % 2:
            moved_x = 2 / (1 + torch.exp(-moved_h @ weight.T)) * moved_x
        else:
            moved_h = 2 / (1 + torch.exp(-moved_x @ weight.T)) * moved_h
    lstm = CELLS["lstm"](D, H).double()
    lstm.layer.load_state_dict(cell.layer.state_dict())
    torch.testing.assert_close(y[:, 0], lstm.equations(moved_x, (moved_h, c))[0])


def test_training_in_bfloat16_is_close_to_float32_and_nan_stays_visible(kind):
    results = {}
    torch.manual_seed(3)
    x, state = torch.randn(16, 20, 32), tuple(torch.randn(16, 48) * 0.5 for _ in range(2))
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(4)
        cell = CELLS[kind](32, 48, zoneout=0.1, weight_drop=0.2, precision=precision)
        y, last = cell(x, state)
        assert y.dtype == last[0].dtype == last[1].dtype == torch.float32
        gradients = torch.autograd.grad(y.square().mean(), list(cell.parameters()))
        assert all(g.dtype == torch.float32 for g in gradients)
        results[precision] = (y.detach(), torch.cat([g.flatten() for g in gradients]))
    (y_exact, g_exact), (y_rounded, g_rounded) = results["float32"], results["bfloat16"]
    assert not torch.equal(y_exact, y_rounded)
    steep = kind == "lstm-layernorm"  # what is normalised once more at every step makes much of small differences
    assert CELLS[kind](32, 48).rounded == (has_bfloat16_products() and not steep)
    assert (y_exact - y_rounded).norm() < (0.03 if steep else 0.01) * y_exact.norm()
    assert (g_exact - g_rounded).norm() < (0.2 if steep else 0.02) * g_exact.norm()
    poisoned = x.clone()
    poisoned[0, 3, 0] = torch.nan
    assert cell(poisoned, state)[0][0, 3:].isnan().any(1).all()


def test_float32_agrees_with_float64(kind):
    cell = unlike_initial(CELLS[kind](D, H, zoneout=0.2, precision="float32"))
    exact = CELLS[kind](D, H, zoneout=0.2).double()
    exact.load_state_dict(cell.state_dict())
    x, state = torch.randn(B, 40, D), random_state(dtype=torch.float32)
    found = []
    for one, number in ((cell, torch.float32), (exact, torch.float64)):
        torch.manual_seed(6)
        y, _ = one(x.to(number), tuple(part.to(number) for part in state))
        gradients = torch.autograd.grad(y.square().sum(), list(one.parameters()))
        found.append([y.detach().double(), *(gradient.double() for gradient in gradients)])
    for rounded, expected in zip(*found, strict=True):
        torch.testing.assert_close(rounded, expected, atol=2e-4, rtol=2e-4)


def test_a_second_backward_pass_gives_the_same_gradients(kind):
    cell = CELLS[kind](D, H, zoneout=0.2)
    loss = cell(torch.randn(B, T, D), random_state(dtype=torch.float32))[0].square().sum()
    first = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
    assert all(map(torch.equal, first, torch.autograd.grad(loss, list(cell.parameters()))))


def test_gradients_of_the_last_state_in_any_layout_are_carried_back(kind):
    cell, x = CELLS[kind](D, H, zoneout=0.2), torch.randn(B, T, D, requires_grad=True)
    _, last = cell(x, random_state(dtype=torch.float32))
    turned = [torch.randn(H, B).T for _ in last]
    plain = [part.contiguous() for part in turned]
    found, expected = (torch.autograd.grad(last, x, part, retain_graph=True)[0] for part in (turned, plain))
    assert torch.equal(found, expected)
    assert found[:, 0].any()


def test_language_model_round_trip_and_refusals(kind, tmp_path):
    config = ModelConfig(cell=kind, embed_dim=D, hidden_dim=H, layers=2, tie=False, zoneout=0.1, weight_drop=0.1)
    model = LanguageModel(config, 11).train()
    ids = torch.randint(11, (B, T))
    loss, _ = model.loss(ids, ids, model.init_state(B))
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.cells.parameters())
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    again = LanguageModel(config, 11)
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    logits, _ = model.eval().sequence_logits(ids, model.init_state(B))
    torch.testing.assert_close(again.eval().sequence_logits(ids, again.init_state(B))[0], logits)
    with pytest.raises(InputError, match="zoneout"):
        LanguageModel(config.model_copy(update={"cell": "gru"}), 11)
