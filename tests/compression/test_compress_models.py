"""Compressed runs: whatever takes a run takes them, and they are really smaller."""

from __future__ import annotations

import json
import shutil

import pytest

import seqlab
from seqlab.base.errors import InputError
from seqlab.compression.models import compress_model
from seqlab.run import MODEL, Run


@pytest.fixture(scope="module")
def int8(trained):
    return compress_model(trained, trained.parent / "int8", "int8", quiet=True)


def test_int8_is_a_quarter_of_the_size_and_hardly_worse(trained, int8):
    assert int8.bytes < 0.3 * int8.bytes_before
    assert (trained.parent / "int8" / MODEL).stat().st_size < 0.45 * (trained / MODEL).stat().st_size
    assert abs(int8.loss) < 0.3
    assert not (trained.parent / "int8" / "state").exists()
    assert set(int8.to_json()) >= {"out", "method", "bytes", "bytes_before", "perplexity", "perplexity_before"}


def test_every_verb_takes_a_compressed_run(trained, int8, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.evaluation.additions.dynamic.SEARCH_TOKENS", 600)
    lm = int8.model()
    assert lm.generate("the", length=20, seed=1).startswith("the")
    scores = lm.evaluate(split="valid")
    assert scores.perplexity == pytest.approx(int8.perplexity, rel=1e-6)
    found = seqlab.compare(trained, int8.out, split="valid", quiet=True)
    assert abs(found.difference) < 0.01
    assert lm.run.finished
    assert lm.vectors().matrix.shape[1] == 64
    other = tmp_path / "other.txt"
    other.write_text("a bird sang to the old hills and ran over the rain\n" * 20)
    assert lm.evaluate(other, dynamic="sgd").to_json()["dynamic"]["perplexity"] > 1


def test_the_text_to_score_on_may_be_stored_otherwise(trained, tmp_path):
    """The refusal of such a text names these options, which compress did not have."""
    text = "thé cat saw a dog and the dog ran to a tree\n" * 20
    (tmp_path / "old.txt").write_bytes(text.encode("cp1252"))
    (tmp_path / "new.txt").write_text(text, "utf-8")
    lm = seqlab.load_language_model(trained)
    old = seqlab.compress(lm, tmp_path / "old", valid=tmp_path / "old.txt", encoding="cp1252", quiet=True)
    new = seqlab.compress(trained, tmp_path / "new", valid=tmp_path / "new.txt", quiet=True)
    assert (old.perplexity, old.perplexity_before) == (new.perplexity, new.perplexity_before)
    with pytest.raises(InputError, match="encoding: says how to read a text; name the text too"):
        seqlab.compress(trained, tmp_path / "out", encoding="cp1252", quiet=True)


def test_training_a_compressed_run_is_refused_in_a_sentence(trained, int8):
    with pytest.raises(InputError, match=r"is compressed \(int8\).*cannot be trained on; train .*run"):
        seqlab.train_language_model(trained.parent / "text.txt", out=int8.out, steps=50, quiet=True)
    with pytest.raises(InputError, match="compressed already"):
        compress_model(int8.out, trained.parent / "twice", quiet=True)


def test_a_training_can_start_from_compressed_weights(trained, int8, tmp_path):
    lm = seqlab.train_language_model(
        trained.parent / "text.txt", out=tmp_path / "next", steps=2, init=int8.out, quiet=True
    )
    assert lm.run.finished


def test_a_trained_run_is_never_replaced(trained):
    with pytest.raises(InputError, match="would be lost"):
        compress_model(trained, trained, quiet=True)


@pytest.mark.parametrize(
    ("method", "words"),
    [("int9", "Did you mean"), ("int8,int4", "cannot follow"), ("int8=3", "takes no number"), ("", "at least one")],
)
def test_methods_are_checked_first(trained, tmp_path, method, words):
    with pytest.raises(InputError, match=words):
        compress_model(trained, tmp_path / "out", method, quiet=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["cut", "shape", "other"])
def test_a_damaged_compressed_run_is_refused(trained, int8, tmp_path, damage):
    import numpy as np

    from seqlab.base.files import load_tensors, save_tensors

    copy = tmp_path / "copy"
    shutil.copytree(int8.out, copy)
    if damage == "cut":
        (copy / MODEL).write_bytes((copy / MODEL).read_bytes()[:-40])
    else:
        tensors, metadata = load_tensors(copy / MODEL)
        name = next(name for name in tensors if name.endswith("int8.scales"))
        if damage == "shape":
            tensors[name] = np.concatenate([tensors[name], tensors[name]])
        else:
            tensors[name.replace("int8", "int4")] = tensors.pop(name)
        save_tensors(copy / MODEL, tensors, {"run": metadata.get("run")} if metadata.get("run") else None)
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["files"].pop(MODEL, None)
        (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"model\.safetensors"):
        Run.open(copy).load_members()
