"""Every flag and setting that README, docs and help texts name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from seqlab_cli.main import app

from seqlab.config.book import settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if "tutorials" not in path.parts]
FOREIGN = re.compile(r"^.*\b(torchrun|pip|python3?|git|make|conda|uv)\b.*$", re.MULTILINE)
"""Lines with the flags of other programs."""


def flags() -> set[str]:
    found = {"--help", "--version", "--debug", "--install-completion", "--show-completion"}

    def walk(command):
        for child in getattr(command, "commands", {}).values():
            walk(child)
        for param in command.params:
            found.update(param.opts)
            found.update(param.secondary_opts)

    walk(typer.main.get_command(app))
    return found


FLAGS = flags()
NAMES = {name for one in settings() for name in (one.key, one.name)}


def helps() -> str:
    return "\n".join(f"{one.meaning} {one.usual} {one.effect}" for one in settings())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_names_a_page_uses_exist(page):
    text = FOREIGN.sub("", page.read_text("utf-8"))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))
    assert named <= FLAGS, f"no such flags: {sorted(named - FLAGS)}"
    assigned = set(re.findall(r"--set \"?([\w.]+)=", text))
    assert assigned <= NAMES, f"no such settings: {sorted(assigned - NAMES)}"


def test_the_names_that_settings_mention_exist():
    text = helps()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) <= FLAGS
    underscored = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text))
    examples = {"new_york", "can_be", "have_been", "no_repeat_ngram", "repetition_penalty"}
    assert underscored - examples <= NAMES
