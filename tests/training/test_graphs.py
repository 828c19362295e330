"""Windows as CUDA graphs. What torch records is imitated here, memory and all; on a device: test_gpu.py."""

from __future__ import annotations

import pytest
import torch
from costs import usual

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig
from seqlab.nn import CELLS
from seqlab.training.machine.graphs import check_graphs

SMALL = {"embed_dim": 12, "hidden_dim": 12, "layers": 2, "batch_size": 4, "bptt": 16, "steps": 25, "quiet": True}


def imitated(module, samples):
    """What `torch.cuda.make_graphed_callables` gives: arguments are copied to where they were recorded, outputs and
    gradients lie in the same memory every time, and recording runs the module first."""
    for _ in range(3):
        warm = module(*samples)
    parameters = [p for p in module.parameters() if p.requires_grad]
    kept = [part.detach().clone() for part in warm]
    gradients = [torch.empty_like(p) for p in parameters]
    place = {}

    class Graphed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            for sample, given in zip(samples, inputs, strict=False):
                sample.copy_(given)
            with torch.enable_grad():
                place["outputs"] = module(*samples)
            for part, made in zip(kept, place["outputs"], strict=True):
                part.copy_(made.detach())
            return tuple(part.detach() for part in kept)

        @staticmethod
        def backward(ctx, *grads):
            differentiable = [part.requires_grad for part in place["outputs"]]
            outputs = [part for part, wanted in zip(place["outputs"], differentiable, strict=True) if wanted]
            grads = [grad for grad, wanted in zip(grads, differentiable, strict=True) if wanted]
            found = torch.autograd.grad(outputs, parameters, grads)
            for gradient, made in zip(gradients, found, strict=True):
                gradient.copy_(made)
            return (*(None for _ in samples), *(gradient.detach() for gradient in gradients))

    return lambda *arguments: Graphed.apply(*arguments, *parameters)


@pytest.fixture
def corpus(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 30)
    return api.prepare(text, tmp_path / "corpus", tokenizer="whitespace", quiet=True)


@pytest.fixture
def recorded(monkeypatch):
    """The shapes that were recorded; training goes by graphs although the device is a processor."""
    shapes = []

    def record(module, samples):
        shapes.append(tuple(samples[0].shape))
        return imitated(module, samples)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    monkeypatch.setattr("seqlab.training.planning.check_graphs", lambda config, device: None)
    return shapes


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"dropout": 0.3}, marks=pytest.mark.slow),
        pytest.param({"softmax": "mixture", "mixture": 2, "cell": "gru"}, marks=pytest.mark.slow),
        {"locked_dropout": True, "dropout": 0.2, "weight_drop": 0.3, "embedding_dropout": 0.1},
        {"activation_penalty": 2.0, "temporal_penalty": 1.0, "average": "ema", "last_dim": 8},
        {"cell": "mingru", "optimizer": "sgd", "lr": 1.0, "clip": 0.1, "l2": 1e-4},
    ],
)
def test_replayed_windows_train_as_plain_ones_do(options, corpus, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 5)
    options = {**SMALL, "softmax": "full", **options}
    plain = api.train_language_model(corpus, tmp_path / "plain", **options)
    assert not recorded
    graphed = api.train_language_model(corpus, tmp_path / "graphed", cuda_graphs=True, **options)
    assert len(recorded) == len(set(recorded)) == 2  # the last window of the text is shorter
    for theirs, ours in zip(plain.model.parameters(), graphed.model.parameters(), strict=True):
        assert torch.equal(theirs, ours)
    losses = [[line["loss"] for line in one.run.metrics()] for one in (plain, graphed)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("cell", usual([name for name in CELLS if not CELLS[name].rectified], "lstm", "gru", "qrnn"))
def test_every_cell_that_may_be_recorded_trains_as_before(cell, corpus, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 2)
    options = {**SMALL, "softmax": "full", "steps": 6, "cell": cell}
    runs = [
        api.train_language_model(corpus, tmp_path / str(graphed), cuda_graphs=graphed, **options)
        for graphed in (False, True)
    ]
    for theirs, ours in zip(*(one.model.parameters() for one in runs), strict=True):
        assert torch.equal(theirs, ours)


@pytest.mark.parametrize(
    ("model", "training", "device", "sentence"),
    [
        ({}, {}, "cpu", "training is on cpu, and only CUDA devices record graphs"),
        ({"softmax": "sampled"}, {}, "cuda", r"model\.softmax = 'sampled' chooses words on the CPU"),
        ({"input": "characters"}, {}, "cuda", "reads words on the CPU"),
        ({}, {"random_bptt": True}, "cuda", "random_bptt makes windows of any length"),
        ({}, {"reset_state": "documents"}, "cuda", "cuts windows"),
        ({"cell": "rnn-relu"}, {}, "cuda", "is watched for dead units"),
        ({}, {"accumulate": 2}, "cuda", "takes several windows a step"),
    ],
)
def test_windows_that_cannot_be_graphs_are_refused(model, training, device, sentence):
    config = LanguageModelConfig.build(
        {"model": {"softmax": "full", **model}, "training": {"cuda_graphs": True, **training}}
    )
    with pytest.raises(InputError, match=sentence):
        check_graphs(config, device)
    check_graphs(LanguageModelConfig.build({"model": {"softmax": "full", **model}, "training": training}), device)


def test_the_refusal_comes_from_planning(corpus, tmp_path):
    with pytest.raises(InputError, match=r"training\.cuda_graphs: training is on cpu"):
        api.train_language_model(corpus, tmp_path / "run", cuda_graphs=True, softmax="full", device="cpu", **SMALL)
    assert not (tmp_path / "run").exists()
