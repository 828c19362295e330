"""Results as objects: one line in a console, a table in a notebook, a data frame, plain values for JSON.

A verb returns a `Result`; the command line prints the same object that a notebook shows.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .printing import width

if TYPE_CHECKING:
    import pandas

HTML_ROWS = 30
"""Rows of a long table that a notebook shows; the data frame has them all."""
PROSE, PROSE_WIDTH = 40, "16em"
"""A column with a longer cell is prose: in a notebook it is at least that wide and wraps, the others never wrap. A
table that is wider than the page scrolls."""


def abbreviated(number: float, digits: int = 3) -> str:
    """A number with a decimal prefix: 1.02 M, 4,096, 12.3."""
    for limit, suffix in ((1e9, " G"), (1e6, " M"), (1e5, " k")):
        if abs(number) >= limit:
            scaled = number / (1e3 if suffix == " k" else limit)
            return f"{scaled:,.0f}{suffix}" if abs(scaled) >= 100 else f"{scaled:.{digits}g}{suffix}"
    whole = isinstance(number, int) or abs(number) >= 1000
    return f"{number:,.0f}" if whole else f"{number:.{digits}g}"


def cell(value: Any) -> str:
    """A value as a table shows it: thousands separated, three decimals, yes and no, - for nothing."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        small = 0 < abs(value) < 0.001
        return f"{value:.3g}" if small else f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.1f}"
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def line(name: str, facts: Iterable[str]) -> str:
    """A one-line repr: `Name(fact · fact)`."""
    return f"{name}({' · '.join(fact for fact in facts if fact)})"


@dataclass(frozen=True)
class Table:
    """Rows under headers, for a terminal, a notebook or a data frame.

    Attributes:
        headers: one a column; empty strings for a table without a head.
        rows: a value a column; strings, numbers, booleans or None.
        caption: a sentence above the table in a notebook.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    numeric: list[bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns = [[row[i] for row in self.rows if row[i] is not None] for i in range(len(self.headers))]
        numeric = [bool(column) and all(map(is_number, column)) for column in columns]
        object.__setattr__(self, "numeric", numeric)

    def text(self) -> str:
        """Aligned columns, numbers to the right, without a final newline; control characters are left as they are."""
        cells = [[cell(value) for value in row] for row in self.rows]
        widths = [max(map(width, column)) for column in zip(self.headers, *cells, strict=True)]
        lines = []
        for row in ([list(self.headers)] if any(self.headers) else []) + cells:
            padded = []
            for text, columns, right in zip(row, widths, self.numeric, strict=True):
                space = " " * (columns - width(text))
                padded.append(space + text if right else text + space)
            lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        """The table for a notebook, its first HTML_ROWS rows; everything is escaped."""
        shown = [[cell(value) for value in row] for row in self.rows[:HTML_ROWS]]
        columns = zip(self.headers, *shown, strict=True)
        styles = [
            f"text-align:{'right' if right else 'left'};"
            + (f"min-width:{PROSE_WIDTH}" if max(map(len, column)) > PROSE else "white-space:nowrap")
            for right, column in zip(self.numeric, columns, strict=True)
        ]

        def row_of(tag: str, values: Iterable[str]) -> str:
            cells = (
                f'<{tag} style="{style}">{html.escape(value)}</{tag}>'
                for value, style in zip(values, styles, strict=True)
            )
            return f"<tr>{''.join(cells)}</tr>"

        head = f"<thead>{row_of('th', self.headers)}</thead>" if any(self.headers) else ""
        body = "".join(row_of("td", row) for row in shown)
        left = len(self.rows) - HTML_ROWS
        more = f"<p>and {left:,} more rows (to_frame() has them all)</p>" if left > 0 else ""
        caption = f"<p>{html.escape(self.caption)}</p>" if self.caption else ""
        return f'{caption}<div style="overflow-x:auto"><table>{head}<tbody>{body}</tbody></table></div>{more}'

    def frame(self) -> pandas.DataFrame:
        """The table as a pandas data frame. Raises InputError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise InputError("to_frame() needs pandas, which is not installed here: pip install pandas.") from None
        return pandas.DataFrame([list(row) for row in self.rows], columns=list(self.headers))


class Result:
    """What a verb found. A subclass gives its `table` and its JSON values; a repr of one line is its own."""

    def table(self) -> Table:
        """The result as rows and columns."""
        raise NotImplementedError

    def to_json(self) -> Any:
        """Plain values that `json.dumps` takes: what `--json` prints."""
        raise NotImplementedError

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a pandas data frame. Raises InputError where pandas is not installed."""
        return self.table().frame()

    def text(self) -> str:
        """What the command line prints."""
        return self.table().text()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.table().html()
