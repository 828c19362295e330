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
from .unfinished import Beginnings, Unfinished, Way
from .vocab import EOS, Vocab, escape, unescape

DISTINCT = 1 << 21
"""Characters of distinct units after which learning reads no more: about 200,000 words."""
MOST_PIECES = DISTINCT + 256
"""More than can be learned from so many characters; the trainer takes memory for as many as it is told."""
LONGEST_END = 48
"""Bytes of an unfinished end, beyond which its first tokens are taken as they are."""
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

    def check(self) -> None:
        known = set(_BYTES)
        for left, right in self.merges:
            if not {left, right} <= known:
                raise ValueError("a merge joins what no merge before it made")
            known.add(left + right)
        if self.vocab.stoi.keys() - {EOS} != set(self.required) - {EOS}:
            raise ValueError("its vocabulary is not that of its merges")

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

    @cached_property
    def _beginnings(self) -> Beginnings:
        entries = enumerate(self.vocab.itos)
        return Beginnings((unescape(token), id) for id, token in entries if id != self.eos_id)

    def unfinished(self, text: str) -> Unfinished | None:
        """The last word, mark or white space, which a longer token may begin with.

        Each of its beginnings, in its own tokens, is a way to write it, where the next token goes on to its end or
        beyond.
        """
        if not text:
            return None
        ids, stoi = self.encode(text).tolist(), self.vocab.stoi
        last = self._model.pre_tokenizer.pre_tokenize_str(_UNITS.findall(text)[-1])[-1][0]

        def spell(symbols: str) -> tuple[int, ...]:
            return tuple(stoi[escape(token.value)] for token in self._model.model.tokenize(symbols))

        own = spell(last)
        sizes = [len(unescape(self.vocab.itos[id])) for id in own]
        held = next(count for count in range(len(own), 0, -1) if sum(sizes[-count:]) <= LONGEST_END or count == 1)
        end = last[len(last) - sum(sizes[-held:]) :]
        found: dict[tuple[int, ...], Way] = {}
        for cut in range(len(end)):
            before, rest = spell(end[:cut]), end[cut:]
            if not cut or before[:-1] in found:
                found[before] = Way(before, self._beginnings.ids_with(rest), stoi.get(escape(rest)))
        ways: list[Way] = []
        for way in reversed(found.values()):
            if not way.before or len(way.completing) or any(way.before == later.before[:-1] for later in ways):
                ways.append(way)
        if len(ways) == 1 and ways[0].completing.tolist() == [ways[0].exact]:
            return None
        # Characters count where they are completed: the first may have begun before.
        codes = [_BYTES[symbol] for symbol in end]
        inner = [code & 0xC0 == 0x80 for code in codes]
        return Unfinished(ids[:-held], inner.count(False) + inner[0], ways[::-1])


def train_bpe(texts: Iterable[str], vocab_size: int) -> BpeTokenizer:
    """Learn merges until there are `vocab_size` tokens, 256 of which are bytes; the vocabulary is empty.

    Reading ends when the distinct units amount to DISTINCT characters: they, not the length of the text,
    decide how much memory learning takes.
    """
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=min(vocab_size, MOST_PIECES), initial_alphabet=list(_BYTES), special_tokens=[], show_progress=False
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
