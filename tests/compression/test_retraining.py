"""Methods that train: projections against their definitions, resume to the bit, and what they leave."""

from __future__ import annotations

import shutil

import pytest
import torch
from costs import usual

from seqlab.base.errors import InputError
from seqlab.compression.models import compress_model
from seqlab.compression.models.apply import FREQUENCY, importance
from seqlab.compression.models.methods import METHODS, choices_of
from seqlab.compression.models.plans import WORTH, Block, in_factors, planned_ranks, planned_zeros
from seqlab.compression.models.projections import Levels, Mask, SharedValues, Subspaces
from seqlab.compression.models.retrain import retrained
from seqlab.compression.models.units import CELLS, DistillingReader, best_units, without_units
from seqlab.config import ModelConfig
from seqlab.config.names import NAMES
from seqlab.models import LanguageModel
from seqlab.nn.packed import FORMS, is_packed
from seqlab.run import MODEL, Run
from seqlab.training.loop import Trainer
from seqlab.training.optimize.constraints import Projected


def matrix(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_every_method_is_described():
    assert set(METHODS) == set(NAMES["compressions"])


def test_a_mask_grows_to_its_strength_and_keeps_the_largest():
    weight = matrix((30, 40), 0)
    mask, left = Mask(weight, 0.8), []
    for used in (0.0, 0.1, 0.25, 0.4, 0.5, 0.9):
        done = mask.refresh(weight, used)
        left.append(int((mask.project(weight) != 0).sum()))
        assert done == (used >= 0.5)
    assert left == [1200, *sorted(left[1:], reverse=True)]
    assert left[-2:] == [240, 240]
    kept = mask.arrays()["mask"]
    assert weight.abs()[kept].min() >= weight.abs()[~kept].max()
    again = Mask(weight, 0.8)
    again.load_arrays({"mask": kept})
    assert torch.equal(again.project(weight), mask.project(weight))


def test_a_subspace_gives_the_nearest_matrix_of_its_rank():
    weight = matrix((50, 20), 1)
    subspace = Subspaces(weight, [Block(0, 50, 6)])
    subspace.refresh(weight, 0.0)
    parts = torch.linalg.svd(weight.double(), full_matrices=False)
    nearest = parts.U[:, :6] * parts.S[:6] @ parts.Vh[:6]
    torch.testing.assert_close(subspace.project(weight).double(), nearest, rtol=1e-4, atol=1e-5)


def test_shared_values_are_a_fixed_point_of_k_means():
    weight = matrix((40, 40), 2)
    shared = SharedValues(weight)
    shared.refresh(weight, 0.0)
    allowed = shared.project(weight)
    assert len(allowed.unique()) <= 16
    distances = (weight.flatten()[:, None] - shared.values_K).abs()
    assert torch.equal(allowed.flatten(), shared.values_K[distances.argmin(1)])
    uniform = FORMS["int4"].pack(weight.view(1, -1)).unpacked().view(40, 40)
    assert (allowed - weight).square().sum() < (uniform - weight).square().sum() * 1.2
    assert torch.equal(FORMS["codebook"].pack(allowed).unpacked(), allowed)
    rows = torch.tensor([9.0] * 4 + [1.0] * 36)[:, None]
    weighted = SharedValues(weight, rows)
    weighted.refresh(weight, 0.0)
    errors = [(part.project(weight) - weight).square() for part in (weighted, shared)]
    assert errors[0][:4].sum() < errors[1][:4].sum()
    assert (errors[0] * rows**2).sum() < (errors[1] * rows**2).sum()
    for _ in range(20):
        weighted.refresh(weight, 0.0)
    codes = (weight.flatten()[:, None] - weighted.values_K).abs().argmin(1)
    for code, value in enumerate(weighted.values_K.tolist()):
        own, counts = weight.flatten()[codes == code].double(), rows.expand_as(weight).flatten()[codes == code] ** 2
        assert value == pytest.approx(float((own * counts).sum() / counts.sum()), abs=1e-4)


@pytest.mark.parametrize("form", ["ternary", "binary", "int4"])
def test_levels_are_those_of_their_form(form):
    weight = matrix((20, 70), 3)
    allowed = Levels(weight, form).project(weight)
    torch.testing.assert_close(FORMS[form].pack(allowed).unpacked(), allowed, rtol=1e-5, atol=1e-6)


def test_gradients_go_straight_through_to_the_free_weights():
    free = torch.nn.Parameter(matrix((4, 8), 4))
    before = free.detach().clone()
    constraint = Projected({"w": free}, lambda name, weight: Levels(weight, "binary"), 1)
    with constraint.applied():
        allowed = free.detach().clone()
        (free.square().sum() / 2).backward()
    torch.testing.assert_close(allowed, FORMS["binary"].pack(before).unpacked())
    torch.testing.assert_close(free.grad, allowed)
    assert torch.equal(free.detach(), before)


def test_rows_of_frequent_types_keep_more_of_their_weights(trained):
    run = Run.open(trained)
    network = run.load_model()
    counts = torch.from_numpy(run.tokenizer.vocab.counts).clamp(min=1)
    rows = importance(run, "embedding", network.embedding)
    torch.testing.assert_close(rows[:, 0].double(), counts.double() ** FREQUENCY, rtol=1e-5, atol=0)
    assert importance(run, "cells.0.layer.weight_hh_l0", network.cells[0].weight("weight_hh")) is None
    weight = matrix((8, 30), 6)
    rows = torch.tensor([5.0] * 4 + [1.0] * 4)[:, None]
    mask, subspace = Mask(weight, 0.5, rows), Subspaces(weight, [Block(0, 8, 3)], rows)
    mask.refresh(weight, 1.0)
    subspace.refresh(weight, 1.0)
    kept = (mask.project(weight) != 0).sum(1)
    assert int(kept.sum()) == 120
    assert kept[:4].min() > kept[4:].max()
    parts = torch.linalg.svd((weight * rows).double(), full_matrices=False)
    nearest = parts.U[:, :3] * parts.S[:3] @ parts.Vh[:3] / rows
    torch.testing.assert_close(subspace.project(weight).double(), nearest, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda _, weight: Mask(weight, 0.5),
        lambda _, weight: Subspaces(weight, [Block(0, 2, None), Block(2, 4, 1), Block(4, 6, 2)]),
    ],
)
def test_gradients_go_through_masks_and_subspaces_by_the_chain_rule(make, sparse):
    free, ids, factor = torch.nn.Parameter(matrix((6, 8), 4)), torch.tensor([1, 4, 1]), matrix((3, 8), 5)
    constraint = Projected({"w": free}, make, 1)
    constraint.after_step(1.0)
    with constraint.applied():
        (torch.nn.functional.embedding(ids, free, sparse=sparse) * factor).sum().backward()
    again = free.detach().clone().requires_grad_()
    (constraint.projections["w"].project(again)[ids] * factor).sum().backward()
    assert free.grad.is_sparse == sparse
    torch.testing.assert_close(free.grad.to_dense(), again.grad)


@pytest.mark.parametrize(
    "method",
    usual(
        ["prune=0.8", "low-rank=0.5", "share", "ternary", "binary", "prune-units=0.5", "distill", "prune,int8"],
        *("low-rank=0.5", "ternary", "prune-units=0.5", "distill", "prune,int8"),
    ),
)
def test_methods_leave_smaller_runs_of_sound_weights(trained, tmp_path, method):
    found = compress_model(trained, tmp_path / "out", method, retrain=0.5, quiet=True)
    network = found.model().model
    last = choices_of(method)[0].method
    if last.form:
        packed = [weight for weight in network.parameters() if is_packed(weight)]
        assert {weight.form for weight in packed} <= {last.form, "blocks"}
        assert packed
    else:
        assert network.config.hidden_dim == 64
    assert found.bytes < 0.75 * found.bytes_before
    assert found.perplexity < 1.5 * found.perplexity_before
    assert not (tmp_path / "out.work").exists()
    assert len(found.model().generate("the", length=10, seed=1)) > 3


def test_without_training_the_nearest_weights_are_taken(trained, tmp_path):
    found = compress_model(trained, tmp_path / "out", "low-rank=0.6", retrain=0, quiet=True)
    before, after = Run.open(trained).load_model(), found.model().model
    weight = before.cells[0].weight("weight_hh").detach()
    factors = after.cells[0].weight("weight_hh")
    rank = factors.parts["left"].shape[1]
    parts = torch.linalg.svd(weight.double(), full_matrices=False)
    nearest = parts.U[:, :rank] * parts.S[:rank] @ parts.Vh[:rank]
    torch.testing.assert_close(factors.unpacked().double(), nearest, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "method", ["prune=0.6", *(pytest.param(one, marks=pytest.mark.slow) for one in ("low-rank", "share", "distill"))]
)
def test_a_compression_that_was_stopped_resumes_to_the_same_bits(trained, tmp_path, monkeypatch, method):
    whole = compress_model(trained, tmp_path / "whole", method, retrain=0.3, quiet=True)
    take, steps = Trainer.train_step, []

    def stopping(self, *arguments):
        loss = take(self, *arguments)
        steps.append(1)
        if len(steps) % 5 == 0:
            self.save()
            raise KeyboardInterrupt
        return loss

    monkeypatch.setattr(Trainer, "train_step", stopping)
    stops = 0
    while stops < 20:
        try:
            compress_model(trained, tmp_path / "stopped", method, retrain=0.3, quiet=True)
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 2
    assert (tmp_path / "whole" / MODEL).stat().st_size == (tmp_path / "stopped" / MODEL).stat().st_size
    ours, theirs = (Run.open(tmp_path / name).load_model().state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())
    assert whole.method == method if "=" in method else whole.method.startswith(method)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tie", [True, False])
def test_units_that_nobody_reads_can_go_without_a_trace(monkeypatch, cell, tie):
    torch.manual_seed(0)
    config = ModelConfig(embed_dim=16, hidden_dim=16, layers=2, tie=tie, cell=cell, counts=False)
    model = LanguageModel(config, 30).eval()
    idle = torch.tensor([1, 4, 5, 9, 10, 12, 14, 15])
    with torch.no_grad():
        for place, layer in enumerate(model.cells):
            layer.weight("weight_hh")[:, idle] = 0
            if place or tie:
                layer.weight("weight_ih")[:, idle] = 0
        model.output.weight[:, idle] = 0
    monkeypatch.setattr(
        "seqlab.compression.models.units.activity", lambda run, model: [torch.ones(16)] * len(model.cells)
    )
    smaller = without_units(None, model, 0.5)
    assert smaller.config.hidden_dim == 8
    ids = torch.randint(0, 30, (2, 6))
    with torch.inference_mode():
        expected, _ = model.sequence_logits(ids, model.init_state(2))
        found, _ = smaller.sequence_logits(ids, smaller.init_state(2))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_best_units_are_active_and_read():
    size, reader = torch.tensor([1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 3.0]), torch.ones(5, 8)
    reader[:, 0] = 0
    assert best_units(size, [reader], 0.5).tolist() == [4, 5, 6, 7] or 7 in best_units(size, [reader], 0.5).tolist()
    assert not {0, 1} & set(best_units(size, [reader], 0.5).tolist())


def test_other_cells_are_refused_in_a_sentence():
    model = LanguageModel(ModelConfig(embed_dim=16, hidden_dim=16, layers=1, cell="qrnn", counts=False), 30)
    with pytest.raises(InputError, match="use prune or low-rank"):
        without_units(None, model, 0.5)


def test_distilling_adds_the_distance_from_the_teacher():
    torch.manual_seed(0)
    config = ModelConfig(embed_dim=16, hidden_dim=16, layers=1, counts=False, softmax="full")
    teacher, student = LanguageModel(config, 40), LanguageModel(config, 40)
    ids = torch.randint(0, 40, (2, 5))
    reader = DistillingReader(student, teacher)
    window = reader.read(ids[:, :-1], ids[:, 1:], student.init_state(2))
    with torch.no_grad():
        logits, _ = student.sequence_logits(ids[:, :-1], student.init_state(2))
        taught, _ = teacher.sequence_logits(ids[:, :-1], teacher.init_state(2))
        p = taught.double().softmax(-1)
        distance = (p * (taught.double().log_softmax(-1) - logits.double().log_softmax(-1))).sum(-1).mean()
        own = torch.nn.functional.cross_entropy(logits.double().flatten(0, 1), ids[:, 1:].flatten())
    assert float(window.loss) == pytest.approx(float(0.5 * own + 0.5 * distance), rel=1e-5)
    saved = reader.arrays()
    again = DistillingReader(student, teacher)
    again.load_arrays(saved)
    assert all(
        torch.equal(a, b) for x, y in zip(again.state, reader.state, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_a_run_without_its_text_is_not_retrained(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    run = Run.open(copy)
    run.record["corpus"]["path"] = str(tmp_path / "gone")
    members = run.load_members()
    with pytest.raises(InputError, match="no longer there"):
        retrained(run, members, members.network, tmp_path / "work", share=0.1, rate=0.1, quiet=True)


def test_numbers_go_to_the_rows_and_directions_that_need_them():
    """A matrix whose first rows are full and whose others are in three dimensions, beside one of rank two."""
    rare = matrix((960, 3), 1) @ matrix((3, 16), 2)
    weights = {"embedding": torch.cat([matrix((64, 16), 0), rare]), "cell": matrix((40, 2), 3) @ matrix((2, 16), 4)}
    rows = torch.linspace(30.0, 1.0, 1024)[:, None]
    kept = (64 * 16 + 960 * 3 + 6 * 3 * 16 + 2 * 56 + 200) / (1024 * 16 + 640)
    plans = planned_ranks(weights, kept, lambda name, _: rows if name == "embedding" else None)
    assert [(block.first, block.last) for block in plans["cell"]] == [(0, 40)]
    assert plans["cell"][0].rank >= 2
    assert plans["embedding"][0] == Block(0, 64, None)
    assert all(block.rank == 3 for block in plans["embedding"][1:])
    for name, weight in weights.items():
        found = in_factors(weight, plans[name])
        torch.testing.assert_close(found.unpacked(), weight, rtol=1e-4, atol=1e-4)
    numbers = sum(in_factors(weight, plans[name]).bytes for name, weight in weights.items()) / 4
    assert numbers <= kept * (1024 * 16 + 640)
    whole = planned_ranks(weights, 1.0, lambda name, _: None)
    assert whole == {"embedding": [Block(0, 1024, None)], "cell": [Block(0, 40, None)]}


def test_weights_are_left_out_where_they_are_least_of_their_matrix():
    wide, small = matrix((300, 40), 0), 9 * matrix((20, 30), 1)
    shares = planned_zeros({"wide": wide, "small": small}, 0.8, lambda *_: None)
    assert shares["small"] == 0, "each of its few weights is a large part of it"
    assert shares["wide"] == pytest.approx(0.8 * 12_600 / 12_000, abs=1e-3)
    alike = planned_zeros({"a": wide, "b": 5 * wide}, 0.8, lambda *_: None)
    assert alike == pytest.approx({"a": 0.8, "b": 0.8}, abs=1e-3)
    assert planned_zeros({"wide": wide, "small": small}, 0.99, lambda *_: None)["small"] >= WORTH
