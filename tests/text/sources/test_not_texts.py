"""What is no text is named by its first bytes; what looks like something else is read rightly, or said."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zipfile

import numpy as np
import pytest
from costs import usual
from seqlab_cli.main import run

import seqlab
from seqlab.base.contents.signatures import AT_START, INSIDE, SURE, kind_of_bytes
from seqlab.base.errors import InputError
from seqlab.text.sources.looks import looks_like
from seqlab.text.sources.readers import read_documents

NOISE = random.Random(7).randbytes(600)
STORY = "The otter swam under the bridge. Nobody saw it, for the fog was thick.\n" * 40


def zipped(*names: str, **contents: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
        for name, content in contents.items():
            archive.writestr(name, content)
    return packed.getvalue()


def array() -> bytes:
    packed = io.BytesIO()
    np.save(packed, np.arange(5))
    return packed.getvalue()


FILES = {
    **{f"{kind.title} {number}": (magic + NOISE, kind.title) for number, (magic, kind) in enumerate(AT_START.items())},
    **{
        f"{kind.title} {at}": (b"\x01RIFF\x00\x00\x00"[1:][:at].ljust(at, b"\x00") + magic + NOISE, kind.title)
        for (at, magic), kind in INSIDE.items()
    },
    "sheet": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel sheet"),
    "slides": (zipped("[Content_Types].xml", "docProps/app.xml", "ppt/presentation.xml"), "a presentation"),
    "open text": (zipped(mimetype="application/vnd.oasis.opendocument.text"), "an OpenDocument text"),
    "torch": (zipped("model/data.pkl", "model/data/0"), "a model of PyTorch"),
    "npz": (zipped("arr_0.npy"), "an archive of numpy arrays"),
    "zip": (zipped("a.txt", "b.txt"), "a zip archive"),
    "npy": (array(), "a numpy array"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00" + NOISE, "a Python pickle"),
    "safetensors": ((40).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}' + NOISE, "a safetensors file"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", [".txt", ""])
def test_a_file_that_is_no_text_is_named_with_what_to_do(name, suffix, tmp_path):
    content, title = FILES[name]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    if title == "a PDF":  # goes to the reader of PDFs
        title = "not a PDF, or a damaged one"
    for errors in ("strict", "replace"):
        with pytest.raises(InputError, match=rf"{path}: (is )?{re.escape(title)}") as caught:
            list(read_documents([str(path)], errors))
        assert len(str(caught.value)) < 250
    path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=r"\bis |not a PDF"):
        list(read_documents([str(path)]))


@pytest.mark.parametrize("name", usual(FILES, *list(FILES)[::6], "sheet"))
def test_the_same_given_as_vectors_is_named(name, tmp_path, capsys):
    content, title = FILES[name]
    path = tmp_path / "vectors.vec"
    path.write_bytes(content)
    assert run(["neighbors", str(path), "otter"]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert len(said.splitlines()) == 1
    if not content.startswith(b"PK"):
        assert title in said


@pytest.mark.parametrize("content", [STORY, "a,b\n" * 30, "<p>fog</p>\n" * 20, '{"a": 1}\n' * 9])
def test_a_text_given_as_vectors_is_named(content, tmp_path, capsys):
    (tmp_path / "story.txt").write_text(content)
    assert run(["neighbors", str(tmp_path / "story.txt"), "otter"]) == 2
    assert capsys.readouterr().err.startswith(f"seqlab: {tmp_path / 'story.txt'}: ")


@pytest.mark.parametrize("magic", [one for one in AT_START if one.isascii() and not one.startswith(SURE)])
def test_a_text_may_begin_like_any_of_them(magic):
    beginning = bytes(byte for byte in magic if 32 <= byte < 127)
    assert kind_of_bytes(beginning + b" is how this text begins, and it goes on for long. " * 12) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_without_a_mark_are_named_with_the_cure(encoding, tmp_path):
    (tmp_path / "story.txt").write_bytes(STORY.encode(encoding))
    with pytest.raises(InputError, match=f"iconv -f {encoding.upper()} -t UTF-8"):
        list(read_documents([str(tmp_path / "story.txt")]))


def test_noise_is_called_binary_and_escapes_of_a_terminal_are_not(tmp_path):
    quiet = bytes(byte for byte in NOISE * 20 if byte < 0x80)
    (tmp_path / "noise").write_bytes(quiet)
    with pytest.raises(InputError, match="of its first bytes are control characters"):
        list(read_documents([str(tmp_path / "noise")]))
    (tmp_path / "log").write_text("\x1b[31mred\x1b[0m and \f plain\n" * 50)
    assert list(read_documents([str(tmp_path / "log")]))


def documents(path, field="text"):
    found: list[str] = []
    for starts, text in read_documents([str(path)], field=field):
        found += [text] if starts else []
    return found


def test_documents_without_a_suffix_go_to_their_readers(tmp_path):
    docx = pytest.importorskip("docx")
    letter = docx.Document()
    letter.add_paragraph("Dear otter,")
    letter.save(tmp_path / "letter.docx")
    (tmp_path / "letter").write_bytes((tmp_path / "letter.docx").read_bytes())
    assert documents(tmp_path / "letter") == documents(tmp_path / "letter.docx") == ["Dear otter,\n"]
    container = '<c xmlns="x"><rootfile full-path="p.opf"/></c>'
    package = '<p xmlns="x"><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/><itemref idref="a"/></p>'
    book = {"META-INF/container.xml": container, "p.opf": package, "a.xhtml": "<body><p>Fog.</p></body>"}
    (tmp_path / "book").write_bytes(zipped(**book))
    assert documents(tmp_path / "book") == ["Fog.\n"]


def test_a_list_in_one_file_of_json_is_read_by_its_field(tmp_path):
    path = tmp_path / "notes.json"
    path.write_text(json.dumps([{"body": "one\r\ntwo", "id": 1}, {"body": "three"}], indent=2))
    assert documents(path, "body") == ["one\ntwo", "three"]
    with pytest.raises(InputError, match=r"entry 1: the record has no field 'text'; its fields are 'body', 'id'"):
        documents(path)
    path.write_text(json.dumps(["one", "", "two"]))
    assert documents(path) == ["one", "two"]
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    assert documents(path) == ["one", "two"]
    path.write_text('{"text": "alone"}')
    assert documents(path) == ["alone"]


def test_a_field_inside_another_is_named_with_a_dot(tmp_path):
    path = tmp_path / "chat.jsonl"
    record = {"id": 7, "message": {"content": "Fog.", "by": {"name": "otter"}}, "a.b": "whole"}
    path.write_text(json.dumps(record))
    assert documents(path, "message.content") == ["Fog."]
    assert documents(path, "message.by.name") == ["otter"]
    assert documents(path, "a.b") == ["whole"]
    named = "its fields are 'id', 'message.content', 'message.by', 'a.b'"
    with pytest.raises(InputError, match=f"no field 'text'; {named}"):
        documents(path)
    with pytest.raises(InputError, match=r"'message' must be text, not an object; its fields are 'message.content'"):
        documents(path, "message")
    with pytest.raises(InputError, match="no field 'message.content.x'"):
        documents(path, "message.content.x")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1, "b": 2}', "one table with the keys 'a', 'b', not a list of texts"),
        ("[1, 2]", "must hold one JSON object, not a number"),
        ('["a", ', "line 1: not valid JSON"),
        ("plain text\nof two lines\n", "line 1: not valid JSON"),
        ("[" * 100_000, "nesting that is too long|not valid JSON"),
        ("7", "is a number, not a list of texts"),
    ],
)
def test_other_files_of_json_are_one_sentence(content, sentence, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=sentence):
        documents(tmp_path / "x.json")


def test_a_notebook_is_its_cells(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Otters\n", "They swim."]},
        {"cell_type": "code", "source": "count(otters)", "outputs": [{"data": "12"}]},
        {"cell_type": "code", "source": []},
    ]
    path = tmp_path / "otters.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert documents(path) == ["# Otters\nThey swim.\n\ncount(otters)\n"]
    path.write_text("{}")
    with pytest.raises(InputError, match="not a notebook"):
        documents(path)


LOOKS = {
    "<!DOCTYPE html>\n<html><body>fog</body></html>\n": "a web page",
    '<?xml version="1.0"?>\n<a>fog</a>\n': "XML",
    '[\n  {"text": "fog"},\n  {"text": "mist"}\n]\n': "a list in JSON",
    '["fog", "mist"]\n': "a list in JSON",
    '{"text": "fog"}\n{"text": "mist"}\n': "records, one a line",
    '{\n  "weather": "fog"\n}\n': "JSON",
    "name,place,year\n" + "otter,river,1999\n" * 20: "a table of 3 columns",
    "id\tname\n" + "7\totter\n" * 20: "a table of 2 columns",
    'a;b;c\n' + '1;"x; y";3\n' * 20: "a table of 3 columns",
    "id,comment\n" + '7,"The otter, wet, is fine."\n' * 20: "a table of 2 columns",
}  # fmt: skip
PLAIN = [
    STORY,
    "[Verse 1]\nFog on the river, fog on the hill\n" * 20,
    "[1] The otter, a mammal, swims.\n[2] It dives.\n" * 20,
    "{name} stands for a name; {place} for a place.\n" * 20,
    "So, well, I went, and saw, and left.\nThen, too, it rained, hard.\n" * 20,
    "def f(a, b, c):\n    return a\n\n\nprint(f(1, 2, 3))\n" * 20,
    "otter\nheron\npike\n" * 20,
    "To be, or not to be, that is it,\nAnd so, my friend, we come to this,\n" * 20,
    '"Yes," said the otter\n"No," said the heron\n' * 20,
    "<otter> hello\n<heron> hi there\n" * 20,
]


@pytest.mark.parametrize("content", LOOKS)
def test_what_looks_like_something_else_is_said_every_time(content, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SEQLAB_QUIET")
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.txt").write_text(content)
    for _ in range(2):  # the second time from the cache
        seqlab.prepare(tmp_path / "a.txt", tokenizer="char")
        assert f"a.txt: looks like {LOOKS[content]}" in capsys.readouterr().err
    findings = seqlab.inspect(tmp_path / "a.txt").findings
    assert any(f"a.txt: looks like {LOOKS[content]}" in one for one in findings)


@pytest.mark.parametrize("content", PLAIN)
def test_text_looks_like_text(content):
    assert looks_like(content) == ""


@pytest.mark.parametrize("verb", ["prepare", "inspect"])
def test_a_field_of_a_plain_text_is_refused(verb, tmp_path, capsys):
    (tmp_path / "a.txt").write_text(STORY)
    out = ["-o", str(tmp_path / "c")] if verb == "prepare" else []
    assert run(["data", verb, str(tmp_path / "a.txt"), *out, "--field", "body"]) == 2
    assert "a.txt: is read as running text, which has no field 'body'" in capsys.readouterr().err
