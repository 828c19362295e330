"""SOURCE arguments become documents: files, folders, standard input, JSON Lines, named corpora."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ...base.errors import InputError, did_you_mean, option
from ...base.kinds import DESCRIPTIONS, kind_of
from ...catalogue import corpora
from .plain_text import COMPRESSED_SUFFIXES, FileReport, read_text

TEXT_SUFFIXES = {".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".jsonl", ".ndjson"}
"""What is read from a folder, also compressed; every visible file where a folder holds none of these."""
JSON_LINES = {".jsonl", ".ndjson"}

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
    def is_json_lines(self) -> bool:
        kinds = [suffix for suffix in self.suffixes if suffix not in COMPRESSED_SUFFIXES]
        return bool(kinds) and kinds[-1] in JSON_LINES

    @property
    def is_records(self) -> bool:
        """Whether the file consists of records that each hold a text."""
        return self.is_json_lines

    @property
    def size(self) -> int:
        """Bytes of the file as stored; 0 for standard input."""
        return self.path.stat().st_size if self.path else 0

    @property
    def is_stream(self) -> bool:
        """Whether the bytes can be read only once: standard input, a pipe."""
        return self.path is None or not self.path.is_file()

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the file as stored."""
        with self.open() as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]

    def open(self) -> IO[bytes]:
        if self.path is None:
            return sys.stdin.buffer
        try:
            return self.path.open("rb")
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

    From a folder come, sorted, the visible files whose names end in one of TEXT_SUFFIXES, compressed or not; if there
    are none, every visible file. Links to folders are not followed.

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


def listed(sources: object) -> list[str | Path]:
    """SOURCE arguments as a list. Raises InputError for what is neither a path nor several."""
    given = sources if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    for source in given:
        if not isinstance(source, str | Path):
            raise InputError(f"source: must be the path of a text or a list of paths, not {type(source).__name__}.")
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
        return [SourceFile(found, str(found)) for found in _text_files(path)]
    if path.exists():
        return [SourceFile(path, str(path))]
    named = _named_corpus(str(source))
    return [SourceFile(found, str(found)) for found in named]


def _text_files(folder: Path) -> list[Path]:
    visible = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible += [Path(root) / name for name in names if not name.startswith(".")]
    visible = sorted((path for path in visible if path.is_file()), key=lambda path: path.parts)
    texts = [path for path in visible if _has_text_suffix(path)]
    if not (texts or visible):
        raise InputError(f"{folder}: the folder contains no files to read.")
    return texts or visible


def _has_text_suffix(path: Path) -> bool:
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path
    return name.suffix.lower() in TEXT_SUFFIXES


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
    field: str = "text",
    report: ReadReport | None = None,
) -> Iterator[tuple[bool, str]]:
    """Stream the documents of SOURCE arguments, whatever their size.

    Every file is a document; every record of a JSON Lines file is one. Empty documents are left out.

    Args:
        sources: what `resolve_sources` takes, or what it returned.
        errors: "strict" refuses invalid bytes; "replace" puts U+FFFD and counts them in the report.
        field: the field of a JSON Lines record that holds its text.
        report: filled in file by file.

    Yields:
        (starts_document, text) blocks of about a megabyte.

    Raises:
        InputError: compressed data is damaged or truncated, bytes are invalid, or a JSON Lines record is broken or
            lacks the field; the message names file and line or byte offset.
    """
    report = report if report is not None else ReadReport()
    for source in _as_files(sources):
        entry = FileReport(source.name)
        report.files.append(entry)
        with source.open() as handle:
            suffix = Path(source.name).suffix
            texts = read_text(handle, entry, errors, suffix)
            if source.is_json_lines:
                for text in _json_lines(texts, entry, errors, field):
                    yield True, text
            else:
                starts = True
                for text in texts:
                    yield starts, text
                    starts = False


def _as_files(sources: Sources | list[SourceFile]) -> list[SourceFile]:
    if isinstance(sources, list) and all(isinstance(source, SourceFile) for source in sources):
        return sources
    return resolve_sources(sources)  # type: ignore[arg-type]


def _json_lines(texts: Iterator[str], report: FileReport, errors: str, field: str) -> Iterator[str]:
    for number, line in enumerate(_lines(texts), 1):
        if not line.strip():
            continue
        text = _record_text(line, f"{report.name}: line {number}", field)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lone = sum("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else 0
        if lone and errors == "strict":
            raise InputError(
                f"{report.name}: line {number}: the text contains half of a UTF-16 pair (a lone surrogate); "
                f"mend the record, or use {option('errors', 'replace')}."
            )
        if lone:
            report.replaced += lone
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text:
            yield text


def _lines(texts: Iterator[str]) -> Iterator[str]:
    parts: list[str] = []
    for text in texts:
        head, *rest = text.split("\n")
        parts.append(head)
        for line in rest:
            yield "".join(parts)
            parts = [line]
    if any(parts):
        yield "".join(parts)


def _record_text(line: str, where: str, field: str) -> str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not valid JSON ({error.msg}); every line must hold one JSON object.") from None
    except RecursionError:
        raise InputError(f"{where}: the JSON is nested too deeply.") from None
    if not isinstance(record, dict):
        raise InputError(f"{where}: every line must hold one JSON object, not {type(record).__name__}.")
    if field not in record:
        names = ", ".join(repr(name) for name in list(record)[:8]) or "none"
        raise InputError(
            f"{where}: the record has no field {field!r}; its fields are {names}. Choose one with {option('field')}."
        )
    if not isinstance(record[field], str):
        raise InputError(f"{where}: the field {field!r} must be text, not {type(record[field]).__name__}.")
    return record[field]
