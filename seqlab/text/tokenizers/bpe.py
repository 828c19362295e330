"""Byte-pair encoding trained on the text itself. Sennrich et al. 2016, https://arxiv.org/abs/1508.07909

Byte-level with the pre-tokenisation of GPT-2 (contractions, a space belongs to the word after it), computed
by the Hugging Face `tokenizers` library: nothing is ever unknown, and any text comes back exactly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import tokenizers

from .base import Tokenizer
from .characters import ByteDecoder, utf8
from .cuts import natural_cuts, pieces
from .segmenters import Segmenter, UnitSegmenter
from .vocab import Vocab, escape, unescape

DISTINCT = 1 << 21
"""Characters of distinct units after which learning reads no more: about 200,000 words."""
SAMPLE_BLOCK = 1 << 16
"""Bytes of one block of a sample."""

# From one natural cut to the next: these are always borders of GPT-2's pre-tokens too.
_UNITS = re.compile(r"\s*\S+(?:[^\S \t\n\r]\s*\S*)*|\s+")


def byte_alphabet() -> dict[str, int]:
    """The printable character that stands for each byte in byte-level BPE vocabularies, and its byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(rest)}


_BYTES = byte_alphabet()
_SYMBOLS = {byte: symbol for symbol, byte in _BYTES.items()}


class BpeTokenizer(Tokenizer):
    """Tokens are frequent byte sequences; the vocabulary spells them in GPT-2's printable byte alphabet.

    merges: pairs in the order they were learned. learned: the tokens the merges lead to.
    """

    kind = "bpe"
    has_unk = False
    newline = _SYMBOLS[10]

    def __init__(self, vocab: Vocab | None = None, merges: Iterable[Sequence[str]] = ()):
        super().__init__(vocab)
        self.merges = [(str(left), str(right)) for left, right in merges]
        self.learned = [*_BYTES, *dict.fromkeys(left + right for left, right in self.merges)]

    @property
    def options(self) -> dict[str, Any]:
        return {"merges": [list(pair) for pair in self.merges]}

    @property
    def required(self) -> list[str]:
        return [escape(token) for token in self.learned]

    @cached_property
    def _model(self) -> tokenizers.Tokenizer:
        ids = {token: id for id, token in enumerate(self.learned)}
        model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=ids, merges=self.merges))
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        return model

    @cached_property
    def _spelled(self) -> list[str]:
        return self.required

    def segmenter(self) -> Segmenter:
        return UnitSegmenter(_UNITS.findall, self._split)

    def _split(self, units: list[str]) -> list[list[str]]:
        """The tokens of every unit."""
        for unit in units:
            if not unit.isascii():
                utf8(unit)
        names = self._spelled
        return [[names[id] for id in encoding.ids] for encoding in self._model.encode_batch_fast(units)]

    @cached_property
    def _pieces(self) -> list[bytes]:
        spelled = (unescape(token) if id != self.eos_id else "" for id, token in enumerate(self.vocab.itos))
        return [bytes(_BYTES[symbol] for symbol in token) or b"\n" for token in spelled]

    def decoder(self) -> ByteDecoder:
        """Decodes `<eos>` to a newline."""
        return ByteDecoder(self._pieces)


def train_bpe(texts: Iterable[str], vocab_size: int) -> BpeTokenizer:
    """Learn merges until there are `vocab_size` tokens, 256 of which are bytes; the vocabulary is empty.

    Reading ends when the distinct units amount to DISTINCT characters: they, not the length of the text,
    decide how much memory learning takes.
    """
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=list(_BYTES), special_tokens=[], show_progress=False
    )
    model.train_from_iterator(_until_distinct(texts), trainer)
    return BpeTokenizer(merges=json.loads(model.to_str())["model"]["merges"])


def _until_distinct(texts: Iterable[str]) -> Iterator[str]:
    distinct: set[str] = set()
    characters = 0
    for text in texts:
        for piece in pieces(text):
            fresh = set(_UNITS.findall(piece)) - distinct
            characters += sum(map(len, fresh))
            distinct |= fresh
            yield piece
        if characters > DISTINCT:
            return


def sample_blocks(path: str, end: int, most: int, block: int = SAMPLE_BLOCK) -> Iterator[str]:
    """Blocks of the first `end` bytes of a UTF-8 file, at most `most` bytes in all, from natural cut to cut.

    They come in an order (multiples of the golden ratio) that spreads over the range however soon one stops.
    """
    count = -(-end // block)
    order = sorted(range(count), key=lambda number: number * 0.6180339887498949 % 1)
    with open(path, "rb") as handle:
        for number in order[: max(1, most // block)]:
            start = number * block
            handle.seek(start)
            text = handle.read(min(block, end - start)).decode("utf-8", "ignore")
            cuts = natural_cuts(text, 1, len(text)) or [0, len(text)]
            yield text[cuts[0] if start else 0 : cuts[-1] if start + block < end else None]
