"""Plain text that looks like something else: read as it stands, with a sentence on what it may be and what to do."""

from __future__ import annotations

import json
import re

from ...base.errors import option

SEEN = 1 << 16
"""Characters from which a file's look is judged."""
FEWEST_ROWS, OF_ONE_WIDTH = 5, 0.95
"""Lines of a table that are to be seen, and the share of them that have one number of columns."""
MOST_SENTENCE = 0.02
"""Share of cells that end like a sentence or begin with a space, from which commas are those of prose."""
_MARKUP = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(r"\s*<\?xml\b")
_LIST = re.compile(r'\s*\[\s*(?:\{\s*"|"(?:[^"\\]|\\.)*"\s*[,\]])')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_TABLE = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:')


def looks_like(text: str) -> str:
    """What a file without a telling suffix looks like, and what to do, in a sentence; empty for text."""
    head = text[:SEEN]
    if _MARKUP.match(head):
        return "looks like a web page, and its tags are read as text; name it .html to have its words alone"
    if _XML.match(head):
        return "looks like XML, and its tags are read as text; extract its text, or name a web page .html"
    if _LIST.match(head):
        return (
            "looks like a list in JSON, and its brackets and quotes are read as text; name it .json, and its field "
            f"with {option('field')}"
        )
    if _TABLE.match(head):
        lines = _is_record(head.lstrip().partition("\n")[0])
        kind, suffix = ("records, one a line (JSON Lines)", ".jsonl") if lines else ("JSON", ".json")
        return (
            f"looks like {kind}, and its brackets and quotes are read as text; name it {suffix}, and its field with "
            f"{option('field')}"
        )
    if columns := _columns(head):
        count, suffix = columns
        return (
            f"looks like a table of {count} columns, and all of them are read as text; name it {suffix}, and the "
            f"column to read with {option('field')}"
        )
    return ""


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _columns(head: str) -> tuple[int, str] | None:
    """Columns that nearly every line has, and the suffix of such a file; None for prose, verse and code."""
    lines = [line for line in head.split("\n")[:-1] or [head] if line.strip()]
    if len(lines) < FEWEST_ROWS:
        return None
    for mark, suffix in (("\t", ".tsv"), (",", ".csv"), (";", ".csv"), ("|", ".csv")):
        bare = [_QUOTED.sub("", line) for line in lines]
        counts = [line.count(mark) for line in bare]
        usual = max(set(counts), key=counts.count)
        cell = re.compile(rf"(?:^|{re.escape(mark)}){_QUOTED.pattern}(?:{re.escape(mark)}|$)")
        quoted = sum(bool(cell.search(line)) for line in lines) > len(lines) / 2
        if usual < (1 if mark == "\t" or quoted else 2) or counts.count(usual) < OF_ONE_WIDTH * len(counts):
            continue
        cells = [cell for line in bare for cell in line.split(mark)]
        prose = sum(cell.startswith(" ") or cell.endswith((".", "!", "?")) for cell in cells)
        if mark == "\t" or prose <= MOST_SENTENCE * len(cells):
            return usual + 1, suffix
    return None
