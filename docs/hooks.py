"""What mkdocs does beside rendering Markdown: pages made from the code, notebooks as pages, formulas as MathML.

Pages made here cannot fall behind: the settings come from seqlab.config, the commands from the program itself, the
Python API from the names that `import seqlab` offers.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "tutorials"
SECTIONS = {
    "text": ("Text", "How a text becomes ids: `seqlab data prepare`, and the first step of every training."),
    "model": ("Language model", "Embedding, cells and output layer."),
    "training": ("Training of a language model", "Optimisation, schedule, regularisation, budget."),
    "embeddings": ("Word vectors", "`seqlab train embeddings`."),
    "generation": ("Generation", "`seqlab generate`."),
}
MATH = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page(),
        "project/contributing.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
        "project/changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8"),
        "project/results.md": results_page(),
    }
    pages |= {f"tutorials/{path.stem}.md": notebook_page(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for address, content in pages.items():
        files.append(File.generated(config, address, content=content))
    for path in sorted((ROOT / "benchmarks" / "curves").glob("*.png")):
        files.append(File.generated(config, f"project/curves/{path.name}", abs_src_path=str(path)))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Replace TeX by MathML, which browsers show without a script or a font from elsewhere."""

    def formula(match: re.Match[str]) -> str:
        return convert(html.unescape(match[3]), display="block" if match[2] == "[" else "inline")

    return MATH.sub(formula, content)


def settings_page() -> str:
    """Every setting: meaning, kind, default."""
    lines = [
        "# Settings",
        "",
        "Every setting by its name. On the command line: `--set NAME=VALUE`, or a flag of its own where `--help` lists",
        "one; in a `--config` file: `NAME = VALUE` under `[model]`, `[training]` or `[text]`; in Python: a keyword",
        "argument. `None` means that seqlab chooses.",
    ]
    for section, fields in settings():
        title, about = SECTIONS[section]
        lines += ["", f"## {title}", "", about]
        for name, kind, default, meaning in fields:
            lines += [
                "",
                f"### `{name}` {{ #{section}.{name} }}",
                "",
                f"`{kind}`, default `{default}`",
                "",
                _text(meaning),
            ]
    return "\n".join(lines) + "\n"


def settings() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """(section, [(name, kind, default, meaning)]) of all of seqlab.config."""
    from seqlab import config as book

    classes = {
        "text": book.TextConfig,
        "model": book.ModelConfig,
        "training": book.TrainingConfig,
        "embeddings": book.EmbeddingsConfig,
        "generation": book.GenerationConfig,
    }
    for section, cls in classes.items():
        fields = []
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, book.TextConfig):
                continue
            kind = re.sub(r"\b(?:typing|annotated_types)\.", "", _kind(field.annotation))
            fields.append((name, kind, repr(field.get_default(call_default_factory=True)), field.description or ""))
        yield section, fields


def _kind(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and "[" not in str(annotation) else str(annotation)
    return text.replace("Literal", "one of ").replace("NoneType", "None")


def commands_page() -> str:
    """Every command with its help, arguments and options."""
    import typer
    from seqlab_cli.main import app

    lines = [
        "# Commands",
        "",
        "The help pages of the program, in one place. Results go to standard output, progress and messages to standard",
        "error; `--json` makes any report one JSON object.",
    ]
    for name, command in _commands(typer.main.get_command(app), "seqlab"):
        lines += ["", f"## {name}", "", _text(command.help)]
        if hasattr(command, "document"):
            command.document()
        panels: dict[str, list[str]] = {}
        for parameter in command.params:
            if parameter.name != "help" and not parameter.hidden:
                argument = not parameter.opts[0].startswith("-")
                panel = parameter.rich_help_panel or ("Arguments" if argument else "Options")
                panels.setdefault(panel, []).append(_row(parameter, argument))
        for panel, rows in panels.items():
            lines += ["", f"| {panel} | |", "| --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{name} {child_name}")
    if not hasattr(command, "commands"):
        yield name, command


def _row(parameter: Any, argument: bool) -> str:
    if argument:
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    note = f" Default: `{default}`." if isinstance(default, int | float | str) and default not in (False, "") else ""
    return f"| {names} | {_text(parameter.help).replace('|', ' or ')}{note} |"


def _text(text: str | None) -> str:
    """Help as Markdown: examples as code, and what looks like a tag stays text."""
    text = re.sub(r"^(?:Example: )(.*)$", r"Example: `\1`", (text or "").replace("\b", "").strip(), flags=re.MULTILINE)
    return re.sub(r"(?<!`)<(\w+)>", r"`<\1>`", text)


def python_page() -> str:
    """Every public name of the package, from its docstring."""
    import seqlab

    names = [name for name in seqlab.__all__ if not name.startswith("_")]
    lines = [
        "# Python API",
        "",
        "What `import seqlab` offers. Names are loaded on first use, so the import itself takes a few milliseconds.",
    ]
    for title, chosen in (
        ("Functions", [name for name in names if name[0].islower()]),
        ("Classes", [name for name in names if name[0].isupper()]),
    ):
        lines += ["", f"## {title}", "", *(f"::: seqlab.{name}\n" for name in chosen)]
    return "\n".join(lines) + "\n"


def results_page() -> str:
    """The measured figures, generated tables first."""
    names = [name for name in ("SCOREBOARD.md", "LOG.md", "RESULTS.md") if (ROOT / "benchmarks" / name).is_file()]
    return "\n\n".join((ROOT / "benchmarks" / name).read_text("utf-8") for name in names)


def notebook_page(path: Path) -> str:
    """A notebook as Markdown: its text and its code; results appear when it is run."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    note = f"*This page is the notebook `docs/tutorials/{path.name}`; open it in Jupyter to run it.*"
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n"
