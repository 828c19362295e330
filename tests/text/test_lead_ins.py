"""What is read before a text that has no prompt: ends of paragraphs from all over the training text."""

from __future__ import annotations

import random

import numpy as np
import pytest

import seqlab
from seqlab.text import TOKENIZERS
from seqlab.text.ids.lead_ins import LEAD_INS, LENGTH, find_lead_ins, line_ends


def prose(paragraphs: int, parted: str) -> str:
    generator = random.Random(3)
    words = [f"w{number}" for number in range(30)]
    lines = (" ".join(generator.choices(words, k=20)) + "." for _ in range(3 * paragraphs))
    return parted.join("\n".join(part) for part in zip(lines, lines, lines, strict=True)) + "\n"


def prepared(tmp_path, text, **options):
    (tmp_path / "text.txt").write_text(text)
    return seqlab.prepare(tmp_path / "text.txt", tmp_path / "corpus", quiet=True, **options)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("parted", ["\n\n", "\n"])
def test_lead_ins_end_where_paragraphs_do_or_else_lines(tmp_path, kind, parted):
    more = {"vocab_size": 300} if kind == "bpe" else {}
    corpus = prepared(tmp_path, prose(400, parted), tokenizer=kind, lines="no", **more)
    rows, ids = find_lead_ins(corpus.train, corpus.tokenizer), corpus.train[:].astype(int)
    assert len(rows) == LEAD_INS
    assert {len(row) for row in rows} == {LENGTH}
    windows = np.lib.stride_tricks.sliding_window_view(ids, LENGTH)
    for number, row in enumerate(rows):
        assert corpus.tokenizer.decode(row).endswith(parted)
        places = np.flatnonzero((windows == row).all(1)) + LENGTH
        assert any(not corpus.tokenizer.decode(ids[place : place + 1]).startswith("\n") for place in places)
        stretch = range(number * len(ids) // LEAD_INS, (number + 1) * len(ids) // LEAD_INS + 2 * LENGTH)
        assert any(place in stretch for place in places.tolist()), "they come from all over the text"
    assert find_lead_ins(corpus.train, corpus.tokenizer) == rows


def test_many_documents_are_begun_as_documents(tmp_path):
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text(f"Document {number}.\n\nIts end {number}.\n")
    corpus = seqlab.prepare(tmp_path, tmp_path / "corpus", tokenizer="word", quiet=True, lines="no")
    rows, ids = find_lead_ins(corpus.train, corpus.tokenizer), corpus.train[:].tolist()
    starts = corpus.train.documents.tolist()
    assert len(rows) == LEAD_INS
    assert all(row in [ids[start - LENGTH : start] for start in starts if start >= LENGTH] for row in rows)


@pytest.mark.parametrize("text", ["no line end at all " * 200, "a\n\nb\n"], ids=["unbroken", "short"])
def test_texts_without_a_paragraph_or_too_short_have_none(tmp_path, text):
    corpus = prepared(tmp_path, text, tokenizer="char", lines="no", valid_fraction=0)
    assert find_lead_ins(corpus.train, corpus.tokenizer) == []


def test_a_list_has_none(tmp_path):
    corpus = prepared(tmp_path, "".join(f"name {number}\n" for number in range(300)), lines="yes", tokenizer="char")
    assert find_lead_ins(corpus.train, corpus.tokenizer) == []


def test_line_ends_within_pieces_are_counted(tmp_path):
    corpus = prepared(tmp_path, prose(200, "\n\n"), tokenizer="bpe", vocab_size=400, lines="no")
    ends = line_ends(corpus.tokenizer)
    assert ends[corpus.tokenizer.encode("w1 w2.\n\n")].sum() == 2
    assert ends[corpus.tokenizer.encode("w1 w2")].sum() == 0
