"""Where texts cut by different tokenizers have borders in common, so that what they cost there can be compared.

Shapes: U units along the text, N tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import InputError
from ...text import Sources, TokenFile, Tokenizer, read_documents, resolve_sources
from ...text.tokenizers.cuts import natural_cuts

UNIT = 80
"""Characters of a unit at least: about a line."""


def documents_of(sources: Sources, errors: str, field: str, encoding: str | None = None) -> list[str]:
    """The documents of a text, whole."""
    documents: list[str] = []
    for begins, text in read_documents(resolve_sources(sources), errors, field, encoding=encoding):
        if begins or not documents:
            documents.append(text)
        else:
            documents[-1] += text
    return documents


def units_of(document: str) -> list[str]:
    """A document in stretches of UNIT characters or more, none of which cuts a token of any tokenizer."""
    starts = [0]
    for cut in natural_cuts(document, 1, len(document)):
        if cut - starts[-1] >= UNIT:
            starts.append(cut)
    if len(starts) > 1 and len(document) - starts[-1] < UNIT:
        starts.pop()
    return [document[start:stop] for start, stop in zip(starts, [*starts[1:], len(document)], strict=True)]


def token_counts(documents: Sequence[Sequence[str]], tokenizer: Tokenizer, tokens: TokenFile, name: str) -> np.ndarray:
    """Tokens of every unit of a text (U,), what closes a document counted to its last unit.

    Args:
        documents: their units.
        tokenizer: that cut `tokens`.
        tokens: the text.
        name: of the run, for the error's sentence.

    Raises:
        InputError: the run reads the text in another way than as it stands.
    """
    counts: list[int] = []
    ends = [*tokens.documents[1:].tolist(), len(tokens)]
    same = len(ends) == len(documents)
    for units, start, stop in zip(documents, tokens.documents.tolist(), ends, strict=False):
        encoded = [tokenizer.encode(unit) for unit in units]
        ids_N, own_N = np.concatenate(encoded), tokens[start:stop].astype(np.int64)
        closing = len(own_N) - len(ids_N)
        same = same and closing in (0, 1) and np.array_equal(ids_N, own_N[: len(ids_N)])
        counts += [len(ids) for ids in encoded]
        counts[-1] += closing
    if not same:
        raise InputError(
            f"{name}: reads this text in another way than as it stands (see its text settings), so its tokens have no "
            "borders in common with those of another tokenizer; compare runs that read it alike."
        )
    return np.array(counts)


def unit_totals(values_N: np.ndarray, counts_U: np.ndarray) -> np.ndarray:
    """Sums of the values of the tokens of every unit (U,); units have at least one token."""
    return np.add.reduceat(values_N, np.cumsum(counts_U) - counts_U)
