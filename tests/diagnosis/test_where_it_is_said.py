"""The diagnosis of a real training, wherever a person meets it."""

from __future__ import annotations

import json
import random

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import in_words_of_the_shell


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with text.txt and the run of a short training, and what that said."""
    folder, rng = tmp_path_factory.mktemp("said"), random.Random(3)
    words = "rain falls on the roof of the mill and the wheel turns all night".split()
    (folder / "text.txt").write_text("\n".join(" ".join(rng.choices(words, k=9)) for _ in range(300)) + "\n")
    sizes = ["--tokenizer", "char", "--steps", "60", "--hidden-dim", "16", "--batch-size", "4", "--bptt", "16"]
    return folder, ["train", "lm", str(folder / "text.txt"), *sizes]


@pytest.fixture(autouse=True)
def cache(trained, monkeypatch):
    monkeypatch.setenv("SEQLAB_CACHE", str(trained[0] / "cache"))


def test_a_training_ends_with_a_sentence_unless_it_is_to_be_quiet(trained, capsys):
    folder, command = trained
    assert run([*command, "-o", str(folder / "run")]) == 0
    out, err = capsys.readouterr()
    with in_words_of_the_shell():
        findings = seqlab.load_language_model(folder / "run").diagnosis
    assert findings.brief()
    assert f"seqlab: {findings.brief()}\n" in err
    assert json.loads(out.splitlines()[-1])["diagnosis"] == findings.to_json()
    assert run([*command, "-o", str(folder / "quiet"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_it_is_under_the_curves_in_info_and_in_python(trained, capsys):
    folder, command = trained
    if not (folder / "run").exists():
        assert run([*command, "-o", str(folder / "run"), "--quiet"]) == 0
        capsys.readouterr()
    lm = seqlab.load_language_model(folder / "run")
    assert lm.curves().page().caption.startswith(lm.diagnosis.paragraph())
    assert seqlab.draw_curves(lm).page().caption.startswith(lm.diagnosis.paragraph())
    assert run(["curves", str(folder / "run"), "-o", str(folder / "c.html"), "--json"]) == 0
    (reported,) = json.loads(capsys.readouterr().out)["runs"]
    with in_words_of_the_shell():
        assert reported["words"] == lm.diagnosis.paragraph()
        assert reported["diagnosis"] == lm.diagnosis.to_json()
    assert run(["info", str(folder / "run")]) == 0
    assert capsys.readouterr().out.rstrip("\n").endswith(reported["words"])


def test_word_vectors_are_diagnosed_too(trained, capsys):
    folder, _ = trained
    command = ["train", "embeddings", str(folder / "text.txt"), "-o", str(folder / "v"), "--min-count", "1"]
    assert run([*command, "--epochs", "3", "--dim", "8", "--quiet", "--workers", "1"]) == 0
    capsys.readouterr()
    assert run(["info", str(folder / "v"), "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["diagnosis"], list)
    assert run(["curves", str(folder / "v"), "-o", str(folder / "v.svg"), "--json"]) == 0
    (reported,) = json.loads(capsys.readouterr().out)["runs"]
    assert "loss" in reported["words"]


def test_a_validation_text_of_another_kind_is_said(trained, capsys):
    folder, command = trained
    (folder / "odd.txt").write_text("IF (A(17) > 0) GOTO 3042; CALL EXIT[99]\n" * 50)
    assert run([*command, "-o", str(folder / "odd"), "--valid", str(folder / "odd.txt")]) == 0
    err = capsys.readouterr().err
    assert "the validation text is unlike the training text" in err
    assert "Train longer" not in err
    assert run([*command, "-o", str(folder / "same"), "--valid", str(folder / "text.txt")]) == 0
    assert "unlike" not in capsys.readouterr().err
