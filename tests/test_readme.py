"""Every command and every Python line of the README runs, on the text it names, with training budgets cut short."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest
from seqlab_cli.main import run

import seqlab

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = [
    part.split("\n", 1)
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]
COMMANDS = [command for command, _ in CONSOLE]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with book.txt and chapter.txt, where the README's reader stands."""
    folder = tmp_path_factory.mktemp("home")
    chronicle = runpy.run_path(str(ROOT / "docs" / "tutorials" / "harbour.py"))["chronicle"]
    (folder / "book.txt").write_text(chronicle(400), "utf-8")
    (folder / "chapter.txt").write_text(chronicle(20, seed=2), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEQLAB_CACHE", str(folder / "cache"))
        yield folder


def test_the_readme_is_short_and_shows_the_main_verbs():
    assert len(README.splitlines()) <= 150
    verbs = {command.split()[1] for command in COMMANDS}
    assert {"train", "generate", "evaluate", "curves", "neighbors", "analogy", "visualize"} <= verbs


def test_the_readme_never_scores_the_text_it_trained_on():
    trained = {command.split()[3] for command in COMMANDS if command.startswith("seqlab train lm")}
    scored = {text for command in COMMANDS for text in re.findall(r"evaluate .*--text (\S+)", command)}
    assert scored
    assert not trained & scored


def test_the_commands_of_the_readme_run_one_after_the_other(home, capsys):
    for command, shown in CONSOLE:
        arguments = shlex.split(re.sub(r"(lm .*)--epochs \S+", r"\1--steps 4", command))
        assert arguments[0] == "seqlab"
        assert run(arguments[1:]) == 0, f"{command}: {capsys.readouterr().err}"
        printed = capsys.readouterr().out.strip()
        if "-o" in arguments:
            assert Path(arguments[arguments.index("-o") + 1]).exists(), command
        else:
            assert printed, command
        if "evaluate" in arguments:
            labels = [line.rsplit("  ", 1)[0].strip() for line in shown.strip().splitlines()]
            found = [line.rsplit("  ", 1)[0].strip() for line in printed.splitlines()]
            assert labels == found[: len(labels)]


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_the_readme_runs(home, code, capsys):
    exec(re.sub(r"minutes=[\d.]+", "minutes=0.005", code), {})
    assert capsys.readouterr().out.strip()


def test_the_package_docstring_names_real_functions():
    for name in re.findall(r"seqlab\.(\w+)\(", seqlab.__doc__):
        assert callable(getattr(seqlab, name))
