"""Downloads a named corpus, verifies it and unpacks its splits into the user's cache."""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from .. import __version__
from ..base.errors import InputError, SeqlabError, option
from ..base.files import atomic_folder, read_json, sha256, write_json
from ..base.progress import Progress
from . import corpora
from .corpora import RECEIPT, Download, Entry, FileRange

_BLOCK = 1 << 16
_DAMAGED = (KeyError, EOFError, RuntimeError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)
"""What the archive libraries raise for a damaged, encrypted or otherwise unreadable archive."""
_FIRST_SEEN = "first-seen.json"
# Some hosts turn the default names of Python's libraries away.
_HEADERS = {"User-Agent": f"Mozilla/5.0 (compatible; seqlab/{__version__})"}
_TIMEOUT = 30


class Fetched(NamedTuple):
    """A corpus on this machine.

    splits: the files of every split. fresh: whether anything was downloaded now. trusted: downloads (address -> sha256)
    that no registry vouches for, remembered from now on.
    """

    splits: dict[str, list[Path]]
    fresh: bool
    trusted: dict[str, str]


def fetch(name: str, force: bool = False, quiet: bool = False, registry: str | Path | None = None) -> Fetched:
    """Bring the corpus `name` onto this machine, unless it is here undamaged.

    Args:
        name: a name of `seqlab data list`.
        force: download again, and accept bytes that differ from those remembered of an earlier download.
        quiet: no progress on stderr.
        registry: a file of further corpora, as for `corpora.registry`.

    Returns:
        Where the text lies, and what of it no registry vouches for.

    Raises:
        InputError: no corpus has that name.
        SeqlabError: no address serves the right bytes (exit code 1). Nothing is left half-written.
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
    with atomic_folder(place, overwrite=True) as folder:
        downloads = folder / "downloads"
        downloads.mkdir()
        for download in entry.files:
            digest = _download(download, downloads / download.name, quiet)
            if not download.known_hash:
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
    try:
        seen = dict(read_json(path)) if path.exists() else {}
    except (InputError, TypeError, ValueError):  # damaged: what it knew is lost
        seen = {}
    if seen.get(address, digest) != digest and not force:
        raise SeqlabError(
            f"{address}: the file has changed since it was first fetched on this machine "
            f"(sha256 {digest[:12]}..., then {seen[address][:12]}...); accept it with {option('force')}."
        )
    write_json(path, {**seen, address: digest})


def _download(download: Download, path: Path, quiet: bool) -> str:
    """Download into `path` from the first address that serves the right bytes; returns their sha256."""
    for number, address in enumerate(download.addresses, 1):
        try:
            _retrieve(download, address, path, quiet)
            size = path.stat().st_size
            if not download.known_hash and download.bytes not in (None, size):
                raise SeqlabError(
                    f"{address}: the downloaded file has {size:,} bytes, not {download.bytes:,}; nothing was kept."
                )
            return sha256(path)
        except SeqlabError:
            path.unlink(missing_ok=True)
            if number == len(download.addresses):
                raise
    raise AssertionError("a download has at least one address")


def _retrieve(download: Download, address: str, path: Path, quiet: bool) -> None:
    with warnings.catch_warnings(action="ignore"):  # tqdm asks notebooks for a package that seqlab does without
        import pooch
    from requests import exceptions

    pooch.get_logger().setLevel("ERROR")
    with Progress(f"fetching {path.name}", None, "bytes", quiet) as progress:
        downloader = pooch.HTTPDownloader(
            progressbar=_Bar(progress), chunk_size=_BLOCK, headers=_HEADERS, timeout=_TIMEOUT
        )
        try:
            pooch.retrieve(address, download.known_hash, path.name, path.parent, downloader=downloader)
            return
        except exceptions.HTTPError as error:
            status = "" if error.response is None else f"{error.response.status_code} {error.response.reason}"
            reason = f"the server answers {status}; is the address out of date?"
        except exceptions.Timeout:
            reason = f"no answer within {_TIMEOUT} seconds; try again later."
        except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError):
            reason = "the connection broke off before the end; try again."
        except exceptions.ConnectionError:
            reason = "cannot be reached; check the network connection and try again."
        except exceptions.RequestException as error:
            reason = f"cannot be fetched ({error})."
        except ValueError as error:  # pooch's, where the digest is another one
            found = re.search(r"but got (\w+)", str(error))
            digest = f"{found[1][:12]}... instead of " if found else "not "
            reason = f"the downloaded file is not the registered one (digest {digest}{download.digest[:12]}...)"
            reason += "; nothing was kept."
        raise SeqlabError(f"{address}: {reason}")


class _Bar:
    """A `Progress` in the shape in which pooch reports: total, update(bytes more), reset(), close()."""

    def __init__(self, progress: Progress):
        self.progress, self.total, self.done = progress, 0, 0

    def update(self, amount: int) -> None:
        self.done += amount
        self.progress.total = self.total or None
        self.progress.update(min(self.done, self.total or self.done))

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing: `Progress` ends with its `with` block."""


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
    begin = _next_character(source, part.start)
    left = -1 if part.stop is None else max(0, _next_character(source, part.stop) - begin)
    source.seek(begin)
    while left and (block := source.read(_BLOCK if left < 0 else min(_BLOCK, left))):
        left -= len(block) if left > 0 else 0
        yield block


def _next_character(source: IO[bytes], at: int) -> int:
    """The first place from `at` on that is no continuation byte, of which a character has three at most."""
    source.seek(at)
    ahead = source.read(3) if at else b""
    return at + len(ahead) - len(ahead.lstrip(bytes(range(0x80, 0xC0))))


def _without_gutenberg(text: bytes) -> bytes:
    """What is between the lines `*** START OF ...` and `*** END OF ...`; all of it without such lines."""
    lines = text.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if line.startswith(b"*** START OF")]
    ends = [i for i, line in enumerate(lines) if line.startswith(b"*** END OF")]
    begin = starts[0] + 1 if starts else 0
    end = next((i for i in ends if i > begin), len(lines))
    return b"".join(lines[begin:end]).strip() + b"\n"
