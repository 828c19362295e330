"""Regularisers of the language model, each by its definition. Exact resume with them: tests/test_resume.py."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqlab import api
from seqlab.base.files import load_tensors
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import Dropout, LockedDropout, WeightDropout, WordDropout, held_masks
from seqlab.run import Run
from seqlab.text import Batch
from seqlab.training import World
from seqlab.training.optimize.penalties import ActivationPenalty
from seqlab.training.step import PlainWindowReader, backward

V = 20
AWD = {
    "weight_drop": 0.5,
    "locked_dropout": True,
    "embedding_dropout": 0.1,
    "input_dropout": 0.3,
    "hidden_dropout": 0.2,
    "output_dropout": 0.3,
}


def build(**options) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(ModelConfig(**{"embed_dim": 6, "hidden_dim": 6, "layers": 2, **options}), V)


def mask_of(layer, *shape) -> torch.Tensor:
    return layer(torch.ones(shape))


def test_dropout_masks_have_p_in_steps_of_2_to_the_minus_16():
    torch.manual_seed(0)
    for p in (0.001, 0.3, 0.9):
        y = mask_of(Dropout(p), 3, 1001, 333)
        dropped = round(p * 65536)
        assert y.unique().tolist() == pytest.approx([0.0, 65536 / (65536 - dropped)])
        assert float((y == 0).double().mean()) == pytest.approx(dropped / 65536, abs=4 * math.sqrt(p / 1e6))
    for dtype in (torch.float64, torch.bfloat16):
        assert Dropout(0.5)(torch.ones(7, dtype=dtype)).dtype == dtype


def test_a_locked_mask_is_one_for_all_time_steps_and_another_for_every_stream_and_window():
    layer = LockedDropout(0.4)
    torch.manual_seed(0)
    first, second = mask_of(layer, 50, 7, 40), mask_of(layer, 50, 7, 40)
    for y in (first, second):
        assert torch.equal(y, y[:, :1].expand_as(y))
        assert float((y == 0).double().mean()) == pytest.approx(0.4, abs=4 * math.sqrt(0.4 * 0.6 / 2000))
        assert not torch.equal(y[0], y[1])
    assert not torch.equal(first, second)
    with held_masks(layer):
        held = mask_of(layer, 50, 3, 40)
        assert torch.equal(mask_of(layer, 50, 9, 40)[:, :3], held)
    assert not torch.equal(mask_of(layer, 50, 3, 40), held)
    assert layer.eval()(first) is first


def test_a_word_has_one_fate_wherever_it_stands():
    layer = WordDropout(0.3)
    torch.manual_seed(0)
    ids = torch.randint(0, 500, (8, 300))
    x = torch.rand(8, 300, 5) + 0.5
    y = layer(x, ids, 500)
    factors = [y[ids == word] / x[ids == word] for word in ids.unique()]
    assert all(torch.allclose(factor, factor[0, 0].expand_as(factor)) for factor in factors)
    fates = torch.stack([factor[0, 0] for factor in factors])
    assert fates.round(decimals=3).unique().tolist() == pytest.approx([0.0, 1 / 0.7], abs=1e-3)
    assert float((fates == 0).double().mean()) == pytest.approx(0.3, abs=0.07)
    assert not torch.equal(layer(x, ids, 500), y)
    with held_masks(layer):
        assert torch.equal(layer(x, ids, 500), layer(x, ids, 500))


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_dropped_words_get_no_gradient_and_gradients_stay_sparse(softmax):
    model = build(embedding_dropout=0.5, softmax=softmax, samples=5, tie=False).train()
    tokens = torch.arange(V)[None]
    with held_masks(model):
        zero = (model.embed(tokens)[0] == 0).all(1)
        loss, _ = model.loss(tokens, tokens, model.init_state(1))
    loss.backward()
    assert 0 < int(zero.sum()) < V
    assert model.embedding.grad.is_sparse == (softmax == "sampled")
    gradient = model.embedding.grad.to_dense()
    assert torch.equal((gradient == 0).all(1), zero)


def test_places_of_dropout_are_set_one_by_one():
    model = build(layers=3, dropout=0.1, hidden_dropout=0.2, output_dropout=0.0)
    assert model.input_dropout.p == 0.1
    assert [layer.p for layer in model.cell_dropouts] == [0.2, 0.2, 0.0]
    assert all(type(layer) is Dropout for layer in model.cell_dropouts)
    assert all(type(layer) is LockedDropout for layer in build(locked_dropout=True).cell_dropouts)


def test_masks_are_held_where_a_window_is_cut_at_documents():
    """With the state kept instead of forgotten, a window read in pieces would be the window read at once."""
    model = build(**AWD, precision="float32").train()
    tokens, fresh_BT = torch.randint(0, V, (3, 9)), np.zeros((3, 9), bool)
    fresh_BT[1, 4] = fresh_BT[2, 7] = True
    torch.manual_seed(5)
    whole, _ = model.read(tokens, model.init_state(3))
    torch.manual_seed(5)
    cut, _ = model.read(tokens, model.init_state(3), fresh_BT)
    torch.testing.assert_close(cut.hidden_BTD[0], whole.hidden_BTD[0])
    torch.testing.assert_close(cut.raw_BTH[1, :4], whole.raw_BTH[1, :4])
    assert not torch.allclose(cut.raw_BTH[1, 4:], whole.raw_BTH[1, 4:])
    both = (cut.raw_BTH != 0) & (whole.raw_BTH != 0)
    assert torch.equal((cut.dropped_BTH == 0)[both], (whole.dropped_BTH == 0)[both])


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn-tanh"])
def test_residual_adds_a_cells_input_where_the_widths_agree(cell):
    model = build(layers=3, embed_dim=5, residual=True, cell=cell).double().eval()
    tokens, state = torch.randint(0, V, (2, 7)), model.init_state(2)
    x = F.embedding(tokens, model.embedding)
    for layer, (part, cell_state) in enumerate(zip(model.cells, state, strict=True)):
        y, _ = part(x, cell_state)
        x = y + x if layer else y  # the first goes from 5 to 6
    torch.testing.assert_close(model.hidden(tokens, state)[0], model.bridge(x))
    plain = build(layers=3, embed_dim=5, cell=cell).double().eval()
    plain.load_state_dict(model.state_dict())
    assert not torch.allclose(plain.hidden(tokens, state)[0], model.bridge(x))


def window(seed=0, streams=6, width=9) -> Batch:
    ids = np.random.default_rng(seed).integers(0, V, (streams, width + 1))
    return Batch(ids[:, :-1], ids[:, 1:])


def test_activation_penalties_equal_the_formula():
    alpha, beta = 2.0, 1.5
    model = build(output_dropout=0.4, precision="float32").double().train()
    fresh_BT = np.zeros((6, 9), bool)
    fresh_BT[2, 3] = fresh_BT[4, 0] = True
    penalty = ActivationPenalty(alpha, beta)
    reading, _ = model.read(torch.from_numpy(window().inputs_BT), model.init_state(6), fresh_BT)
    raw, dropped = reading.raw_BTH.detach().numpy(), reading.dropped_BTH.detach().numpy()
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], raw[kept] / (1 - round(0.4 * 65536) / 65536))
    activation = temporal = 0.0
    for b in range(6):
        for t in range(9):
            activation += sum(float(value) ** 2 for value in dropped[b, t])
            if t and not fresh_BT[b, t]:
                temporal += sum(float(new - old) ** 2 for new, old in zip(raw[b, t], raw[b, t - 1], strict=True))
    activation, temporal = alpha * activation / (6 * 9 * 6), beta * temporal / (6 * 8 * 6)
    assert float(penalty(reading, fresh_BT).detach()) == pytest.approx(activation + temporal, rel=1e-12)
    penalty.end_step(World())
    line = penalty.line()
    assert line == {"activation_penalty": pytest.approx(activation), "temporal_penalty": pytest.approx(temporal)}
    short, _ = model.read(torch.zeros(6, 1, dtype=torch.int64), model.init_state(6))
    assert float(ActivationPenalty(0.0, beta)(short).detach()) == 0.0


@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_penalties_act_on_the_gradient_in_every_mode_and_not_on_the_loss(softmax, documents):
    model = build(softmax=softmax, samples=5, precision="float32").double().train()
    fresh_BT = np.zeros((6, 9), bool)
    if documents:
        fresh_BT[1, 4] = fresh_BT[3, 2] = True
    noise = model.output.get_state()

    def step(parts, penalty):
        model.zero_grad()
        model.output.set_state(noise)
        loss, _ = backward(model, PlainWindowReader(model), window(), model.init_state(6), parts, fresh_BT, penalty)
        return loss, {
            n: (p.grad.to_dense() if p.grad.is_sparse else p.grad).clone() for n, p in model.named_parameters()
        }

    plain_loss, plain = step(1, None)
    whole_loss, whole = step(1, ActivationPenalty(2.0, 1.0))
    penalty = ActivationPenalty(2.0, 1.0)
    parts_loss, parts = step(3, penalty)
    torch.testing.assert_close(whole_loss, plain_loss, rtol=0, atol=0)
    torch.testing.assert_close(parts_loss, plain_loss)
    reading, _ = model.read(torch.from_numpy(window().inputs_BT), model.init_state(6), fresh_BT)
    value = ActivationPenalty(2.0, 1.0)(reading, fresh_BT)
    penalty.end_step(World())
    assert sum(penalty.line().values()) == pytest.approx(float(value.detach()))
    model.zero_grad()
    value.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parts[name], whole[name])
        own = 0.0 if parameter.grad is None else parameter.grad.to_dense()
        torch.testing.assert_close(whole[name] - plain[name], own + torch.zeros_like(whole[name]))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn-relu"])
def test_gradients_reach_the_raw_recurrent_weights_where_they_are_not_dropped(cell):
    model = build(cell=cell, layers=1, weight_drop=0.5, precision="float32").double().train()
    raw = dict(model.named_parameters())["cells.0.layer.weight_hh_l0"]
    tokens = torch.randint(0, V, (4, 8))
    state = [tuple(torch.rand_like(part) for part in cell_state) for cell_state in model.init_state(4)]
    with held_masks(model):
        loss, _ = model.loss(tokens, tokens, state)
        loss.backward()
        mask = model.cells[0].weight_drop.mask(raw.shape, raw)
    assert 0.3 < float((mask == 0).double().mean()) < 0.7
    assert torch.equal(raw.grad != 0, mask != 0) or cell == "rnn-relu"
    assert not raw.grad[mask == 0].any()
    before = raw.detach().clone()
    with torch.no_grad():
        raw.sub_(raw.grad, alpha=0.1)
    assert bool(((raw != before) == (raw.grad != 0)).all())


def test_blocks_within_blocks_end_with_the_outer_one():
    layer = WeightDropout(0.5)
    with held_masks(layer.train()):
        first = mask_of(layer, 40, 30)
        with held_masks(layer):
            assert torch.equal(mask_of(layer, 40, 30), first)
        assert torch.equal(mask_of(layer, 40, 30), first)
    assert not torch.equal(mask_of(layer, 40, 30), first)
    assert layer.held is None


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    generator, folder = random.Random(0), tmp_path_factory.mktemp("text")
    nouns, verbs = [f"noun{i}" for i in range(30)], [f"verb{i}" for i in range(12)]
    lines = [
        f"the {generator.choice(nouns)} {generator.choice(verbs)} a {generator.choice(nouns)} ." for _ in range(1200)
    ]
    (folder / "tiny.txt").write_text("\n".join(lines) + "\n")
    return api.prepare(folder / "tiny.txt", folder / "words", tokenizer="whitespace")


@pytest.mark.parametrize("softmax", ["full", pytest.param("sampled", marks=pytest.mark.slow)])
def test_an_awd_lstm_learns_and_goes_on_after_a_stop(words, tmp_path, softmax, monkeypatch):
    options = {
        **AWD,
        "embed_dim": 32,
        "hidden_dim": 32,
        "layers": 2,
        "softmax": softmax,
        "samples": 12,
        "batch_size": 8,
        "bptt": 20,
        "random_bptt": True,
        "optimizer": "sgd",
        "lr": 20.0,
        "clip": 0.5,
        "schedule": "constant",
        "warmup": 0.0,
        "average": "nt-asgd",
        "average_patience": 1,
        "activation_penalty": 2.0,
        "temporal_penalty": 1.0,
        "evaluations": 30,
        "epochs": 7,
        "counts": False,
        "quiet": True,
    }
    from seqlab.training import Trainer

    step = Trainer.train_step

    def stopping(self):
        step(self)
        if self.position.step == 60:
            self.save()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            api.train_language_model(words, tmp_path / "run", **options)
    saved = Run.open(tmp_path / "run").load_state()[0]
    raw = "cells.0.layer.weight_hh_l0"
    assert (saved[f"model.{raw}"] != 0).all()  # the weights kept are the raw ones, not those of some mask
    lm = api.train_language_model(words, tmp_path / "run", **options)
    lines = [line for line in lm.run.metrics() if "valid_loss" in line]
    assert lines[0]["step"] < 60 < lines[-1]["step"]
    counts = np.maximum(words.tokenizer.vocab.counts, 0.5)
    unigram = -np.log(counts / counts.sum())[words.valid[:]].mean()
    assert lines[-1]["valid_loss"] < lines[0]["valid_loss"] - 1.0
    assert lm.summary["valid"]["nats_per_token"] < unigram - 0.8
    assert any("average_valid_loss" in line for line in lines)
    assert all(line["activation_penalty"] > 0 for line in lm.run.metrics())
    assert sum(line["temporal_penalty"] > 0 for line in lines) > len(lines) / 2  # the last window of a pass may be 1
    ours = load_tensors(lm.run.path / "model.safetensors")[0][raw]
    assert (ours != 0).all()
    assert not np.array_equal(ours, saved[f"model.{raw}"])
    reopened = api.load_language_model(tmp_path / "run")
    assert reopened.log_prob("the noun1 verb1 a noun2 .") == lm.log_prob("the noun1 verb1 a noun2 .")
