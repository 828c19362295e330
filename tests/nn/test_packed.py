"""Packed weights: packing and unpacking, products against float64, and models that use them."""

from __future__ import annotations

import copy
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from costs import usual
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS
from seqlab.nn.packed import FORMS, arrays_of, is_packed, packed_in, stored_shapes, unpack_
from seqlab.nn.packed.kernels import FINEST
from seqlab.nn.packed.row_blocks import RowBlocks
from seqlab.run import model_arrays, set_weights

sizes = st.tuples(st.integers(1, 9), st.integers(1, 150))


def matrix(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(shape=sizes, seed=st.integers(0, 99))
def test_a_packed_matrix_survives_unpacking_packing_and_a_file(form, shape, seed):
    packed = FORMS[form].pack(matrix(shape, seed))
    numbers = packed.unpacked()
    assert numbers.shape == packed.shape == shape
    again = FORMS[form].pack(numbers).unpacked()
    torch.testing.assert_close(again, numbers, rtol=1e-5, atol=1e-6)
    stored = arrays_of("a.weight", packed)
    assert stored_shapes({name: array.shape for name, array in stored.items()}, {"a.weight": shape}) == {
        "a.weight": shape
    }
    read = packed_in(stored, {"a.weight": shape})["a.weight"]
    assert is_packed(read)
    assert torch.equal(read.unpacked(), numbers)
    assert packed.bytes == sum(array.nbytes for array in stored.values())


@pytest.mark.parametrize("form", usual(FORMS, *(form for form in FORMS if form not in ("int4", "binary"))))
@settings(max_examples=15, deadline=None)
@given(shape=st.tuples(st.integers(1, 130), st.integers(1, 150)), rows=st.integers(1, 80), seed=st.integers(0, 99))
def test_products_are_those_of_float64(form, shape, rows, seed):
    packed, hidden, bias = FORMS[form].pack(matrix(shape, seed)), matrix((rows, shape[1]), 1), matrix(shape[0], 3)
    exact = hidden.double() @ packed.unpacked().double().T + bias.double()
    with torch.inference_mode():
        made = packed.affine(hidden, bias)
    finest = FINEST if shape[1] * 127 * FINEST < 2**31 else 1000
    most = packed.unpacked().abs().double().sum(1)[None] * hidden.abs().amax(1)[:, None].double() / finest
    assert bool(((made - exact).abs() <= 0.51 * most + 1e-4).all())


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("form", ["int8", "int4", "ternary", "binary"])
def test_sums_of_the_widest_rows_fit(form, rows):
    packed = FORMS[form].pack(torch.full((2, 40_000), 0.5))
    hidden = torch.full((rows, 40_000), -3.0)
    torch.testing.assert_close(packed.affine(hidden, None), torch.full((rows, 2), -60_000.0), rtol=1e-3, atol=0)


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_a_number_stays_none(form, rows):
    packed, hidden = FORMS[form].pack(matrix((20, 80), 0)), matrix((rows, 80), 1)
    hidden[-1] = float("nan")
    made = packed.affine(hidden, None)
    assert made[-1].isnan().all()
    assert made[:-1].isfinite().all()


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(shape=sizes, seed=st.integers(0, 99))
def test_the_nearest_allowed_matrix_is_the_one_that_is_packed(form, shape, seed):
    weight = matrix(shape, seed)
    nearest = FORMS[form].nearest(weight)
    torch.testing.assert_close(nearest, FORMS[form].pack(weight).unpacked(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(FORMS[form].pack(nearest).unpacked(), nearest, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["haswell", "nehalem"])
def test_products_on_narrower_cpus(cpu):
    """Two vector registers of AVX2 a tile, and none."""
    script = """
import torch
from seqlab.nn.packed import FORMS
from seqlab.base.compiled.simd import PAIRED
torch.manual_seed(0)
for form in ("int8", "int4", "ternary", "binary", "codebook"):
    packed = FORMS[form].pack(torch.randn(50, 150))
    for rows in (1, 5, 40):
        hidden = torch.randn(rows, 150)
        torch.testing.assert_close(packed.affine(hidden, None), hidden @ packed.unpacked().T, rtol=1e-3, atol=1e-2)
print(PAIRED)
"""
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == [str(int(cpu == "haswell" and platform.machine() in ("x86_64", "AMD64")))]


def test_int8_is_as_near_as_a_row_allows_and_int4_as_its_groups_do():
    weight = matrix((40, 200), 1)
    error = (FORMS["int8"].pack(weight).unpacked() - weight).abs()
    assert bool((error <= weight.abs().amax(1, keepdim=True) / 127 / 2 + 1e-6).all())
    plain = weight.view(40, -1)
    per_row = (plain / (top := plain.abs().amax(1, keepdim=True) / 7)).round() * top
    assert (FORMS["int4"].pack(weight).unpacked() - weight).square().sum() < (per_row - weight).square().sum()


@pytest.mark.parametrize("name", ["ternary", "binary"])
def test_few_levels_are_those_of_their_papers(name):
    weight = matrix((6, 77), 2).double()
    levels = FORMS[name].pack(weight).unpacked().double()
    if name == "binary":
        expected = torch.sign(weight) * weight.abs().mean(1, keepdim=True)
    else:
        large = weight.abs() > 0.7 * weight.abs().mean(1, keepdim=True)
        scale = (weight.abs() * large).sum(1, keepdim=True) / large.sum(1, keepdim=True)
        expected = torch.sign(weight) * large * scale
    torch.testing.assert_close(levels, expected, rtol=1e-5, atol=1e-6)


def packed_model(form, **config):
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=32, hidden_dim=32, layers=2, counts=False, **config), 90).eval()
    weights = {
        name: FORMS[form].pack(weight) if weight.dim() == 2 and min(weight.shape) >= 16 else weight
        for name, weight in model.state_dict().items()
        if name not in model.aliases()
    }
    set_weights(model, weights)
    return model


@pytest.mark.parametrize("cell", CELLS)
def test_a_packed_model_steps_as_it_reads_and_as_its_unpacked_copy(cell):
    model = packed_model("int8", cell=cell)
    plain = unpack_(copy.deepcopy(model))
    assert not any(map(is_packed, plain.parameters()))
    assert any(map(is_packed, model.parameters()))
    ids = torch.randint(0, 90, (2, 6), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole, _ = model.sequence_logits(ids, model.init_state(2))
        expected, _ = plain.sequence_logits(ids, plain.init_state(2))
        torch.testing.assert_close(whole, expected, rtol=2e-3, atol=1e-3)
        state = model.init_state(2)
        for t in range(6):
            logits, state = model.step(ids[:, t], state)
        torch.testing.assert_close(logits, whole[:, -1], rtol=2e-3, atol=1e-3)
        hidden, targets = torch.randn(20, 32), torch.arange(20)
        torch.testing.assert_close(
            model.output.exact_losses(hidden, targets), plain.output.exact_losses(hidden, targets)
        )


@pytest.mark.parametrize("softmax", ["full", "sampled", "adaptive", "mixture"])
@pytest.mark.parametrize("tie", [True, False])
def test_output_layers_take_packed_weights(softmax, tie):
    knobs = {"cutoffs": [20, 50]} if softmax == "adaptive" else {}
    model = packed_model("int4", softmax=softmax, tie=tie, **knobs)
    plain = unpack_(copy.deepcopy(model))
    assert (plain.output.weight is plain.embedding) == (model.output.weight is model.embedding) == tie
    hidden = torch.randn(30, 32)
    with torch.inference_mode():
        for few_or_many in (hidden[:2], hidden):
            torch.testing.assert_close(
                model.output.log_probs(few_or_many), plain.output.log_probs(few_or_many), rtol=2e-3, atol=2e-3
            )


def test_a_tied_matrix_is_stored_once():
    names = model_arrays(packed_model("int8", tie=True))
    assert "embedding.int8.codes" in names
    assert not any(name.startswith("output.weight") for name in names)


def test_gradients_flow_through_a_packed_weight_to_what_it_multiplies():
    packed = FORMS["int8"].pack(matrix((5, 8), 0))
    hidden = torch.randn(3, 8, requires_grad=True)
    torch.nn.functional.linear(hidden, packed).sum().backward()
    torch.testing.assert_close(hidden.grad, packed.unpacked().sum(0).expand(3, 8))


def test_rows_and_slices():
    packed = FORMS["int4"].pack(matrix((9, 70), 0))
    ids = torch.tensor([[3, 3], [0, 8]])
    assert torch.equal(torch.nn.functional.embedding(ids, packed), packed.unpacked()[ids])
    assert is_packed(packed[2:5])
    assert torch.equal(packed[2:5].unpacked(), packed.unpacked()[2:5])
    assert np.array_equal(packed.detach().numpy(), packed.unpacked().numpy())


def test_low_rank_and_sparse_weights_are_quantised_part_by_part():
    weight = matrix((60, 40), 0)
    low = FORMS["factors"].of(weight, 8)
    exact = torch.linalg.svd(weight.double())
    nearest = exact.U[:, :8] * exact.S[:8] @ exact.Vh[:8]
    torch.testing.assert_close(low.unpacked().double(), nearest, rtol=1e-4, atol=1e-5)
    few = FORMS["sparse"].pack(weight * (weight.abs() > 1.5))
    hidden = matrix((2, 40), 5)
    for packed in (low, few):
        smaller = packed.with_parts_as(FORMS["int8"])
        assert smaller.form == packed.form
        assert smaller.bytes < packed.bytes
        torch.testing.assert_close(smaller.unpacked(), packed.unpacked(), rtol=0, atol=0.05)
        torch.testing.assert_close(smaller.affine(hidden, None), hidden @ smaller.unpacked().T, rtol=1e-3, atol=5e-3)
        stored = arrays_of("w", smaller)
        assert stored_shapes({name: part.shape for name, part in stored.items()}, {"w": (60, 40)}) == {"w": (60, 40)}
        assert torch.equal(packed_in(stored, {"w": (60, 40)})["w"].unpacked(), smaller.unpacked())


@pytest.mark.parametrize("inner", [None, "int8", "int4"])
def test_rows_in_blocks_are_those_of_their_blocks(inner):
    weight, hidden, bias = matrix((90, 40), 0), matrix((3, 40), 5), matrix(90, 6)
    blocks = RowBlocks.of([weight[:20], FORMS["factors"].of(weight[20:70], 8), FORMS["factors"].of(weight[70:], 3)])
    blocks = blocks.with_parts_as(FORMS[inner]) if inner else blocks
    whole = blocks.unpacked()
    ids = torch.tensor([[0, 19, 20], [69, 70, 89]])
    torch.testing.assert_close(blocks.rows(ids), whole[ids])
    torch.testing.assert_close(blocks[15:75].unpacked(), whole[15:75])
    assert torch.equal(blocks[30:30].unpacked(), whole[30:30])
    near = {"rtol": 1e-3, "atol": 1e-2} if inner else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(blocks.affine(hidden, bias), hidden @ whole.T + bias, **near)
    stored = arrays_of("w", blocks)
    shapes = {name: part.shape for name, part in stored.items()}
    assert stored_shapes(shapes, {"w": (90, 40)}) == {"w": (90, 40)}
    assert stored_shapes(shapes, {"w": (91, 40)}) == {}
    assert torch.equal(packed_in(stored, {"w": (90, 40)})["w"].unpacked(), whole)
    with pytest.raises(IndexError):
        blocks.rows(torch.tensor([90]))


@pytest.mark.parametrize("part", ["columns", "starts"])
def test_places_outside_a_matrix_are_refused(part):
    stored = arrays_of("w", FORMS["sparse"].pack(matrix((4, 6), 0)))
    stored[f"w.sparse.{part}"] = stored[f"w.sparse.{part}"] + np.array(9, stored[f"w.sparse.{part}"].dtype)
    with pytest.raises(ValueError, match="places"):
        packed_in(stored, {"w": (4, 6)})


def test_numbers_of_another_type_are_refused():
    stored = arrays_of("w", FORMS["int8"].pack(matrix((4, 6), 0)))
    stored["w.int8.codes"] = stored["w.int8.codes"].astype(np.float32)
    with pytest.raises(ValueError, match="codes are not of the type"):
        packed_in(stored, {"w": (4, 6)})
