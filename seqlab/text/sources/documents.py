"""Documents of other programs as plain text: web pages, e-books, Word files, PDFs, subtitles.

| suffix | read by | why |
| --- | --- | --- |
| .html, .htm, .xhtml | html.parser of the standard library | blocks become lines; scripts and menus are left out |
| .epub | zipfile and the same parser, in the order of the book's spine | ebooklib is under the AGPL |
| .docx | python-docx | paragraphs and tables in order |
| .pdf | pypdf | small, without compiled parts; a scanned page has no text |
| .srt, .vtt | here | one cue a line |
"""

from __future__ import annotations

import html
import importlib
import io
import logging
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from ...base.errors import InputError

_BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table",
    "tr", "ul",
}  # fmt: skip
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "article", "section"}
_SILENT = {"script", "style", "head", "nav", "template", "noscript", "svg", "math", "select", "button", "iframe"}
_TIME = re.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->")
_MARKS = re.compile(r"</?[^<>]{1,40}>|\{\\[^{}]*\}")
MOST_UNPACKED = 1 << 30
"""Bytes that a chapter of an e-book may unfold to: more is a file made to fill memory."""


class _Page(HTMLParser):
    """The visible text of a page: a line for every block, a blank line around paragraphs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent: list[str] = []
        self.kept = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in _SILENT:
            self.silent.append(tag)
        elif tag == "body":
            self.silent.clear()  # a head that was never closed
        self._break(tag)
        self.kept += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        self._break(tag)
        self.kept -= tag == "pre" and self.kept > 0
        if tag in ("td", "th"):
            self.parts.append(" ")

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n\n" if tag in _PARAGRAPHS else "\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data if self.kept else re.sub(r"\s+", " ", data))

    def text(self) -> str:
        joined = re.sub(r"[ \t]*\n[ \t]*", "\n", re.sub(r" {2,}", " ", "".join(self.parts).replace("\xa0", " ")))
        return re.sub(r"\n{3,}", "\n\n", joined).strip()


def html_text(page: str) -> str:
    """The visible text of a web page."""
    reader = _Page()
    reader.feed(page)
    reader.close()
    return reader.text()


def subtitles_text(text: str) -> str:
    """The words of .srt or .vtt subtitles, one cue a line, without times, numbers and marks of style."""
    cues: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        begin = next((place for place, line in enumerate(lines) if _TIME.match(line)), None)
        if begin is None:
            continue
        words = " ".join(_MARKS.sub("", line).strip() for line in lines[begin + 1 :])
        cues.append(html.unescape(" ".join(words.split())))
    return "\n".join(cue for cue in cues if cue)


def epub_text(data: bytes, name: str) -> str:
    """The chapters of an e-book in reading order. Raises InputError where it is no EPUB, or is locked."""
    with _readable("an EPUB e-book", name), zipfile.ZipFile(io.BytesIO(data)) as book:
        if "META-INF/encryption.xml" in book.namelist() and b"adept" in book.read("META-INF/encryption.xml").lower():
            raise InputError(f"{name}: the e-book is locked by its shop (DRM); use an open copy.")
        chapters = [_unpacked(book, part, name) for part in _spine(book)]
    return "\n\n".join(text for chapter in chapters if (text := html_text(chapter.decode("utf-8", "replace"))))


def _spine(book: zipfile.ZipFile) -> list[str]:
    """Names of the chapters' files, in order, without the table of contents."""
    container = ElementTree.fromstring(book.read("META-INF/container.xml"))
    package = next(node.attrib["full-path"] for node in container.iter() if node.tag.endswith("}rootfile"))
    root = ElementTree.fromstring(book.read(package))
    items = {node.attrib["id"]: node.attrib for node in root.iter() if node.tag.endswith("}item")}
    order = [node.attrib["idref"] for node in root.iter() if node.tag.endswith("}itemref")]
    folder = posixpath.dirname(package)
    chapters = [items[name] for name in order if "html" in items[name].get("media-type", "")]
    chapters = [chapter for chapter in chapters if "nav" not in chapter.get("properties", "").split()]
    return [posixpath.normpath(posixpath.join(folder, unquote(chapter["href"]))) for chapter in chapters]


def _unpacked(book: zipfile.ZipFile, part: str, name: str) -> bytes:
    if book.getinfo(part).file_size > MOST_UNPACKED:
        raise InputError(f"{name}: {part} unfolds to more than {MOST_UNPACKED >> 30} GB; this is no book.")
    return book.read(part)


def docx_text(data: bytes, name: str) -> str:
    """Paragraphs and tables of a Word file, in order; a cell is a line. Raises InputError where it is none."""
    docx = _needed("docx", "python-docx", name)
    with _readable("a Word file", name):
        document = docx.Document(io.BytesIO(data))
        parts = [text for block in document.iter_inner_content() for text in _block_texts(block)]
    return "\n".join(parts)


def _block_texts(block: Any) -> list[str]:
    if hasattr(block, "rows"):
        return [cell.text for row in block.rows for cell in dict.fromkeys(row.cells)]
    return [block.text]


def pdf_text(data: bytes, name: str) -> str:
    """The text of a PDF's pages. Raises InputError where it is none, is locked, or contains only pictures of pages."""
    pypdf = _needed("pypdf", "pypdf", name)
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it says what it skips, as the file has it
    with _readable("a PDF", name):
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{name}: the PDF is locked by a password; save an open copy.")
        pages = [page.extract_text() for page in reader.pages]
    if pages and not any(page.strip() for page in pages):
        raise InputError(f"{name}: its {len(pages)} pages hold no text, only pictures; run them through OCR first.")
    return "\n\n".join(page.strip() for page in pages if page.strip())


@contextmanager
def _readable(kind: str, name: str) -> Iterator[None]:
    """Around calls of the libraries that read a kind of file: of a damaged one they raise whatever they stumble over.

    Raises:
        InputError: in place of that.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(f"{error}".split())[:200] or type(error).__name__
        raise InputError(f"{name}: not {kind}, or a damaged one ({reason}).") from None


def _needed(module: str, package: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f'{name}: reading this needs {package}, which is not installed here: pip install "seqlab[documents]".'
        ) from None


BINARY: dict[str, Callable[[bytes, str], str]] = {".docx": docx_text, ".epub": epub_text, ".pdf": pdf_text}
"""Readers of whole files by suffix."""
MARKED: dict[str, Callable[[str], str]] = {
    ".html": html_text,
    ".htm": html_text,
    ".xhtml": html_text,
    ".srt": subtitles_text,
    ".vtt": subtitles_text,
}
"""Readers of decoded text by suffix."""
REFUSED = {
    ".doc": ("an old Word file", "save it as .docx or .txt"),
    ".odt": ("an OpenDocument text", "save it as .docx or .txt"),
    ".rtf": ("a rich text file", "save it as .docx or .txt"),
    ".pages": ("a Pages document", "export it as .docx or .txt"),
    ".mobi": ("a Kindle e-book", "convert it to .epub or .txt"),
    ".azw": ("a Kindle e-book", "convert it to .epub or .txt"),
    ".azw3": ("a Kindle e-book", "convert it to .epub or .txt"),
    ".fb2": ("a FictionBook e-book", "convert it to .epub or .txt"),
    ".xls": ("an old Excel sheet", "save it as .csv"),
    ".xlsx": ("an Excel sheet", "save it as .csv"),
    ".ods": ("an OpenDocument sheet", "save it as .csv"),
    ".parquet": ("a Parquet table", "save it as .csv or .jsonl"),
    ".pptx": ("a presentation", "export its text"),
    ".ppt": ("a presentation", "export its text"),
    ".zip": ("an archive", "unpack it and name the folder"),
    ".tar": ("an archive", "unpack it and name the folder"),
    ".7z": ("an archive", "unpack it and name the folder"),
    ".rar": ("an archive", "unpack it and name the folder"),
    ".png": ("a picture", "run it through OCR first"),
    ".jpg": ("a picture", "run it through OCR first"),
    ".jpeg": ("a picture", "run it through OCR first"),
    ".mp3": ("sound", "have it transcribed first"),
    ".wav": ("sound", "have it transcribed first"),
    ".mp4": ("a film", "use its subtitles (.srt)"),
}
"""What is refused by its suffix: what it is, and what to do."""
