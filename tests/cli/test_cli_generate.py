"""`seqlab generate` on a run folder with random weights."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from seqlab_cli.main import run as seqlab

import seqlab as library
from seqlab.config import LanguageModelConfig
from seqlab.generation import TextGenerator
from seqlab.models import LanguageModel
from seqlab.run import Run
from seqlab.text import TOKENIZERS, Vocab

TEXT = "The cat sat on the mat.\nA dog, 東京!\n\x1b\x07"
CONFIG = {"model": {"embed_dim": 4, "hidden_dim": 6, "layers": 1, "tie": False}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a character model."""
    blank = TOKENIZERS["char"]()
    types, indices = blank.segment(TEXT)
    tokenizer = blank.with_vocab(
        Vocab.build(types, np.bincount(indices, minlength=len(types)), controls=["<unk>", "<eos>"])
    )
    path = tmp_path_factory.mktemp("runs") / "tiny"
    config = LanguageModelConfig.build(CONFIG)
    run = Run.create(path, config, tokenizer, {"digest": "none"})
    torch.manual_seed(1)
    model = LanguageModel(config.model, len(tokenizer.vocab))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    run.save_model(model)
    return str(path)


def expected(folder, prompt="", **options):
    """What the library gives for the same options."""
    run = Run.open(folder)
    return TextGenerator(run.load_model(), run.tokenizer).generate(prompt, **options)


def stdin(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))


def with_line_end(text):
    return text if text.endswith("\n") else text + "\n"


def test_one_text_is_printed_as_the_library_gives_it(folder, capsys):
    arguments = ["--prompt", "The cat", "--length", "60", "--temperature", "0.8", "--top-k", "9"]
    assert seqlab(["generate", folder, *arguments, "--seed", "3"]) == 0
    (one,) = expected(folder, "The cat", length=60, temperature=0.8, top_k=9, seed=3)
    out, err = capsys.readouterr()
    assert out == with_line_end(str(one))
    assert out.startswith("The cat")
    assert err == ""


def test_a_seed_by_chance_is_stated_and_repeats_the_text(folder, capsys):
    assert seqlab(["generate", folder, "--length", "50"]) == 0
    out, err = capsys.readouterr()
    word, seed = err.split()
    assert word == "seed"
    assert seqlab(["generate", folder, "--length", "50", "--seed", seed]) == 0
    assert capsys.readouterr().out == out


def test_several_texts_have_a_line_between_them(folder, capsys):
    assert seqlab(["generate", folder, "--num", "3", "--length", "20", "--seed", "1"]) == 0
    texts = [with_line_end(str(one)) for one in expected(folder, num=3, length=20, seed=1)]
    assert capsys.readouterr().out == "".join(f"--- {i} of 3 ---\n{text}" for i, text in enumerate(texts, 1))


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (["--beam", "3", "--num", "2"], {"beam": 3, "num": 2}),
        (["--best-of", "4", "--length-penalty", "1"], {"best_of": 4, "length_penalty": 1}),
        (["--temperature", "0"], {"temperature": 0}),
        (["--rule", "top_p=0.8", "--rule", "temperature=0.5"], {"rules": ["top_p=0.8", "temperature=0.5"]}),
        (["--min-p", "0.1", "--top-p", "0.9", "--stop", "a"], {"min_p": 0.1, "top_p": 0.9, "stop": ["a"]}),
        (["--ignore-eos", "--stop", r"\n"], {"stop_at_eos": False, "stop": ["\n"]}),
    ],
)
def test_json_holds_what_the_flags_ask_for(folder, capsys, flags, options):
    assert seqlab(["generate", folder, "--json", "--length", "25", "--seed", "5", *flags]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["samples"] == [one.to_json() for one in expected(folder, length=25, seed=5, **options)]


def test_the_prompt_may_come_from_stdin(folder, capsys, monkeypatch):
    stdin(monkeypatch, "A dog, 東京\r\n".encode())
    assert seqlab(["generate", folder, "--prompt", "-", "--length", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == "A dog, 東京"
    stdin(monkeypatch, b"A \xff")
    assert seqlab(["generate", folder, "--prompt", "-"]) == 2
    assert "not UTF-8 at byte 2" in capsys.readouterr().err


def test_interactive_continues_line_after_line(folder, capsys, monkeypatch):
    stdin(monkeypatch, "The\nЖ\ncat\n".encode())
    assert seqlab(["generate", folder, "--interactive", "--length", "12", "--seed", "8"]) == 0
    out, err = capsys.readouterr()
    texts = [expected(folder, prompt, length=12, seed=seed)[0] for prompt, seed in (("The", 8), ("cat", 10))]
    assert out == "".join(with_line_end(str(one)) for one in texts)
    assert err.count("\n") == 1
    assert "'Ж'" in err


def test_generated_text_cannot_steer_a_terminal(folder, capsys, monkeypatch):
    arguments = ["generate", folder, "--length", "300", "--temperature", "5", "--seed", "2", "--ignore-eos"]
    assert seqlab(arguments) == 0
    plain = capsys.readouterr().out
    assert "\x1b" in plain
    assert "\x07" in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert seqlab(arguments) == 0
    assert capsys.readouterr().out == plain.replace("\x1b", "\\x1b").replace("\x07", "\\x07")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--prompt", "The Ж"], "'Ж'"),
        (["--beam", "3", "--temperature", "0.5"], "temperature cannot apply"),
        (["--rule", "topk=4"], "Did you mean 'top_k'"),
        (["--prompt", "The", "--rule", "ban=Ж"], "ban=Ж is not one token"),
        (["--num", "0"], "seqlab: --num: must be 1 or more, not 0."),
        (["--temperature", "-1"], "seqlab: --temperature: must be 0 or more, not -1.0."),
        (["--interactive", "--prompt", "a"], "leave out --prompt"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, flags, message):
    assert seqlab(["generate", folder, *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_a_missing_run_is_one_sentence(tmp_path, capsys):
    assert seqlab(["generate", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such run folder" in capsys.readouterr().err


def test_generating_once_more_loads_no_compiler(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the cat\n" * 60)
    lm = library.train_language_model(tmp_path / "text.txt", tmp_path / "run", steps=1, quiet=True)
    assert lm.run.has_counts
    code = (
        "import sys; from seqlab_cli.main import run; code = run(sys.argv[1:]);"
        "assert code == 0; print('numba' in sys.modules, 'scipy.linalg' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "generate", str(tmp_path / "run"), "--length", "3", "--seed", "1"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    first, again = (
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment) for _ in range(2)
    )
    assert first.stderr.split()[-2:] == ["True", "False"]
    assert again.stderr.split()[-2:] == ["False", "False"]
    assert again.stdout == first.stdout


def test_several_temperatures_are_one_command(folder, capsys):
    arguments = ["generate", folder, "--prompt", "The cat", "--length", "30", "--seed", "3"]
    assert seqlab([*arguments, "--temperature", "0.5,0.8, 1.1"]) == 0
    output = capsys.readouterr().out
    for temperature in (0.5, 0.8, 1.1):
        (one,) = expected(folder, "The cat", length=30, temperature=temperature, seed=3)
        assert f"--- temperature {temperature} ---\n{with_line_end(str(one))}" in output
    assert seqlab([*arguments, "--temperature", "0.5,0.8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["temperature"] for one in found["samples"]] == [0.5, 0.8]
    assert found["seed"] == 3
    assert seqlab(["generate", folder, "--length", "9", "--temperature", "1,1", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["samples"]
    assert first == second, "one seed for all"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "0.5,x"], "--temperature 0.5,x: not a number"),
        (["--temperature", "0.5,,1"], "not a number"),
        (["--temperature", "0.5,-1"], "temperature: must be 0"),
        (["--temperature", "0.5,1", "--items", "3"], "--items takes one"),
        (["--temperature", "0.5,1", "--interactive"], "--interactive takes one"),
        (["--temperature", "1,0", "--num", "2"], "the same text every time"),
    ],
)
def test_temperatures_that_cannot_be_are_one_sentence(folder, capsys, arguments, message):
    assert seqlab(["generate", folder, *arguments]) == 2
    assert message in capsys.readouterr().err
