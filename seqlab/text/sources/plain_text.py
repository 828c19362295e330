"""A file's bytes become clean text: decompression, decoding, newlines; streamed, so size does not matter."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from encodings import aliases
from typing import IO, Any

import numpy as np

from ...base.contents.signatures import PRINTABLE, kind_of_bytes
from ...base.errors import InputError, did_you_mean, option

BLOCK = 1 << 20
"""Bytes read at a time."""

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
COMPRESSED_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstandard"}

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECODERS: dict[str, Callable[[bytes, str, bool], tuple[str, int]]] = {
    "utf-8": codecs.utf_8_decode,
    "utf-16-le": codecs.utf_16_le_decode,
    "utf-16-be": codecs.utf_16_be_decode,
    "utf-32-le": codecs.utf_32_le_decode,
    "utf-32-be": codecs.utf_32_be_decode,
}
STATEFUL = ("iso2022", "hz", "utf-7")
"""Encodings in which bytes mean what those before say, so that a text cannot be read block by block."""
_MANY_NULS = 0.3
"""Share of NUL bytes that no text has, but UTF-16 without a byte order mark does."""
IN_ROWS = 0.4
"""Share of bytes beyond ASCII that follow one another, from which they are no letters of a Western language."""
NOISE, FEWEST_BYTES, MOST_CONTROLS = 1 << 12, 64, 0.15
"""First bytes that are looked at, how many there must be, and the share of control characters among them that no text
has."""


@dataclass
class FileReport:
    """What was found while reading one file. `bytes_read` counts the file's own (compressed) bytes."""

    name: str
    bytes_read: int = 0
    encoding: str = "utf-8"
    byte_order_mark: bool = False
    compression: str | None = None
    replaced: int = 0
    """Invalid byte sequences that became U+FFFD."""
    cr_lf: bool = False
    lone_cr: bool = False
    """Whether there were such line ends, which are read as LF."""
    lines: int = 0
    note: str = ""
    """What the file looks like, where it is read as plain text and may be something else."""

    @property
    def line_ends(self) -> str:
        """Line ends other than LF, in words; "" where there are none."""
        return " and ".join(name for name, seen in (("CR LF", self.cr_lf), ("CR", self.lone_cr)) if seen)


def read_text(
    handle: IO[bytes], report: FileReport, errors: str = "strict", suffix: str = "", encoding: str | None = None
) -> Iterator[str]:
    """Yield a file's text in blocks of about a megabyte, decoded, without byte order mark, newlines as LF.

    Args:
        handle: the raw bytes; need not be seekable.
        report: names the file in messages and is filled in while reading.
        errors: "strict" raises InputError at the first invalid byte (file, line, byte offset); "replace" puts
            U+FFFD and counts.
        suffix: the file's last suffix; one of compressed files must fit the content.
        encoding: of a text that is not UTF-8: from its first byte on that is none.

    Raises:
        InputError: the encoding is not known, the data is damaged, truncated, binary, or not what the suffix says.
    """
    if encoding is not None:
        check_encoding(encoding)
    buffered: io.BufferedReader[Any] = io.BufferedReader(_CountingReader(handle, report))
    yield from _clean_newlines(_decoded(_decompressed(buffered, report, suffix), report, errors, encoding), report)


class _CountingReader(io.RawIOBase):
    """Raw bytes of a handle, counted in the report as they pass."""

    def __init__(self, handle: IO[bytes], report: FileReport):
        self.handle, self.report = handle, report

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self.handle.read(len(view))
        view[: len(data)] = data
        self.report.bytes_read += len(data)
        return len(data)


def _decompressed(handle: io.BufferedReader[Any], report: FileReport, suffix: str) -> Iterator[bytes]:
    head = handle.peek(8)[:8]
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    named = COMPRESSED_SUFFIXES.get(suffix.lower())
    if named and head and found != named:
        raise InputError(f"{report.name}: is not {named} data although its name ends in {suffix}; rename it.")
    report.compression = found
    try:
        yield from _UNPACK[found](handle)
    except EOFError:
        raise InputError(f"{report.name}: the {found} data ends too early; the file is truncated.") from None
    except (lzma.LZMAError, _DamagedError) as error:
        raise InputError(f"{report.name}: the {found} data is damaged ({error}).") from None
    except OSError as error:
        if found == "bzip2" and error.errno is None:
            raise InputError(f"{report.name}: the bzip2 data is damaged ({error}).") from None
        raise InputError(f"{report.name}: cannot be read ({error.strerror or error}).") from None


def _blocks(stream: IO[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _ungzip(handle: IO[bytes]) -> Iterator[bytes]:
    from isal import igzip, igzip_lib

    try:
        yield from _blocks(igzip.IGzipFile(fileobj=handle))
    except (gzip.BadGzipFile, igzip_lib.IsalError) as error:  # type: ignore[misc]
        raise _DamagedError(str(error)) from None


def _unzstd(handle: IO[bytes]) -> Iterator[bytes]:
    """As the standard library's readers do, raises EOFError when the data ends inside a frame."""
    import zstandard

    step = 4096  # a block of this size can unfold to 128 MB at most
    frame = zstandard.ZstdDecompressor().decompressobj()
    started = False
    try:
        while data := handle.read(step):
            while data:
                started = True
                if block := frame.decompress(data):
                    yield block
                data = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame, started = zstandard.ZstdDecompressor().decompressobj(), False
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error)) from None
    if started:
        raise EOFError


class _DamagedError(Exception):
    """gzip or zstandard data that cannot be unpacked."""


_UNPACK: dict[str | None, Callable[[IO[bytes]], Iterator[bytes]]] = {
    None: _blocks,
    "gzip": _ungzip,
    "bzip2": lambda handle: _blocks(bz2.BZ2File(handle)),
    "xz": lambda handle: _blocks(lzma.LZMAFile(handle)),  # noqa: SIM115
    "zstandard": _unzstd,
}


def check_encoding(name: str) -> None:
    """Raise InputError for what is no encoding of text, or one whose bytes mean something only after those before."""
    try:
        codecs.getincrementaldecoder(name)().decode(b"", True)
        "".encode(name)
    except (LookupError, TypeError):
        known = did_you_mean(name, sorted({*aliases.aliases, *aliases.aliases.values()}))
        raise InputError(f"{option('encoding')}: {name!r} is no encoding of text that Python knows.{known}") from None
    if codecs.lookup(name).name.startswith(STATEFUL):
        raise InputError(
            f"{option('encoding')}: {name} is not read; convert the files, such as with iconv -f {name} -t UTF-8."
        )


def _decoder(encoding: str) -> Callable[[bytes, str, bool], tuple[str, int]]:
    """(bytes, errors, whether they are the last) -> text and how many bytes it took."""
    if encoding in _DECODERS:
        return _DECODERS[encoding]

    def decode(data: bytes, errors: str, final: bool) -> tuple[str, int]:
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        text = decoder.decode(data, final)
        return text, len(data) - len(decoder.getstate()[0])

    return decode


def _decoded(blocks: Iterator[bytes], report: FileReport, errors: str, encoding: str | None = None) -> Iterator[str]:
    pending = _first_bytes(blocks)
    mark = next(((bom, name) for bom, name in _BOMS if pending.startswith(bom)), None)
    offset = 0
    if mark:
        report.byte_order_mark, report.encoding, offset = True, mark[1], len(mark[0])
        pending = pending[offset:]
    else:
        _refuse_documents(pending, report)
        if errors == "strict":
            _refuse_binary(pending, report)
    final, decided = False, encoding is None or bool(mark)
    while True:
        if encoding is not None and not decided:
            valid, invalid = _not_ascii(pending, final)
            decided = valid + invalid > 0
            if invalid > valid:
                report.encoding = encoding
        text, used = _decode_block(pending, final, offset, report, errors)
        if text:
            yield text
        if final:
            return
        pending, offset = pending[used:], offset + used
        block = next(blocks, None)
        final = block is None
        pending += block or b""


def _not_ascii(data: bytes, final: bool = True) -> tuple[int, int]:
    """Characters of UTF-8 beyond ASCII, and byte sequences that are none: more of these mean another encoding."""
    if data.isascii():
        return 0, 0
    text = codecs.utf_8_decode(data, "replace", final)[0]
    invalid = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - invalid, invalid


def _likely_encodings(data: bytes) -> str:
    """What to name for bytes that are not UTF-8: Western letters beyond ASCII stand alone, those of others in rows; old
    Macs ended lines with CR."""
    beyond = np.frombuffer(data, np.uint8) >= 0x80
    if np.count_nonzero(beyond[1:] & beyond[:-1]) < IN_ROWS * np.count_nonzero(beyond):
        return option("encoding", "mac_roman" if b"\r" in data and b"\n" not in data else "cp1252")
    others = "shift_jis (Japanese), euc_kr (Korean) or cp1251 (Cyrillic)"
    return f"{option('encoding', 'gb18030')} (Chinese), {others}"


def _first_bytes(blocks: Iterator[bytes]) -> bytes:
    """The first block or blocks: enough bytes to see any byte order mark."""
    head = b""
    while len(head) < 4 and (block := next(blocks, None)) is not None:
        head += block
    return head


def _decode_block(data: bytes, final: bool, offset: int, report: FileReport, errors: str) -> tuple[str, int]:
    decode = _decoder(report.encoding)
    try:
        text, used = decode(data, errors, final)
    except UnicodeDecodeError as error:
        before = decode(data[: error.start], "strict", True)[0]
        line = report.lines + _line_ends(before) + 1
        value = " ".join(f"0x{byte:02x}" for byte in data[error.start : error.end][:4])
        cure = "convert the file to UTF-8"
        valid, invalid = _not_ascii(data)
        if report.encoding == "utf-8" and invalid > valid:
            cure = f"name its encoding, such as {_likely_encodings(data)}"
        raise InputError(
            f"{report.name}: line {line}: invalid {report.encoding.upper()} at byte offset "
            f"{offset + error.start} ({value}); {cure}, or use {option('errors', 'replace')}."
        ) from None
    if errors == "replace" and "\ufffd" in text:
        report.replaced += text.count("\ufffd") - _genuine_replacements(data[:used], report.encoding)
    return text, used


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _genuine_replacements(data: bytes, encoding: str) -> int:
    """How many U+FFFD the data itself holds, as opposed to those that stand for invalid bytes."""
    if encoding == "utf-8":
        return data.count(b"\xef\xbf\xbd")
    if encoding not in _DECODERS:
        return 0
    width = 2 if "16" in encoding else 4
    units = np.frombuffer(data, f"{'<' if encoding.endswith('le') else '>'}u{width}", len(data) // width)
    return int(np.count_nonzero(units == 0xFFFD))


def _refuse_documents(head: bytes, report: FileReport) -> None:
    if kind := kind_of_bytes(head):
        raise InputError(f"{report.name}: is {kind.title}, not plain text; {kind.cure}.")


def _refuse_binary(head: bytes, report: FileReport) -> None:
    nuls = head.count(b"\0")
    if nuls > _MANY_NULS * len(head):
        if name := _unmarked(head):
            raise InputError(
                f"{report.name}: is text in {name.upper()} without a byte order mark; save it as UTF-8, such as with "
                f"iconv -f {name.upper()} -t UTF-8."
            )
        raise InputError(
            f"{report.name}: {nuls / len(head):.0%} of its first bytes are NUL: this is binary data, not text; give "
            f"its text, or use {option('errors', 'replace')}."
        )
    controls = len(head[:NOISE].translate(None, PRINTABLE))
    if len(head) >= FEWEST_BYTES and controls > MOST_CONTROLS * len(head[:NOISE]):
        raise InputError(
            f"{report.name}: {controls / len(head[:NOISE]):.0%} of its first bytes are control characters: this is "
            f"binary data, not text; give its text, or use {option('errors', 'replace')}."
        )


def _unmarked(head: bytes) -> str | None:
    """The encoding of 16 or 32 bits in which bytes are a text, None where they are none; of several the one with most
    of ASCII's characters, which every text has: spaces, line ends, digits."""
    sample = head[: len(head[:NOISE]) // 4 * 4]
    shares: dict[str, float] = {}
    for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = _DECODERS[name](sample, "strict", False)[0]
        except UnicodeDecodeError:
            continue
        if text and sum(character.isprintable() or character.isspace() for character in text) > 0.98 * len(text):
            shares[name] = sum(map(str.isascii, text)) / len(text)
    return max(shares, key=shares.__getitem__) if shares else None


def _clean_newlines(texts: Iterator[str], report: FileReport) -> Iterator[str]:
    held = ""
    for text in texts:
        text = held + text
        held = ""
        if "\r" in text:
            if text.endswith("\r"):  # its LF may follow in the next block
                text, held = text[:-1], "\r"
            pairs = text.count("\r\n")
            report.cr_lf |= pairs > 0
            report.lone_cr |= text.count("\r") > pairs
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        report.lines += text.count("\n")
        if text:
            yield text
    if held:
        report.lone_cr = True
        report.lines += 1
        yield "\n"
