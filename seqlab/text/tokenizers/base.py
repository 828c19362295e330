"""What every tokenizer is: text -> token strings -> ids and back, saved as one tokenizer.json."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...base.files import atomic_file
from ...base.results import line
from .segmenters import Segmenter
from .unfinished import Unfinished
from .vocab import EOS, UNK, Vocab

FORMAT = 1
"""Version of tokenizer.json."""


class IncrementalDecoder(ABC):
    """Ids become text one at a time; all that `push` and `flush` return, joined, is `Tokenizer.decode`."""

    @abstractmethod
    def push(self, id: int) -> str:
        """The text that is now certain; never half a character."""

    def flush(self) -> str:
        """What is still pending at the end."""
        return ""


class Tokenizer(ABC):
    """A vocabulary and the rule that cuts text into its tokens.

    A tokenizer without a vocabulary (`Tokenizer(options...)`) can only `segment`; `with_vocab` completes it.

    vocab: ids in descending frequency. unk_id, eos_id, newline_id: None where the vocabulary has no such
    token. start_id: what a model reads before the first token.
    """

    kind: ClassVar[str]
    has_unk: ClassVar[bool]
    """Whether text may hold what the vocabulary does not."""
    cuts_anywhere: ClassVar[bool] = False
    """Whether a text may be split between any two characters without changing its tokens."""

    def __init__(self, vocab: Vocab | None = None):
        self.vocab = vocab or Vocab([])
        self.unk_id = self.vocab.stoi.get(UNK)
        self.eos_id = self.vocab.stoi.get(EOS)
        self.newline_id = self.vocab.stoi.get(self.newline)

    def __repr__(self) -> str:
        return line(type(self).__name__, [f"{len(self.vocab):,} types"])

    newline: ClassVar[str] = "\n"
    """How the vocabulary spells a line end."""

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments that, with the vocabulary, make this tokenizer again."""
        return {}

    @classmethod
    def from_options(cls, vocab: Vocab, options: Mapping[str, Any]) -> Tokenizer:
        """The tokenizer of a file, whose options may be those of an earlier version."""
        return cls(vocab=vocab, **options)

    def check(self) -> None:
        """Raise ValueError where vocabulary and options are none that this kind can have; for what comes from a
        file."""
        if "" in self.vocab.stoi:
            raise ValueError("an entry of its vocabulary is empty")

    def with_vocab(self, vocab: Vocab) -> Tokenizer:
        """The same rule with another vocabulary."""
        return type(self)(vocab=vocab, **self.options)

    @property
    def required(self) -> list[str]:
        """Types the vocabulary must hold whatever their count."""
        return []

    @property
    def start_id(self) -> int:
        for id in (self.eos_id, self.newline_id):
            if id is not None:
                return id
        return 0

    @abstractmethod
    def segmenter(self) -> Segmenter:
        """What cuts texts into tokens; needs no vocabulary."""

    def segment(self, text: str) -> tuple[list[str], np.ndarray]:
        """The distinct tokens of a text in order of first appearance, and for every token the index of its type."""
        types, indices, _ = self.segmenter().feed([text])
        return types, indices

    def closes(self, text: str) -> bool:
        """Whether a document that ends in `text` is closed by an extra `<eos>`."""
        return True

    def encode(self, text: str) -> np.ndarray:
        """Ids of `text`, (N,) int64. What the vocabulary lacks becomes `unk_id`."""
        types, indices = self.segment(text)
        return self.ids_of(types)[indices]

    def ids_of(self, types: Iterable[str]) -> np.ndarray:
        """Ids of vocabulary entries, int64; `unk_id` (-1 where there is none) for what is not in it."""
        unk = -1 if self.unk_id is None else self.unk_id
        return np.fromiter((self.vocab.stoi.get(token, unk) for token in types), np.int64)

    def extended(self, words: Iterable[str]) -> Tokenizer:
        """The same with more entries behind those of the vocabulary, which keep their ids."""
        entries = [*self.vocab.itos, *words]
        counts = np.zeros(len(entries), np.int64)
        counts[: len(self.vocab)] = self.vocab.counts
        return self.with_vocab(Vocab(entries, counts))

    def encode_spelt(self, text: str) -> tuple[np.ndarray, list[str]]:
        """Ids of `text` for a model that reads characters, and the entries that the vocabulary lacks: the ids V,
        V + 1, ... stand for them."""
        types, indices = self.segment(text)
        words = [token for token in types if token not in self.vocab.stoi]
        return self.extended(words).ids_of(types)[indices], words

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Text of `ids`."""
        decoder = self.decoder()
        parts = [decoder.push(id) for id in np.asarray(ids, np.int64).tolist()]
        return "".join(parts) + decoder.flush()

    @abstractmethod
    def decoder(self) -> IncrementalDecoder:
        """A fresh incremental decoder."""

    def unknown(self, text: str, first: int | None = None) -> list[str]:
        """Distinct tokens of `text`, or of its `first` tokens, that the vocabulary lacks, in order of appearance."""
        if not self.has_unk:
            return []
        types, indices = self.segment(text)
        found = (types[index] for index in dict.fromkeys(indices[:first].tolist()))
        return [self.plain(token) for token in found if token not in self.vocab.stoi]

    def unfinished(self, text: str) -> Unfinished | None:
        """The end of `text` whose tokens may be others once more text follows; None where its tokens are certain."""
        return None

    def plain(self, token: str) -> str:
        """A token as the text has it rather than as the vocabulary spells it."""
        return token

    def words_mask(self) -> np.ndarray:
        """(V,) bool: which ids are neither control tokens nor white space."""
        controls = (self.unk_id, self.eos_id)
        words = (id not in controls and bool(self.decode([id]).strip()) for id in range(len(self.vocab)))
        return np.fromiter(words, bool, len(self.vocab))

    def to_dict(self) -> dict[str, Any]:
        """What tokenizer.json contains."""
        return {
            "seqlab": FORMAT,
            "kind": self.kind,
            "options": self.options,
            "vocab": self.vocab.itos,
            "counts": self.vocab.counts.tolist(),
        }

    @cached_property
    def digest(self) -> str:
        """sha256 of kind, options, vocabulary and counts."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write tokenizer.json, atomically."""
        text = json.dumps({**self.to_dict(), "digest": self.digest}, ensure_ascii=False)
        with atomic_file(path) as handle:
            handle.write(text.encode("utf-8", "surrogatepass"))
