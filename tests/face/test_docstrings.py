"""Docstrings have one parseable form: Google's sections, whose names are those of the signature."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("nn", "evaluation", "embeddings/formats", "training")
FILES = [path for room in ROOMS for path in sorted((ROOT / "seqlab" / room).rglob("*.py"))]
COMPILED = {"step", "compiled", "summing", "njit", "overload"}
"""Decorators of compiled loops: their arguments are explained by the legend of shapes."""
MANY = 4
"""Arguments from which a function lists them."""
ERRORS = {"InputError", "SeqlabError"}
SECTION = re.compile(r"^(Args|Returns|Yields|Raises|Attributes):\n((?:    .*\n?|\n)*)", re.MULTILINE)


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions and methods with their names."""

    def walk(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
        for node in body:
            public = not getattr(node, "name", "_").startswith("_")
            if isinstance(node, ast.ClassDef) and public:
                yield from walk(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef) and public:
                yield owner + node.name, node

    yield from walk(ast.parse(path.read_text("utf-8")).body)


def arguments(node: ast.FunctionDef) -> list[str]:
    spec = node.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return [one.arg for one in every if one is not None and one.arg not in ("self", "cls")]


def sections(docstring: str) -> dict[str, str]:
    return {match[1]: match[2] for match in SECTION.finditer(docstring)}


def entries(section: str) -> list[str]:
    """The names a section explains; one entry may be of several."""
    found = re.findall(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):", section, re.MULTILINE)
    return [name.lstrip("*") for names in found for name in names.split(", ")]


def is_compiled(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(one, ast.Name) and one.id in COMPILED for one in ast.walk(ast.Module(node.decorator_list, []))
    )


def raised(node: ast.FunctionDef) -> bool:
    """Whether it raises an error of ours itself."""
    calls = (one.exc for one in ast.walk(node) if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id in ERRORS for call in calls)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "seqlab")))
def test_docstrings_can_be_parsed_and_say_what_is_not_plain(path):
    wrong = []
    for name, node in functions(path):
        docstring = ast.get_docstring(node)
        if docstring is None:  # an override, explained where it is first defined
            continue
        found, taken = sections(docstring), arguments(node)
        prose = SECTION.sub("", docstring)
        if re.search(r"\bRaises? [A-Z]\w+", prose) or re.search(r"^Returns? \{", prose, re.MULTILINE):
            wrong.append(f"{name}: write a section for what it raises or returns")
        if unknown := set(entries(found.get("Args", ""))) - set(taken):
            wrong.append(f"{name}: has no arguments {sorted(unknown)}")
        if len(taken) >= MANY and not is_compiled(node) and "Args" not in found:
            wrong.append(f"{name}: explain its arguments {taken}")
        if raised(node) and "Raises" not in found:
            wrong.append(f"{name}: say what it raises")
    assert not wrong, "\n".join(wrong)
