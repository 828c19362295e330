"""Files of records that each hold a text: JSON Lines, and tables (CSV, TSV) with a column."""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice

from ...base.errors import InputError, did_you_mean, option
from .plain_text import FileReport

FIELD = "text"
"""The field that is read when none is named."""
LOOKED_AT = 200
"""Rows from which it is judged whether the first is a header, and how a table is quoted."""
_NUMBER = re.compile(r"^\s*[-+]?[\d.,:/-]*\d\s*%?$")
_DELIMITER = re.compile(r"^sep=(.)$")
"""The first line with which Excel learns the delimiter of a table."""
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
"""Values of JSON in plain words; what is none of these is a number."""
_QUOTED_CELL = re.compile(r'(?:^|\t)"(?:[^"]|"")*"(?:\t|$)')
_TITLES = re.compile(
    r"^(?:id|no|nr|index|key|uid|text|title|headline|headlines|name|names|first ?name|last ?name|surname|gender|sex|"
    r"content|contents|body|sentence|sentences|line|lines|tweet|tweets|message|messages|comment|comments|review|reviews|"
    r"description|question|answer|quote|author|date|time|datetime|timestamp|year|month|day|label|category|class|type|tag|"
    r"tags|url|link|source|country|city|town|place|word|words|count|counts|frequency|score|rank|value|lang|language|"
    r"lyrics|song|artist|summary|abstract|document|user|username|email)$"
)


def lines_of(texts: Iterator[str]) -> Iterator[str]:
    """Lines without their ends, of a text in blocks."""
    parts: list[str] = []
    for text in texts:
        head, *rest = text.split("\n")
        parts.append(head)
        for line in rest:
            yield "".join(parts)
            parts = [line]
    if any(parts):
        yield "".join(parts)


def json_lines(texts: Iterator[str], report: FileReport, errors: str, field: str) -> Iterator[str]:
    """The texts of a JSON Lines file, one a record that has any."""
    for number, line in enumerate(lines_of(texts), 1):
        if not line.strip():
            continue
        where = f"{report.name}: line {number}"
        if text := _whole_characters(_record_text(line, where, field), where, report, errors):
            yield text


def _whole_characters(text: str, where: str, report: FileReport, errors: str) -> str:
    """The text of a record with its line ends as \\n, and without halves of characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lone = sum("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else 0
    if lone and errors == "strict":
        raise InputError(
            f"{where}: the text contains half of a UTF-16 pair (a lone surrogate); mend the record, or use "
            f"{option('errors', 'replace')}."
        )
    if lone:
        report.replaced += lone
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def json_file(text: str, report: FileReport, errors: str, field: str) -> Iterator[str]:
    """The texts of a file that is one JSON value: a list of texts, or of records with a field; or of JSON Lines.

    Raises:
        InputError: it is no JSON, or a value that holds no list of texts.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        first = text.lstrip().partition("\n")[0]
        if (error.msg == "Extra data" and error.lineno > 1) or _is_json(first):
            yield from json_lines(iter([text]), report, errors, field)
            return
        raise InputError(f"{report.name}: line {error.lineno}: not valid JSON ({error.msg}).") from None
    except (ValueError, RecursionError):
        raise InputError(f"{report.name}: holds a number or a nesting that is too long.") from None
    if isinstance(value, dict) and isinstance(value.get(field), str):
        value = [value]
    if not isinstance(value, list):
        held = f"one table with the keys {_keys(value)}" if isinstance(value, dict) else _kind(value)
        raise InputError(
            f"{report.name}: is {held}, not a list of texts; write its texts as .jsonl, one record a line, or as .txt."
        )
    for number, one in enumerate(value, 1):
        where = f"{report.name}: entry {number}"
        found = one if isinstance(one, str) else _field_of(one, where, field)
        if found := _whole_characters(found, where, report, errors):
            yield found


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _keys(record: dict[str, object]) -> str:
    """The names of a record's fields, those of an object in it behind its own name and a dot."""
    names = (
        [f"{name}.{inner}" for inner in value] if isinstance(value, dict) and value else [name]
        for name, value in record.items()
    )
    return ", ".join(repr(name[:40]) for name in list(chain.from_iterable(names))[:8]) or "none"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def notebook_text(text: str, name: str) -> str:
    """The cells of a Jupyter notebook, code and prose, a blank line between them; outputs are left out."""
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] in ("code", "markdown", "raw")]
        return "\n\n".join("".join(source) for source in sources if source)
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise InputError(f"{name}: not a notebook of Jupyter, or of an old format ({error!r}).") from None


def _record_text(line: str, where: str, field: str) -> str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        place = f"{error.msg.removesuffix(' at')}, column {error.colno}"
        raise InputError(f"{where}: not valid JSON ({place}); every line must hold one JSON object.") from None
    except RecursionError:
        raise InputError(f"{where}: the JSON is nested too deeply.") from None
    return _field_of(record, where, field)


def _field_of(record: object, where: str, field: str) -> str:
    """The text of a record; of an object in it by a name such as message.content."""
    if not isinstance(record, dict):
        raise InputError(f"{where}: every line must hold one JSON object, not {_kind(record)}.")
    found: object = record
    for name in [field] if field in record else field.split("."):
        if not isinstance(found, dict) or name not in found:
            raise InputError(
                f"{where}: the record has no field {field!r}; its fields are {_keys(record)}. Choose one with "
                f"{option('field')}."
            )
        found = found[name]
    if not isinstance(found, str):
        inside = f"; its fields are {_keys({field: found})}" if isinstance(found, dict) and found else ""
        raise InputError(f"{where}: the field {field!r} must be text, not {_kind(found)}{inside}.")
    return found


def table_texts(texts: Iterator[str], report: FileReport, field: str, tabs: bool) -> Iterator[str]:
    """The cells of one column of a table, one a row that has any.

    Args:
        texts: the file in blocks.
        report: names the file.
        field: the column's name in the header line, or its number from 1; without such a name the only column.
        tabs: whether cells are parted by tabs; else by whichever of , ; | and tab the first line has most of.

    Raises:
        InputError: there is no such column (the message lists those there are), or a row is broken.
    """
    rows = _rows(lines_of(texts), report, tabs)
    begin = list(islice(rows, LOOKED_AT))
    if not begin:
        return
    column, header = _column(begin, report.name, field)
    for number, row in islice(chain(begin, rows), header, None):
        if len(row) <= column:
            raise InputError(
                f"{report.name}: line {number}: the row has only {len(row)} of the {column + 1} columns up to the one "
                "that is read; mend its quotes or its delimiters."
            )
        if text := row[column].replace("\r\n", "\n").replace("\r", "\n"):
            yield text


def _rows(lines: Iterator[str], report: FileReport, tabs: bool) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line, cells) of every row that is not blank."""
    ahead: deque[str] = deque(islice(lines, LOOKED_AT))
    if named := _DELIMITER.match(ahead[0]) if ahead else None:
        ahead.popleft()
    delimiter = named[1] if named else "\t" if tabs or not ahead else max(",;\t|", key=ahead[0].count)
    quoted = delimiter != "\t" or any(map(_QUOTED_CELL.search, ahead))
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        (f"{line}\n" for line in chain(ahead, lines)),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=quoted,
    )
    last = int(bool(named))
    try:
        for row in reader:
            last = reader.line_num + bool(named)
            if any(cell.strip() for cell in row):
                yield last, row
    except csv.Error as error:
        if "end of data" in str(error):
            raise InputError(f"{report.name}: line {last + 1}: a quote that begins in this row never ends.") from None
        raise InputError(
            f"{report.name}: line {reader.line_num + bool(named)}: not a row of a table ({error})."
        ) from None


def _column(begin: list[tuple[int, list[str]]], name: str, field: str) -> tuple[int, int]:
    """The column to be read, and how many rows are its header."""
    first, rest = [cell.strip() for cell in begin[0][1]], [row for _, row in begin[1:]]
    titled = _is_header(first, rest)
    if field.isdecimal():
        if not 1 <= int(field) <= len(first):
            raise InputError(f"{name}: has no column {field}; it has {len(first)}: {_listed(first, titled)}.")
        return int(field) - 1, int(titled)
    if field in first:
        if first.count(field) > 1:
            places = [place for place, cell in enumerate(first, 1) if cell == field]
            raise InputError(
                f"{name}: has {len(places)} columns {field!r}, {' and '.join(map(str, places))}; name one by its "
                f"number, such as {option('field', str(places[-1]))}."
            )
        return first.index(field), 1
    if field == FIELD and len(first) == 1:
        return 0, int(titled)
    if field == FIELD:
        widest = max(range(len(first)), key=lambda place: sum(len(row[place]) for row in rest if len(row) > place))
        raise InputError(
            f"{name}: is a table with {len(first)} columns ({_listed(first, titled)}); name the one to read with "
            f"{option('field', first[widest] if titled else widest + 1)}."
        )
    hint = did_you_mean(field, first) if titled else ""
    raise InputError(f"{name}: has no column {field!r}; its columns are {_listed(first, titled)}.{hint}")


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    """Whether the first row names the columns: distinct words, of the usual ones, or above columns of numbers."""
    if not all(first) or len(set(first)) < len(first) or any(map(_NUMBER.match, first)):
        return False
    if any(_TITLES.match(cell.casefold().replace("_", " ").strip()) for cell in first):
        return True
    return any(
        sum(bool(_NUMBER.match(row[place])) for row in rest if len(row) > place) > 0.9 * len(rest) > 0
        for place in range(len(first))
    )


def _listed(first: list[str], titled: bool) -> str:
    """The columns as a person chooses among them: by name, or by number with the first row's cells."""
    shown = [repr(cell if len(cell) <= 30 else f"{cell[:27]}...") for cell in first[:12]]
    more = f" and {len(first) - 12} more" if len(first) > 12 else ""
    return ", ".join(shown if titled else (f"{place}: {cell}" for place, cell in enumerate(shown, 1))) + more
