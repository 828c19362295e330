"""train, evaluate and info as a person types them; every bad input is one sentence and exit code 2."""

from __future__ import annotations

import json
import random

import pytest
from seqlab_cli.main import run

SIZES = ["--hidden-dim", "8", "--embed-dim", "8", "--layers", "1", "--batch-size", "4", "--bptt", "8"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    generator = random.Random(0)
    words = [f"{a}{b}" for a in "bcdfg" for b in ("ato", "elu", "ir")]
    text = "\n".join(" ".join(generator.choices(words, k=8)) + "." for _ in range(400)) + "\n"
    (folder / "text.txt").write_text(text)
    (folder / "empty.txt").write_text("")
    (folder / "rare.txt").write_text(" ".join(f"once{i}" for i in range(300)))
    (folder / "bad.txt").write_bytes(b"fine so far\nthen \xff broken\n")
    (folder / "greek.txt").write_text("άλφα 1 2\nβήτα 3 4\n")
    (folder / "vectors.txt").write_text("\n".join(f"{w} {i % 3} {i % 5} 1.5 -2" for i, w in enumerate(words)))
    return folder


@pytest.mark.parametrize(
    "verb", [["train", "lm", "-o", "run"], ["train", "autoencoder", "-o", "run"], ["check"], ["tune"]]
)
def test_a_text_that_is_not_there_is_refused_before_torch_is_loaded(home, verb, capsys, monkeypatch):
    monkeypatch.chdir(home)
    for room in ("train", "autoencoders.train", "studies.check", "studies.tune"):
        monkeypatch.setattr(f"seqlab_cli.{room}.load_torch", lambda: pytest.fail("torch was loaded"))
    for texts in (["txt.txt"], ["text.txt", "--valid", "txt.txt"]):
        assert run([*verb, *texts]) == 2
        assert capsys.readouterr().err == "seqlab: txt.txt: no such file or folder, nor a corpus of that name.\n"


@pytest.fixture(scope="module")
def trained(home):
    command = ["train", "lm", str(home / "text.txt"), "-o", str(home / "run"), "--tokenizer", "char", "--steps", "30"]
    assert run([*command, *SIZES, "--quiet"]) == 0
    return home / "run"


def test_train_prints_one_json_summary_last(home, trained, capsys):
    command = ["train", "lm", str(home / "text.txt"), "-o", str(home / "again"), "--tokenizer", "word", "--epochs", "1"]
    assert run([*command, *SIZES]) == 0
    captured = capsys.readouterr()
    summary = json.loads(captured.out.splitlines()[-1])
    assert {"run", "steps", "tokens", "seconds", "valid"} <= summary.keys()
    assert "training tokens of" in captured.err
    assert "token frequencies" in captured.err


def test_a_finished_run_is_not_trained_again(home, trained, capsys):
    before = (trained / "model.safetensors").stat().st_mtime_ns
    command = ["train", "lm", str(home / "text.txt"), "-o", str(trained), "--tokenizer", "char", "--steps", "30"]
    assert run([*command, *SIZES]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["steps"] == 30
    assert "is finished" in captured.err
    assert (trained / "model.safetensors").stat().st_mtime_ns == before


def test_a_finished_run_goes_on(home, capsys):
    command = ["train", "lm", str(home / "text.txt"), "-o", str(home / "goes-on")]
    assert run([*command, "--more", "1"]) == 2
    assert "--more: continues a finished run" in capsys.readouterr().err
    assert run([*command, "--tokenizer", "char", "--steps", "5", "--threads", "1", *SIZES]) == 0
    assert run([*command, "--tokenizer", "char", "--steps", "9", "--threads", "1", *SIZES]) == 0
    assert run([*command, "--more", "0.005", "--quiet"]) == 0
    steps = [json.loads(line)["steps"] for line in capsys.readouterr().out.splitlines()]
    assert steps[:2] == [5, 9]
    assert steps[2] > 9
    assert run([*command, "--more", "1", "--dry-run"]) == 0


def test_dry_run_prints_the_settings_and_writes_nothing(home, capsys):
    config = home / "c.toml"
    config.write_text("[training]\nlr = 0.5\nclip = 9\n[model]\nlayers = 3\n")
    command = ["train", "lm", str(home / "text.txt"), "-o", str(home / "dry"), "--dry-run", "--config", str(config)]
    assert run([*command, "--clip", "0.25", "--set", "training.warmup=0.5", "--set", "layers=1", "--quiet"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["training"]["lr"] == 0.5
    assert settings["training"]["clip"] == 0.25
    assert settings["training"]["warmup"] == 0.5
    assert settings["model"]["layers"] == 1
    assert not (home / "dry").exists()


def test_a_dry_run_on_a_terminal_says_where_each_setting_comes_from(home, capsys, monkeypatch):
    (home / "d.toml").write_text("[training]\nclip = 9\n")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    command = ["train", "lm", str(home / "text.txt"), "--dry-run", "--quiet", "--config", str(home / "d.toml")]
    assert run([*command, "--lr", "0.5", "--set", "warmup=0.5", "--preset", "char"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["setting"] == ["value", "from"]
    assert rows["training.lr"] == ["0.5", "flags"]
    assert rows["training.warmup"] == ["0.5", "--set"]
    assert rows["training.clip"][1:] == [str(home / "d.toml")]
    assert rows["model.hidden_dim"] == ["256", "preset", "char"]
    assert rows["training.optimizer"] == ["adamw", "default"]


def test_a_preset_for_characters_reads_characters_unless_told_otherwise(home, capsys):
    """The text, written by words as it is, would be read by words."""
    command = ["train", "lm", str(home / "text.txt"), "--dry-run", "--quiet"]
    for more, kind, said in (
        (["--preset", "char-small"], "char", "(char tokenizer); preset char-small"),
        (["--preset", "char", "--tokenizer", "byte"], "byte", "(byte tokenizer); preset char"),
        (["--tokenizer", "byte"], "byte", "(byte tokenizer); preset char-small"),
        (["--tokenizer", "word"], "word", "(word tokenizer); preset word-small-"),
    ):
        assert run([*command, *more]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["text"]["tokenizer"] == kind
        assert said in captured.err


def test_training_needs_a_folder(home, capsys):
    assert run(["train", "lm", str(home / "text.txt")]) == 2
    assert "name the run folder to write" in capsys.readouterr().err


def test_evaluate_and_info(home, trained, capsys):
    assert run(["evaluate", str(trained), "--text", str(home / "text.txt"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    keys = {"tokens", "nats_per_token", "perplexity", "nats_per_char", "bits_per_char", "bits_per_byte", "unknown_rate"}
    assert keys <= scores.keys()
    assert scores["tokens"] == len((home / "text.txt").read_text())
    assert run(["evaluate", str(trained), "--text", str(home / "text.txt")]) == 0
    assert "perplexity" in capsys.readouterr().out
    assert run(["info", str(trained), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "language-model"
    assert facts["finished"] is True
    assert facts["parameters"]["embedding"] == facts["vocab_size"] * 8
    assert run(["info", str(trained)]) == 0
    assert "config.model.hidden_dim" in capsys.readouterr().out
    assert run(["info", str(home / "vectors.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dim"] == 4


def test_embeddings_are_trained_and_a_run_has_vectors_too(home, capsys):
    command = ["train", "embeddings", str(home / "text.txt"), "-o", str(home / "v"), "--dim", "8", "--epochs", "2"]
    assert run([*command, "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"vectors", "words_per_second", "seconds", "loss"} <= report.keys()
    assert run(["neighbors", str(home / "v"), "bato", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"]
    command = ["train", "lm", str(home / "text.txt"), "-o", str(home / "fed"), "--tokenizer", "word", "--steps", "5"]
    assert run([*command, *SIZES, "--embeddings", str(home / "v"), "--freeze-embeddings"]) == 0
    assert "start from the vectors" in capsys.readouterr().err
    assert run(["neighbors", str(home / "fed"), "bato", "--json"]) == 0


def sentence(capsys) -> str:
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("seqlab: ")]
    assert "Traceback" not in captured.err
    return lines[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "lm", "missing.txt", "-o", "x"], "missing.txt"),
        (["train", "lm", "empty.txt", "-o", "x"], "empty.txt: the text is empty"),
        (["train", "lm", "bad.txt", "-o", "x"], "bad.txt: line 2"),
        (["train", "embeddings", "bad.txt", "-o", "x"], "bad.txt: line 2"),
        (["train", "embeddings", "rare.txt", "-o", "x"], "min-count"),
        (["train", "lm", "rare.txt", "-o", "x", "--tokenizer", "word", "--min-count", "2"], "min-count"),
        (["train", "lm", "text.txt", "-o", "x", "--cell", "ltsm"], "Did you mean 'lstm'"),
        (["train", "lm", "text.txt", "-o", "x", "--tokenizer", "chars"], "char"),
        (["train", "lm", "text.txt", "-o", "x", "--optimizer", "adamv"], "Did you mean 'adam"),
        (["train", "lm", "text.txt", "-o", "x", "--lr", "-1"], "--lr: must be above 0"),
        (["train", "lm", "text.txt", "-o", "x", "--lr", "fast"], "--lr"),
        (["train", "lm", "text.txt", "-o", "x", "--set", "training.cilp=1"], "Did you mean 'training.clip'"),
        (["train", "lm", "text.txt", "-o", "x", "--set", "clip"], "key=value"),
        (["train", "lm", "text.txt", "-o", "x", "--config", "missing.toml"], "missing.toml"),
        (["train", "lm", "text.txt", "-o", "x", "--epochs", "1", "--steps", "2"], "epochs and steps"),
        (["train", "lm", "text.txt", "-o", "x", "--device", "tpu9"], "tpu9"),
        (["train", "lm", "text.txt", "-o", "x", "--embeddings", "nowhere"], "nowhere"),
        (["train", "lm", "text.txt", "-o", "x", "--tokenizer", "word", "--embeddings", "greek.txt"], "has a vector"),
        (["train", "lm", "text.txt", "-o", "x", "--freeze-embeddings"], "freeze_embeddings: no vectors are given"),
        (["train", "lm", "text.txt", "-o", "x", "--init", "run", "--freeze-embeddings"], "no vectors are given"),
        (["train", "lm", "text.txt", "-o", "x", "--init", "nowhere"], "nowhere: no such run folder"),
        (["train", "lm", "text.txt", "-o", "x", "--init", "run", "--layers", "3"], "has model.layers = 1"),
        (["train", "lm", "text.txt", "-o", "x", "--batch-size", "100000"], "batch_size: the training text has only"),
        (
            ["train", "lm", "text.txt", "-o", "x", "--set", "batch_schedule=[[0.5,64000]]"],
            "batch_schedule: the training",
        ),
        (["train", "lm", "text.txt", "-o", "x", "--batch-size", "6", "--set", "accumulate=4"], "accumulate = 4"),
        (["train", "lm", "text.txt", "-o", "x", "--seed", "-5"], "--seed: must be 0 or more"),
        (["train", "lm", "text.txt", "-o", "x", "--seed", "99999999999999999999999"], "--seed"),
        (["train", "embeddings", "text.txt", "-o", "x", "--seed", "-5"], "seed: must be 0 or more"),
        (["train", "embeddings", "text.txt", "-o", "x", "--seed", "99999999999999999999999"], "seed"),
        (["generate", "run", "--seed", "99999999999999999999999"], "seed"),
        (["train", "lm", "text.txt", "-o", "x", "--minutes", "inf"], "--minutes: must be a finite"),
        (["train", "lm", "text.txt", "-o", "x", "--epochs", "inf"], "--epochs: must be a finite"),
        (["train", "lm", "text.txt", "-o", "x", "--lr", "inf"], "--lr: must be a finite"),
        (["train", "lm", "text.txt", "-o", "x", "--clip", "nan"], "--clip: must be a finite"),
        *[
            (
                ["train", "lm", "text.txt", "-o", "x", "--set", f"{key}={value}"],
                f"training.{key}: must be a finite",
            )
            for key in ("l1", "l2", "weight_decay", "clip_value", "temporal_penalty")
            for value in ("inf", "nan")
        ],
        (["train", "lm", "text.txt", "-o", "x", "--dropout", "nan"], "--dropout: must be a finite"),
        (["train", "embeddings", "text.txt", "-o", "x", "--lr", "inf"], "lr: must be a finite"),
        (["train", "embeddings", "text.txt", "-o", "x", "--model", "glove"], "model"),
        (["evaluate", "nowhere", "--text", "text.txt"], "nowhere"),
        (["evaluate", "run"], "--text"),
        (["evaluate", "run", "--text", "missing.txt"], "missing.txt"),
        (["evaluate", "run", "--text", "empty.txt"], "empty.txt"),
        (["info", "nowhere"], "nowhere"),
        (["generate", "run", "--prompt", "Ω?"], "Ω"),
        (["neighbors", "vectors.txt", "batp"], "bato"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_exit_code_2(home, trained, arguments, expected, capsys, monkeypatch):
    monkeypatch.chdir(home)
    assert run(arguments) == 2
    assert expected in sentence(capsys)
    assert not (home / "x").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_corrupt_run_is_one_sentence_and_exit_code_2(home, trained, tmp_path, name, capsys):
    import shutil

    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    data = bytearray((broken / name).read_bytes())
    data[len(data) // 3] ^= 4
    (broken / name).write_bytes(data)
    for command in (["generate", str(broken)], ["evaluate", str(broken), "--text", str(home / "text.txt")]):
        assert run(command) == 2
        assert name in sentence(capsys)
