"""Terminals that are not UTF-8: Windows' code pages, and the streams that a pipe or a file is there."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys

import pytest
import typer
from seqlab_cli import main

TEXT = "“Naïve” — the café’s cat → mat .\nthe dog sat on the rug .\n" * 80


def pages(command: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words that name every command, groups included."""
    found = [path]
    for name, part in getattr(command, "commands", {}).items():
        found += pages(part, (*path, name))
    return found


def run_in(code_page: str, *calls: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run several command lines in one process whose streams are of that encoding."""
    code = (
        "import json, sys; from seqlab_cli import main; main._prepare_streams();"
        "print([main.run(call) for call in json.loads(sys.argv[1])], file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": code_page, "PYTHONUTF8": "0", "SEQLAB_QUIET": ""}
    command = [sys.executable, "-c", code, json.dumps(calls)]
    return subprocess.run(command, capture_output=True, env=environment, check=False)


def test_every_help_page_prints_in_a_windows_code_page():
    calls = [[*path, "--help"] for path in pages(typer.main.get_command(main.app))]
    assert len(calls) > 12
    done = run_in("cp1252", *calls)
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert done.stderr.decode("cp1252").splitlines()[-1] == str([0] * len(calls))
    text = done.stdout.decode("cp1252")
    assert text.count("Usage:") == len(calls)
    assert "\\u" not in text, "a help page uses a character that Windows' code page lacks"


def test_a_whole_story_prints_in_a_windows_code_page(tmp_path):
    """Characters that it lacks are escaped, and JSON stays JSON."""
    (tmp_path / "book.txt").write_text(TEXT, "utf-8")
    book, corpus, run, vectors = (str(tmp_path / name) for name in ("book.txt", "corpus", "run", "vectors"))
    small = ["--embed-dim", "8", "--hidden-dim", "8", "--layers", "1", "--steps", "3"]
    done = run_in(
        "cp1252",
        ["data", "prepare", book, "-o", corpus, "--tokenizer", "word"],
        ["train", "lm", corpus, "-o", run, *small],
        ["train", "embeddings", corpus, "-o", vectors, "--dim", "8", "--epochs", "1", "--min-count", "1"],
        ["generate", run, "--prompt", "the café’s → ", "--length", "5", "--seed", "1"],
        ["neighbors", vectors, "→"],
        ["info", run],
        ["neighbors", vectors, "cat", "-k", "99", "--json"],
    )
    talk = done.stderr.decode("cp1252")
    assert talk.splitlines()[-1] == str([0] * 7), talk
    out = done.stdout.decode("cp1252")
    assert "the café’s \\u2192" in out
    assert "→" in {one["word"] for one in json.loads(out.splitlines()[-1])["results"]}


@pytest.mark.parametrize("chosen", [None, "cp1252"])
def test_pipes_and_files_are_utf8_on_windows_unless_told_otherwise(monkeypatch, chosen):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="cp1252") for name in ("stdin", "stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(main, "WINDOWS", True)
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    if chosen:
        monkeypatch.setenv("PYTHONIOENCODING", chosen)
    main._prepare_streams()
    assert {stream.encoding for stream in streams.values()} == {chosen or "utf-8"}
    print("→")
    streams["stdout"].flush()
    assert streams["stdout"].buffer.getvalue().strip() == (b"\\u2192" if chosen else "→".encode())


@pytest.mark.skipif(os.name == "nt", reason="its streams are closed in other ways")
def test_what_goes_to_closed_streams_goes_nowhere_and_into_no_file(tmp_path):
    """It ended in a traceback; and the first file that was opened got the descriptor of stdout."""
    code = (
        "import os, sys; os.close(1); os.close(2); sys.stdout = sys.stderr = None; from seqlab_cli import main;"
        f"main._prepare_streams(); print('nowhere'); file = open({str(tmp_path / 'file')!r}, 'w');"
        "os._exit(main.run(['settings', 'lr']) + 10 * file.fileno())"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode >= 30
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("windows", [False, True])
def test_a_reader_that_has_gone_is_no_error(monkeypatch, windows, tmp_path):
    """`seqlab ... | head`: Windows reports it as an invalid argument."""
    error = OSError(errno.EINVAL, "Invalid argument") if windows else BrokenPipeError(errno.EPIPE, "Broken pipe")
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(main, "WINDOWS", windows)

        def app(*arguments, **options):
            raise error

        monkeypatch.setattr(main, "app", app)
        assert main.run([]) == 0


@pytest.mark.parametrize("words", [["settings"], ["settings", "lr"], ["--help"], ["data", "list", "--json"]])
def test_a_pipe_that_nobody_reads_is_quiet(words):
    command = [sys.executable, "-c", "from seqlab_cli import start; start()", *words]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.close()
    assert program.communicate()[1] == b""
    assert program.returncode == 0


def test_torch_is_imported_while_the_search_for_cycles_rests():
    script = """
import gc, sys
from seqlab_cli.console import load_torch
collected = []
gc.callbacks.append(lambda phase, facts: collected.append("torch" in sys.modules))
load_torch()
assert not any(collected), collected
assert gc.isenabled() and gc.get_freeze_count() > 100_000
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_torch_is_imported_without_its_table_of_shapes_which_is_there_when_it_is_needed():
    script = """
import sys
from seqlab_cli.console import load_torch
load_torch(whole=False)
assert not {"torch._decomp", "torch._refs"} & set(sys.modules)
import torch
from seqlab.base.devices import without_weights
from seqlab.config import ModelConfig
from seqlab.models import LanguageModel
from seqlab.nn.cells.table import CELLS
for cell in CELLS:
    with without_weights():
        model = LanguageModel(ModelConfig(cell=cell, hidden_dim=8, embed_dim=8), 9)
    assert all(weight.is_meta for weight in model.parameters())
drawn = torch.randn(9, generator=torch.Generator().manual_seed(3))
weight = torch.nn.Parameter(drawn)
torch.nn.functional.softmax(weight, -1)[0].backward()
import torch._decomp
assert torch.randn(9, generator=torch.Generator().manual_seed(3)).equal(drawn)
assert callable(torch._meta_registrations.meta_index_Tensor)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


HOSTILE = "a\x1b[31m\x07\u202eb"


@pytest.mark.skipif(os.name == "nt", reason="no such names")
@pytest.mark.parametrize(
    "command",
    [
        ["info", "NAME"],
        ["neighbors", "NAME", "a"],
        ["neighbors", "NAME.vec", "a"],
        ["generate", "NAME"],
        ["evaluate", "NAME", "--text", "NAME.txt"],
        ["train", "lm", "NAME", "-o", "run"],
        ["train", "lm", "ok.txt", "-o", "NAME.vec"],
        ["train", "lm", "ok.txt", "-o", "run", "--config", "NAME.vec"],
        ["data", "prepare", "ok.txt", "-o", "NAME", "--tokenizer", "word"],
        ["data", "inspect", "NAME"],
        ["convert", "NAME.vec", "out.npz"],
        ["visualize", "NAME.vec", "-o", "NAME.png"],
        ["curves", "NAME", "-o", "c.png"],
        ["settings", "NAME"],
        ["NAME"],
    ],
)
def test_names_of_files_never_steer_a_terminal(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ok.txt").write_text("the cat sat on the mat and saw a dog\n" * 40)
    (tmp_path / f"{HOSTILE}.vec").write_text("1 2\nword 1\n")
    main.run([part.replace("NAME", HOSTILE) for part in command])
    written = capfd.readouterr()
    for character in "\x1b\x07\u202e":
        assert character not in written.out + written.err
