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
    "autoencoder": ("Autoencoders", "`seqlab train autoencoder`, next to the sections of text, model and training."),
    "embeddings": ("Word vectors", "`seqlab train embeddings`."),
    "generation": ("Generation", "`seqlab generate`."),
    "evaluation": ("Evaluation", "What `seqlab evaluate` can add to a language model."),
    "map": ("Map of word vectors", "`seqlab visualize`."),
}
TIERS = ("essential", "recipe", "internal")
RESULTS = ("SCOREBOARD", "FEATURES", "LOG")
MATH = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page(),
        "project/contributing.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
        "project/changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8"),
    }
    pages |= {f"project/{name}.md": (ROOT / "benchmarks" / f"{name}.md").read_text("utf-8") for name in RESULTS}
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
    """Every setting with all that seqlab.config knows of it, then every name that a setting can take."""
    from seqlab.config import NAMES

    lines = [
        "# Settings",
        "",
        "Every setting by its name. On the command line a setting is a flag where `--help` lists one, and otherwise",
        "`--set NAME=VALUE`. In a `--config` file it is `NAME = VALUE` under `[model]`, `[training]` or `[text]`, in",
        "Python a keyword argument. A default of `None` means that seqlab chooses.",
        "",
        "*Essential* settings are those that most people set some day, *recipe* settings are parts of published or",
        "measured recipes, *internal* ones are for machines and experiments.",
    ]
    for section, tiers in settings().items():
        title, about = SECTIONS[section]
        lines += ["", f"## {title}", "", about]
        for tier, entries in tiers.items():
            if entries:
                lines += ["", f"### {tier.capitalize()} {{ #{section}-{tier} }}", *entries]
    lines += ["", "## Names", "", "What the settings that take a name can be."]
    for table, names in NAMES.items():
        lines += ["", f"### {table.replace('_', ' ').capitalize()}", "", "| name | |", "| --- | --- |"]
        lines += [f"| `{name}` | {_text(meaning)} |" for name, meaning in names.items()]
    return "\n".join(lines) + "\n"


def settings() -> dict[str, dict[str, list[str]]]:
    """Section -> tier -> the lines of its settings."""
    from seqlab.config.book import SECTIONS as GROUPS

    books = {section: GROUPS[section] for section in SECTIONS}
    found: dict[str, dict[str, list[str]]] = {}
    for section, book in books.items():
        found[section] = {tier: [] for tier in TIERS}
        for name, field in book.model_fields.items():
            extra = field.json_schema_extra
            if not isinstance(extra, dict):
                continue  # a section within a section
            knob: Any = extra["knob"]
            default = field.get_default(call_default_factory=True)
            found[section][knob.tier] += [
                "",
                f"#### `{name}` {{ #{section}.{name} }}",
                "",
                f"{_text(field.description)} {_text(knob.effect)}",
                "",
                f"Default `{default!r}`. Usual: {_text(knob.usual)}.{_source(knob.source)}",
            ]
    return found


def _source(source: str) -> str:
    """Where a default or method comes from, if from anywhere but the person's own wish."""
    return "" if source.startswith("depends on your") else f" Source: {_text(source)}."


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


def notebook_page(path: Path) -> str:
    """A notebook as Markdown: its text and its code; results appear when it is run."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\(([\w-]+)\.ipynb\)", r"](\1.md)", source))
        else:
            parts.append(f"```python\n{source}\n```")
    note = f"*This page is the notebook `docs/tutorials/{path.name}`; open it in Jupyter to run it.*"
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n"
