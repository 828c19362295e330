"""How text is cut into tokens quickly: every distinct stretch of it once, then by table look-up.

A segmenter remembers what it has met, so that of a long text only what is new costs work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Sized
from itertools import chain
from typing import NamedTuple

import numpy as np

from .cuts import pieces

ENTRY = 100
"""Bytes that remembering a string takes, besides its characters, about."""


class Segments(NamedTuple):
    """Texts cut into tokens.

    types: tokens the segmenter met for the first time, in order of appearance, as the vocabulary spells them.
    indices: (N,) unsigned; for every token of all texts, one after another, the place of its type among all types
        the segmenter has met since it was made.
    ends: (texts,) int64; where the tokens of each text end.
    """

    types: list[str]
    indices: np.ndarray
    ends: np.ndarray


class Segmenter(ABC):
    """Cuts texts into tokens. size: bytes that its memory takes, about."""

    size: int = 0

    @abstractmethod
    def feed(self, texts: Sequence[str]) -> Segments:
        """Cut more texts."""


class _Index(dict[str, int]):
    """Numbers strings in the order in which they are looked up first; `fresh` collects the new ones."""

    def __init__(self) -> None:
        self.fresh: list[str] = []
        self.size = 0

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        self.fresh.append(key)
        self.size += ENTRY + len(key)
        return number

    def take_fresh(self) -> list[str]:
        fresh, self.fresh = self.fresh, []
        return fresh


class CodeSegmenter(Segmenter):
    """Tokens are small numbers already: characters, bytes.

    encode: texts -> the codes of all, and the number of codes of each text. name: code -> token.
    """

    def __init__(self, encode: Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]], name: Callable[[int], str]):
        self.encode, self.name = encode, name
        self.table = np.zeros(0, np.int32)  # code -> place of its type, -1 where it was not met
        self.types = 0

    def feed(self, texts: Sequence[str]) -> Segments:
        codes, counts = self.encode(texts)
        top = int(codes.max()) + 1 if len(codes) else 0
        if top > len(self.table):
            self.table = np.concatenate([self.table, np.full(top - len(self.table), -1, np.int32)])
        indices = self.table[codes]
        fresh = list(dict.fromkeys(codes[indices < 0].tolist()))
        if fresh:
            self.table[fresh] = np.arange(self.types, self.types + len(fresh))
            self.types += len(fresh)
            indices = self.table[codes]
        return Segments(
            [self.name(code) for code in fresh], indices.astype(smallest_dtype(self.types)), np.cumsum(counts)
        )


class TokenSegmenter(Segmenter):
    """`cut` turns a piece of text, between forced cuts, into its tokens."""

    def __init__(self, cut: Callable[[str], list[str]]):
        self.cut = cut
        self.index = _Index()

    def feed(self, texts: Sequence[str]) -> Segments:
        tokens, ends = _joined(self.cut, texts)
        indices = np.fromiter(map(self.index.__getitem__, tokens), np.uint32, len(tokens))
        self.size = self.index.size
        return Segments(self.index.take_fresh(), indices, ends)


class UnitSegmenter(Segmenter):
    """`cut` turns a piece of text into units that repeat often; `split` turns new units into their tokens."""

    def __init__(self, cut: Callable[[str], list[str]], split: Callable[[list[str]], list[list[str]]]):
        self.cut, self.split = cut, split
        self.units, self.tokens = _Index(), _Index()
        # The tokens of unit u are flat[starts[u] : starts[u] + counts[u]].
        self.flat, self.counts = np.zeros(0, np.uint32), np.zeros(0, np.int64)

    def feed(self, texts: Sequence[str]) -> Segments:
        found, ends = _joined(self.cut, texts)
        rows = np.fromiter(map(self.units.__getitem__, found), np.uint32, len(found))
        self._learn(self.units.take_fresh())
        self.size = self.units.size + self.tokens.size
        types = self.tokens.take_fresh()
        if len(self.flat) == len(self.counts):  # every unit is one token
            return Segments(types, self.flat[rows], ends)
        read = np.zeros(len(rows) + 1, np.int64)  # tokens before each row
        np.cumsum(self.counts[rows], out=read[1:])
        starts = np.cumsum(self.counts) - self.counts
        shifts = np.repeat(starts[rows] - read[:-1], self.counts[rows])
        return Segments(types, self.flat[np.arange(read[-1]) + shifts], read[ends])

    def _learn(self, units: list[str]) -> None:
        tokens = self.split(units)
        numbers = np.fromiter(map(self.tokens.__getitem__, chain.from_iterable(tokens)), np.uint32)
        self.flat = np.concatenate([self.flat, numbers])
        self.counts = np.concatenate([self.counts, lengths(tokens)])


def _joined(cut: Callable[[str], list[str]], texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """What `cut` makes of all texts, and where each text's part ends."""
    found: list[str] = []
    ends = np.zeros(len(texts), np.int64)
    for number, text in enumerate(texts):
        for piece in pieces(text):
            found += cut(piece)
        ends[number] = len(found)
    return found, ends


def lengths(items: Sequence[Sized]) -> np.ndarray:
    """Lengths of the items, int64."""
    return np.fromiter(map(len, items), np.int64, len(items))


def smallest_dtype(count: int) -> np.dtype:
    """The smallest unsigned integer type that holds the indices below `count`."""
    return np.dtype(np.uint8 if count <= 1 << 8 else np.uint16 if count <= 1 << 16 else np.uint32)
