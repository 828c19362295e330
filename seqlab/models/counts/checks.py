"""Stored counts and gates are checked where they are opened: the compiled walks follow them without asking again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

ARRAYS = ("words", "counts", "starts", "totals")
MOST_TYPES = 1 << 32


def wrong_counts(tensors: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """What keeps stored counts from being a trie that walks stay inside; empty where nothing does.

    Args:
        tensors: of the file, see `NGramModel`.
        about: the plain values stored with them.
    """
    types, start, discounts = about["vocab_size"], about["start_id"], about["discounts"]
    if any(tensors[name].dtype != np.uint32 or tensors[name].ndim != 1 for name in ARRAYS):
        return "its arrays are not lists of 32-bit numbers"
    words_G, counts_G, starts_C, totals_C = (tensors[name] for name in ARRAYS)
    if not (type(types) is type(start) is type(about["prune"]) is int and 0 <= start < types <= MOST_TYPES):
        return f"its vocabulary of {types!r} types and its first token {start!r} cannot be"
    shape = [len(one) for one in discounts if one is not None]
    if not discounts or shape != [3] * len(shape) or not np.isfinite([one for one in discounts if one]).all():
        return "its discounts are not three numbers by length of n-gram"
    if len(counts_G) != len(words_G) or len(starts_C) <= len(totals_C):  # some end more than once
        return "its arrays are of different lengths"
    if int(words_G.max()) >= types:
        return f"it has the id {int(words_G.max()):,}, which its vocabulary of {types:,} types does not hold"
    if starts_C[0] != 1 or (starts_C[1:] < starts_C[:-1]).any() or starts_C[-1] > starts_C[len(totals_C)]:
        return "the continuations of its contexts are not in order"
    end = 1
    for _ in discounts:
        if end > len(totals_C):
            return "its n-grams are longer than its contexts"
        contexts, end = end, int(starts_C[end])
    if contexts != len(totals_C) or end != len(words_G):
        return "its n-grams and contexts are not as many as its order says"
    return ""


def wrong_gate(bias_K: np.ndarray, weight_D: np.ndarray, kinds: int, width: int) -> str:
    """What keeps a stored gate from belonging to members with so many kinds of knowledge and hidden states of that
    width; empty where nothing does."""
    shapes, expected = (bias_K.shape, weight_D.shape), ((kinds,), (width,))
    if shapes != expected or bias_K.dtype != np.float32 or weight_D.dtype != np.float32:
        return f"its gate has the shapes {shapes[0]} and {shapes[1]}, not {expected[0]} and {expected[1]}"
    return ""
