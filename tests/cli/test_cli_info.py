"""`seqlab info`: figures against counts by hand, and what is measured."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
import torch
from seqlab_cli.info import quantity
from seqlab_cli.main import run

from seqlab.base.files import write_manifest
from seqlab.config import ModelConfig
from seqlab.embeddings import WordVectors
from seqlab.models import LanguageModel
from seqlab.nn import SOFTMAXES
from seqlab.run import Run
from seqlab.training.watch.costs import flops_by_part, flops_per_token
from seqlab.training.watch.profile import PHASES

E, H = 6, 10
"""Widths of embedding and cells, which a bridge joins."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """text.txt, and run/ trained on it with an average."""
    folder = tmp_path_factory.mktemp("info")
    generator = random.Random(1)
    lines = [" ".join(generator.choice(["boat", "sea", "wind", "port", "crew"]) for _ in range(8)) for _ in range(400)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    command = [
        "train",
        "lm",
        str(folder / "text.txt"),
        "-o",
        str(folder / "run"),
        "--tokenizer",
        "word",
        "--steps",
        "12",
    ]
    sizes = ["--embed-dim", str(E), "--hidden-dim", str(H), "--layers", "2", "--batch-size", "4", "--bptt", "8"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLAB_CACHE", str(folder / "cache"))
        assert run([*command, *sizes, "--tie", "--average", "ema", "--quiet"]) == 0
    return folder


def info(capsys, *arguments) -> dict:
    capsys.readouterr()
    assert run(["info", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_parameters_memory_and_arithmetic_are_those_counted_by_hand(home, capsys):
    facts = info(capsys, home / "run")
    vocab = facts["vocab_size"]
    weights = 4 * H * (E + H) + 4 * H * (H + H)
    cells, bridge = weights + 2 * 8 * H, H * E
    assert facts["parameters"] == {
        "embedding": vocab * E,
        "cells": cells,
        "output": vocab + bridge,
        "total": vocab * E + cells + vocab + bridge,
    }
    total = 4 * facts["parameters"]["total"]
    memory = facts["memory"]
    assert memory["weights"] == memory["average"] == total
    assert 2 * total <= memory["optimizer"] < 2 * total + 1000  # two moments, and counts of steps
    assert memory["model_file"] == (home / "run" / "model.safetensors").stat().st_size
    assert memory["state_file"] == (home / "run" / "state" / "latest.safetensors").stat().st_size
    products = {"cells": weights, "output": bridge + vocab * E, "total": weights + bridge + vocab * E}
    assert facts["flops_per_token"]["training"] == {part: 6 * count for part, count in products.items()}
    assert facts["flops_per_token"]["evaluation"] == {part: 2 * count for part, count in products.items()}
    assert (facts["steps"], facts["tokens"], facts["finished"]) == (12, 12 * 4 * 8, True)
    assert facts["tokens_per_second"] == np.median([m["tokens_per_second"] for m in Run.open(home / "run").metrics()])
    assert "measured" not in facts


def test_output_layers_say_their_own_products():
    vocab, width = 40, 8
    counts = np.arange(vocab, 0, -1)
    options = {"samples": 5, "cutoffs": [10, 20], "mixture": 3}
    shares = counts[10:20].sum() / counts.sum(), counts[20:].sum() / counts.sum()
    adaptive = (10 + 2) * width + shares[0] * (width * 4 + 4 * 10) + shares[1] * (width * 2 + 2 * 20)
    mixture = 3 * vocab * width + 3 * width * width + 3 * width
    expected = {
        "full": (vocab * width, vocab * width),
        "sampled": (5 * width, vocab * width),
        "nce": (5 * width, vocab * width),
        "adaptive": (adaptive, adaptive),
        "mixture": (mixture, mixture),
    }
    assert expected.keys() == SOFTMAXES.keys()
    for softmax, (training, evaluation) in expected.items():
        config = ModelConfig(embed_dim=width, hidden_dim=width, layers=1, tie=False, softmax=softmax, **options)
        model = LanguageModel(config, vocab)
        model.output.set_counts(counts)
        found = flops_by_part(model)["output"]
        assert found == pytest.approx((6 * training, 2 * evaluation)), softmax
        assert flops_per_token(model).training == pytest.approx(6 * (training + 2 * 4 * width * width)), softmax


def test_the_counted_arithmetic_is_what_torch_counts():
    """Of evaluation, whose products torch sees one by one."""
    from torch.utils.flop_counter import FlopCounterMode

    model = LanguageModel(ModelConfig(embed_dim=E, hidden_dim=H, layers=1, softmax="mixture", mixture=2), 30).eval()
    tokens_BT, zeros_N = torch.zeros(3, 5, dtype=torch.int64), torch.zeros(15, dtype=torch.int64)
    hidden_BTD, _ = model.hidden(tokens_BT, model.init_state(3))
    with FlopCounterMode(display=False) as counter:
        assert model.bridge is not None
        model.bridge(torch.zeros(15, H))
        model.output.exact_losses(hidden_BTD.detach().flatten(0, 1), zeros_N)
    assert counter.get_total_flops() == 15 * flops_by_part(model)["output"].evaluation


def test_a_blueprint_holds_no_weights(home):
    model = Run.open(home / "run").blueprint()
    assert {p.device.type for p in model.parameters()} == {"meta"}


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_measured_shares_sum_to_one(softmax, home, capsys, monkeypatch):
    folder = home / f"measured-{softmax}"
    shutil.copytree(home / "run", folder)
    record = json.loads((folder / "config.json").read_text())
    record["config"]["model"] |= {"softmax": softmax, "samples": 3}
    record["config"]["training"] |= {"freeze_embeddings": softmax == "full", "accumulate": 2, "l2": 1e-5}
    (folder / "config.json").write_text(json.dumps(record))
    write_manifest(folder, ["config.json", "tokenizer.json"])
    monkeypatch.setattr("seqlab.training.watch.profile.SECONDS", 0.0)
    monkeypatch.setattr("seqlab.training.watch.profile.PRODUCT_SECONDS", 0.0)
    monkeypatch.setattr("seqlab.training.watch.profile.PRODUCT_WIDTH", 64)
    before = torch.get_num_threads()
    measured = info(capsys, folder, "--measure")["measured"]
    assert tuple(measured["shares"]) == PHASES
    assert sum(measured["shares"].values()) == pytest.approx(1)
    assert all(share > 0 for share in measured["shares"].values())
    flops = info(capsys, folder)["flops_per_token"]["training"]["total"]
    assert measured["flops_per_second"] == pytest.approx(flops * measured["tokens_per_second"])
    assert measured["of_product_rate"] == pytest.approx(measured["flops_per_second"] / measured["product_rate"])
    assert measured["step_seconds"] * measured["tokens_per_second"] == pytest.approx(4 * 8)
    assert measured["of_product_rate_by_part"].keys() == {"cells", "output"}
    assert torch.get_num_threads() == before


def test_text_shows_units(home, capsys):
    assert run(["info", str(home / "run")]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert lines["memory.weights"].endswith("kB")
    assert lines["flops_per_token.training.total"].endswith("kFLOP")
    assert [quantity(value, "B") for value in (12, 999.6, 1.2e6, 3.4e9, 5e12)] == [
        "12 B",
        "1 kB",
        "1.2 MB",
        "3.4 GB",
        "5 TB",
    ]


def test_vectors_tell_their_ngrams_and_a_state_alone_how_far_it_came(home, capsys):
    command = ["train", "embeddings", str(home / "text.txt"), "-o", str(home / "v"), "--dim", "8", "--epochs", "2"]
    assert run([*command, "--quiet", "--min-count", "1", "--subwords", "--set", "buckets=50"]) == 0
    facts = info(capsys, home / "v")
    assert facts["kind"] == "vectors"
    assert facts["ngrams"] == {"buckets": 50, "shortest": 4, "longest": 6}
    assert facts["parameters"] == 8 * (facts["words"] + 50)
    (home / "begun").mkdir()
    shutil.copytree(home / "v" / "state", home / "begun" / "state")
    assert run(["info", str(home / "begun"), "--json"]) == 0
    stdout, stderr = capsys.readouterr()
    facts = json.loads(stdout)
    assert (facts["kind"], facts["finished"], facts["epochs_begun"]) == ("vectors", False, 2)
    assert facts["loss"] > 0
    assert facts["settings"]["dim"] == 8
    assert "not finished; run its own command again to continue" in stderr


def test_only_runs_are_measured(home, capsys):
    (home / "w.txt").write_text("2 2\na 1 2\nb 3 4\n")
    assert run(["info", str(home / "w.txt"), "--measure"]) == 2
    assert "only those can be measured" in capsys.readouterr().err


def test_a_folder_of_runs_and_others_is_listed(home, capsys):
    (home / "notes").mkdir(exist_ok=True)
    (home / "broken").mkdir(exist_ok=True)
    (home / "broken" / "config.json").write_text("{")
    assert run(["info", str(home), "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["entries"]}
    assert not {"notes", "text.txt"} & found.keys()
    assert found["run"]["kind"] == "run"
    assert " steps" in found["run"]["what"]
    assert found["run"]["best"].startswith("perplexity ")
    assert found["broken"]["kind"] == "damaged"
    assert run(["info", str(home)]) == 0
    assert "damaged" in capsys.readouterr().out
    assert run(["info", str(home / "notes")]) == 2


def test_the_curves_of_a_run_are_explained_in_words(home, capsys):
    facts = info(capsys, home / "run")
    assert [set(one) for one in facts["diagnosis"]] == [
        {"name", "level", "seen", "threshold", "cause", "remedy"} for _ in facts["diagnosis"]
    ]
    assert run(["info", str(home / "run")]) == 0
    *_, table, paragraph = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert "diagnosis" not in table
    assert paragraph.startswith(("Healthy", *(one["seen"] for one in facts["diagnosis"])))


def test_vectors_of_characters_are_called_characters(tmp_path, capsys):
    """What has a vector is called by its name, on the command line and in Python."""
    text = {"settings": {"text": {"tokenizer": "char"}}}
    letters = WordVectors(list("abcdefgh"), np.random.default_rng(0).normal(size=(8, 5)), np.arange(8, 0, -1), text)
    letters.save(tmp_path / "letters")
    assert "8 characters" in repr(letters)
    assert letters.table().headers[0] == "character"
    calls = {
        ("neighbors", "king"): (2, "'king' is not among the 8 characters of these vectors"),
        ("info",): (0, "characters"),
        ("analogy", "a", "b", "c"): (0, "character"),
        ("visualize", "-o", str(tmp_path / "map.html")): (0, "with 8 characters"),
        ("convert", str(tmp_path / "letters.vec")): (0, "8 characters of 5 dimensions"),
    }
    for (verb, *rest), (status, sentence) in calls.items():
        assert run([verb, str(tmp_path / "letters"), *rest]) == status
        printed = capsys.readouterr()
        assert sentence in printed.out + printed.err
        assert "word " not in printed.out + printed.err
        assert "words" not in printed.out + printed.err
    assert ">8 characters" in (tmp_path / "map.html").read_text("utf-8")
