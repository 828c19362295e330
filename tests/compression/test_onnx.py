"""Exported networks: ONNX Runtime computes what the run computes, and the page next to the file is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from seqlab_cli.main import run as command

import seqlab
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.progress import Progress
from seqlab.compression.onnx import export as exporting
from seqlab.compression.onnx.cells import WRITERS
from seqlab.compression.onnx.graph import LEVELS, quantised_rows
from seqlab.compression.onnx.network import OUTPUTS, onnx_of
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS, SOFTMAXES

pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

TYPES = 60
FIRST = ("lstm", "gru", "lstm-layernorm", "sru")
"""Cells of every run of the tests; the others are slow together."""
EVERY_CELL = [cell if cell in FIRST else pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS]
TINY = {"embed_dim": 8, "hidden_dim": 8, "layers": 1, "batch_size": 2, "bptt": 8, "steps": 30, "quiet": True}


def network(**settings) -> LanguageModel:
    torch.manual_seed(0)
    settings = {"embed_dim": 12, "hidden_dim": 16, "layers": 2, **settings}
    model = LanguageModel(ModelConfig(**settings), TYPES).eval()
    model.set_words([f"word{number}" for number in range(TYPES)])
    return model


def differences(model: LanguageModel, steps: int = 100) -> tuple[float, float]:
    """Of the file from the network, as `compare` has it."""
    return exporting.compare(model, onnx_of(model, {}), 0, exporting.TOLERANCE, Progress("", quiet=True), steps)


def test_every_cell_and_every_output_layer_is_offered():
    assert WRITERS.keys() == CELLS.keys()
    assert OUTPUTS.keys() == SOFTMAXES.keys()


@pytest.mark.parametrize("cell", EVERY_CELL)
def test_every_cell_equals_ours_over_a_thousand_steps(cell):
    largest, divergence = differences(network(cell=cell, layers=1), 1000)
    assert divergence < 1e-5
    assert largest < (1e-2 if CELLS[cell].__dict__.get("steep") else exporting.TOLERANCE)


@pytest.mark.parametrize("tie", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_every_output_layer_equals_ours_over_a_thousand_steps(softmax, tie):
    model = network(softmax=softmax, tie=tie, embed_dim=16, layers=1)
    largest, divergence = differences(model, 1000 if tie else 100)
    assert largest < exporting.TOLERANCE
    assert divergence < 1e-6


@pytest.mark.parametrize(
    "settings",
    [
        {"zoneout": 0.3},
        {"cell": "lstm-layernorm", "zoneout": 0.1},
        {"cell": "mogrifier", "mogrifier_rounds": 0},
        {"residual": True, "layers": 3, "cell": "gru"},
        {"residual": True, "layers": 3, "cell": "sru"},
        {"tie": True, "last_dim": 10},
        {"input": "characters", "char_size": "small", "tie": False},
        {"cell": "rnn-leaky", "hidden_dim": 12},
    ],
    ids=str,
)
def test_other_networks_equal_ours(settings):
    assert differences(network(**settings))[0] < (1e-2 if "lstm-layernorm" in settings.values() else 1e-4)


@pytest.mark.parametrize("cell", EVERY_CELL)
def test_int8_stores_a_quarter_and_loses_little(cell):
    model = network(cell=cell, hidden_dim=64, embed_dim=64, layers=1, tie=True)
    codes, whole = onnx_of(model, {}, int8=True), onnx_of(model, {})
    assert len(codes) < 0.45 * len(whole), "nodes, scales and biases stay"
    _, divergence = exporting.compare(model, codes, 0, None, Progress("", quiet=True), 100)
    assert divergence < (0.05 if CELLS[cell].__dict__.get("steep") else 1e-3)


def test_int8_is_the_nearest_code_of_each_row():
    numbers = np.random.default_rng(0).normal(size=(7, 30)).astype(np.float32) * np.arange(7)[:, None]
    codes, scales = quantised_rows(numbers)
    assert codes.dtype == np.int8
    assert np.abs(codes).max() == LEVELS
    assert (np.abs(codes * scales[:, None] - numbers) <= scales[:, None] / 2 * (1 + 1e-5)).all()
    assert scales[0] == 1, "a row of zeros"


def test_a_file_that_computes_something_else_is_noticed():
    model, other = network(), network()
    with torch.no_grad():
        other.output.bias[3] += 0.01
    with pytest.raises(SeqlabError, match="differ from the run's by"):
        exporting.compare(other, onnx_of(model, {}), 0, exporting.TOLERANCE, Progress("", quiet=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (folder / "text.txt").write_text("the cat sat on the café mat . the dog lay on the rug .\n" * 60, "utf-8")
    for kind in ("word", "char"):
        seqlab.train_language_model(folder / "text.txt", folder / kind, tokenizer=kind, **TINY)
    return folder


@pytest.mark.parametrize("kind", ["word", "char"])
def test_the_command_writes_three_files_and_the_page_runs(home, tmp_path, capsys, kind):
    out = tmp_path / "model.onnx"
    assert command(["export", str(home / kind), str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["largest_difference"] < 1e-4
    assert found["bytes"] == out.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.README.md", "model.onnx", "model.tokens.json"]
    page = (tmp_path / "model.README.md").read_text("utf-8")
    python = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", python], cwd=tmp_path, capture_output=True, check=True)
    written = done.stdout.decode("utf-8").split()
    known = "the cat sat on the café mat . the dog lay on the rug .".split()
    assert kind == "char" or len(set(written) & set(known)) > 5
    run = seqlab.load(home / kind)
    about = json.loads((tmp_path / "model.tokens.json").read_text("utf-8"))
    texts = [token.encode("latin-1").decode("utf-8") for token in about["tokens"]]
    assert about["start"] == run.tokenizer.start_id
    assert texts == [run.tokenizer.decode([id]) for id in range(len(texts))]
    assert about["state"] == {"state_0_0": 8, "state_0_1": 8}


def test_sampling_from_the_file_follows_the_networks_distribution(home, tmp_path):
    done = seqlab.export(home / "word", tmp_path / "model.onnx", quiet=True)
    assert done.difference < 1e-4
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    assert names == ["tokens", "state_0_0", "state_0_1"]
    model = seqlab.load(home / "word").model
    ids = np.array([[3, 1, 4, 1, 5]])
    zeros = {name: np.zeros((1, 8), np.float32) for name in names[1:]}
    log_probs = session.run(["log_probs"], {"tokens": ids, **zeros})[0]
    with torch.inference_mode():
        ours = model.sequence_logits(torch.from_numpy(ids), model.init_state(1))[0].log_softmax(-1)
    np.testing.assert_allclose(log_probs, ours, atol=1e-4)
    assert Counter(repr(done).split("·"))[" float32)"] == 1


def test_what_cannot_be_exported_is_said_in_a_sentence(home, tmp_path, monkeypatch, capsys):
    assert command(["export", str(home / "text.txt"), str(tmp_path / "a.onnx")]) == 2
    assert "is a file, not a language-model run" in capsys.readouterr().err
    assert command(["export", str(home / "word"), str(tmp_path)]) == 2
    assert "is a folder; name a file" in capsys.readouterr().err
    text = (home / "text.txt").read_bytes()
    assert command(["export", str(home / "word"), str(home / "text.txt")]) == 2
    assert "text.txt: the name of an ONNX file ends in .onnx." in capsys.readouterr().err
    assert (home / "text.txt").read_bytes() == text
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"export needs onnx, .* pip install 'seqlab\[onnx\]'"):
        seqlab.export(home / "word", tmp_path / "a.onnx", quiet=True)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_where_the_runtime_disagrees(home, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    monkeypatch.setattr(exporting, "ROUNDING", -1.0)
    with pytest.raises(SeqlabError, match="nothing was written"):
        seqlab.export(home / "word", tmp_path / "a.onnx", quiet=True)
    assert not list(tmp_path.iterdir())
