"""A model's compiled step of a few texts, against float64 and against reading the whole sequence."""

from __future__ import annotations

import copy

import pytest
import torch
from costs import usual
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn.cells.stack import StackState, line
from seqlab.nn.kernels.matrices import FLOAT32, multiply
from seqlab.nn.packed import FORMS, is_packed, unpack_
from seqlab.nn.packed.factors import Factors
from seqlab.nn.packed.row_blocks import RowBlocks
from seqlab.run import set_weights

V, T = 701, 5


def model_of(form: str | None = None, **config) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"embed_dim": 200, "hidden_dim": 200, "layers": 2, "dropout": 0.0, "counts": False}
    model = LanguageModel(ModelConfig(**{**sizes, **config}), V).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    if form:
        names = [name for name in model.state_dict() if name not in model.aliases()]
        weights = {name: model.state_dict()[name] for name in names}
        set_weights(model, {name: FORMS[form].pack(one) if min(one.shape) > 1 and one.dim() == 2 else one
                            for name, one in weights.items()})  # fmt: skip
    return model


def stepped(model, ids_BT):
    """Logits (B, V) after some tokens one by one, and the state."""
    with torch.inference_mode():
        state = model.init_state(len(ids_BT))
        for token_B in ids_BT.T:
            logits_BV, state = model.step(token_B, state)
    return logits_BV, state


def ids_of(rows: int) -> torch.Tensor:
    return torch.randint(0, V, (rows, T), generator=torch.Generator().manual_seed(rows))


SHAPES = [
    {"cell": "lstm"},
    {"cell": "lstm", "tie": True, "last_dim": 88},
    {"cell": "lstm", "tie": False, "residual": True, "layers": 3},
    {"cell": "gru", "tie": True, "residual": True},
    {"cell": "gru", "tie": False, "last_dim": 72, "softmax": "sampled"},
]


@pytest.mark.parametrize(
    "form", usual([None, "int8", "int4", "ternary", "binary", "codebook"], None, "int8", "codebook")
)
@pytest.mark.parametrize("config", SHAPES)
@pytest.mark.parametrize("rows", [1, 5])
def test_a_compiled_step_is_that_of_float64(config, form, rows):
    model, ids_BT = model_of(form, **config), ids_of(rows)
    logits_BV, state = stepped(model, ids_BT)
    assert isinstance(state, StackState)
    exact = unpack_(copy.deepcopy(model)).double()
    with torch.inference_mode():
        expected_BTV, last = exact.sequence_logits(ids_BT, exact.init_state(rows))
    # codes multiply hidden states that are rounded to 14 bits
    near = {"rtol": 2e-3, "atol": 1e-3} if form else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(logits_BV.double(), expected_BTV[:, -1], **near)
    torch.testing.assert_close(
        [[part.double() for part in layer] for layer in state], [[*layer] for layer in last], **near
    )


@pytest.mark.parametrize("inner", [None, "int8", "int4"])
@pytest.mark.parametrize("config", SHAPES[1:4])
def test_low_rank_and_blocks_of_rows_have_a_compiled_step(config, inner):
    """Of every matrix the first rows as they are and the others of low rank, or all of them of low rank."""
    model = model_of(**config)
    weights = {name: one for name, one in model.state_dict().items() if one.dim() == 2 and min(one.shape) > 1}
    made = {
        name: Factors.of(one, 30)
        if "weight_hh" in name
        else RowBlocks.of([one[:50].clone(), Factors.of(one[50:400], 20), Factors.of(one[400:], 7)])
        for name, one in weights.items()
        if name not in model.aliases() and len(one) > 400
    }
    set_weights(model, {name: one.with_parts_as(FORMS[inner]) if inner else one for name, one in made.items()})
    ids_BT = ids_of(1)
    logits_BV, state = stepped(model, ids_BT)
    assert isinstance(state, StackState)
    exact = unpack_(copy.deepcopy(model)).double()
    with torch.inference_mode():
        expected_BTV, _ = exact.sequence_logits(ids_BT, exact.init_state(1))
        several = model.step(ids_of(3)[:, 0], model.init_state(3))[0]
        expected, _ = exact.sequence_logits(ids_of(3)[:, :1], exact.init_state(3))
    near = {"rtol": 4e-3, "atol": 4e-3} if inner else {"rtol": 1e-5, "atol": 2e-5}
    torch.testing.assert_close(logits_BV.double(), expected_BTV[:, -1], **near)
    torch.testing.assert_close(several.double(), expected[:, -1], **near)


@pytest.mark.parametrize("config", SHAPES[:2])
def test_texts_side_by_side_do_not_change_one_another(config):
    model, ids_BT = model_of(**config), ids_of(6)
    together, _ = stepped(model, ids_BT)
    assert all(torch.equal(stepped(model, ids_BT[row : row + 1])[0][0], together[row]) for row in range(6))


def test_states_are_picked_and_carried_on_as_lists():
    model, ids_BT = model_of(), ids_of(4)
    index_B = torch.tensor([2, 0])
    with torch.inference_mode():
        _, state = stepped(model, ids_BT)
        picked = model.select(state, index_B)
        found, _ = model.step(ids_BT[index_B, 0], picked)
        expected, _ = model.step(ids_BT[:, 0], state)
    torch.testing.assert_close(found, expected[index_B], rtol=0, atol=0)


def changed_in_place(model):
    with torch.no_grad():
        model.cells[0].weight("weight_hh").mul_(0.5)


def changed_memory(model):
    model.output.bias.data = model.output.bias.data + torch.linspace(-1, 1, V)[:, None]


def replaced_weight(model):
    model.embedding = torch.nn.Parameter(model.embedding.detach().flip(0))


def replaced_cell(model):
    model.cells[1] = model_of(layers=3, tie=False).cells[2]


def packed_weight(model):
    set_weights(model, {"cells.0.layer.weight_ih_l0": FORMS["int4"].pack(model.cells[0].weight("weight_ih"))})


@pytest.mark.parametrize(
    "change",
    [changed_in_place, changed_memory, replaced_weight, replaced_cell, packed_weight],
    ids=lambda one: one.__name__,
)
def test_changed_and_replaced_weights_are_noticed(change):
    model, ids_BT = model_of(tie=False), ids_of(2)
    before, _ = stepped(model, ids_BT)
    change(model)
    found, _ = stepped(model, ids_BT)
    with torch.inference_mode():
        expected, _ = model.sequence_logits(ids_BT, model.init_state(2))
    assert not torch.allclose(found, before, atol=1e-3)
    torch.testing.assert_close(found, expected[:, -1], rtol=2e-3, atol=1e-3)


OTHERS = [
    {"cell": "lstm", "zoneout": 0.2},
    {"cell": "mogrifier"},
    {"cell": "minlstm"},
    {"softmax": "adaptive", "cutoffs": [90]},
    {"hidden_dim": 24, "embed_dim": 24},
]


@pytest.mark.parametrize("config", OTHERS)
def test_other_models_step_as_before(config):
    model, ids_BT = model_of(**config), ids_of(2)
    found, state = stepped(model, ids_BT)
    with torch.inference_mode():
        expected, _ = model.sequence_logits(ids_BT, model.init_state(2))
    assert not isinstance(state, StackState)
    torch.testing.assert_close(found, expected[:, -1], rtol=1e-4, atol=1e-4)


def test_gradients_and_dropout_take_the_readable_path():
    model, ids_BT = model_of(dropout=0.5), ids_of(2)
    logits, state = model.step(ids_BT[:, 0], model.init_state(2))
    assert logits.requires_grad
    assert not isinstance(state, StackState)
    with torch.inference_mode():
        model.train()
        assert not isinstance(model.step(ids_BT[:, 0], model.init_state(2))[1], StackState)


def test_ids_outside_the_vocabulary_are_refused():
    model = model_of()
    for id in (-1, V):
        with torch.inference_mode(), pytest.raises(IndexError, match="vocabulary"):
            model.step(torch.tensor([3, id]), model.init_state(2))


def test_a_copy_of_a_model_reads_its_own_weights():
    model, ids_BT = model_of(), ids_of(1)
    before, _ = stepped(model, ids_BT)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.output.bias.add_(1.0)
    torch.testing.assert_close(stepped(other, ids_BT)[0], before + 1.0)
    torch.testing.assert_close(stepped(model, ids_BT)[0], before, rtol=0, atol=0)
    assert not any(map(is_packed, other.parameters()))


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 70), width=st.integers(1, 70), texts=st.integers(1, 4), seed=st.integers(0, 99))
def test_products_of_every_shape_are_those_of_float64(rows, width, texts, seed):
    generator = torch.Generator().manual_seed(seed)
    weight, hidden = torch.randn(rows, width, generator=generator), torch.randn(texts, width, generator=generator)
    bias, out = torch.randn(rows, generator=generator), torch.full((texts, rows), torch.nan)
    multiply(FLOAT32.products, line(weight, bias, first=False), hidden, out)
    torch.testing.assert_close(out.double(), hidden.double() @ weight.double().T + bias.double(), rtol=1e-5, atol=2e-5)
