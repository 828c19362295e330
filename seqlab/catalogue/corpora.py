"""Named corpora: a registry of texts with address, digest, licence and split, and where they lie.

The registry is `corpora.toml` of the installed package `seqlab_data` (its head documents the form); a file of
the same form named in $SEQLAB_CORPORA adds to it. The corpus `python-docs` needs no download (`python_docs`).
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..base.errors import InputError, did_you_mean
from ..base.files import read_json
from ..base.results import Result, Table, line
from ..base.storage.cache import cache_folder, cached, writable_cache
from ..config import Settings
from . import python_docs

PYTHON_DOCS = "python-docs"
TEXTS = "texts"
"""Folder of the cache."""
RECEIPT = "fetched.json"
"""What `fetch` leaves in a corpus folder: the entry's digest, and every split's files with their digests."""

SplitName = Literal["train", "valid", "test"]


class Download(Settings):
    """One file to download. Without `sha256` and `md5` the digest of the first download is remembered."""

    addresses: list[str] = Field(min_length=1)
    """Where the same bytes are served, tried in turn."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    bytes: int | None = Field(default=None, ge=0)

    @property
    def digest(self) -> str:
        """The digest by which the file is known; empty where there is none."""
        return self.sha256 or self.md5 or ""

    @property
    def known_hash(self) -> str | None:
        """The digest in pooch's form."""
        return f"{'sha256' if self.sha256 else 'md5'}:{self.digest}" if self.digest else None

    @property
    def name(self) -> str:
        """The last part of the first address."""
        return self.addresses[0].rstrip("/").rpartition("/")[2]


class FileRange(Settings):
    """A download, or a member of a downloaded archive, or the bytes [start, stop) of one."""

    file: str
    start: int = Field(default=0, ge=0)
    stop: int | None = Field(default=None, ge=0)


class Entry(Settings):
    """A corpus of the registry."""

    description: str
    licence: str
    homepage: str = ""
    tokenizer: str | None = None
    """The kind of tokenizer that suits the text."""
    trim: Literal["gutenberg"] | None = None
    files: list[Download] = Field(min_length=1)
    splits: dict[SplitName, list[str | FileRange]] = Field(default_factory=dict)

    @property
    def parts(self) -> dict[str, list[FileRange]]:
        """The parts of every split; all downloads are training text where the entry names no splits."""
        splits = self.splits or {"train": [download.name for download in self.files]}
        return {
            name: [part if isinstance(part, FileRange) else FileRange(file=part) for part in parts]
            for name, parts in splits.items()
        }

    @property
    def bytes(self) -> int | None:
        """Size of all downloads, where it is known."""
        sizes = [download.bytes for download in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def digest(self) -> str:
        """sha256 of what decides the text: downloads, splits and trimming."""
        content = self.model_dump_json(include={"files", "splits", "trim"})
        return hashlib.sha256(content.encode()).hexdigest()


def registry(path: str | Path | None = None) -> dict[str, Entry]:
    """Name -> entry of the shipped registry, plus a file of the same form: `path`, else $SEQLAB_CORPORA.

    Raises InputError naming file and key where an entry is not valid.
    """
    shipped = importlib.resources.files("seqlab_data").joinpath("corpora.toml").read_text("utf-8")
    entries = _entries(tomllib.loads(shipped), "corpora.toml")
    own = path or os.environ.get("SEQLAB_CORPORA")
    if own:
        try:
            values = tomllib.loads(Path(own).read_text("utf-8"))
        except FileNotFoundError:
            raise InputError(f"{own}: no such file; SEQLAB_CORPORA must name a registry of corpora.") from None
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{own}: cannot be read as a registry of corpora ({error}).") from None
        entries |= _entries(values, str(own))
    return entries


def _entries(values: dict[str, Any], source: str) -> dict[str, Entry]:
    found = {}
    for name, value in values.items():
        if not isinstance(value, dict):
            raise InputError(f"{source}: {name}: must be a table [{name}] with description, licence and files.")
        found[name] = Entry.build(value, f"{source}: {name}")
        _check(name, found[name], source)
    return found


def _check(name: str, entry: Entry, source: str) -> None:
    where = f"{source}: {name}"
    if not re.fullmatch(r"\w[\w.-]*", name) or name == PYTHON_DOCS:
        raise InputError(f"{where}: a corpus name is made of letters, digits, '-', '_' and '.'.")
    for address in (address for download in entry.files for address in download.addresses):
        if not re.match(r"https?://[^/]+/", address):
            raise InputError(f"{where}: {address}: an address must begin with http:// or https://.")
    downloads = [download.name for download in entry.files]
    if len(set(downloads)) < len(downloads) or not all(re.search(r"\w", name) for name in downloads):
        raise InputError(f"{where}: the addresses must end in file names, each another one.")
    if "train" not in entry.parts:
        raise InputError(f"{where}: splits: there must be a split 'train'.")


def names(path: str | Path | None = None) -> list[str]:
    """Names of all corpora, `python-docs` first."""
    return [PYTHON_DOCS, *registry(path)]


def entry(name: str, path: str | Path | None = None) -> Entry:
    """The registry's entry `name`. Raises InputError with a did-you-mean."""
    entries = registry(path)
    if name not in entries:
        raise InputError(f"{name}: no corpus of that name.{did_you_mean(name, entries)} See 'seqlab data list'.")
    return entries[name]


def folder(name: str) -> Path:
    """Where a fetched corpus lies."""
    return texts_folder() / name


def texts_folder() -> Path:
    """Where fetched texts are cached."""
    return cache_folder() / TEXTS


def fetched(name: str, path: str | Path | None = None) -> dict[str, list[Path]] | None:
    """The files of every split, or None where the corpus was not fetched yet, or not by its present entry.

    Looks at names and sizes only; `fetch` compares digests.
    """
    place = folder(name)
    try:
        receipt = read_json(place / RECEIPT)
        files = {
            split: [(place / file["name"], file["bytes"]) for file in group]
            for split, group in receipt["splits"].items()
        }
        if receipt["entry"] != entry(name, path).digest:
            return None
    except (InputError, KeyError, TypeError, AttributeError):  # no receipt, or a damaged one
        return None
    if any(not file.is_file() or file.stat().st_size != size for group in files.values() for file, size in group):
        return None
    return {split: [file for file, _ in group] for split, group in files.items()}


def splits(name: str, path: str | Path | None = None) -> dict[str, list[Path]]:
    """Files of the splits of a corpus on this machine: `train` and, where it has them, `valid` and `test`.

    `python-docs` is made on first use. Raises InputError for an unknown name or a corpus not yet fetched.
    """
    if name == PYTHON_DOCS:
        folders = [*cached(TEXTS)]
        built = next((one for one in folders if python_docs.is_built(one)), None)
        return {"train": [python_docs.location(built) if built else python_docs.build(writable_cache() / TEXTS)]}
    found = fetched(name, path)
    if found is None:
        raise InputError(f"{name}: this corpus is not on this machine yet; run 'seqlab data fetch {name}' first.")
    return found


def resolve(name: str, path: str | Path | None = None) -> list[Path] | None:
    """Files of a corpus's training text; None where no corpus has that name. Raises as `splits` does."""
    return splits(name, path)["train"] if name in names(path) else None


def describe(name: str, path: str | Path | None = None) -> dict[str, Any]:
    """What `seqlab data list` prints of a corpus: name, description, licence, bytes, tokenizer, splits, cached."""
    if name == PYTHON_DOCS:
        place = python_docs.location(texts_folder())
        return {
            "name": name,
            "description": "documentation of Python and of the packages seqlab uses, read from this machine",
            "licence": "PSF, BSD and others",
            "homepage": "",
            "bytes": place.stat().st_size if place.exists() else None,
            "tokenizer": None,
            "splits": ["train"],
            "cached": place.exists(),
        }
    found = entry(name, path)
    return {
        "name": name,
        **found.model_dump(include={"description", "licence", "homepage", "tokenizer"}),
        "bytes": found.bytes,
        "splits": list(found.parts),
        "cached": fetched(name, path) is not None,
    }


class NamedCorpora(Result, Sequence[dict[str, Any]]):
    """The named corpora, in order: a sequence of what `describe` returns."""

    def __init__(self, described: Sequence[dict[str, Any]]):
        self._described = list(described)

    def __len__(self) -> int:
        return len(self._described)

    def __getitem__(self, index: Any) -> Any:
        return self._described[index]

    def __repr__(self) -> str:
        here = sum(bool(one["cached"]) for one in self)
        return line("NamedCorpora", [f"{len(self):,} corpora", f"{here:,} on this machine"])

    def table(self) -> Table:
        """Name, size of the download, whether it is on this machine, licence and description."""
        rows = [
            (
                one["name"],
                "" if one["bytes"] is None else f"{one['bytes'] / 1e6:,.1f} MB",
                "yes" if one["cached"] else "",
                one["licence"],
                one["description"],
            )
            for one in self
        ]
        return Table(("name", "download", "here", "licence", "what it is"), rows)

    def to_json(self) -> dict[str, Any]:
        """All that is known of them, under "corpora"."""
        return {"corpora": list(self)}


def listing(path: str | Path | None = None) -> NamedCorpora:
    """List the named corpora: what they are, under which licence, and whether they are on this machine.

    Args:
        path: a registry of further corpora, as for `registry`.
    """
    return NamedCorpora([describe(name, path) for name in names(path)])
