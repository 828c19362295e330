"""A vocabulary: ids in descending order of frequency, counted on the training split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

UNK = "<unk>"
"""Control token for what the vocabulary lacks."""
EOS = "<eos>"
"""Control token that ends a document, or a line in pre-tokenised text."""

_LIKE_CONTROL = re.compile(r"\\*<(?:unk|eos)>")


def escape(token: str) -> str:
    """A user's token as the vocabulary spells it: one that reads like a control token gets a backslash."""
    return "\\" + token if token.endswith(">") and _LIKE_CONTROL.fullmatch(token) else token


def unescape(token: str) -> str:
    """The user's token behind a vocabulary entry."""
    return token[1:] if token.startswith("\\") and _LIKE_CONTROL.fullmatch(token) else token


class Vocab:
    """Token types in descending order of their count; ties in order of first appearance, control tokens last.

    itos: token of every id. stoi: id of every token. counts: (V,) int64 occurrences in the training split.
    Control tokens stand where their count puts them, so that log-uniform sampling over ids is valid.
    """

    def __init__(self, itos: Sequence[str], counts: np.ndarray | Sequence[int] | None = None):
        self.itos = list(itos)
        self.stoi = {token: id for id, token in enumerate(self.itos)}
        try:
            self.counts = np.zeros(len(self.itos), np.int64) if counts is None else np.asarray(counts, np.int64)
        except OverflowError:
            raise ValueError("a count is beyond what any text has") from None
        if len(self.stoi) != len(self.itos):
            raise ValueError("a vocabulary holds every token once")
        if self.counts.shape != (len(self.itos),):
            raise ValueError(f"{len(self.itos)} tokens need as many counts, not {self.counts.shape}")

    def __len__(self) -> int:
        return len(self.itos)

    def __contains__(self, token: str) -> bool:
        return token in self.stoi

    @classmethod
    def build(
        cls,
        types: Iterable[str],
        counts: np.ndarray,
        controls: Sequence[str] = (),
        required: Iterable[str] = (),
        min_count: int = 1,
        size: int | None = None,
    ) -> Vocab:
        """Choose and order the types of a vocabulary.

        Args:
            types: every type seen, in order of first appearance, and their `counts` in the training split.
            controls: control tokens the vocabulary must hold; `<unk>` among them takes over the occurrences
                of what is cut.
            required: types to hold whatever their count.
            min_count: types seen less often are cut (never below 1: what training never saw is unknown).
            size: most types to keep, control tokens included; the rarest are cut.
        """
        types = list(types)
        counts = np.asarray(counts, np.int64)
        place = {token: index for index, token in enumerate(types)}
        for token in (*required, *controls):
            if token not in place:
                place[token] = len(types)
                types.append(token)
        counts = np.concatenate([counts, np.zeros(len(types) - len(counts), np.int64)])
        fixed = np.zeros(len(types), bool)
        fixed[[place[token] for token in (*required, *controls)]] = True
        free = np.flatnonzero(~fixed & (counts >= max(1, min_count)))
        if size is not None:
            free = free[np.argsort(-counts[free], kind="stable")][: max(0, size - int(fixed.sum()))]
        kept = fixed.copy()
        kept[free] = True
        if UNK in controls:
            counts[place[UNK]] += counts[~kept].sum()
        control = np.zeros(len(types), bool)
        control[[place[token] for token in controls]] = True
        chosen = np.flatnonzero(kept)
        chosen = chosen[np.lexsort((control[chosen], -counts[chosen]))]
        return cls([types[index] for index in chosen], counts[chosen])
