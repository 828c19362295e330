"""What every verb shares: results on stdout, talk on stderr, one JSON object for --json, flags that repeat."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from seqlab.base.printing import printable

SOURCE_HELP = "Text file(s), folder, '-' for stdin, .gz/.bz2/.xz/.zst, .jsonl, prepared corpus or corpus name."

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def say(text: str) -> None:
    """A line for the person watching, on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON object on stdout; characters the terminal's encoding may lack are escaped as JSON does."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, ensure_ascii=not utf8), flush=True)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Aligned columns on stdout, as `seqlab.base.results.Table` lays them out; nothing in them can steer a terminal."""
    from seqlab.base.results import Table

    safe = [[printable(value) if isinstance(value, str) else value for value in row] for row in rows]
    print(Table(headers, safe).text(), flush=True)
