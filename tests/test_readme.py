"""Every command and every Python line of the README runs, on a text written here, with training budgets cut short."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path

import pytest
from seqlab_cli.main import run

import seqlab

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with book.txt and chapter.txt, where the README's reader stands."""
    folder = tmp_path_factory.mktemp("home")
    generator = random.Random(1)
    subjects = ["The old captain", "A young reader", "Once upon a time the king", "Nobody in the village", "The is"]
    verbs = ["saw", "remembered", "wrote down", "is", "would never forget"]
    objects = ["a quiet harbour", "the last letter", "an open window", "the long winter", "a small boat"]
    ends = [".", ", and went home.", "; the others slept.", "!", " — or so they said."]
    for name, count in (("book.txt", 2500), ("chapter.txt", 100)):
        sentences = [
            " ".join(map(generator.choice, (subjects, verbs, objects))) + generator.choice(ends) for _ in range(count)
        ]
        (folder / name).write_text("\n".join(sentences) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEQLAB_CACHE", str(folder / "cache"))
        yield folder


def test_the_readme_shows_every_verb():
    verbs = {command.split()[1] for command in COMMANDS}
    assert {"train", "generate", "evaluate", "curves", "neighbors", "analogy", "visualize", "info", "data"} <= verbs


def test_the_commands_of_the_readme_run_one_after_the_other(home, capsys):
    for command in COMMANDS:
        arguments = shlex.split(re.sub(r"--minutes \S+", "--minutes 0.03", command))
        assert arguments[0] == "seqlab"
        assert run(arguments[1:]) == 0, f"{command}: {capsys.readouterr().err}"
        shown = capsys.readouterr().out.strip()
        if "-o" in arguments:
            assert Path(arguments[arguments.index("-o") + 1]).exists(), command
        else:
            assert shown, command


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_the_readme_runs(home, code, capsys):
    exec(re.sub(r"minutes=[\d.]+", "minutes=0.03", code), {})
    assert capsys.readouterr().out.strip()


def test_the_package_docstring_names_real_functions():
    for name in re.findall(r"seqlab\.(\w+)\(", seqlab.__doc__):
        assert callable(getattr(seqlab, name))
