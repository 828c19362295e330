"""Files that are neither text nor word vectors, known by their first bytes: what each is, and what to do with it.

The bytes are those that libmagic and the formats' own documents name; most stand at the very beginning.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What a file is."""

    title: str
    """Such as "a Parquet table"."""
    cure: str
    """What to do, as an imperative."""


UNPACK = "unpack it and name the folder"
TABLE = "save it as .csv or .jsonl"
PICTURE, SOUND, FILM = "run it through OCR first", "have it transcribed first", "use its subtitles (.srt)"
DOCUMENT = "save it as .docx or .txt"
PROGRAM, FONT = "give its source code or its documentation", "a font has no text to read"
TENSORS = "these are numbers of a model; give a text, or open it with the program that wrote it"

AT_START: dict[bytes, Kind] = {
    b"%PDF-": Kind("a PDF", "give it the suffix .pdf"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Kind("an old Office file", "save it as .docx, .txt or .csv"),
    b"{\\rtf": Kind("a rich text file", DOCUMENT),
    b"PAR1": Kind("a Parquet table", TABLE),
    b"ARROW1": Kind("an Arrow table", TABLE),
    b"FEA1": Kind("a Feather table", TABLE),
    b"ORC": Kind("an ORC table", TABLE),
    b"Obj\x01": Kind("an Avro table", TABLE),
    b"SQLite format 3\x00": Kind("a database", "export it as .csv"),
    b"\x89HDF\r\n\x1a\n": Kind("an HDF5 file", "export its text as .txt or .csv"),
    b"PK\x05\x06": Kind("an empty zip archive", "give a text"),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z archive", UNPACK),
    b"Rar!\x1a\x07": Kind("a RAR archive", UNPACK),
    b"MSCF": Kind("a cabinet archive", UNPACK),
    b"!<arch>\n": Kind("an archive of the linker or of Debian", UNPACK),
    b"\x04\x22\x4d\x18": Kind("LZ4 data", "unpack it with lz4 -d"),
    b"LZIP": Kind("lzip data", "unpack it with lzip -d"),
    b"\x1f\x9d": Kind("data of compress (.Z)", "unpack it with uncompress"),
    b"\x93NUMPY": Kind("a numpy array", "give the text that it was made from"),
    b"GGUF": Kind("a GGUF model", TENSORS),
    b"ggjt": Kind("a GGML model", TENSORS),
    b"\x7fELF": Kind("a program", PROGRAM),
    b"MZ\x90\x00": Kind("a program for Windows", PROGRAM),
    b"MZx\x00": Kind("a program for Windows", PROGRAM),
    b"\xcf\xfa\xed\xfe": Kind("a program for macOS", PROGRAM),
    b"\xce\xfa\xed\xfe": Kind("a program for macOS", PROGRAM),
    b"\xca\xfe\xba\xbe": Kind("a program for Java or macOS", PROGRAM),
    b"\x00asm": Kind("a WebAssembly program", PROGRAM),
    b"\x89PNG\r\n\x1a\n": Kind("a picture", PICTURE),
    b"\xff\xd8\xff": Kind("a picture", PICTURE),
    b"GIF87a": Kind("a picture", PICTURE),
    b"GIF89a": Kind("a picture", PICTURE),
    b"II*\x00": Kind("a picture", PICTURE),
    b"MM\x00*": Kind("a picture", PICTURE),
    b"\x00\x00\x01\x00": Kind("an icon", PICTURE),
    b"8BPS": Kind("a picture", PICTURE),
    b"\x00\x00\x00\x0cjP  ": Kind("a picture", PICTURE),
    b"%!PS": Kind("a PostScript document", "convert it to .pdf or .txt"),
    b"AT&TFORM": Kind("a DjVu document", "convert it to .pdf or .txt"),
    b"ID3": Kind("sound", SOUND),
    b"\xff\xfb": Kind("sound", SOUND),
    b"\xff\xf3": Kind("sound", SOUND),
    b"\xff\xf1": Kind("sound", SOUND),
    b"OggS": Kind("sound", SOUND),
    b"fLaC": Kind("sound", SOUND),
    b"MThd": Kind("music as MIDI", SOUND),
    b"\x1aE\xdf\xa3": Kind("a film", FILM),
    b"\x00\x00\x01\xba": Kind("a film", FILM),
    b"FLV\x01": Kind("a film", FILM),
    b"\x00\x01\x00\x00\x00": Kind("a font", FONT),
    b"OTTO\x00": Kind("a font", FONT),
    b"ttcf": Kind("a font", FONT),
    b"wOFF": Kind("a font", FONT),
    b"wOF2": Kind("a font", FONT),
    b"bplist0": Kind("a property list", "convert it to XML or text with plutil"),
    b"version https://git-lfs.github.com/spec/": Kind(
        "a pointer of Git LFS, which stands for the file itself", "fetch that with git lfs pull"
    ),
}
"""By the bytes at the very beginning."""
INSIDE: dict[tuple[int, bytes], Kind] = {
    (257, b"ustar"): Kind("a tar archive", UNPACK),
    (8, b"WEBP"): Kind("a picture", PICTURE),
    (8, b"WAVE"): Kind("sound", SOUND),
    (8, b"AIFF"): Kind("sound", SOUND),
    (8, b"AVI "): Kind("a film", FILM),
    (4, b"ftypheic"): Kind("a picture", PICTURE),
    (4, b"ftypavif"): Kind("a picture", PICTURE),
    (4, b"ftypM4A"): Kind("sound", SOUND),
    (4, b"ftyp"): Kind("a film", FILM),
    (60, b"BOOKMOBI"): Kind("a Kindle e-book", "convert it to .epub or .txt"),
}
"""By bytes at another place; of several the first."""
ZIP = b"PK\x03\x04"
IN_ZIP: dict[bytes, Kind] = {
    b"mimetypeapplication/vnd.oasis.opendocument.text": Kind("an OpenDocument text", DOCUMENT),
    b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet": Kind("an OpenDocument sheet", "save it as .csv"),
    b"mimetypeapplication/vnd.oasis": Kind("an OpenDocument file", "export its text"),
    b"xl/": Kind("an Excel sheet", "save it as .csv"),
    b"ppt/": Kind("a presentation", "export its text"),
    b"/data.pkl": Kind("a model of PyTorch", TENSORS),
    b".npy": Kind("an archive of numpy arrays", "as a text, give what it was made from"),
    b"META-INF/MANIFEST.MF": Kind("a program for Java", PROGRAM),
}
"""Zip archives by names in them."""
LONGEST = 512
"""Bytes from which a kind is known, but for names in a zip archive."""
MOST_HEADER = 100 << 20
"""Bytes of the header of a safetensors file, which the format allows."""


SURE = (b"%PDF-", b"{\\rtf", b"%!PS", b"!<arch>\n", b"version https://git-lfs")
"""Beginnings of printable characters that no text has; others with such a beginning are told by what follows."""


def kind_of_bytes(head: bytes, names: str = "") -> Kind | None:
    """What a file is that begins so, None where it may be text.

    Args:
        head: the first bytes; LONGEST of them tell all kinds apart.
        names: of the files in a zip archive, where they are known.
    """
    if head.startswith(ZIP):
        known = head + names.encode("utf-8", "surrogatepass")
        return next((kind for name, kind in IN_ZIP.items() if name in known), Kind("a zip archive", UNPACK))
    printable = is_printable(head[:LONGEST])
    found = next(((magic, kind) for magic, kind in AT_START.items() if head.startswith(magic)), None)
    if found and not (printable and found[0].isascii() and not head.startswith(SURE)):
        return found[1]
    if printable:
        return None
    if inside := next((kind for (at, magic), kind in INSIDE.items() if head[at:].startswith(magic)), None):
        return inside
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind("a Python pickle", "seqlab never opens these; write its text out as .txt or .jsonl")
    if head[8:10] in (b'{"', b"{}") and 2 <= int.from_bytes(head[:8], "little") <= MOST_HEADER:
        return Kind("a safetensors file", TENSORS)
    return None


def is_printable(data: bytes) -> bool:
    """Whether there is no control character but white space, escape and backspace among bytes."""
    return not data.translate(None, PRINTABLE)


PRINTABLE = bytes((*range(7, 14), 0x1B, *range(0x20, 0x7F), *range(0x80, 0x100)))
