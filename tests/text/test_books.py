"""E-books as they are passed on: headers and licences left out, wrapped paragraphs joined, verse left alone."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqlab_cli.main import run

import seqlab
from seqlab.text.sources.books import unwrapped, without_headers

HEADER = (
    "The Project Gutenberg eBook of A Book\n\nThis eBook is for the use of anyone anywhere.\n\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n"
)
FOOTER = "*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n\nUpdated editions will replace the previous one.\n"
WORDS = "the storm came over a hill and every house in that valley stood dark until morning when they opened".split()
VERSE = ["Tyger tyger, burning bright,", "In the forests of the night;", "What immortal hand or eye,"]


def paragraphs(count: int) -> list[str]:
    draw = random.Random(1)
    return [" ".join(draw.choices(WORDS, k=draw.randint(40, 120))).capitalize() + "." for _ in range(count)]


BOOK = "\n\n".join(paragraphs(12))
WRAPPED = "\n\n".join(textwrap.fill(paragraph, 70) for paragraph in paragraphs(12)) + "\n"


def blocks(documents: list[str], sizes: list[int]) -> Iterator[tuple[bool, str]]:
    """Documents in blocks of these sizes, again and again."""
    for document in documents:
        begin, number = 0, 0
        while begin < len(document):
            size = sizes[number % len(sizes)]
            yield begin == 0, document[begin : begin + size]
            begin, number = begin + size, number + 1


def joined(stream: Iterator[tuple[bool, str]]) -> list[str]:
    texts: list[str] = []
    for starts, text in stream:
        if starts:
            texts.append("")
        texts[-1] += text
    return texts


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_headers_and_licences_go_wherever_blocks_are_cut(sizes: list[int]) -> None:
    documents = [f"{HEADER}{BOOK}\n{FOOTER}", BOOK, f"{BOOK}\nEnd of Project Gutenberg's A Book\nmore\n", HEADER + "x"]
    assert joined(without_headers(blocks(documents, sizes))) == [f"{BOOK}\n", BOOK, f"{BOOK}\n", "x"]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_wrapped_paragraphs_become_lines_and_verse_stays(sizes: list[int]) -> None:
    poem = "\n".join(f"  {line}" for line in VERSE)
    mixed = f"{WRAPPED}\n{poem}\n"
    found = joined(unwrapped(blocks([WRAPPED, mixed, "\n".join(VERSE * 20)], sizes)))
    assert found == [f"{BOOK}\n", f"{BOOK}\n\n{poem}\n", "\n".join(VERSE * 20)]


def test_lines_that_are_not_wrapped_are_left_alone() -> None:
    lines = "\n".join(paragraph[: 40 + 2 * number] for number, paragraph in enumerate(paragraphs(60)))
    assert joined(unwrapped(blocks([BOOK, lines], [1000]))) == [BOOK, lines]
    compound = textwrap.fill(" ".join(["a well-known house"] * 80), 50) + "\n"
    assert "well-known" in joined(unwrapped(blocks([compound], [99])))[0]
    assert "well- known" not in joined(unwrapped(blocks([compound], [99])))[0]


def test_lines_of_a_script_without_spaces_are_joined_where_they_are_full(tmp_path: Path) -> None:
    sentences = [f"{'山川風月花鳥'[number % 6]}は静かに流れて{'遠く' * (number % 4)}行く。" for number in range(400)]
    paragraph = "".join(sentences)
    wrapped = "\n".join(paragraph[start : start + 50] for start in range(0, len(paragraph), 50)) + "\n"
    assert joined(unwrapped(blocks([wrapped], [700]))) == [f"{paragraph}\n"]
    paragraphs = "\n".join("".join(sentences[start : start + 5]) for start in range(0, 400, 5)) + "\n"
    assert joined(unwrapped(blocks([paragraphs], [700]))) == [paragraphs]


def test_inspect_sees_both_and_prepare_mends_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "book.txt"
    path.write_text(f"{HEADER}\n{WRAPPED}\n{FOOTER}", "utf-8")
    assert run(["data", "inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "--strip-ebook-header leaves them out" in said
    assert "Lines are wrapped at about 70 characters" in said
    flags = ["--strip-ebook-header", "--unwrap", "--tokenizer", "char"]
    assert run(["data", "prepare", str(path), "-o", str(tmp_path / "corpus"), *flags]) == 0
    corpus = seqlab.Corpus.open(tmp_path / "corpus")
    assert corpus.valid is not None
    text = corpus.tokenizer.decode([*corpus.train[:], *corpus.valid[:]])
    assert text.strip() == BOOK
    plain = tmp_path / "plain.txt"
    plain.write_text(BOOK, "utf-8")
    assert not any("wrapped" in one or "Gutenberg" in one for one in seqlab.inspect(plain, quiet=True).findings)
