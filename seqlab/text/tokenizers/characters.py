"""The two tokenizers without a dictionary: Unicode characters and bytes. Both give back any text exactly."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...base.errors import InputError
from .base import IncrementalDecoder, Tokenizer
from .segmenters import CodeSegmenter, Segmenter, lengths
from .vocab import EOS, UNK


class CharDecoder(IncrementalDecoder):
    def __init__(self, texts: list[str]):
        self.texts = texts

    def push(self, id: int) -> str:
        return self.texts[id]


def _code_points(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32), lengths(texts)


class CharTokenizer(Tokenizer):
    """A token is a Unicode code point; `<unk>` stands for characters the training text lacks."""

    kind = "char"
    has_unk = True
    cuts_anywhere = True

    def segmenter(self) -> Segmenter:
        return CodeSegmenter(_code_points, chr)

    def check(self) -> None:
        super().check()
        if any(len(token) > 1 for token in self.vocab.stoi.keys() - {UNK, EOS}):
            raise ValueError("an entry of its vocabulary is no character")

    @cached_property
    def _texts(self) -> list[str]:
        return [{UNK: "\ufffd", EOS: "\n"}.get(token, token) for token in self.vocab.itos]

    def decoder(self) -> CharDecoder:
        """Decodes `<unk>` to U+FFFD and `<eos>` to a newline."""
        return CharDecoder(self._texts)


class ByteDecoder(IncrementalDecoder):
    """UTF-8 bytes become characters as soon as they are complete; bytes that never will become U+FFFD."""

    def __init__(self, pieces: list[bytes]):
        self.pieces = pieces
        self.utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        return self.utf8.decode(self.pieces[id])

    def flush(self) -> str:
        return self.utf8.decode(b"", True)


def utf8(text: str) -> bytes:
    """UTF-8 of `text`. Raises InputError for half a UTF-16 pair, which has none."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text contains a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}, "
            "which is half a character; replace it."
        ) from None


def _utf8_bytes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    encoded = [utf8(text) for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), lengths(encoded)


BYTE_NAMES = [chr(byte) if 0x20 < byte < 0x7F else f"<0x{byte:02X}>" for byte in range(256)]
"""How the vocabulary spells each byte."""


class ByteTokenizer(Tokenizer):
    """A token is one byte of UTF-8: 256 types, nothing is ever unknown."""

    kind = "byte"
    has_unk = False
    cuts_anywhere = True
    newline = BYTE_NAMES[10]

    @property
    def required(self) -> list[str]:
        return BYTE_NAMES

    def segmenter(self) -> Segmenter:
        return CodeSegmenter(_utf8_bytes, BYTE_NAMES.__getitem__)

    def check(self) -> None:
        if self.vocab.stoi.keys() - {EOS} != set(BYTE_NAMES):
            raise ValueError("its vocabulary is not that of the 256 bytes")

    @cached_property
    def _pieces(self) -> list[bytes]:
        values = {name: bytes([byte]) for byte, name in enumerate(BYTE_NAMES)}
        return [values.get(token, b"\n") for token in self.vocab.itos]

    def decoder(self) -> ByteDecoder:
        """Decodes `<eos>` to a newline."""
        return ByteDecoder(self._pieces)
