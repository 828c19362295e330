"""Tables, web pages, e-books, Word files, PDFs and subtitles as texts; everything else refused with one sentence."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.text import read_documents
from seqlab.text.sources.documents import REFUSED, html_text


def documents(path: Path, field: str = "text") -> list[str]:
    texts: list[str] = []
    for starts, block in read_documents(path, field=field):
        if starts:
            texts.append("")
        texts[-1] += block
    return texts


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


TABLE = 'id,headline,year\n1,"Storm, then ""calm""",1999\n2,Bridge opens,2001\n3,,2002\n\n4,"Two\nlines",2003\n'
CELLS = ['Storm, then "calm"', "Bridge opens", "Two\nlines"]


@pytest.mark.parametrize("field", ["headline", "2"])
def test_a_column_of_a_table_is_read(tmp_path: Path, field: str) -> None:
    assert documents(write(tmp_path / "news.csv", TABLE), field) == CELLS
    packed = tmp_path / "news.csv.gz"
    packed.write_bytes(gzip.compress(TABLE.replace("\n", "\r\n").encode()))
    assert documents(packed, field) == CELLS
    assert documents(write(tmp_path / "semicolons.csv", TABLE.replace(",", ";")), field)[1] == "Bridge opens"


def test_the_line_that_tells_excel_the_delimiter_is_no_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "\ufeffsep=;\nid;text\n1;fog, mist\n2;rain\n")
    assert documents(path) == ["fog, mist", "rain"]
    with pytest.raises(InputError, match=r"a\.csv: line 3: the row has only 1 of the 2 columns"):
        documents(write(tmp_path / "a.csv", "sep=|\nid|text\n1\n"))


def test_tabs_part_cells_and_stray_quotes_stay(tmp_path: Path) -> None:
    plain = 'text\tlabel\n"Hello, he said\t1\nNo "end"\t0\n'
    assert documents(write(tmp_path / "a.tsv", plain)) == ['"Hello, he said', 'No "end"']
    quoted = 'text\tlabel\n"a\tb"\t1\n'
    assert documents(write(tmp_path / "b.tsv", quoted)) == ["a\tb"]


def test_header_lines_are_recognised_and_only_they(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "one.csv", "Name\nEmma\nOlivia\n")) == ["Emma", "Olivia"]
    assert documents(write(tmp_path / "bare.csv", "Emma\nOlivia\n")) == ["Emma", "Olivia"]
    numbers = write(tmp_path / "numbers.csv", "Baby,Born\nEmma,1999\nOlivia,2000\n")
    assert documents(numbers, "1") == ["Emma", "Olivia"]
    none = write(tmp_path / "none.csv", "Emma,Smith\nOlivia,Jones\n")
    assert documents(none, "2") == ["Smith", "Jones"]
    assert documents(write(tmp_path / "body.csv", "text,x\na,b\n")) == ["a"]


@pytest.mark.parametrize(
    ("table", "field", "sentence"),
    [
        (
            TABLE,
            "text",
            "3 columns ('id', 'headline', 'year'); name the one to read with field='headline'",
        ),
        (
            TABLE,
            "headlin",
            "has no column 'headlin'; its columns are 'id', 'headline', 'year'. Did you mean 'headline'?",
        ),
        (TABLE, "7", "has no column 7; it has 3: 'id', 'headline', 'year'."),
        ("Emma,Smith\nIda,Jones\n", "text", "(1: 'Emma', 2: 'Smith'); name the one to read with field="),
        ("id,text\n1,a\n2\n", "text", "line 3: the row has only 1 of the 2 columns up to the one that is read"),
        ('id,text\n1,"a"b\n', "text", "line 2: not a row of a table"),
        ('id,text\n1,a\n2,"b\n3,c\n', "text", "line 3: a quote that begins in this row never ends."),
        ("text,year,text\na,1,b\nc,2,d\n", "text", "has 2 columns 'text', 1 and 3; name one by its number, such as"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, table: str, field: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        documents(write(tmp_path / "t.csv", table), field)
    assert sentence in str(error.value)


def test_a_column_of_titles_is_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f'{n},"The {word} of {other}"\n' for n, (word, other) in enumerate(PAIRS))
    path = write(tmp_path / "titles.csv", f"no,title\n{rows}")
    assert run(["data", "prepare", str(path), "-o", str(tmp_path / "corpus"), "--field", "title"]) == 0
    corpus = seqlab.Corpus.open(tmp_path / "corpus")
    assert corpus.train.lines
    assert "The sea of iron" in corpus.decode(0, len(corpus.train))
    assert run(["data", "prepare", str(path), "-o", str(tmp_path / "other")]) == 2
    assert "name the one to read with --field title" in capsys.readouterr().err


PAIRS = [
    (a, b) for a in ("sea", "king", "house", "winter", "road") for b in ("iron", "glass", "salt", "bones", "light")
]

PAGE = """<!doctype html><html><head><title>T</title><style>p { color: red }</style></head>
<body><nav><a href="/">Home</a></nav><h1>A  title</h1><p>First <b>bold</b>
line &amp; more&nbsp;here.<br>Second.</p><script>var a = "<p>no</p>";</script>
<ul><li>one</li><li>two</li></ul><pre>  kept
  as is</pre><table><tr><td>a</td><td>b</td></tr></table></body></html>"""
TEXT = "A title\n\nFirst bold line & more here.\nSecond.\n\none\n\ntwo\n\nkept\nas is\n\na b"


def test_web_pages_give_their_visible_text(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "page.html", PAGE)) == [f"{TEXT}\n"]
    assert html_text("plain <p>unclosed <i>tags") == "plain\n\nunclosed tags"
    assert html_text("<head><title>no</title><body>yes") == "yes"


def epub(chapters: dict[str, str], **files: str) -> bytes:
    """An e-book as other programs write it."""
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    items = "".join(
        f'<item id="{name}" href="{name}%20x.xhtml" media-type="application/xhtml+xml"/>' for name in sorted(chapters)
    )
    items += '<item id="toc" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    items += '<item id="cover" href="c.jpg" media-type="image/jpeg"/>'
    spine = "".join(f'<itemref idref="{name}"/>' for name in ["toc", *chapters])
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{spine}</spine></package>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("META-INF/container.xml", container)
        book.writestr("OEBPS/book.opf", package)
        book.writestr("OEBPS/nav.xhtml", "<html><body>Contents</body></html>")
        for name, text in chapters.items():
            book.writestr(f"OEBPS/{name} x.xhtml", f"<html><body><h2>{name}</h2><p>{text}</p></body></html>")
        for name, text in files.items():
            book.writestr(name, text)
    return out.getvalue()


def test_e_books_are_read_in_the_order_of_their_spine(tmp_path: Path) -> None:
    path = write(tmp_path / "book.epub", epub({"two": "It was früh.", "one": "It was late."}))
    assert documents(path) == ["two\n\nIt was früh.\n\none\n\nIt was late.\n"]
    locked = epub({"a": "b"}, **{"META-INF/encryption.xml": "<x>http://ns.adobe.com/adept</x>"})
    with pytest.raises(InputError, match="locked by its shop"):
        documents(write(tmp_path / "locked.epub", locked))
    for data in (b"no zip at all", epub({"a": "b"})[:200], zipped(b"hello")):
        with pytest.raises(InputError, match=r"broken\.epub: not an EPUB e-book"):
            documents(write(tmp_path / "broken.epub", data))


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", data)
    return out.getvalue()


def test_word_files_give_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed")
    document = docx.Document()
    document.add_heading("Ein Titel", 1)
    document.add_paragraph("First paragraph, with ").add_run("bold").bold = True
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    document.add_paragraph("Last.")
    document.save(str(tmp_path / "text.docx"))
    assert documents(tmp_path / "text.docx") == ["Ein Titel\nFirst paragraph, with bold\nleft\nright\nLast.\n"]
    for data in (b"nothing", zipped(b"x"), (tmp_path / "text.docx").read_bytes()[:400]):
        with pytest.raises(InputError, match=r"broken\.docx: not a Word file"):
            documents(write(tmp_path / "broken.docx", data))


def pdf(lines: list[str]) -> bytes:
    """A PDF of one page, written by hand."""
    stream = "BT /F1 12 Tf 72 720 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def test_pdfs_give_the_text_of_their_pages(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    path = write(tmp_path / "paper.pdf", pdf(["The first line", "and the second."]))
    assert documents(path) == ["The first line\nand the second.\n"]
    with pytest.raises(InputError, match="hold no text, only pictures"):
        documents(write(tmp_path / "scan.pdf", pdf([])))
    with pytest.raises(InputError, match=r"broken\.pdf: not a PDF"):
        documents(write(tmp_path / "broken.pdf", b"nothing of the kind"))
    writer = pypdf.PdfWriter(clone_from=str(path))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(str(tmp_path / "locked.pdf"))
    with pytest.raises(InputError, match="locked by a password"):
        documents(tmp_path / "locked.pdf")


@pytest.mark.parametrize(("name", "module"), [("a.docx", "docx"), ("a.pdf", "pypdf")])
def test_a_missing_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r'not installed here: pip install "seqlab\[documents\]"'):
        documents(write(tmp_path / name, b"x"))


SUBTITLES = """1
00:00:01,000 --> 00:00:02,500
<i>Who's there?</i>
- Nobody.

2
00:00:03,000 --> 00:00:04,000
{\\an8}It &amp; he.

3
00:00:05,000 --> 00:00:06,000

"""


def test_subtitles_lose_their_times(tmp_path: Path) -> None:
    expected = ["Who's there? - Nobody.\nIt & he.\n"]
    assert documents(write(tmp_path / "film.srt", SUBTITLES.replace("\n", "\r\n"))) == expected
    web = "WEBVTT\n\nNOTE a remark\n\n" + SUBTITLES.replace(",", ".").replace("1\n00", "00", 1)
    assert documents(write(tmp_path / "film.vtt", web)) == expected


def test_a_folder_of_documents_is_read_where_it_has_no_plain_texts(tmp_path: Path) -> None:
    write(tmp_path / "a.html", "<p>one")
    write(tmp_path / "b.srt", SUBTITLES)
    write(tmp_path / "c.csv", TABLE)
    assert documents(tmp_path) == ["one\n", "Who's there? - Nobody.\nIt & he.\n"]
    write(tmp_path / "d.txt", "plain")
    assert documents(tmp_path) == ["plain"]


@pytest.mark.parametrize("suffix", sorted(REFUSED))
def test_other_kinds_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match=rf"x\{suffix}: is an? ?.*, which seqlab does not read; |is sound"):
        documents(write(tmp_path / f"x{suffix}", b"whatever"))


@pytest.mark.parametrize("data", [zipped(b"a"), b"{\\rtf1 x}", b"\xff\xd8\xff\xe0abc"], ids=["zip", "rtf", "jpeg"])
def test_other_kinds_are_refused_by_content(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="not plain text; "):
        documents(write(tmp_path / "misnamed.txt", data))
