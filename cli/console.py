"""What every verb shares: results on stdout, talk on stderr, one JSON object for --json, flags that repeat."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from seqlab.base.printing import printable, printable_lines

SOURCE_HELP = (
    "Text file(s), folder, '-' for stdin, .gz/.bz2/.xz/.zst, .jsonl, .csv, .tsv, .html, .epub, .docx, .pdf, .srt, "
    "prepared corpus or corpus name."
)

STEERING = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What JSON leaves as it is, and a terminal may not: controls, line ends, and turns of the writing direction."""

SHAPES = "torch._meta_registrations"
"""Registers, for tensors without numbers, the shapes that torch's operators give; its compiler comes with it."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def say(text: str) -> None:
    """A line for the person watching, on stderr."""
    print(printable_lines(text), file=sys.stderr, flush=True)


def nothing_but(output: Path) -> AbstractContextManager[object]:
    """Where the output goes to stdout, what is printed inside goes to stderr."""
    from seqlab.base.storage.outputs import descriptor_of

    return redirect_stdout(sys.stderr) if descriptor_of(output) == 1 else nullcontext()


def print_json(value: Any) -> None:
    """One JSON object on stdout; characters that the terminal's encoding may lack, or that could steer it, are escaped
    as JSON does."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not utf8)
    print(STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text), flush=True)


def print_summary(summary: Mapping[str, Any], as_json: bool) -> None:
    """What a training reports: JSON for scripts (stdout is not a terminal, or `as_json`), a table for people."""
    if as_json or not sys.stdout.isatty():
        print_json(summary)
        return
    rows = []
    for name, value in summary.items():
        inside = value.items() if isinstance(value, Mapping) else ()
        single = [(f"{name} {key}", one) for key, one in inside] if inside else [(name, value)]
        rows += [(key.replace("_", " "), one) for key, one in single if not isinstance(one, Mapping | list)]
    print_table(("", ""), rows)


def check_run(path: str | Path) -> None:
    """Refuse what is not a language-model run, before anything heavy is loaded for it.

    Raises:
        InputError: saying what is at `path` instead.
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import description, kind_of

    kind = kind_of(path)
    if kind == "nothing":
        raise InputError(f"{path}: no such run folder.")
    if kind != "run":
        raise InputError(f"{path}: is {description(path)}, not a language-model run.")


def check_texts(*texts: str | None) -> None:
    """Refuse texts that are not there, before anything heavy is loaded for them.

    Raises:
        InputError: naming the first.
    """
    for text in texts:
        if text and text != "-" and not os.path.exists(os.path.expanduser(text)):
            from seqlab.catalogue import corpora
            from seqlab.text import resolve_sources

            if text not in corpora.names():
                resolve_sources(text)


def check_one_stdin(**uses: object) -> None:
    """Refuse "-" for two things, which would both be read from standard input.

    Raises:
        InputError: naming both.
    """
    from seqlab.base.errors import InputError, option

    used = [name for name, value in uses.items() if "-" in map(str, value if isinstance(value, list) else [value])]
    if len(used) > 1:
        first, second = (name if name.isupper() else option(name) for name in used[:2])
        raise InputError(f"-: standard input cannot be both {first} and {second}; name a file for one of them.")


class _Later(ModuleType):
    """A module that is imported when something of it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def load_torch(whole: bool = True) -> None:
    """Import torch while Python's search for reference cycles rests, which would look through all of it many times.

    Args:
        whole: False leaves the table of shapes for tensors without numbers, a fifth of the import, until something of
            it is used, for a verb that neither trains nor compiles.
    """
    if whole or "torch" in sys.modules:
        _load("torch")
        return
    sys.modules[SHAPES] = _Later(SHAPES)
    _load("torch")
    own = import_module("torch._C")
    if hasattr(own, "_set_generator_metaclass"):  # of torch 2.13, where that table comes with what sets it
        own._set_generator_metaclass(import_module("torch._opaque_base").OpaqueBaseMeta)


def _load(name: str) -> None:
    if name in sys.modules:
        return
    gc.disable()
    try:
        import_module(name)
    finally:
        gc.enable()
    gc.freeze()


def unescaped(text: str) -> str:
    r"""`text` with \n as a newline, as people type it in a shell; \\ is a backslash."""
    return re.sub(r"\\([n\\])", lambda match: "\n" if match[1] == "n" else "\\", text)


def yes_or_no(flag: bool | None) -> str | None:
    """A flag such as --lines/--no-lines as the setting's word."""
    return None if flag is None else "yes" if flag else "no"


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Aligned columns on stdout, as `seqlab.base.results.Table` lays them out; nothing in them can steer a terminal."""
    from seqlab.base.results import Table

    safe = [[printable(value) if isinstance(value, str) else value for value in row] for row in rows]
    print(Table(headers, safe).text(), flush=True)
