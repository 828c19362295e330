"""How the unknown words of a split are spelt, beside its ids: for models that read words by their characters.

Of every token whose id is that of `<unk>` one small number is stored: 0 for a literal `<unk>`, else k for the k-th word
of a list of the split's distinct unknown words. Where those tokens are, the ids tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from ...base.errors import InputError
from ...base.files import read_json
from ..tokenizers.segmenters import smallest_dtype

BLOCK = 1 << 12
"""Tokens between two places before which it is known how many unknown ones there are."""
DTYPES = {"uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32}


def files_of(name: str) -> tuple[str, str]:
    """The two files of a split: its unknown words, JSON, and their numbers."""
    return f"{name}.unknown.json", f"{name}.unknown.bin"


class SpellingWriter:
    """Writes the spelling of one split's unknown words, chunk by chunk; no file where it has none.

    Args:
        types: every type of all splits, by provisional id.
        missing: (types,) bool; which of them the vocabulary lacks and the split holds.
    """

    def __init__(self, folder: Path, name: str, types: Sequence[str], missing: np.ndarray):
        self.folder, self.name = folder, name
        places = np.flatnonzero(missing)
        self.words = [types[place] for place in places.tolist()]
        self.dtype = smallest_dtype(len(self.words) + 1)
        self.numbers = np.zeros(len(types), self.dtype)
        self.numbers[places] = np.arange(1, len(places) + 1)
        self._handle: BinaryIO | None = (folder / files_of(name)[1]).open("wb") if self.words else None

    def write(self, provisional: np.ndarray) -> None:
        """Add the provisional ids of the next unknown tokens."""
        if self._handle:
            self._handle.write(self.numbers[provisional].tobytes())

    def close(self) -> dict[str, Any]:
        """Write the words; returns what the header of the split says of them."""
        if not self._handle:
            return {"words": 0}
        self._handle.close()
        data = json.dumps(self.words, ensure_ascii=False, indent=0).encode("utf-8", "surrogatepass")
        (self.folder / files_of(self.name)[0]).write_bytes(data)
        return {"words": len(self.words), "bytes": len(data), "dtype": self.dtype.name}


class Spelling:
    """The spelling of a split's unknown words, as stored.

    Args:
        count: distinct unknown words.
        unknown: unknown tokens.
    """

    def __init__(self, path: Path, name: str, count: int, unknown: int, dtype: np.dtype):
        self.words_file, self.numbers_file = (path / file for file in files_of(name))
        self.count, self.unknown, self.dtype = count, unknown, dtype

    @classmethod
    def open(cls, path: Path, name: str, header: dict[str, Any], unknown: int) -> Spelling:
        """Raises InputError where a file is missing or not as long as `header` says."""
        count = int(header["words"])
        spelling = cls(path, name, count, unknown, np.dtype(DTYPES[header["dtype"] if count else "uint8"]))
        if count:
            sizes = {
                spelling.words_file: header["bytes"],
                spelling.numbers_file: unknown * spelling.dtype.itemsize,
            }
            for file, size in sizes.items():
                if not file.is_file() or file.stat().st_size != size:
                    raise InputError(f"{file}: missing or not {size:,} bytes long; prepare the text again.")
        return spelling

    @cached_property
    def words(self) -> list[str]:
        """The distinct unknown words, as the vocabulary would spell them, in order of first appearance. Raises
        InputError when the file is damaged."""
        if not self.count:
            return []
        words = read_json(self.words_file)
        if not isinstance(words, list) or len(words) != self.count or not all(isinstance(word, str) for word in words):
            raise InputError(f"{self.words_file}: does not contain {self.count:,} words; prepare the text again.")
        return words

    @cached_property
    def numbers(self) -> np.ndarray:
        """(unknown tokens,) number of each: k for `words[k - 1]`, 0 for a literal `<unk>`. Raises InputError when the
        file is damaged."""
        if not self.count:
            return np.zeros(self.unknown, self.dtype)
        numbers = np.memmap(self.numbers_file, self.dtype, "r")
        if int(numbers.max()) > self.count:
            raise InputError(f"{self.numbers_file}: numbers more than {self.count:,} words; prepare the text again.")
        return numbers


class StoredIds(Protocol):
    """Ids that are read slice by slice: a `TokenFile`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> np.ndarray: ...


class SpeltIds:
    """The ids of a split with its unknown words told apart: `ids[a:b]` is a uint32 array, in which V + k stands for
    `spelling.words[k]`. Nothing is held in memory but a count of unknown tokens for every BLOCK."""

    def __init__(self, tokens: StoredIds, spelling: Spelling, unk_id: int, vocab_size: int):
        self.tokens, self.unk_id, self.vocab_size = tokens, unk_id, vocab_size
        self.numbers = spelling.numbers
        counts = []
        for start in range(0, len(tokens), BLOCK << 8):
            is_unknown = tokens[start : start + (BLOCK << 8)] == unk_id
            counts.append(np.add.reduceat(is_unknown, np.arange(0, len(is_unknown), BLOCK), dtype=np.int64))
        self.before = np.concatenate([[0], *counts]).cumsum()
        """Unknown tokens before each block."""
        if self.before[-1] != len(self.numbers):
            raise InputError(
                f"{spelling.numbers_file}: numbers {len(self.numbers):,} unknown tokens where the ids have "
                f"{self.before[-1]:,}; prepare the text again."
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: slice) -> np.ndarray:
        start = index.indices(len(self.tokens))[0]
        ids = self.tokens[index].astype(np.uint32)
        places = np.flatnonzero(ids == self.unk_id)
        if len(places):
            block = start // BLOCK
            first = self.before[block] + np.count_nonzero(self.tokens[block * BLOCK : start] == self.unk_id)
            numbers = self.numbers[first : first + len(places)].astype(np.uint32)
            named = numbers > 0
            ids[places[named]] = numbers[named] + np.uint32(self.vocab_size - 1)
        return ids
