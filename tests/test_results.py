"""Results as objects: the same figures in a terminal, a notebook and a data frame."""

from __future__ import annotations

import sys

import pytest

from seqlab.base.errors import InputError
from seqlab.base.results import HTML_ROWS, Table, abbreviated, cell, line

TABLE = Table(("word", "cosine", "here"), [("<b>", 0.5, True), ("zwei", 12345.678, None)], "two & three")


def test_columns_are_aligned_and_numbers_stand_to_the_right():
    assert TABLE.text().splitlines() == ["word    cosine  here", "<b>      0.500  yes", "zwei  12,345.7  -"]
    assert Table(("", ""), [("a", 1), ("b", 22)]).text().splitlines() == ["a   1", "b  22"]
    assert Table(("a", "b"), []).text() == "a  b"


def test_a_notebook_sees_escaped_text_and_not_more_than_it_can_hold():
    shown = TABLE.html()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "two &amp; three" in shown
    long = Table(("n",), [(n,) for n in range(HTML_ROWS + 5)])
    assert long.html().count("<td") == HTML_ROWS
    assert "and 5 more rows" in long.html()


def test_a_notebook_wraps_prose_and_nothing_else():
    shown = Table(("name", "about", "n"), [("lr", "what it is " * 10, 1), ("clip", "short", 2)]).html()
    assert shown.startswith('<div style="overflow-x:auto"><table>')
    assert shown.count("white-space:nowrap") == 6
    assert shown.count("min-width:16em") == 3
    assert shown.count("text-align:right") == 3


def test_a_data_frame_holds_the_rows(monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = TABLE.frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["word", "cosine", "here"]
    assert frame["cosine"].tolist() == [0.5, 12345.678]


def test_without_pandas_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        TABLE.frame()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4096, "4,096"),
        (89400.3, "89,400"),
        (1_020_000, "1.02 M"),
        (999_999, "1,000 k"),
        (2.5e9, "2.5 G"),
        (12.345, "12.3"),
        (0, "0"),
    ],
)
def test_numbers_are_abbreviated(number, text):
    assert abbreviated(number) == text


def test_cells_and_lines():
    assert [cell(value) for value in (True, None, 1234, 0.00012, 1.5)] == ["yes", "-", "1,234", "0.00012", "1.500"]
    assert line("Corpus", ["book.txt", "", "3 types"]) == "Corpus(book.txt · 3 types)"
