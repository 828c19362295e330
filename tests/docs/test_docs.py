"""The documentation: it builds without a warning and without another machine, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seqlab.config import AutoencoderConfig, EmbeddingsConfig, GenerationConfig, LanguageModelConfig
from seqlab.nn import CELLS
from seqlab.schedules import SCHEDULES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SETTINGS = {
    key.rpartition(".")[2]
    for book in (LanguageModelConfig, EmbeddingsConfig, AutoencoderConfig, GenerationConfig)
    for key in book.keys()  # noqa: SIM118
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    out = tmp_path_factory.mktemp("docs") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(out), strict=True))
    return out


@pytest.mark.xdist_group("site")
def test_it_builds_without_a_warning(site):
    assert (site / "index.html").is_file()
    assert len(list(site.rglob("*.html"))) > len(PAGES)


@pytest.mark.xdist_group("site")
def test_a_page_asks_no_other_machine_for_anything(site):
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+(?:stylesheet|preconnect)[^>]+"https?:'
    )
    for page in site.rglob("*.html"):
        assert not fetched.search(page.read_text("utf-8")), page


@pytest.mark.xdist_group("site")
def test_formulas_are_rendered(site):
    for page in (DOCS / "concepts").glob("*.md"):
        built = (site / "concepts" / f"{page.stem}.html").read_text("utf-8")
        blocks = page.read_text("utf-8").count("\n$$\n") // 2
        assert built.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == blocks, page
        assert "arithmatex" not in built, page
        assert not re.search(r"<m[io]>(&amp;|&#x00026;|&|\\\\\w*)</m", built), f"{page}: TeX that is not understood"


@pytest.mark.xdist_group("site")
def test_every_setting_has_a_place_in_the_reference(site):
    built = (site / "reference" / "settings.html").read_text("utf-8")
    assert not [name for name in SETTINGS if f">{name}</code>" not in built]


@pytest.mark.xdist_group("site")
def test_every_command_has_a_place_in_the_reference(site):
    built = (site / "reference" / "commands.html").read_text("utf-8")
    for command in ("train lm", "train embeddings", "generate", "evaluate", "neighbors", "data prepare", "visualize"):
        assert f"seqlab {command}" in built


def test_the_map_of_the_rooms_is_that_of_the_house():
    house = re.search(r'ROOMS = """(.*?)"""', (ROOT / "tests" / "test_house.py").read_text("utf-8"), re.DOTALL)
    lines = [set(line.split()) for line in house[1].replace("|", " ").strip().splitlines()]
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = [name.removesuffix(".py") for name in re.findall(r"^\| `seqlab/([\w.]+)/?` \|", text, re.MULTILINE)]
    order = [next(i for i, line in enumerate(lines) if name in line) for name in named]
    assert set(named) == set().union(*lines)
    assert order == sorted(order)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_files_that_a_page_names_exist(page):
    named = re.findall(r"`((?:seqlab|cli|data|tests|docs|benchmarks)/[\w./-]*)`", page.read_text("utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_tables_that_contributing_names_exist():
    named = set(re.findall(r"`([A-Z]{4,})`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "seqlab").rglob("*.py"))
    assert not [name for name in named if not re.search(rf"^{name}(:.*)? = ", code, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings_that_a_page_names_exist(page):
    named = re.findall(r'--set "?(?:\w+\.)?(\w+)=', page.read_text("utf-8"))
    assert not [name for name in named if name not in SETTINGS]


def test_every_cell_is_explained():
    text = (DOCS / "concepts" / "cells.md").read_text("utf-8")
    assert not [name for name in CELLS if text.count(f"`{name}`") < 2]


def test_every_schedule_is_named_in_the_guide():
    text = (DOCS / "guide" / "language-models.md").read_text("utf-8")
    assert not [name for name in SCHEDULES if not re.search(rf"[` ]{name}`", text)]
