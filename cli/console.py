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
    """Aligned columns on stdout; numbers to the right. Plain text, so that it reads the same in a pipe."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    right = [all(isinstance(row[i], int | float) for row in rows) if rows else False for i in range(len(headers))]
    for line in ([list(headers)] if any(headers) else []) + cells:
        padded = [
            text.rjust(width) if flush_right else text.ljust(width)
            for text, width, flush_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        small = 0 < abs(value) < 0.001
        return f"{value:.3g}" if small else f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.1f}"
    return printable(str(value))
