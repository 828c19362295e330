"""SOURCE arguments become documents: files of every kind, folders, standard input, named corpora."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ...base.contents.signatures import LONGEST, ZIP, kind_of_bytes
from ...base.errors import InputError, did_you_mean, option
from ...base.files import MANIFEST
from ...base.kinds import DESCRIPTIONS, kind_of
from ...base.storage.streams import STDIN, parked, read_once, reads_once
from ...catalogue import corpora
from .documents import BINARY, MARKED, REFUSED
from .looks import looks_like
from .plain_text import COMPRESSED_SUFFIXES, FileReport, read_text
from .records import FIELD, json_file, json_lines, notebook_text, table_texts

TEXT_SUFFIXES = {".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".jsonl", ".ndjson"}
"""What is read from a folder, also compressed."""
DOCUMENT_SUFFIXES = {*BINARY, *MARKED}
"""What is read from a folder that holds none of those; every visible file where there is neither."""
JSON_LINES = {".jsonl", ".ndjson"}
JSON, NOTEBOOK = ".json", ".ipynb"
JSONS = {JSON, NOTEBOOK}
TABLES = {".csv", ".tsv", ".tab"}

LONGEST_NAME = 255
"""Characters of a file's name that file systems allow."""

Sources = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class SourceFile:
    """One file to read. `path` is None for standard input; `name` is what messages call it."""

    path: Path | None
    name: str

    @property
    def suffixes(self) -> list[str]:
        return [suffix.lower() for suffix in Path(self.name).suffixes]

    @property
    def format(self) -> str:
        """The suffix that decides how the file is read, one of compressed files apart; "" for plain text."""
        kinds = [suffix for suffix in self.suffixes if suffix not in COMPRESSED_SUFFIXES]
        last = kinds[-1] if kinds else ""
        return last if last in JSON_LINES | TABLES | DOCUMENT_SUFFIXES | {JSON, NOTEBOOK} else ""

    @property
    def is_records(self) -> bool:
        """Whether the file consists of records that each hold a text."""
        return self.format in JSON_LINES | TABLES | {JSON}

    @property
    def size(self) -> int:
        """Bytes of the file as stored; 0 for standard input."""
        return self.path.stat().st_size if self.path else 0

    @property
    def is_stream(self) -> bool:
        """Whether the bytes can be read only once: standard input, a pipe."""
        return self.path is None or reads_once(self.path)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the file as stored."""
        with self.open() as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]

    def open(self) -> IO[bytes]:
        """Its bytes; those of standard input and pipes can be read again inside `read_once`."""
        try:
            with read_once():
                return parked(self.path or STDIN).open("rb")
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read ({error.strerror}).") from None


@dataclass
class ReadReport:
    """What was found while reading, file by file; filled in while `read_documents` runs."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def replaced(self) -> int:
        """Invalid byte sequences that became U+FFFD."""
        return sum(file.replaced for file in self.files)

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self.files)


def resolve_sources(sources: Sources) -> list[SourceFile]:
    """Find the files behind SOURCE arguments, in order.

    From a folder come, sorted, the visible files with one of TEXT_SUFFIXES, compressed or not; if there are none, those
    with one of DOCUMENT_SUFFIXES; if there are none either, every visible file. Links to folders are not followed, and
    folders that seqlab wrote are passed over.

    Args:
        sources: one or more of: a file, a folder, `-` for standard input, a corpus of `seqlab data list`.

    Raises:
        InputError: a source does not exist, or is no text.
    """
    given = listed(sources)
    if not given:
        raise InputError("no source given: name a text file, a folder, '-' or a corpus of 'seqlab data list'.")
    if sum(str(source) == "-" for source in given) > 1:
        raise InputError("-: standard input can be read only once.")
    files = []
    for source in given:
        files += _resolve(source)
    return files


def check_one_stdin(files: Mapping[str, Sequence[SourceFile]]) -> None:
    """Refuse standard input for two texts of different use, by name.

    Raises:
        InputError: naming both uses.
    """
    uses = [name for name, group in files.items() if any(file.path is None for file in group)]
    if len(uses) > 1:
        raise InputError(f"-: standard input cannot be both {uses[0]} and {uses[1]}; name a file for one of them.")


def check_field(files: Sequence[SourceFile], field: str) -> None:
    """Refuse a field or column where no file has any. Raises InputError naming the first file."""
    if field != FIELD and files and not any(file.is_records for file in files):
        raise InputError(
            f"{files[0].name}: is read as running text, which has no field {field!r}; a table is named .csv or .tsv, "
            f"records .jsonl or .json; else leave {option('field')} out."
        )


def listed(sources: object) -> list[str | Path]:
    """SOURCE arguments as a list. Raises InputError for what is neither a path nor several."""
    given = sources if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    for source in given:
        if not isinstance(source, str | Path):
            raise InputError(
                f"source: must be the path of a text or a list of paths, not {type(source).__name__}; write texts to a "
                "file, one a line, and give its path."
            )
        if not str(source):
            raise InputError("source: the name is empty; give the path of a text.")
        if "\n" in str(source) or len(Path(source).name) > LONGEST_NAME:
            raise InputError("source: this is a text, not the name of one; write it to a file and give its path.")
    return list(given)


def _resolve(source: str | Path) -> list[SourceFile]:
    if str(source) == "-":
        return [SourceFile(None, "-")]
    path = Path(source).expanduser()
    if path.is_dir():
        if (kind := kind_of(path)) != "folder":
            raise InputError(f"{path}: is {DESCRIPTIONS[kind]}, not a text; see it with 'seqlab info {path}'.")
        return [SourceFile(found, str(found)) for found in text_files(path)]
    if path.exists():
        return [SourceFile(path, str(path))]
    named = _named_corpus(str(source))
    return [SourceFile(found, str(found)) for found in named]


def text_files(folder: Path) -> list[Path]:
    """The files of a folder that `resolve_sources` takes. Raises InputError where there are none."""
    return _chosen(_visible(folder))


def _chosen(visible: list[Path]) -> list[Path]:
    """Those of a folder's files that are read."""
    texts = [path for path in visible if _suffix(path) in TEXT_SUFFIXES]
    return texts or [path for path in visible if _suffix(path) in DOCUMENT_SUFFIXES] or visible


def left_out(folder: Path) -> str:
    """Which files of a folder could be read and are not, as it holds others that go before; "" where there are none."""
    visible = _visible(folder)
    taken = set(_chosen(visible))
    others = Counter(_suffix(path) for path in visible if path not in taken)
    readable = DOCUMENT_SUFFIXES | TABLES | JSONS
    kinds = ", ".join(f"{others[suffix]:,} {suffix}" for suffix in sorted(others) if suffix in readable)
    read = ", ".join(sorted({_suffix(path) for path in taken}))
    return kinds and f"{folder}: only {read} are read; left out: {kinds}, name these files to have them read too"


def _visible(folder: Path) -> list[Path]:
    """All files of a folder that are not hidden, but for what seqlab wrote there. Raises InputError for none."""
    visible = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not (name.startswith(".") or _is_ours(Path(root) / name)))
        visible += [Path(root) / name for name in names if not name.startswith(".")]
    visible = sorted((path for path in visible if path.is_file()), key=lambda path: path.parts)
    if not visible:
        raise InputError(f"{folder}: the folder contains no files to read.")
    return visible


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a run, word vectors or a corpus, and no text of a person; other programs write a
    manifest.json too."""
    try:
        return (folder / MANIFEST).is_file() and kind_of(folder) != "folder"
    except InputError:  # a config.json that is no JSON
        return False


def _suffix(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path
    return name.suffix.lower()


def _named_corpus(name: str) -> list[Path]:
    found = corpora.resolve(name)
    if found is None:
        raise InputError(
            f"{name}: no such file or folder, nor a corpus of that name.{did_you_mean(name, corpora.names())}"
        )
    return found


def corpus_name(sources: Sources) -> str | None:
    """The name of a corpus of `seqlab data list`, if `sources` is one and no file or folder is called so."""
    given = listed(sources)
    if len(given) != 1 or not isinstance(given[0], str) or given[0] not in corpora.names():
        return None
    return None if Path(given[0]).expanduser().exists() else given[0]


def read_documents(
    sources: Sources | list[SourceFile],
    errors: str = "strict",
    field: str = FIELD,
    report: ReadReport | None = None,
    encoding: str | None = None,
) -> Iterator[tuple[bool, str]]:
    """Stream the documents of SOURCE arguments, whatever their size.

    Every file is a document; every record of a JSON Lines file or a table is one. Empty documents are left out.

    Args:
        sources: what `resolve_sources` takes, or what it returned.
        errors: "strict" refuses invalid bytes; "replace" puts U+FFFD and counts them in the report.
        field: the field of a JSON Lines record, or the column of a table (by name, or by number from 1), that holds its
            text.
        report: filled in file by file.
        encoding: of files that are not UTF-8.

    Yields:
        (starts_document, text) blocks of about a megabyte.

    Raises:
        InputError: compressed data is damaged or truncated, bytes are invalid, a record is broken or lacks the field,
            or the file is of a kind that is not read; the message names file and line or byte offset.
    """
    report = report if report is not None else ReadReport()
    for source in _as_files(sources):
        entry = FileReport(source.name)
        report.files.append(entry)
        with source.open() as handle:
            yield from _documents_of(source, handle, entry, errors, field, encoding)


def _documents_of(
    source: SourceFile, handle: IO[bytes], entry: FileReport, errors: str, field: str, encoding: str | None
) -> Iterator[tuple[bool, str]]:
    """The documents of one file."""
    suffix, kind = Path(source.name).suffix.lower(), source.format
    if suffix in REFUSED:
        what, cure = REFUSED[suffix]
        raise InputError(f"{source.name}: is {what}, which seqlab does not read; {cure}.")
    kind = kind or _document_by_content(handle, source.name)
    if kind in BINARY:
        if suffix in COMPRESSED_SUFFIXES:
            raise InputError(f"{source.name}: is a compressed {kind} file; unpack it first.")
        data = handle.read()
        entry.bytes_read += len(data)
        yield from _whole(BINARY[kind](data, source.name))
        return
    texts = read_text(handle, entry, errors, suffix, encoding)
    if kind in MARKED:
        yield from _whole(MARKED[kind]("".join(texts)))
    elif kind == NOTEBOOK:
        yield from _whole(notebook_text("".join(texts), source.name))
    elif kind == JSON:
        yield from ((True, text) for text in json_file("".join(texts), entry, errors, field))
    elif kind in JSON_LINES:
        yield from ((True, text) for text in json_lines(texts, entry, errors, field))
    elif kind in TABLES:
        yield from ((True, text) for text in table_texts(texts, entry, field, kind != ".csv"))
    else:
        starts = True
        for text in texts:
            if starts and (look := looks_like(text)):
                entry.note = f"{source.name}: {look}"
            yield starts, text
            starts = False


def _document_by_content(handle: IO[bytes], name: str) -> str:
    """The suffix that a document would have whose name does not say what it is, "" for anything else.

    Raises:
        InputError: it is an archive of another kind.
    """
    if not isinstance(handle, io.BufferedReader):
        return ""
    head = handle.peek(LONGEST)
    if head.startswith(b"%PDF-"):
        return ".pdf"
    if not head.startswith(ZIP):
        return ""
    try:
        with zipfile.ZipFile(handle) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError):
        names = []
    handle.seek(0)
    found = {"word/document.xml": ".docx", "META-INF/container.xml": ".epub"}
    for part, suffix in found.items():
        if part in names:
            return suffix
    kind = kind_of_bytes(head, "\n".join(names))
    assert kind is not None, "every zip archive is of some kind"
    raise InputError(f"{name}: is {kind.title}, not plain text; {kind.cure}.")


def _whole(text: str) -> Iterator[tuple[bool, str]]:
    """A document that was read at once, with its characters as UTF-8 has them and a final line end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8").strip("\n")
    if text.strip():
        yield True, f"{text}\n"


def _as_files(sources: Sources | list[SourceFile]) -> list[SourceFile]:
    if isinstance(sources, list) and all(isinstance(source, SourceFile) for source in sources):
        return sources
    return resolve_sources(sources)  # type: ignore[arg-type]
