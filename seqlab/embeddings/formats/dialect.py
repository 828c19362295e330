"""How a text file of vectors is laid out, judged by its first lines: header, separators, decimal mark, extra columns.

Programs write the same table in many ways: spaces, tabs, commas or semicolons, aligned columns, decimal commas, a first
column of row numbers, a line of titles. `dialect_of` is a pure function from bytes to a description. Where two readings
fit, it takes the one with more numbers a line, says so in a note, or refuses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...base.errors import InputError, counted

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
MOST_LINES = 100
"""Lines looked at."""
LONGEST_HEADER = 100
"""Bytes of a header line at most."""
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
COMMA_NUMBER = re.compile(rb"[-+]?(?:\d+(?:,\d+)?|,\d+)(?:[eE][-+]?\d+)?")
QUOTED = re.compile(rb'"(?:[^"]|"")*"')
RUNS = re.compile(rb"[ \t]+")
AROUND = re.compile(rb"[ \t]*([,;])[ \t]*")
ENOUGH_ROWS = 5
"""Rows from which a column of integers that count up is taken for row numbers, not for a dimension."""
ENOUGH_TITLES = 3
"""Columns from which a first line of numbers that count up is taken for titles, not for a vector."""


class Header(NamedTuple):
    """Words and dimensions a first line promises, and where it ends."""

    words: int
    dim: int
    end: int


def parse_header(start: bytes) -> Header | None:
    """The numbers of a first line "V D", of any sign, or None when the first line is something else."""
    mark = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
    line = start[mark : mark + LONGEST_HEADER].partition(b"\n")[0]
    fields = re.split(rb"[ \t,;]+", line.rstrip())
    if len(fields) != 2 or not all(re.fullmatch(rb"[-+]?\d+", field) for field in fields):
        return None
    return Header(int(fields[0]), int(fields[1]), min(mark + len(line) + 1, len(start)))


class Layout(NamedTuple):
    """What separates the word from its numbers, and the numbers from each other; b"" is any run of spaces and tabs."""

    after_word: bytes
    separator: bytes
    decimal_comma: bool = False

    def numbers(self, line: bytes) -> int:
        """How many numbers end a line, 0 where this layout does not fit it."""
        word, fields = self._parts(line)
        pattern = COMMA_NUMBER if self.decimal_comma else NUMBER
        count = 0
        for field in reversed(fields):
            if not pattern.fullmatch(field):
                break
            count += 1
        if self.after_word != self.separator:
            return count if word.strip(b" \t") and count == len(fields) > 1 else 0
        count = min(count, len(fields) - 1)
        word = self.separator.join(fields[: len(fields) - count])
        if self == STANDARD:
            return count if word and word in (b" ", word.strip(b" ")) else 0
        return count if word.strip(b" \t") else 0

    def _parts(self, line: bytes) -> tuple[bytes, list[bytes]]:
        """The word, where it can be told from the first number, and the fields."""
        if not self.separator:
            return b"", RUNS.split(line.strip())
        word, rest = b"", line
        if self.after_word != self.separator:
            word, found, rest = self.joined(line).rpartition(self.after_word)
            if not found:
                return b"", []
        fields = rest.split(self.separator)
        return word, fields if self.separator == b" " else [field.strip() for field in fields]

    def joined(self, line: bytes) -> bytes:
        """A line without spaces around the separators, where a space or tab ends the word."""
        return AROUND.sub(rb"\1", line) if self.separator in (b",", b";") and self.after_word in b" \t" else line


STANDARD = Layout(b" ", b" ")
LAYOUTS = (
    STANDARD,
    *(Layout(mark, mark) for mark in (b"\t", b",", b";", b"")),
    *(Layout(word, mark) for word, mark in ((b"\t", b" "), (b",", b" "), (b";", b" "), (b" ", b","), (b"\t", b","))),
    *(Layout(word, mark, True) for word, mark in ((b" ", b" "), (b"\t", b"\t"), (b";", b";"), (b"", b""))),
    *(Layout(word, mark, True) for word, mark in ((b"\t", b" "), (b";", b" "))),
)
"""What is tried, the usual first."""


class Dialect(NamedTuple):
    """The layout of a text file of vectors.

    Attributes:
        layout: its separators and decimal mark.
        dim: numbers a row.
        header: what the first line promises, where it is a header.
        titles: whether the first line names the columns.
        row_numbers: the row number of the first row, where a column of them stands before the word.
        inner_numbers: the same where it stands between word and numbers.
        quoted: whether words are quoted as in CSV.
        fits: share of the lines looked at that are so.
        clean: whether every one has a word without spaces and just `dim` numbers.
        notes: sentences on what is not as usual.
    """

    layout: Layout
    dim: int
    header: Header | None = None
    titles: bool = False
    row_numbers: int | None = None
    inner_numbers: int | None = None
    quoted: bool = False
    fits: float = 0.0
    clean: bool = False
    notes: tuple[str, ...] = ()

    def splitter(self) -> Callable[[bytes], tuple[bytes, list[bytes]]]:
        """A function from a line to its word, as it stands, and the fields of its numbers; a field too few or too many
        shows in their count or in the word."""
        after, separator, comma = self.layout
        width = self.dim + (self.inner_numbers is not None)
        if self.layout == STANDARD:
            return lambda line: _head_and_tail(line.rsplit(b" ", width))

        def split(line: bytes) -> tuple[bytes, list[bytes]]:
            if not separator:
                line = RUNS.sub(b" ", line.strip())
            if after == separator:
                word, fields = _head_and_tail(line.rsplit(separator or b" ", width))
            else:
                word, _, rest = self.layout.joined(line).rpartition(after)
                fields = rest.split(separator)
            if separator not in (b" ", b""):
                fields = [field.strip() for field in fields]
            if comma:
                fields = [field.replace(b",", b".") if COMMA_NUMBER.fullmatch(field) else b"?" for field in fields]
            return word.strip(b" \t") if separator != b" " else word, fields

        return split

    def word(self, head: bytes, row: int) -> bytes | None:
        """The word of a row, from what stands before its numbers: without row number and quotes.

        Args:
            head: as `splitter` returns it.
            row: number of the row, from 0.

        Returns:
            The word, None where the row number or the quotes are not as they should be.
        """
        if self.row_numbers is not None:
            number, separator = b"%d" % (self.row_numbers + row), self.layout.after_word or b" "
            if not head.startswith(number + separator):
                return None
            head = head[len(number) + 1 :].strip() if separator != b" " else head[len(number) + 1 :]
        if self.quoted and b'"' in head:
            if not QUOTED.fullmatch(head):
                return None
            head = head[1:-1].replace(b'""', b'"')
        return head


def _head_and_tail(fields: list[bytes]) -> tuple[bytes, list[bytes]]:
    return fields[0], fields[1:]


def dialect_of(sample: bytes, complete: bool = True) -> Dialect | None:
    """How the text file of vectors that begins with `sample` is laid out.

    Args:
        sample: its first bytes, at least two lines of them where there are so many.
        complete: whether they are the whole file; else the last line is not looked at.

    Returns:
        The description, with the share of lines that it fits; None where no layout fits any line.

    Raises:
        InputError: two readings fit that cannot be told apart, or the rows are a matrix without words. The sentence
            begins with the line.
    """
    header = parse_header(sample)
    text = sample.removeprefix(BYTE_ORDER_MARK)
    rows = text[header.end - (len(sample) - len(text)) :] if header else text
    lines = rows.split(b"\n")
    lines = [line.rstrip(b" \t\r") for line in (lines if complete else lines[:-1])]
    lines = [line for line in lines if line][:MOST_LINES]
    if not lines:
        return None
    readings = [_reading(layout, lines, header) for layout in LAYOUTS]
    tabs = any(b"\t" in line for line in lines)  # a run of spaces and tabs would cut or join words that hold one
    readings = [one for one in readings if not (tabs and one.layout.separator == b"" and readings[0].fits)]
    best = max(readings, key=lambda one: (one.fits, one.dim, -_numbered(one, lines), -LAYOUTS.index(one.layout)))
    if not best.fits:
        return None
    _refuse_doubt(best, readings, lines, header)
    return _described(best, lines, header)


def _reading(layout: Layout, lines: Sequence[bytes], header: Header | None) -> Dialect:
    """How well a layout fits."""
    counts = [layout.numbers(line) for line in lines]
    if header:
        dim = header.dim
    else:
        votes = Counter(count for count in counts if count)
        dim = max(votes, key=lambda count: (votes[count], count), default=0)
    loose = layout.after_word == layout.separator
    fitting = sum(count == dim or (loose and count > dim) for count in counts) if dim > 0 else 0
    clean = dim > 0 and all(count == dim for count in counts)
    return Dialect(layout, dim, header, fits=fitting / len(lines), clean=clean)


def _numbered(reading: Dialect, lines: Sequence[bytes]) -> int:
    """How many words end in a number of their own, as they do where a layout took too few numbers."""
    if not reading.fits:
        return 0
    split = reading.splitter()
    ends = [re.split(rb"[ \t,;]", split(line)[0]) for line in lines]
    return sum(len(parts) > 1 and bool(NUMBER.fullmatch(parts[-1])) for parts in ends)


def _refuse_doubt(best: Dialect, readings: Sequence[Dialect], lines: Sequence[bytes], header: Header | None) -> None:
    """Raise InputError where the best reading is as good as another, and the difference matters."""
    if header:
        return
    after, separator, _ = best.layout
    if separator == b"," != after and best.dim == 2 and any(one.layout.decimal_comma and one.clean for one in readings):
        raise InputError(
            "line 1: one number with a decimal comma or two numbers; write decimal points, or a first line of the "
            "number of words and of dimensions."
        )
    split = best.splitter()
    heads = [split(line)[0] for line in lines]
    if all(b"." in head and NUMBER.fullmatch(head) for head in heads):
        raise InputError("line 1: numbers without a word; a line holds a word and its vector.")


def _described(best: Dialect, lines: list[bytes], header: Header | None) -> Dialect:
    """The reading with its extra columns and lines, and what to say about them."""
    notes = []
    if not header and len(lines) > 1 and _names_columns(best, lines):
        best = best._replace(titles=True)
        lines = lines[1:]
        notes.append("left out the first line, which names the columns.")
    split = best.splitter()
    rows = [split(line) for line in lines if best.layout.numbers(line)]
    heads = [head for head, _ in rows]
    separator = best.layout.after_word or b" "
    if (numbers := _row_numbers([head.partition(separator) for head in heads])) is not None:
        best = best._replace(row_numbers=numbers)
        notes.append("left out the first column, which numbers the rows.")
    elif (second := _second_column(best, heads, rows, header)) is not None:
        best = best._replace(inner_numbers=second, dim=best.dim if header else best.dim - 1)
        notes.append("left out the column after the words, which numbers the rows.")
    elif len(heads) > 1 and separator != b" " and all(separator in head.strip(b'"') for head in heads):
        raise InputError("line 1: more columns than a word and its vector; keep only those.")
    heads = [head for row, raw in enumerate(heads) if (head := best.word(raw, row)) is not None]
    with_quotes = [head for head in heads if head.startswith(b'"') and len(head) > 1]
    if separator in b",;\t" and with_quotes and all(QUOTED.fullmatch(head) for head in heads if b'"' in head):
        best = best._replace(quoted=True)
        notes.append("took the quotes off the words.")
    if best.layout.decimal_comma:
        notes.append("read decimal commas as points.")
    if best.layout.after_word != best.layout.separator and not header:
        notes.append(f"took the {NAMES[separator]} for the end of the word, with {counted(best.dim, 'number')} behind.")
    if not best.layout.separator and not header:
        notes.append("took several spaces for one.")
    if any(b" " in head.strip(b" ") for head in heads):
        best = best._replace(clean=False)
    return best._replace(notes=tuple(notes))


NAMES = {b" ": "space", b"\t": "tab", b",": "comma", b";": "semicolon"}


def _names_columns(best: Dialect, lines: Sequence[bytes]) -> bool:
    """Whether the first line consists of titles: as many fields as every row, and none a number where one belongs, or
    the dimensions counted."""
    after, separator, _ = best.layout
    if after != separator:
        return False
    first, second = (line.split(separator) if separator else RUNS.split(line.strip()) for line in lines[:2])
    numbers = [field.strip(b' "') for field in first[-best.dim :]]
    if len(first) != len(second):
        return False
    if numbers in [[b"%d" % (first + place) for place in range(best.dim)] for first in (0, 1)]:
        return best.dim >= ENOUGH_TITLES and separator in (b"\t", b",", b";")
    pattern = COMMA_NUMBER if best.layout.decimal_comma else NUMBER
    return not any(map(pattern.fullmatch, numbers))


def _row_numbers(columns: Sequence[tuple[bytes, bytes, bytes]]) -> int | None:
    """The first of consecutive numbers, from 0 or 1, that stand before the words of all rows; None where none do."""
    if len(columns) < 2 or not all(rest.strip() for _, _, rest in columns):
        return None
    for first in (0, 1):
        if all(number == b"%d" % (first + row) for row, (number, _, _) in enumerate(columns)):
            return first
    return None


def _second_column(
    best: Dialect, heads: Sequence[bytes], rows: Sequence[tuple[bytes, list[bytes]]], header: Header | None
) -> int | None:
    """The first row number of a column of them between words and numbers, None where there is none."""
    if len(rows) < ENOUGH_ROWS or not best.layout.separator or best.layout.after_word != best.layout.separator:
        return None
    if header:
        column = [head.rpartition(best.layout.separator)[2] if best.layout.separator in head else b"" for head in heads]
    elif best.dim > 1 and any(b"." in field for _, fields in rows for field in fields[1:]):
        column = [fields[0] for _, fields in rows]
    else:
        return None
    for first in (0, 1):
        if column == [b"%d" % (first + row) for row in range(len(rows))]:
            return first
    return None
