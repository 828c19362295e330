"""What must also hold on a CUDA device: `pytest -m gpu`."""

from __future__ import annotations

import pytest
import torch

from seqlab import api

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_training_on_the_gpu_gives_what_the_cpu_gives(softmax, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 400)
    corpus = api.prepare(text, tmp_path / "corpus", tokenizer="whitespace")
    options = {"steps": 60, "embed_dim": 16, "hidden_dim": 16, "batch_size": 4, "bptt": 16, "softmax": softmax}
    losses = {}
    for device in ("cpu", "cuda"):
        model = api.train_language_model(corpus, tmp_path / device, quiet=True, device=device, samples=4, **options)
        losses[device] = model.summary["valid"]["nats_per_token"]
        assert model.generate("the cat", length=5, seed=1)
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=0.05)


@pytest.mark.parametrize("cell", ["lstm", "lstm-layernorm", "mogrifier", "mingru"])
def test_recorded_windows_train_as_plain_ones_do(cell, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 400)
    corpus = api.prepare(text, tmp_path / "corpus", tokenizer="whitespace")
    options = {"steps": 40, "embed_dim": 16, "hidden_dim": 16, "batch_size": 4, "bptt": 16, "softmax": "full"}
    losses = {}
    for graphs in (False, True):
        run = tmp_path / f"graphs {graphs}"
        model = api.train_language_model(
            corpus, run, quiet=True, device="cuda", cell=cell, cuda_graphs=graphs, **options
        )
        losses[graphs] = [line["loss"] for line in model.run.metrics()]
    assert losses[True] == pytest.approx(losses[False], rel=1e-3)
