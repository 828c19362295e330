"""The run folder and what it says about itself."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.base.files import write_manifest
from seqlab.config import LanguageModelConfig
from seqlab.run import CONFIG, TOKENIZER, History, Run

TINY = {"embed_dim": 8, "hidden_dim": 8, "layers": 1, "batch_size": 2, "bptt": 8, "steps": 30, "quiet": True}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "text.txt").write_text("the cat sat on the mat . the dog lay on the rug .\n" * 60)
    api.train_language_model(folder / "text.txt", folder / "run", tokenizer="whitespace", **TINY)
    return folder


def test_a_run_says_what_it_is(home):
    run = Run.open(home / "run")
    best = run.history.best_perplexity
    assert run.parameters == sum(p.numel() for p in run.load_model().parameters())
    facts = f"1x8 lstm · {run.parameters:,} parameters · whitespace {len(run.tokenizer.vocab)} types"
    assert repr(run) == f"Run({home / 'run'} · {facts} · best valid perplexity {best:.4g})"
    assert not run.temporary


def test_a_history_is_the_lines_of_metrics(home):
    history = Run.open(home / "run").history
    assert history.to_json() == history.lines == Run.open(home / "run").metrics()
    assert history.last["step"] == 30
    losses = [line["valid_loss"] for line in history.lines if "valid_loss" in line]
    assert history.best_perplexity == pytest.approx(math.exp(min(losses)))
    assert len(history.table().rows) == len(losses) == 10
    assert repr(history).startswith(f"History({len(history.lines)} lines · 30 steps · 480 tokens · best valid")
    assert "valid_perplexity" in history._repr_html_()
    frame = pytest.importorskip("pandas") and history.to_frame()
    assert frame["step"].tolist() == [line["step"] for line in history.lines]
    assert "grad_norms.cell1" in frame.columns
    empty = History([])
    assert (empty.last, empty.best_perplexity, repr(empty)) == ({}, None, "History(0 lines)")


def with_settings(home, folder, **changes):
    """A copy of the run's folder whose recorded training settings have these too."""
    folder.mkdir()
    record = json.loads((home / "run" / CONFIG).read_text())
    record["config"]["training"] |= changes
    (folder / CONFIG).write_text(json.dumps(record))
    (folder / TOKENIZER).write_bytes((home / "run" / TOKENIZER).read_bytes())
    write_manifest(folder, [CONFIG, TOKENIZER])
    return folder


def test_lead_ins_are_kept_and_damaged_ones_refused(home, tmp_path):
    run = Run.open(home / "run")
    assert len(run.lead_ins) > 8
    assert all(run.tokenizer.decode(one).endswith("\n") for one in run.lead_ins)
    record = json.loads((with_settings(home, tmp_path / "damaged") / CONFIG).read_text())
    for wrong in ([[1, 2], [3]], [[1, len(run.tokenizer.vocab)]], [["a"]], [3]):
        record["corpus"]["lead_ins"] = wrong
        (tmp_path / "damaged" / CONFIG).write_text(json.dumps(record))
        write_manifest(tmp_path / "damaged", [CONFIG, TOKENIZER])
        with pytest.raises(InputError, match=r"config\.json: its lead_ins are no ids of the vocabulary"):
            Run.open(tmp_path / "damaged").lead_ins  # noqa: B018 - looked at
    del record["corpus"]["lead_ins"]
    (tmp_path / "damaged" / CONFIG).write_text(json.dumps(record))
    write_manifest(tmp_path / "damaged", [CONFIG, TOKENIZER])
    assert Run.open(tmp_path / "damaged").lead_ins == [], "a run of an earlier version"


def test_settings_that_became_constants_are_dropped_or_refused(home, tmp_path, monkeypatch):
    monkeypatch.setattr(LanguageModelConfig, "REMOVED", {"training.retired": 3})
    assert Run.open(with_settings(home, tmp_path / "same", retired=3)).config == Run.open(home / "run").config
    with pytest.raises(InputError, match=r"training\.retired = 4 is a setting that only seqlab 0\.1 has"):
        Run.open(with_settings(home, tmp_path / "other", retired=4))


def test_damaged_metrics_are_named_by_line_and_a_line_being_written_is_left_out(home, tmp_path, capsys):
    folder = with_settings(home, tmp_path / "damaged")
    lines = [json.dumps({"step": step, "tokens": 8 * step, "seconds": 0.5}).encode() + b"\n" for step in range(5)]
    (folder / "metrics.jsonl").write_bytes(lines[1] + lines[2][:-9])
    assert Run.open(folder).metrics() == [json.loads(lines[1])]
    wrong = [b'{"step\n', b"[1]\n", b"\xff\n", b"[" * 100_000 + b"\n", b'{"step": "1", "tokens": 1, "seconds": 1}\n']
    wrong += [
        b'{"step": 1e999, "tokens": 1, "seconds": 1}\n',
        b"9" * 5000 + b"\n",
        lines[3].replace(b"}", b', "loss": "x"}'),
    ]
    for line in wrong:
        (folder / "metrics.jsonl").write_bytes(lines[1] + line + lines[4])
        assert [one["step"] for one in Run.open(folder).metrics()] == [1, 4]
        assert "metrics.jsonl: line 2 left out, damaged" in capsys.readouterr().err
    (folder / "metrics.jsonl").unlink()
    (folder / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics\.jsonl: is not a file"):
        Run.open(folder).metrics()


BLUEPRINTS = """
import sys, torch
from seqlab.base.devices import nothing_drawn, without_weights
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn import CELLS, SOFTMAXES

before = torch.get_rng_state()
for cell, softmax in [(cell, "full") for cell in CELLS] + [("lstm", softmax) for softmax in SOFTMAXES]:
    config = ModelConfig(cell=cell, softmax=softmax, embed_dim=8, hidden_dim=16, last_dim=None if cell != "lstm" else 8)
    with without_weights():
        blueprint = LanguageModel(config, 500).state_dict()
    with nothing_drawn():
        undrawn = LanguageModel(config, 500).state_dict()
    assert {one.device.type for one in blueprint.values()} == {"meta"}, cell
    assert torch.equal(before, torch.get_rng_state()), cell
    drawn = LanguageModel(config, 500).state_dict()
    shapes = [{name: one.shape for name, one in weights.items()} for weights in (blueprint, undrawn, drawn)]
    assert shapes[0] == shapes[1] == shapes[2], cell
    for name, one in drawn.items():
        if "bias" in name and softmax == "full":
            assert torch.equal(one, undrawn[name]), name
    torch.set_rng_state(before)
assert "torch._dynamo" not in sys.modules
"""


def test_a_blueprint_draws_nothing_and_does_not_wait_for_torchs_compiler():
    subprocess.run([sys.executable, "-c", BLUEPRINTS], check=True)


def test_loading_weights_leaves_torchs_generator_alone(home):
    before = torch.get_rng_state()
    Run.open(home / "run").load_model()
    assert torch.equal(before, torch.get_rng_state())


def test_the_vectors_of_a_run_are_read_without_torch(home):
    lm = api.load_language_model(home / "run")
    script = f"""
import sys
from seqlab.opening import open_vectors
from seqlab.embeddings.vectorizer import TextVectorizer
vectors = open_vectors({str(home / "run")!r})
means = TextVectorizer({str(home / "run")!r}).fit_transform(["cat", "the dog"])
assert "torch" not in sys.modules
print([vectors.words, vectors.matrix.tolist(), means.tolist()])
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    words, matrix, means = json.loads(done.stdout.replace("'", '"'))
    itos = lm.tokenizer.vocab.itos
    assert set(words) == set(itos) - {"<unk>", "<eos>"}
    table = lm.model.word_vectors().numpy()
    for word, row in zip(words, matrix, strict=True):
        assert row == table[itos.index(word)].tolist()
    assert means[0] == pytest.approx(table[itos.index("cat")].tolist())
    assert means[1] == pytest.approx((table[itos.index("the")] + table[itos.index("dog")]).tolist() / np.float32(2))
