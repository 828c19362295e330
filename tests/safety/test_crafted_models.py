"""Counts, gates and states behind valid digests are refused where they are opened, before compiled loops read them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from crafted import crafted_tensors
from seqlab_cli.main import run as command

import seqlab
from seqlab.base.errors import InputError
from seqlab.models.counts.gate import Gate
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.recent.cache import KINDS, Cache, Voting
from seqlab.run import COUNTS, MODEL, STATE, Run
from seqlab.text import TokenFile

TEXT = "the cat sat on the mat . a dog ran to the cat , and the cat sat . " * 60
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT)
    options = {"steps": 4, "hidden_dim": 8, "embed_dim": 8, "batch_size": 4, "bptt": 8}
    seqlab.train_language_model(folder / "text.txt", folder / "run", quiet=True, **options)
    run = Run.open(folder / "run")
    members = run.load_members()
    cache = Cache(Voting(0.1, 0.99, 2.0), Gate.only(True, KINDS, 8))  # too short a text for one to be fitted to
    run.save_model(members.network, members.gate, cache)
    run.finish()
    return folder


def copy_of(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def set_at(name: str, place: int, value: int) -> Callable[[Arrays, dict[str, str]], None]:
    def change(arrays: Arrays, texts: dict[str, str]) -> None:
        arrays[name][place] = value

    return change


def cut(name: str, end: int) -> Callable[[Arrays, dict[str, str]], None]:
    def change(arrays: Arrays, texts: dict[str, str]) -> None:
        arrays[name] = arrays[name][:end]

    return change


def about(**values: object) -> Callable[[Arrays, dict[str, str]], None]:
    def change(arrays: Arrays, texts: dict[str, str]) -> None:
        texts["about"] = json.dumps({**json.loads(texts["about"]), **values})

    return change


def as_type(name: str, dtype: str) -> Callable[[Arrays, dict[str, str]], None]:
    def change(arrays: Arrays, texts: dict[str, str]) -> None:
        arrays[name] = arrays[name].astype(dtype)

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_at("words", 5, 2**31),
        set_at("words", -1, 10_000),
        set_at("starts", 0, 0),
        set_at("starts", 3, 2**32 - 1),
        set_at("starts", 4, 0),
        set_at("starts", -1, 2**32 - 1),
        set_at("starts", -1, 1),
        cut("starts", -1),
        cut("starts", 1),
        cut("totals", 1),
        cut("words", -3),
        cut("counts", 4),
        as_type("words", "int64"),
        as_type("starts", "float32"),
        lambda arrays, texts: arrays.pop("totals"),
        lambda arrays, texts: texts.update(about="[]"),
        about(vocab_size=3),
        about(vocab_size="40"),
        about(vocab_size=10_000),
        about(start_id=-1),
        about(start_id=10**9),
        about(discounts=[]),
        about(discounts=[None]),
        about(discounts=[None] * 40),
        about(discounts=[[0.5]] * 5),
        about(discounts=[[0.5, float("nan"), 1.0]] * 5),
        about(discounts=5),
    ],
)
def test_counts_that_walks_would_leave_are_refused(
    change: Callable[[Arrays, dict[str, str]], None], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy_of(trained, tmp_path)
    crafted_tensors(path / COUNTS, change)
    assert command(["generate", str(path), "--length", "5"]) == 2
    sentence = capsys.readouterr().err
    assert COUNTS in sentence
    assert sentence.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [
        cut("gate.bias", 3),
        cut("gate.weight", 3),
        cut("cache.bias", 3),
        cut("cache.weight", 0),
        cut("cache.settings", 2),
        as_type("gate.bias", "float64"),
        lambda arrays, texts: arrays.pop("gate.weight"),
        lambda arrays, texts: arrays.update({"gate.bias": arrays["gate.bias"][None]}),
        cut("embedding", 3),
    ],
)
def test_gates_of_other_members_are_refused(
    change: Callable[[Arrays, dict[str, str]], None], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy_of(trained, tmp_path)
    crafted_tensors(path / MODEL, change)
    for words in (["generate", str(path), "--length", "5"], ["generate", str(path), "--length", "5", "--cache"]):
        assert command(words) == 2
        assert MODEL in capsys.readouterr().err


def test_what_is_stored_is_opened(trained: Path) -> None:
    members = Run.open(trained / "run").load_members()
    assert members.counts is not None
    assert members.cache is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, texts: arrays.update({"reader.starts": arrays["reader.starts"] + 10**9}),
        lambda arrays, texts: arrays.update({"reader.starts": -arrays["reader.starts"] - 1}),
        set_at("reader.place", 1, 10**9),
        lambda arrays, texts: arrays.update({name: part[:1] for name, part in arrays.items() if "exp_avg" in name}),
        lambda arrays, texts: arrays.update({name: part[..., :1] for name, part in arrays.items() if "state." in name}),
        lambda arrays, texts: arrays.update({name: part[:1] for name, part in arrays.items() if "state." in name}),
        lambda arrays, texts: [arrays.pop(name) for name in list(arrays) if name.startswith("reader.")],
        lambda arrays, texts: arrays.update({"rng.torch.0": arrays["rng.torch.0"][:7]}),
    ],
)
def test_a_state_that_does_not_fit_its_run_is_refused(
    change: Callable[[Arrays, dict[str, str]], None], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy_of(trained, tmp_path)
    before = (path / MODEL).read_bytes()

    def unfinished(arrays: Arrays, texts: dict[str, str]) -> None:
        values = json.loads(texts["values"])
        values["position"]["finished"] = False
        texts["values"] = json.dumps(values)
        change(arrays, texts)

    crafted_tensors(path / STATE, lambda arrays, texts: None)
    tensors = path / STATE
    crafted_tensors(tensors, unfinished)
    (path / "manifest.json").unlink()
    seqlab.base.files.write_manifest(path, ["config.json", "tokenizer.json"])
    options = ["--steps", "8", "--hidden-dim", "8", "--embed-dim", "8", "--batch-size", "4", "--bptt", "8"]
    assert command(["train", "lm", str(trained / "text.txt"), "-o", str(path), *options]) == 2
    assert "the state does not fit its run" in capsys.readouterr().err
    assert (path / MODEL).read_bytes() == before


@pytest.mark.parametrize("kind", ["more jobs", "negative jobs", "other shape", "missing", "other losses"])
def test_a_state_of_vectors_that_does_not_fit_is_refused(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    words = [
        "train",
        "embeddings",
        str(tmp_path / "text.txt"),
        "-o",
        str(tmp_path / "v"),
        "--dim",
        "8",
        "--epochs",
        "1",
    ]
    assert command([*words, "--min-count", "1"]) == 0

    def change(arrays: Arrays, texts: dict[str, str]) -> None:
        values = json.loads(texts["values"])
        position = values["position"]
        position["jobs"] = {"more jobs": 10**9, "negative jobs": -4}.get(kind, 0)
        if kind == "other losses":
            position["predictions"] = []
        texts["values"] = json.dumps(values)
        if kind == "other shape":
            arrays["inputs"] = arrays["inputs"][:, :3]
        elif kind == "missing":
            del arrays["outputs"]

    crafted_tensors(tmp_path / "v" / "state" / "latest.safetensors", change)
    for name in ("vectors.safetensors", "vocab.json", "manifest.json"):
        (tmp_path / "v" / name).unlink()
    capsys.readouterr()
    assert command([*words, "--min-count", "1"]) == 2
    sentence = capsys.readouterr().err
    assert "the state does not fit its training" in sentence


def test_a_crafted_tokenizer_does_not_reach_the_embedding(trained: Path, tmp_path: Path) -> None:
    path = copy_of(trained, tmp_path)
    run = Run.open(path)
    vocab = run.tokenizer.vocab
    run.tokenizer.with_vocab(type(vocab)([*vocab.itos, "zebra"], [*vocab.counts.tolist(), 0])).save(
        path / "tokenizer.json"
    )
    seqlab.base.files.write_manifest(path, list(json.loads((path / "manifest.json").read_text())["files"]))
    with pytest.raises(InputError, match=r"do not fit|does not fit"):
        Run.open(path).load_members()
    with pytest.raises(InputError, match="does not fit"):
        seqlab.load_vectors(path)


def test_counts_whose_longest_n_grams_were_all_left_out_are_opened(tmp_path: Path) -> None:
    tokens = TokenFile.of(np.random.default_rng(1).integers(0, 20, 400))
    counts = NGramModel.train(tokens, 20, 0, order=8, prune=1)
    assert counts.ngrams[-1] == 0
    assert len(counts.starts_C) == len(counts.totals_C) + 1
    counts.save(tmp_path / "counts.safetensors")
    assert np.array_equal(NGramModel.load(tmp_path / "counts.safetensors").log_probs(tokens), counts.log_probs(tokens))
