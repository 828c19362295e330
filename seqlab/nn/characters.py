"""Words from their characters, https://arxiv.org/abs/1508.06615 (Kim et al. 2016): convolutions of several widths, the
maximum over time, highways; projected as in https://arxiv.org/abs/1602.02410 (Jozefowicz et al. 2016), whose characters
are the bytes of UTF-8 too, so that no alphabet is needed and no character is unknown.

Shapes: W words, L bytes of a word with its marks, C width of a byte's vector, F filters, E width of a word's vector, V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..base.errors import InputError

BEGIN, END, PAD = 256, 257, 258
"""Marks around the bytes of a word, and what fills the row behind them."""
TOGETHER = 256
"""Words of like length whose filters are computed at once."""
CHUNK = 4096
"""Words computed at a time in evaluation."""


def spell(words: Sequence[str], length: int) -> np.ndarray:
    """Bytes of `words` between their marks, (W, length) int16; a word of more than `length` - 2 bytes is cut off."""
    spelt = [word.encode("utf-8", "surrogatepass")[: length - 2] for word in words]
    length_W = np.fromiter(map(len, spelt), np.int64, len(spelt))
    bytes_WL = np.full((len(words), length), PAD, np.int16)
    bytes_WL[:, 0] = BEGIN
    bytes_WL[:, 1:][np.arange(length - 1) < length_W[:, None]] = np.frombuffer(b"".join(spelt), np.uint8)
    bytes_WL[np.arange(len(words)), length_W + 1] = END
    return bytes_WL


def usual_filters(width: int) -> list[tuple[int, int]]:
    """(bytes, filters) for word vectors of `width`: of 1 to 6 bytes, more of the longer ones, as in Kim et al.; about
    twice as many together as the width."""
    return [(k, max(1, round(k * width / 10))) for k in range(1, 7)]


CHARACTER_SIZES: dict[str, dict[str, Any]] = {
    "small": {"char_dim": 15, "char_filters": [(k, 25 * k) for k in range(1, 7)], "char_highway": 1},
    "medium": {"char_dim": 16, "char_filters": None, "char_highway": 1},
    "large": {"char_dim": 15, "char_filters": [(k, min(200, 50 * k)) for k in range(1, 8)], "char_highway": 2},
}
"""Arguments of `CharacterEmbedding` by a word; small and large are the two models of Kim et al. 2016 (table 2)."""


class Highway(nn.Module):
    """y = t relu(W x + b) + (1 - t) x with t = sigmoid(U x + c), https://arxiv.org/abs/1505.00387 (Srivastava et al.
    2015); c starts at -2, so that x passes at first."""

    def __init__(self, width: int):
        super().__init__()
        self.transform, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        return x.lerp(torch.relu(self.transform(x)), torch.sigmoid(self.gate(x)))


class CharCNN(nn.Module):
    """Vectors of words from their bytes.

    Args:
        width: E.
        char_dim: C.
        char_filters: pairs (bytes a filter sees, number of such filters); None: `usual_filters`.
        char_highway: highway layers.
    """

    def __init__(
        self,
        width: int,
        char_dim: int = 16,
        char_filters: Sequence[tuple[int, int]] | None = None,
        char_highway: int = 1,
    ):
        super().__init__()
        filters = usual_filters(width) if char_filters is None else char_filters
        self.width = width
        self.bytes = nn.Embedding(PAD + 1, char_dim, padding_idx=PAD)
        self.spans = [span for span, _ in filters]
        self.filters = nn.ModuleList(nn.Linear(span * char_dim, count) for span, count in filters)
        features = sum(count for _, count in filters)
        self.highways = nn.Sequential(*(Highway(features) for _ in range(char_highway)))
        self.projection = nn.Linear(features, width)

    def forward(self, bytes_WL: Tensor) -> Tensor:
        """Vectors (W, E) of words as `spell` gives them; how much padding follows them makes no difference.

        Words of like length are computed together, so that few positions behind their ends are.
        """
        length_W = (bytes_WL != PAD).sum(1)
        order_W = length_W.argsort()
        parts = [
            self.features(bytes_WL[part], length_W[part, None], int(length_W[part[-1]]))
            for part in order_W.split(TOGETHER)
        ]
        return self.projection(self.highways(torch.tanh(torch.cat(parts)[order_W.argsort()])))

    def features(self, bytes_WL: Tensor, length_W1: Tensor, longest: int) -> Tensor:
        """The largest response of every filter (W, F) within each word; a filter that sees more bytes than a word has
        sees zeros behind them."""
        longest = max([longest, *self.spans])
        bytes_WL = F.pad(bytes_WL[:, :longest], (0, max(0, longest - bytes_WL.shape[1])), value=PAD)
        x_WD, step = self.bytes(bytes_WL.long()).flatten(1), self.bytes.embedding_dim
        largest = []
        for span, filters in zip(self.spans, self.filters, strict=True):
            y_WPF = filters(x_WD.unfold(1, span * step, step))  # P: positions, L - span + 1
            last_W1 = (length_W1 - span).clamp(min=0)
            beyond_WP = torch.arange(y_WPF.shape[1], device=y_WPF.device) > last_W1
            largest.append(y_WPF.masked_fill(beyond_WP[..., None], -torch.inf).amax(1))
        return torch.cat(largest, 1)

    def multiply_adds(self, length: int = 10) -> int:
        """Of the products for one word of so many bytes, marks included."""
        products = 0
        for span, filters in zip(self.spans, self.filters, strict=True):
            products += next(filters.parameters()).numel() * max(1, length - span + 1)
        dense = (*self.highways.parameters(), *self.projection.parameters())
        return products + sum(p.numel() for p in dense if p.dim() > 1)


class CharacterEmbedding(nn.Module):
    """Vectors of a vocabulary's words, computed from how they are spelt, in the place of a table of vectors.

    In training the distinct words of a window are computed, with gradients. Without gradients a word is computed when
    it first occurs, and cached until the weights change or `train` is called.

    Args:
        width: E.
        char_length: L, bytes of a word that are read, marks included.
        char_dim, char_filters, char_highway: see `CharCNN`.

    Raises:
        InputError: a filter wider than L.
    """

    words_VL: Tensor

    def __init__(
        self,
        width: int,
        char_length: int = 32,
        char_dim: int = 16,
        char_filters: Sequence[tuple[int, int]] | None = None,
        char_highway: int = 1,
    ):
        super().__init__()
        self.char_length = char_length
        widest = max((span for span, _ in char_filters or []), default=0)
        if widest > char_length:
            raise InputError(
                f"char_filters: a filter of {widest} characters is wider than the char_length = {char_length} "
                "characters that are read of a word; use narrower ones, or a larger char_length."
            )
        self.cnn = CharCNN(width, char_dim, char_filters, char_highway)
        self.register_buffer("words_VL", torch.empty(0, char_length, dtype=torch.int16), persistent=False)
        self.vocab_size = 0
        """V; the rows of `words_VL` behind it are `extra_words`."""
        self.known_VE: Tensor | None = None
        """Vectors computed already, where `is_known_V` says so."""
        self.is_known_V = torch.empty(0, dtype=torch.bool)
        self.version: tuple[object, ...] = ()
        """Of the weights that `known_VE` was computed with."""

    def set_words(self, words: Sequence[str]) -> None:
        """The words of ids 0, 1, ..."""
        self.words_VL, self.vocab_size = self._spell(words), len(words)
        self.known_VE = None

    @contextmanager
    def extra_words(self, words: Sequence[str]) -> Iterator[None]:
        """Inside, the ids after the vocabulary's are those of `words`, whatever they were before."""
        before_VL = self.words_VL
        self.words_VL, self.known_VE = torch.cat([before_VL[: self.vocab_size], self._spell(words)]), None
        try:
            yield
        finally:
            self.words_VL, self.known_VE = before_VL, None

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (..., E) of the words `ids` (...).

        Raises:
            RuntimeError: before `set_words`.
        """
        if not len(self.words_VL):
            raise RuntimeError("the model reads characters and does not know its words yet: call set_words first")
        distinct_W, place = ids.unique(return_inverse=True)
        if torch.is_grad_enabled():
            return F.embedding(place, self.cnn(self.words_VL[distinct_W]))
        return F.embedding(place, self._recall(distinct_W))

    def vectors(self, words: Sequence[str]) -> Tensor:
        """Vectors (W, E) of any words, no gradient."""
        with torch.no_grad():
            return self._compute(self._spell(words))

    def table(self) -> Tensor:
        """Vectors (V, E) of the whole vocabulary, no gradient."""
        with torch.no_grad():
            return self._recall(torch.arange(self.vocab_size, device=self.words_VL.device))

    def train(self, mode: bool = True) -> CharacterEmbedding:
        self.known_VE = None
        return super().train(mode)

    def _spell(self, words: Sequence[str]) -> Tensor:
        return torch.from_numpy(spell(words, self.char_length)).to(self.words_VL.device)

    def _compute(self, bytes_WL: Tensor) -> Tensor:
        return torch.cat([self.cnn(part_WL) for part_WL in bytes_WL.split(CHUNK)])

    def _recall(self, ids_W: Tensor) -> Tensor:
        """Vectors (W, E) of distinct words, those not met before computed now."""
        weight = self.cnn.projection.weight
        version = (weight.device, weight.dtype, *((id(p), p._version) for p in self.cnn.parameters()))
        if self.known_VE is None or self.version != version:
            with torch.inference_mode(False):  # what is made in inference mode could not be filled in later
                self.known_VE = weight.new_empty(len(self.words_VL), self.cnn.width)
                self.is_known_V = torch.zeros(len(self.words_VL), dtype=torch.bool, device=weight.device)
            self.version = version
        new_W = ids_W[~self.is_known_V[ids_W]]
        if len(new_W):
            self.known_VE[new_W] = self._compute(self.words_VL[new_W])
            self.is_known_V[new_W] = True
        return self.known_VE[ids_W]
