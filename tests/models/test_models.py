"""The language model: its parts fit together for every cell and output layer."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig, ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS, SOFTMAXES
from seqlab.training.presets import describe, preset, presets

V = 11


def build(**options) -> LanguageModel:
    torch.manual_seed(0)
    config = ModelConfig(**{"embed_dim": 6, "hidden_dim": 6, "layers": 2, **options})
    return LanguageModel(config, V).double().eval()


def pair(cell, softmax):
    """Every cell and every softmax is always tried, their other pairs are slow."""
    always = softmax == "full" or cell in ("lstm", "mingru")
    return pytest.param((cell, softmax), id=f"{cell}-{softmax}", marks=[] if always else pytest.mark.slow)


@pytest.fixture(params=[pair(*names) for names in itertools.product(CELLS, SOFTMAXES)])
def model(request):
    cell, softmax = request.param
    return build(cell=cell, softmax=softmax, samples=4)


def test_steps_equal_the_whole_sequence(model):
    tokens = torch.randint(0, V, (3, 5))
    whole, last = model.sequence_logits(tokens, model.init_state(3))
    state = model.init_state(3)
    for t in range(5):
        logits, state = model.step(tokens[:, t], state)
        torch.testing.assert_close(logits, whole[:, t])
    for left, right in zip(itertools.chain(*state), itertools.chain(*last), strict=True):
        torch.testing.assert_close(left, right)


def test_log_prob_of_all_sequences_sums_to_one(model):
    pairs = [model.log_prob(torch.tensor(ids), start_id=2) for ids in itertools.product(range(V), repeat=2)]
    assert np.exp(pairs).sum() == pytest.approx(1)


def test_select_reorders_and_repeats_states(model):
    _, state = model.step(torch.tensor([1, 2, 3]), model.init_state(3))
    chosen = model.select(state, torch.tensor([2, 0, 2, 1]))
    for cell, picked in zip(state, chosen, strict=True):
        for part, rows in zip(cell, picked, strict=True):
            torch.testing.assert_close(rows, part[[2, 0, 2, 1]])


@pytest.mark.parametrize(
    ("cell", "softmax"), [*((cell, "full") for cell in CELLS), *(("lstm", softmax) for softmax in SOFTMAXES)]
)
def test_a_small_model_overfits_one_batch(cell, softmax):
    model = build(cell=cell, softmax=softmax, samples=8, embed_dim=24, hidden_dim=24).float().train()
    tokens = torch.randint(0, V, (4, 9), generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def exact_loss():
        logits = model.sequence_logits(tokens[:, :-1], model.init_state(4))[0]
        return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).detach())

    for step in range(300):
        if step % 20 == 0 and exact_loss() < 0.3:
            break
        model.zero_grad()
        loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:], model.init_state(4))
        loss.backward()
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        optimizer.step()
    model.eval()
    assert exact_loss() < 0.35


@pytest.mark.parametrize("softmax", SOFTMAXES)
@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("hidden_dim", [6, 9])
def test_tying_shares_one_tensor_and_bridges_widths(tie, hidden_dim, softmax):
    model = build(tie=tie, hidden_dim=hidden_dim, softmax=softmax)
    assert (model.output.weight is model.embedding) == tie
    assert (model.bridge is not None) == (tie and hidden_dim != 6)
    logits, _ = model.step(torch.tensor([1]), model.init_state(1))
    assert logits.shape == (1, V)
    counts = model.parameter_counts()
    assert sum(counts.values()) == sum(p.numel() for p in model.parameters())


def test_dropout_works_in_training_only():
    model = build(dropout=0.5)
    tokens = torch.randint(0, V, (2, 4))
    first, second = (model.hidden(tokens, model.init_state(2))[0] for _ in range(2))
    torch.testing.assert_close(first, second)
    model.train()
    first, second = (model.hidden(tokens, model.init_state(2))[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_unknown_names_list_the_choices():
    with pytest.raises(InputError, match=r"model\.cell: 'ltsm' is not one of .*Did you mean 'lstm'"):
        LanguageModelConfig.build({"model": {"cell": "ltsm"}})


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_names_of_the_weights_stay_as_runs_have_them(softmax):
    names = set(build(softmax=softmax, samples=4, layers=1).state_dict())
    kernel = {f"cells.0.layer.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    assert names == {"embedding", "output.weight", "output.bias", *kernel}


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_a_model_is_the_same_for_the_same_seed_and_loads_into_another(softmax):
    first, again = (build(softmax=softmax, cutoffs=[3, 6], samples=4) for _ in range(2))
    other = LanguageModel(first.config, V, seed=5).double().eval()
    tokens = torch.randint(0, V, (2, 4))
    torch.testing.assert_close(
        first.sequence_logits(tokens, first.init_state(2)), again.sequence_logits(tokens, again.init_state(2))
    )
    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(
        first.sequence_logits(tokens, first.init_state(2)), other.sequence_logits(tokens, other.init_state(2))
    )


def test_knobs_reach_the_output_layer():
    assert build(softmax="mixture", mixture=3).output.mixture == 3
    assert build(softmax="adaptive", cutoffs=[2, 5]).output.clusters == [(2, 5), (5, 11)]
    sampled = build(softmax="sampled", samples=4, noise="unigram").output
    assert (sampled.samples, sampled.noise.power, sampled.noise.unique) == (4, 0.75, True)
    assert build(label_smoothing=0.1).output.label_smoothing == 0.1
    with pytest.raises(InputError, match=r"model\.label_smoothing: .*mixture"):
        build(softmax="mixture", label_smoothing=0.1)


GROWTH = {"mingru": 100.0, "minlstm": 100.0, "rnn-relu": 3_000.0, "rnn-leaky": 10_000.0}
"""Cells whose outputs nothing bounds, so that every layer adds more to the sum of those below; all others: 10."""


@pytest.mark.parametrize("cell", CELLS)
def test_a_deep_residual_stack_keeps_the_variance(cell):
    torch.manual_seed(0)
    sizes = {"embed_dim": 64, "hidden_dim": 64, "layers": 8, "residual": True}
    model = LanguageModel(ModelConfig(cell=cell, **sizes), 50).eval()
    with torch.no_grad():
        model.embedding.normal_()
        tokens = torch.randint(0, 50, (8, 64))
        ratio = float(model.hidden(tokens, model.init_state(8))[0].var() / model.embed(tokens).var())
    assert 0.1 < ratio < GROWTH.get(cell, 10.0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("knob", "value"), [("forget_bias", 1.0), ("mogrifier_rounds", 2)])
def test_a_cell_refuses_the_knobs_it_lacks(cell, knob, value):
    default = getattr(ModelConfig(), knob)
    build(cell=cell, **{knob: default})
    if cell in ({"lstm", "lstm-layernorm", "mogrifier"} if knob == "forget_bias" else {"mogrifier"}):
        build(cell=cell, **{knob: value})
        return
    with pytest.raises(
        InputError, match=rf"model\.{knob}: model\.cell = '{cell}' .*set it to {default:g}, its default"
    ):
        build(cell=cell, **{knob: value})


@pytest.mark.parametrize("name", [name for name, one in presets().items() if "expected" in one])
def test_a_preset_claims_its_figure_for_a_vocabulary_that_fits_only(name):
    def sentence(types):
        vocab = SimpleNamespace(vocab=range(types), kind="whitespace")
        corpus = SimpleNamespace(train=range(1000), tokenizer=vocab)
        return describe(name, LanguageModelConfig.build(preset(name)), corpus)

    expected, (fewest, most) = presets()[name]["expected"], presets()[name]["types"]
    assert expected in sentence(fewest)
    assert expected in sentence(most)
    for types in (fewest - 1, most + 1):
        assert expected not in sentence(types)
        assert f"a text of {types:,} types is not" in sentence(types)
