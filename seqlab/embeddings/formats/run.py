"""The input vectors of a language-model run, read from its files: nothing has to wait for torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.errors import InputError
from ...base.files import load_tensors, read_json, verify_manifest
from ...base.storage.whole import read_whole
from ...text import load_tokenizer
from ..vectors import WordVectors

if TYPE_CHECKING:
    from ...text import Tokenizer

CONFIG, TOKENIZER, MODEL = "config.json", "tokenizer.json", "model.safetensors"
"""Files of a run; `seqlab.run` writes them."""


def reads_characters(path: str | Path) -> bool:
    """Whether the run's model computes its words' vectors from their characters, so that no file contains them."""
    record: Any = read_json(Path(path) / CONFIG)
    return bool(record["config"]["model"].get("input") == "characters")


def read_run(path: str | Path) -> WordVectors:
    """The input vectors of the words of a language-model run.

    Args:
        path: the run's folder.

    Returns:
        Vectors of the vocabulary's words; control tokens and white space are left out.

    Raises:
        InputError: the run has no weights yet, a file is damaged, or the model reads its words by their characters.
    """
    return read_whole(path, lambda: _read_run(Path(path)))


def _read_run(path: Path) -> WordVectors:
    verify_manifest(path, later=(MODEL, "state/latest.safetensors"))
    if reads_characters(path):
        raise InputError(
            f"{path}: its model reads words by their characters; open its vectors with seqlab.load_vectors first."
        )
    if not (path / MODEL).exists():
        raise InputError(f"{path}: has no weights yet; run the same train command again to resume.")
    tokenizer, matrix_VD = load_tokenizer(path / TOKENIZER), load_tensors(path / MODEL)[0].get("embedding")
    if matrix_VD is None or matrix_VD.ndim != 2 or len(matrix_VD) != len(tokenizer.vocab):
        raise InputError(f"{path / MODEL}: its embedding does not fit {TOKENIZER}; one of the two was replaced.")
    return of_vocabulary(tokenizer, matrix_VD)


def reads_pieces(path: str | Path) -> bool:
    """Whether the model of a run reads word pieces, of which the model itself tells the whole words."""
    record = read_json(Path(path) / TOKENIZER)
    return isinstance(record, dict) and record.get("kind") == "bpe"


def of_vocabulary(tokenizer: Tokenizer, matrix_VD: np.ndarray) -> WordVectors:
    """Vectors of a tokenizer's words, given those (V, D) of its whole vocabulary."""
    vocab, keep = tokenizer.vocab, np.flatnonzero(tokenizer.words_mask())
    text = {"tokenizer": tokenizer.kind, "lowercase": tokenizer.options.get("lowercase", False)}
    words = [vocab.itos[i] for i in keep]
    return WordVectors(words, matrix_VD[keep], vocab.counts[keep], {"settings": {"text": text}})
