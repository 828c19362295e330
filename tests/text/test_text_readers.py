"""Readers: every form of source, every encoding, and one exact sentence for everything that is wrong."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.text import ReadReport, read_documents, resolve_sources
from seqlab.text.sources import plain_text
from seqlab.text.sources.plain_text import FileReport, read_text

TEXT = "Erste Zeile: Grüße!\nzweite 日本 \U0001f600\n\nend"
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


def documents(*sources: object, report: ReadReport | None = None, **options: str) -> list[str]:
    found: list[str] = []
    for starts, text in read_documents(list(map(str, sources)), report=report, **options):
        found += [text] if starts else []
        if not starts:
            found[-1] += text
    return found


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few bytes, so that every border between blocks is met."""
    monkeypatch.setattr(plain_text, "BLOCK", 5)


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "utf-32"]


def encode(text: str, encoding: str) -> bytes:
    return b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_are_told_by_their_mark(encoding: str, tmp_path: Path, small_blocks: None) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(encode(TEXT, encoding))
    report = ReadReport()
    assert documents(path, report=report) == [TEXT]
    assert report.files[0].byte_order_mark == (encoding != "utf-8")
    assert report.files[0].encoding.startswith(encoding[:6].rstrip("-"))
    assert report.bytes_read == path.stat().st_size


@settings(max_examples=100, deadline=None)
@given(text=st.text(), encoding=st.sampled_from(ENCODINGS), size=st.integers(1, 9))
def test_any_text_whatever_the_blocks(text: str, encoding: str, size: int) -> None:
    """Decoding and newlines are right across every border between blocks."""
    if encoding == "utf-8" and (text[:1] == "\ufeff" or text[:64].count("\0") > 0.2 * len(text[:64].encode())):
        return
    if encoding == "utf-16" and text[:1] == "\0":
        return  # with the mark before it, that is the mark of UTF-32
    before, plain_text.BLOCK = plain_text.BLOCK, size
    try:
        read = "".join(read_text(io.BytesIO(encode(text, encoding)), FileReport("x")))
    finally:
        plain_text.BLOCK = before
    assert read == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("suffix", PACK)
def test_compressed_files_are_told_by_content(suffix: str, tmp_path: Path, small_blocks: None) -> None:
    for name in (f"a.txt{suffix}", "no-suffix"):
        path = tmp_path / name
        path.write_bytes(PACK[suffix](TEXT.encode()))
        assert documents(path) == [TEXT]


@pytest.mark.parametrize("suffix", PACK)
def test_joined_compressed_files_are_read_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(PACK[suffix](b"one ") + PACK[suffix](b"two"))
    assert documents(path) == ["one two"]


@pytest.mark.parametrize("suffix", PACK)
def test_damaged_compressed_files_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{suffix}"
    data = PACK[suffix](os.urandom(50_000).hex().encode())
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.txt.*(truncated|damaged)"):
        documents(path)
    path.write_bytes(data[: len(data) // 2] + bytes(300) + data[len(data) // 2 + 300 :])
    with pytest.raises(InputError, match=r"a\.txt.*(truncated|damaged|invalid)"):
        documents(path)
    path.write_bytes(b"plain text")
    with pytest.raises(InputError, match=rf"although its name ends in {suffix}"):
        documents(path)


@pytest.mark.parametrize(
    ("data", "line", "offset"),
    [
        (b"ok\nbad \xff here", 2, 7),
        (b"\x80", 1, 0),
        (b"a\r\nb\rc\nd\xc3", 4, 8),
        (b"a\n" * 3000 + b"\xe6\x97 x", 3001, 6000),
        (b"\xef\xbb\xbfmark \xc0\xaf", 1, 8),
        (b"surrogate \xed\xa0\x80", 1, 10),
        (b"truncated \xf0\x9f\x98", 1, 10),
    ],
)
@pytest.mark.parametrize("block", [3, 1 << 20])
def test_invalid_bytes_are_named(
    data: bytes, line: int, offset: int, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", block)
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.txt: line {line}: invalid UTF-8 at byte offset {offset} "):
        documents(path)
    path.write_bytes(gzip.compress(data))
    with pytest.raises(InputError, match=rf"line {line}: .* byte offset {offset} "):
        documents(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cp1252", "Grüße, „Käthe“ – 5 € für Brötchen\r\n" * 9),
        ("latin-1", "plain " * 40 + "déjà vu"),
        ("shift_jis", "吾輩は猫である。ﾈｺ\n" * 9),
        ("gb18030", "中文文本，没有空格。\n" * 9),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_files_that_are_not_utf8_are_read_in_the_encoding_that_is_named(
    name: str, text: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", block)
    (tmp_path / "old.txt").write_bytes(text.encode(name))
    (tmp_path / "new.txt").write_bytes(text.encode("utf-8"))
    plain = text.replace("\r", "")
    if block > 1:  # a double byte may be a character of UTF-8 too, when it is all there is to judge by
        assert [one for _, one in read_documents(tmp_path / "old.txt", encoding=name)] != []
        assert "".join(one for _, one in read_documents(tmp_path / "old.txt", encoding=name)) == plain
    assert "".join(one for _, one in read_documents(tmp_path / "new.txt", encoding=name)) == plain


def test_encodings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ein\rKäthe\r".encode("mac_roman"))
    with pytest.raises(InputError, match=r"name its encoding, such as encoding='mac_roman', or use"):
        documents(path)
    path.write_bytes("Käthe".encode("cp1252"))
    with pytest.raises(InputError, match=r"name its encoding, such as encoding='cp1252', or use errors='replace'"):
        documents(path)
    for name, message in (("cp1522", "Did you mean"), ("iso2022_jp", "is not read"), ("rot13", "no encoding of text")):
        with pytest.raises(InputError, match=message):
            list(read_documents(path, encoding=name))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60), size=st.integers(1, 9))
def test_replacing_counts_what_it_replaced(data: bytes, size: int) -> None:
    """Genuine U+FFFD are not counted; the text is what Python's own decoder makes of the whole."""
    data = b"\xef\xbf\xbd ok " + data + b"\xef\xbf\xbd"
    before, plain_text.BLOCK = plain_text.BLOCK, size
    report = FileReport("x")
    try:
        text = "".join(read_text(io.BytesIO(data), report, "replace"))
    finally:
        plain_text.BLOCK = before
    expected = data.decode("utf-8", "replace")
    assert text == expected.replace("\r\n", "\n").replace("\r", "\n")
    valid = data.decode("utf-8", "ignore").count("\ufffd")
    assert report.replaced == expected.count("\ufffd") - valid


def test_half_a_character_of_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ok\nx".encode("utf-16") + b"\x00\xd8" + "y".encode("utf-16-le"))
    with pytest.raises(InputError, match=r"line 2: invalid UTF-16-LE at byte offset 10 "):
        documents(path)
    report = ReadReport()
    assert documents(path, errors="replace", report=report) == ["ok\nx\ufffdy"]
    assert report.replaced == 1


def test_binary_data_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("utf-16 without a mark".encode("utf-16-le"))
    with pytest.raises(InputError, match="UTF-16-LE without a byte order mark"):
        documents(path)
    assert documents(path, errors="replace")[0].startswith("u\0t\0f")


def test_nasty_files(shared_data: Path) -> None:
    nasty = shared_data / "nasty"

    def text(name: str, **options: str) -> str:
        return "".join(documents(nasty / name, **options))

    for name in ("blns", "control-ansi", "nul-bytes", "reserved-tokens", "unicode-linebreaks"):
        assert text(f"{name}.txt") == (nasty / f"{name}.txt").read_bytes().decode().replace("\r", "\n")
    assert text("bom-utf8.txt") == "the cat sat\n" + "\ufeffthe cat sat\n" * 2
    assert text("utf16le-bom.txt") == "the cat sat\non the mat\n"
    assert "\r" not in text("crlf.txt")
    assert text("crlf.txt").startswith("the cat sat\non the mat\n")
    with pytest.raises(InputError, match=r"invalid-utf8\.txt: line 1: invalid UTF-8 at byte offset 14 \(0x80\)"):
        text("invalid-utf8.txt")
    assert "case 0 before \ufffd after\n" in text("invalid-utf8.txt", errors="replace")


def test_folders_are_read_in_order(tmp_path: Path) -> None:
    for name in (
        "b.txt",
        "a/z.md",
        "a/y.txt.gz",
        "c.jsonl",
        ".hidden.txt",
        ".git/x.txt",
        "image.png",
        "a.b/d.RST",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b'{"text": "json"}\n' if name == "c.jsonl" else name.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert documents(tmp_path) == ["a/y.txt.gz", "a/z.md", "a.b/d.RST", "b.txt", "json"]
    os.symlink(tmp_path, tmp_path / "a" / "loop")
    assert len(documents(tmp_path)) == 5


def test_folder_without_text_files_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two.log").write_text("2")
    assert documents(tmp_path) == ["1", "2"]


def test_several_sources_keep_their_order_and_empty_files_are_no_documents(tmp_path: Path) -> None:
    for name in ("b", "a", "empty"):
        (tmp_path / name).write_text("" if name == "empty" else name)
    assert documents(tmp_path / "b", tmp_path / "empty", tmp_path / "a") == ["b", "a"]


def test_missing_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt: no such file"):
        resolve_sources(str(tmp_path / "nowhere.txt"))
    with pytest.raises(InputError, match="Did you mean 'python-docs'"):
        resolve_sources("python-doc")
    with pytest.raises(InputError, match="contains no files"):
        resolve_sources(tmp_path)
    with pytest.raises(InputError, match="only once"):
        resolve_sources(["-", "-"])
    with pytest.raises(InputError, match="no source given"):
        resolve_sources([])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"from a pipe\r\n"))))
    assert documents("-") == ["from a pipe\n"]


def test_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("through a pipe"))
    writer.start()
    assert documents(pipe) == ["through a pipe"]
    writer.join()


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_json_lines(tmp_path: Path, small_blocks: None) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"text": "one\r\ntwo", "id": 1},
        "",
        {"id": 2, "text": ""},
        {"text": "\u2028 日本"},
    )
    assert documents(path) == ["one\ntwo", "\u2028 日本"]
    packed = tmp_path / "a.jsonl.zst"
    packed.write_bytes(PACK[".zst"](path.read_bytes()))
    assert documents(packed) == documents(path)
    assert documents(write_lines(tmp_path / "b.ndjson", {"body": "x"}), field="body") == ["x"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"', "line 2: not valid JSON"),
        ("[1, 2]", "line 2: every line must hold one JSON object, not a list"),
        ('{"text": "cut of', "line 2: not valid JSON .Unterminated string starting, column 10."),
        ('{"txt": "a"}', r"line 2: the record has no field 'text'; its fields are 'txt'"),
        ('{"text": 5}', "line 2: the field 'text' must be text, not a number"),
        ('{"text": "\\ud800"}', "line 2: .*lone surrogate"),
        ('{"text": ' + "[" * 100_000, "line 2: the JSON is nested too deeply|line 2: not valid JSON"),
    ],
)
def test_broken_json_lines_are_named(line: str, message: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"text": "fine"}, line)
    with pytest.raises(InputError, match=rf"a\.jsonl: {message}"):
        documents(path)


def test_lone_surrogates_of_json_can_be_replaced(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", '{"text": "a\\ud83d\\ude00b\\ud800c"}')
    report = ReadReport()
    assert documents(path, errors="replace", report=report) == ["a\U0001f600b\ufffdc"]
    assert report.replaced == 1


def test_blocks_are_bounded(tmp_path: Path) -> None:
    """One line of 5 MB comes in pieces of about a megabyte, compressed or not."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 5_000_000))
    sizes = [len(text) for _, text in read_documents(path)]
    assert sum(sizes) == 5_000_000
    assert max(sizes) <= 1 << 20
