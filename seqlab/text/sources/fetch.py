"""Downloads a named corpus, verifies it and unpacks its splits into the user's cache."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from ... import __version__
from ...base.errors import SeqlabError
from ...base.files import atomic_folder, read_json, sha256, write_json
from ...base.progress import Progress
from . import corpora
from .corpora import RECEIPT, Download, Entry, FileRange

_BLOCK = 1 << 16
_DAMAGED = (
    KeyError,
    EOFError,
    RuntimeError,
    zlib.error,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    tarfile.TarError,
)
"""What the archive libraries raise for a damaged, encrypted or otherwise unreadable archive."""
_FIRST_SEEN = "first-seen.json"
# Some hosts turn the default names of Python's libraries away.
_HEADERS = {"User-Agent": f"Mozilla/5.0 (compatible; seqlab/{__version__})"}
_TIMEOUT = 30


class Fetched(NamedTuple):
    """`splits` as `corpora.splits` gives them. `fresh`: whether anything was downloaded now.

    trusted: downloads (address -> sha256) that no registry vouches for, remembered from now on.
    """

    splits: dict[str, list[Path]]
    fresh: bool
    trusted: dict[str, str]


def fetch(name: str, force: bool = False, quiet: bool = False, registry: str | Path | None = None) -> Fetched:
    """Bring the corpus `name` onto this machine, unless it is here undamaged.

    Args:
        force: download again, and accept bytes that differ from those remembered of an earlier download.
        quiet: no progress on stderr.
        registry: a file of further corpora, as for `corpora.registry`.

    Raises InputError for an unknown name; SeqlabError (exit code 1) when no address gives the right bytes.
    Nothing is left half-written.
    """
    if name == corpora.PYTHON_DOCS:
        splits = corpora.splits(name)
        return Fetched(splits, False, {})
    entry = corpora.entry(name, registry)
    place = corpora.folder(name)
    found = corpora.fetched(name, registry)
    if found and not force and _intact(place):
        return Fetched(found, False, {})
    trusted: dict[str, str] = {}
    with atomic_folder(place, RECEIPT) as folder:
        downloads = folder / "downloads"
        downloads.mkdir()
        for download in entry.files:
            digest = _download(download, downloads / download.name, quiet)
            if not (download.sha256 or download.md5):
                _remember(download.addresses[0], digest, force)
                trusted[download.addresses[0]] = digest
        receipt = {"entry": entry.digest, "splits": _unpack(name, entry, downloads, folder)}
        shutil.rmtree(downloads)
        write_json(folder / RECEIPT, receipt)
    return Fetched(corpora.splits(name, registry), True, trusted)


def _intact(place: Path) -> bool:
    receipt = read_json(place / RECEIPT)
    files = [file for split in receipt["splits"].values() for file in split]
    return all(sha256(place / file["name"]) == file["sha256"] for file in files)


def _remember(address: str, digest: str, force: bool) -> None:
    """Trust on first use: later downloads from `address` must have the digest of the first."""
    path = corpora.texts_folder() / _FIRST_SEEN
    seen = read_json(path) if path.exists() else {}
    if seen.get(address, digest) != digest and not force:
        raise SeqlabError(
            f"{address}: the file has changed since it was first fetched on this machine "
            f"(sha256 {digest[:12]}..., then {seen[address][:12]}...); accept it with --force."
        )
    write_json(path, {**seen, address: digest})


def _download(download: Download, path: Path, quiet: bool) -> str:
    """Download into `path` from the first address that gives the right bytes; returns their sha256."""
    for number, address in enumerate(download.addresses, 1):
        try:
            _retrieve(address, path, quiet)
            return _verified(download, address, path)
        except SeqlabError:
            path.unlink(missing_ok=True)
            if number == len(download.addresses):
                raise
    raise AssertionError("a download has at least one address")


def _retrieve(address: str, path: Path, quiet: bool) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    with Progress(f"fetching {path.name}", None, "bytes", quiet) as progress:
        downloader = pooch.HTTPDownloader(
            progressbar=_Bar(progress), chunk_size=_BLOCK, headers=_HEADERS, timeout=_TIMEOUT
        )
        try:
            pooch.retrieve(address, None, fname=path.name, path=path.parent, downloader=downloader)
        except requests.HTTPError as error:
            status = "" if error.response is None else f"{error.response.status_code} {error.response.reason}"
            raise SeqlabError(f"{address}: the server answers {status}; is the address out of date?") from None
        except requests.Timeout:
            raise SeqlabError(f"{address}: no answer within {_TIMEOUT} seconds; try again later.") from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            raise SeqlabError(f"{address}: the connection broke off before the end; try again.") from None
        except requests.ConnectionError:
            raise SeqlabError(f"{address}: cannot be reached; check the network connection and try again.") from None
        except (requests.RequestException, ValueError) as error:
            raise SeqlabError(f"{address}: cannot be fetched ({error}).") from None


class _Bar:
    """A `Progress` in the shape in which pooch reports: total, update(bytes more), reset(), close()."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.done = 0

    @property
    def total(self) -> float | None:
        return self.progress.total

    @total.setter
    def total(self, value: int) -> None:
        self.progress.total = value or None

    def update(self, amount: int) -> None:
        self.done += amount
        self.progress.update(min(self.done, self.total or self.done))

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """pooch closes a bar it did not open; `Progress` ends with its `with` block."""


def _verified(download: Download, address: str, path: Path) -> str:
    digest, size = sha256(path), path.stat().st_size
    expected, actual = download.sha256, digest
    if not expected and download.md5:
        with path.open("rb") as handle:
            expected, actual = download.md5, hashlib.file_digest(handle, "md5").hexdigest()
    if expected and actual != expected:
        raise SeqlabError(
            f"{address}: the downloaded file is not the registered one ({size:,} bytes with digest "
            f"{actual[:12]}... instead of {expected[:12]}...); nothing was kept."
        )
    if not expected and download.bytes not in (None, size):
        raise SeqlabError(
            f"{address}: the downloaded file has {size:,} bytes, not {download.bytes:,}; nothing was kept."
        )
    return digest


def _unpack(name: str, entry: Entry, downloads: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Write the files of every split under names of our own, whatever an archive calls its members."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for split, parts in entry.parts.items():
        for number, part in enumerate(parts, 1):
            file = folder / (f"{split}.txt" if len(parts) == 1 else f"{split}-{number:02d}.txt")
            try:
                with _opened(part.file, downloads) as source, file.open("wb") as target:
                    for block in _range(source, part):
                        target.write(block)
            except _DAMAGED as error:
                raise SeqlabError(f"{name}: {part.file}: cannot be unpacked ({error.args[0]}).") from None
            if entry.trim == "gutenberg":
                file.write_bytes(_without_gutenberg(file.read_bytes()))
            record = {"name": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)}
            splits.setdefault(split, []).append(record)
    return splits


@contextmanager
def _opened(file: str, downloads: Path) -> Iterator[IO[bytes]]:
    """The bytes of a download (a gzipped one unpacked), or of the regular file of that name in an archive."""
    for path in sorted(downloads.iterdir()):
        if path.name == file:
            with path.open("rb") as handle:
                gzipped = handle.peek(2).startswith(b"\x1f\x8b")
                yield gzip.GzipFile(fileobj=handle) if gzipped else handle  # type: ignore[misc]
            return
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if file in archive.namelist():
                    with archive.open(file) as member:
                        yield member
                    return
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                found = tar.getmember(file) if file in tar.getnames() else None
                stream = tar.extractfile(found) if found and found.isfile() else None
                if stream:
                    yield stream
                    return
    raise KeyError("no download is or holds a file of that name")


def _range(source: IO[bytes], part: FileRange) -> Iterator[bytes]:
    """The bytes [start, stop) of a file, both ends moved on to where a UTF-8 character begins."""
    position, started = 0, part.start == 0
    while block := source.read(_BLOCK):
        begin, end, position = 0, len(block), position + len(block)
        if not started:
            begin = _next_character(block, part.start - (position - len(block)))
            started = begin < len(block)
        if part.stop is not None and position > part.stop:
            end = _next_character(block, part.stop - (position - len(block)))
        if started and begin < end:
            yield block[begin:end]
        if end < len(block):
            return


def _next_character(block: bytes, at: int) -> int:
    """The first place from `at` on that is no continuation byte; the block's length where there is none."""
    at = max(0, at)
    while at < len(block) and block[at] & 0xC0 == 0x80:
        at += 1
    return min(at, len(block))


def _without_gutenberg(text: bytes) -> bytes:
    """What stands between the lines `*** START OF ...` and `*** END OF ...`; all of it without such lines."""
    lines = text.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if line.startswith(b"*** START OF")]
    ends = [i for i, line in enumerate(lines) if line.startswith(b"*** END OF")]
    begin = starts[0] + 1 if starts else 0
    end = next((i for i in ends if i > begin), len(lines))
    return b"".join(lines[begin:end]).strip() + b"\n"
