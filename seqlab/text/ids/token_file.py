"""Ids on disk: `TokenFile` is one split, memory-mapped; `Corpus` a folder of splits with their tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import IO, Any

import numpy as np

from ...base.contents.forms import OTHERS, check_form
from ...base.errors import InputError
from ...base.files import read_json, verify_manifest
from ...base.kinds import kind_of
from ...base.printing import printable
from ...base.progress import notify
from ...base.results import Result, Table, abbreviated, line
from ...base.storage.verified import verified_once, verify_folder_once
from ...base.storage.whole import read_whole
from ...config.arguments import checked
from ..tokenizers.base import Tokenizer
from ..tokenizers.table import load_tokenizer
from .spelling import Spelling, SpeltIds

FORMAT = 1
FORM = {
    "seqlab": (int, str),
    "kind": str,
    "digest": str,
    "reason": str,
    "documents": int,
    "replaced": int,
    "notes?": [str],
    "lines?": ({"items": int, "drawn": int}, NoneType),
    "sources": {OTHERS: [{"name": str}]},
    "settings": dict,
    "splits": dict,
}
"""What corpus.json holds."""
"""Version of a corpus folder."""
HEADER = "corpus.json"
TOKENIZER = "tokenizer.json"
ITEMS = "items.npy"
"""Keys of the lines of a list, by which a generated one is known to be new."""
SHARD_TOKENS = 1 << 27
"""Tokens of a shard: 256 MB of uint16."""


@dataclass(frozen=True)
class SplitCounts:
    """Counts of a split. `characters`, `bytes` (UTF-8) and `words` count its text, `unknown` its `<unk>`.

    words: stretches between white space. types: distinct tokens that occur. sha256: of the ids as stored,
    followed by the document offsets.
    """

    tokens: int
    characters: int
    bytes: int
    words: int
    documents: int
    unknown: int
    types: int
    sha256: str


class TokenFile:
    """The ids of one split, memory-mapped; `tokens[a:b]` is an array, wherever the shards' borders are.

    shards: memory maps of uint16 or uint32, one after another. documents: (D,) int64 offset of every
    document's first token. Counts as in `SplitCounts`. spelling: of the unknown words, None where it was not stored.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        documents: np.ndarray,
        counts: SplitCounts,
        spelling: Spelling | None = None,
    ):
        self.shards = list(shards)
        self.documents = documents
        self.counts = counts
        self.spelling = spelling
        self.spelt: np.ndarray | SpeltIds | None = None
        """(N,) the same ids for a model that reads characters, made by `with_spelling`: those from V on stand
        for `extra_words`, which the vocabulary lacks."""
        self.extra_words: list[str] = []
        self.lines = False
        """Whether every document is one line of a list, to be read from its own beginning."""
        self._ends = np.cumsum([len(shard) for shard in self.shards])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __repr__(self) -> str:
        documents = f"{len(self.documents):,} document{'s' * (len(self.documents) != 1)}"
        return line("TokenFile", [f"{len(self):,} tokens", documents, f"{self.unknown:,} unknown" * bool(self.unknown)])

    @property
    def dtype(self) -> np.dtype:
        return self.shards[0].dtype

    @property
    def tokens(self) -> int:
        return self.counts.tokens

    @property
    def characters(self) -> int:
        return self.counts.characters

    @property
    def bytes(self) -> int:
        return self.counts.bytes

    @property
    def words(self) -> int:
        return self.counts.words

    @property
    def unknown(self) -> int:
        return self.counts.unknown

    def __getitem__(self, index: slice) -> np.ndarray:
        """Ids of a slice with step 1; a view of the memory map where it lies in one shard."""
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise IndexError("a token file is sliced with step 1")
        parts = []
        shard = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            offset = int(self._ends[shard]) - len(self.shards[shard])
            end = min(stop, int(self._ends[shard]))
            parts.append(self.shards[shard][start - offset : end - offset])
            start, shard = end, shard + 1
        if not parts:
            return np.zeros(0, self.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def replica(self, spelling: Spelling | None = None) -> TokenFile:
        """The same ids, documents and counts, without `spelt`."""
        replica = TokenFile(self.shards, self.documents, self.counts, spelling)
        replica.lines = self.lines
        return replica

    def with_spelling(self, tokenizer: Tokenizer) -> TokenFile:
        """The same for a model that reads characters: with `spelt` and `extra_words`, where the spelling was stored and
        there are unknown words. Raises InputError when its files are damaged."""
        if self.spelt is not None:
            return self
        spelt = self.replica(self.spelling)
        if self.spelling and self.spelling.count and tokenizer.unk_id is not None:
            spelt.spelt = SpeltIds(spelt, self.spelling, tokenizer.unk_id, len(tokenizer.vocab))
            spelt.extra_words = self.spelling.words
        return spelt

    @classmethod
    def of(cls, ids: np.ndarray | Sequence[int], dtype: type = np.uint32) -> TokenFile:
        """A token file in memory: one document of ids without a text."""
        array: np.ndarray = np.asarray(ids, dtype)
        counts = SplitCounts(len(array), 0, 0, 0, 1, 0, len(np.unique(array)), "")
        return cls([array], np.zeros(1, np.int64), counts)


class SplitWriter:
    """Writes the ids of one split into shards of a corpus folder, hashing as it goes."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype):
        self.folder, self.name, self.dtype = folder, name, dtype
        self.shards: list[dict[str, Any]] = []
        self.hash = hashlib.sha256()
        self.tokens = self._room = 0
        self._handle: IO[bytes] | None = None

    def write(self, ids: np.ndarray) -> None:
        while len(ids):
            if not self._room:
                self._next_shard()
            part, ids = ids[: self._room], ids[self._room :]
            data = np.ascontiguousarray(part, self.dtype).tobytes()
            assert self._handle is not None
            self._handle.write(data)
            self.hash.update(data)
            self.shards[-1]["bytes"] += len(data)
            self._room -= len(part)
            self.tokens += len(part)

    def _next_shard(self) -> None:
        if self._handle:
            self._handle.close()
        name = f"{self.name}-{len(self.shards):05d}.bin"
        self.shards.append({"name": name, "bytes": 0})
        self._handle = (self.folder / name).open("wb")
        self._room = SHARD_TOKENS

    def close(self, documents: np.ndarray) -> str:
        """Write the document offsets; returns the sha256 over ids and offsets."""
        if self._handle:
            self._handle.close()
        documents = np.asarray(documents, np.int64)
        np.save(self.folder / f"{self.name}.documents.npy", documents, allow_pickle=False)
        self.hash.update(documents.tobytes())
        return self.hash.hexdigest()


@checked
class Corpus(Result):
    """A prepared text: a tokenizer, and the ids of a training, a validation and perhaps a test split.

    Preparing a text once and training on the corpus many times saves reading it again and keeps runs comparable.

    Attributes:
        path: the folder.
        tokenizer: text to ids and back.
        splits: a `TokenFile` for each of "train", "valid" and "test" that there is; also `train`, `valid`, `test`.
        digest: sha256 of tokenizer and ids, the same wherever the folder is.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], tokenizer: Tokenizer, splits: dict[str, TokenFile]):
        self.path, self.header, self.tokenizer, self.splits = path, header, tokenizer, splits

    def __repr__(self) -> str:
        files = [str(entry["name"]) for entry in self.header.get("sources", {}).get("train", [])]
        name = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more" if files else self.path.name
        tokens = ", ".join(f"{name} {abbreviated(len(split))}" for name, split in self.splits.items())
        types = f"{self.tokenizer.kind} {len(self.tokenizer.vocab):,} types"
        return line("Corpus", [printable(name), types, f"{tokens} tokens"])

    def table(self) -> Table:
        """Counts of every split."""
        names = ("tokens", "types", "unknown", "documents", "words", "characters", "bytes")
        rows = [(name, *(getattr(split.counts, count) for count in names)) for name, split in self.splits.items()]
        return Table(("split", *(name.replace("characters", "chars") for name in names)), rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """The figures of `summary`."""
        return self.summary

    def decode(self, start: int, stop: int, split: str = "train") -> str:
        """The text of the tokens [start, stop) of a split, to see what a model reads.

        Raises:
            InputError: the corpus has no such split.
        """
        if split not in self.splits:
            raise InputError(f"{split}: the corpus has no such split; it has {', '.join(self.splits)}.")
        return self.tokenizer.decode(self.splits[split][start:stop])

    @property
    def train(self) -> TokenFile:
        return self.splits["train"]

    @property
    def valid(self) -> TokenFile | None:
        return self.splits.get("valid")

    @property
    def test(self) -> TokenFile | None:
        return self.splits.get("test")

    @cached_property
    def items(self) -> np.ndarray | None:
        """Sorted keys of the lines of a list, training and validation (`preparation.lines.item_key`); None where the
        text is no list. Raises InputError when the file is damaged."""
        if not self.train.lines:
            return None
        return read_items(self.path / ITEMS)

    @property
    def keeps_spelling(self) -> bool:
        """Whether every unknown word can be read as it is spelt, which corpora of earlier versions do not keep."""
        return all(split.spelling is not None or not split.unknown for split in self.splits.values())

    def with_spelling(self, *names: str, quiet: bool = False) -> Corpus:
        """The same with the splits `names`, by default all, for a model that reads characters: see
        `TokenFile.with_spelling`. A line on stderr says where the spelling was not stored."""
        splits = {name: self.splits[name] for name in names or self.splits}
        lost = sum(split.unknown for split in splits.values() if split.spelling is None and split.spelt is None)
        if lost and not quiet:
            notify(
                f"{self.path}: was prepared by an earlier version, which did not store how unknown words are "
                f"spelt: {lost:,} unknown tokens are read as <unk>; prepare the text again to have them read"
            )
        spelt = {name: split.with_spelling(self.tokenizer) for name, split in splits.items()}
        return Corpus(self.path, self.header, self.tokenizer, {**self.splits, **spelt})

    @cached_property
    def digest(self) -> str:
        """sha256 of the tokenizer and of every split's ids and document borders, wherever the folder is."""
        return corpus_digest(self.tokenizer.digest, {name: split.counts for name, split in self.splits.items()})

    @property
    def summary(self) -> dict[str, Any]:
        """Figures of the text the corpus was made of, and of each split under "splits".

        A validation text that was cut off the end of the text counts, one of its own does not. `types` are those of
        the training split, from which the vocabulary comes.
        """
        own = self.header["sources"]
        counts = [split.counts for name, split in self.splits.items() if name == "train" or name not in own]
        return {
            "path": str(self.path),
            "tokenizer": self.tokenizer.kind,
            "vocab_size": len(self.tokenizer.vocab),
            "tokens": sum(count.tokens for count in counts),
            "types": self.train.counts.types,
            "chars": sum(count.characters for count in counts),
            "words": sum(count.words for count in counts),
            "bytes": sum(count.bytes for count in counts),
            "documents": self.header["documents"],
            "lines": self.train.lines,
            "unknown": sum(count.unknown for count in counts),
            "replaced": self.header["replaced"],
            "sources": self.header["sources"],
            "digest": self.digest,
            "splits": {
                name: {
                    **asdict(split.counts),
                    "chars": split.characters,
                    "unknown_words": split.spelling.count if split.spelling else None,
                }
                for name, split in self.splits.items()
            },
        }

    @staticmethod
    def is_corpus(path: str | Path) -> bool:
        """Whether `path` is a folder that `prepare` wrote."""
        return kind_of(path) == "corpus"

    @classmethod
    def open(cls, path: str | Path, verify: bool | None = None) -> Corpus:
        """Open a corpus folder.

        Args:
            path: the folder.
            verify: compare every file with its sha256 now; None: once, and again when a file has changed; False: only
                their sizes. That the ids are those of the vocabulary is always known.

        Raises:
            InputError: something is missing or damaged; the message names it.
        """
        path = Path(path)
        return read_whole(path, lambda: cls._open(path, verify))

    @classmethod
    def _open(cls, path: Path, verify: bool | None) -> Corpus:
        if not cls.is_corpus(path):
            raise InputError(f"{path}: not a prepared corpus (no {HEADER}); make one with 'seqlab data prepare'.")
        header = read_json(path / HEADER)
        check_form(path / HEADER, header, FORM)
        try:
            if header["seqlab"] != FORMAT:
                raise InputError(
                    f"{path / HEADER}: is of format {header['seqlab']!r}, not {FORMAT}; prepare the text again."
                )
            if verify:
                verify_manifest(path)
            elif verify is None:
                verify_folder_once(path)
            tokenizer = load_tokenizer(path / TOKENIZER)
            lines, types = bool(header.get("lines")), len(tokenizer.vocab)
            splits = {name: open_split(path, name, split, types, lines) for name, split in header["splits"].items()}
            corpus = cls(path, header, tokenizer, splits)
            intact = corpus.digest == header["digest"] and "train" in splits
        except InputError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"{path / HEADER}: not a corpus header ({error}); the file is damaged.") from None
        if not intact:
            raise InputError(f"{path / HEADER}: its figures differ from its digest; the file is damaged.")
        return corpus


def read_items(path: Path) -> np.ndarray:
    """Sorted keys of the lines of a list, memory-mapped. Raises InputError when the file is damaged."""
    items = _load(path, mapped=True)
    if items.dtype != np.uint64 or items.ndim != 1:
        raise InputError(f"{path}: does not contain the keys of lines; prepare the text again.")
    return items


def _load(path: Path, mapped: bool = False) -> np.ndarray:
    """The array of a .npy file. Raises InputError when the file is missing or damaged."""
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except Exception:  # numpy reads the header as Python: any error of its parser, or memory for 10^18 numbers
        raise InputError(f"{path}: missing or damaged; prepare the text again.") from None


def corpus_digest(tokenizer: str, splits: Mapping[str, SplitCounts]) -> str:
    """sha256 over a tokenizer's digest and the counts and id digests of all splits."""
    content = {"tokenizer": tokenizer, "splits": {name: asdict(counts) for name, counts in splits.items()}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_split(path: Path, name: str, header: Mapping[str, Any], types: int, lines: bool = False) -> TokenFile:
    """The token file `name` of a folder: the one door by which ids come from a file.

    Models and compiled loops look the ids up in tables without asking again, so all of them are checked here.

    Args:
        path: the folder.
        name: of the split.
        header: what the folder's header says of the split.
        types: V; every id is below.
        lines: whether every document is one line of a list, which holds a token at least.

    Raises:
        InputError: its files do not fit the header, the vocabulary or one another.
    """
    counts = SplitCounts(**header["counts"])
    if not all(type(value) is int for key, value in header["counts"].items() if key != "sha256"):
        raise ValueError("a count is no int")
    dtype = np.dtype({"uint16": np.uint16, "uint32": np.uint32}[header["dtype"]])
    shards: dict[Path, np.ndarray] = {}
    for entry in header["shards"]:
        file = path / str(entry["name"])
        if not file.is_file() or file.stat().st_size != entry["bytes"]:
            raise InputError(f"{file}: missing or not {entry['bytes']:,} bytes long; prepare the text again.")
        shards[file] = np.memmap(file, dtype, "r")
    if sum(len(shard) for shard in shards.values()) != counts.tokens:
        raise InputError(f"{path / HEADER}: the shards of {name} do not contain {counts.tokens:,} tokens.")
    if types < 1 << 8 * dtype.itemsize:
        verified_once(shards, f"ids below {types}", lambda: _check_ids(shards, types))
    file = path / f"{name}.documents.npy"
    documents = _load(file)
    if documents.dtype != np.int64 or documents.shape != (counts.documents,):
        raise InputError(f"{file}: does not contain {counts.documents:,} document offsets; prepare the text again.")
    if wrong := _wrong_documents(documents, counts.tokens, lines):
        raise InputError(f"{file}: {wrong}; the file is damaged, prepare the text again.")
    spelling = Spelling.open(path, name, header["spelling"], counts.unknown) if "spelling" in header else None
    tokens = TokenFile(list(shards.values()), documents, counts, spelling)
    tokens.lines = lines
    return tokens


def _check_ids(shards: Mapping[Path, np.ndarray], types: int) -> None:
    """Raises InputError naming the first id that a vocabulary of `types` does not hold."""
    for file, ids in shards.items():
        if len(ids) and int(ids.max()) >= types:
            place = int(np.argmax(ids >= types))
            raise InputError(
                f"{file}: token {place + 1:,} has the id {int(ids[place]):,}, which the vocabulary of {types:,} types "
                "does not hold; the file is damaged, prepare the text again."
            )


def _wrong_documents(documents: np.ndarray, tokens: int, lines: bool) -> str:
    """What is wrong with document offsets, empty where nothing is. A split that was cut off may begin inside one."""
    if len(documents) and (documents[0] < 0 or (lines and documents[0]) or documents[-1] > tokens):
        return f"its offsets are not within {tokens:,} tokens"
    short = np.diff(documents, append=tokens) < int(lines)
    if short.any():
        return f"document {int(np.argmax(short)) + 1:,} {'holds no token' if lines else 'ends before it begins'}"
    return ""
