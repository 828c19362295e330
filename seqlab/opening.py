"""Word vectors from whatever holds some: a folder, a file of another program, a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .base.errors import InputError
from .base.kinds import kind_of
from .embeddings import WordVectors, load_vectors
from .embeddings.formats.run import of_vocabulary, read_run, reads_characters

if TYPE_CHECKING:
    from .models import LanguageModel
    from .text import Tokenizer


def open_vectors(path: str | Path, *, mapped: bool = False) -> WordVectors:
    """Word vectors from any file or folder that seqlab reads, or the input vectors of a language-model run.

    Only a run whose model reads characters has to wait for torch.

    Args:
        path: a folder or file.
        mapped: leave the matrix of an embeddings folder in its file, which opens within milliseconds whatever its
            size; its numbers are then taken on trust.

    Raises:
        InputError: nothing there holds vectors, a file is damaged, or `mapped` is asked of anything but a folder of
            word vectors.
    """
    if kind_of(path) != "run":
        return load_vectors(path, mapped=mapped)
    if mapped:
        raise InputError(
            f"{path}: a language-model run cannot be left in its file; save its vectors to a folder first."
        )
    if not reads_characters(path):
        return read_run(path)
    from .run import Run

    run = Run.open(path)
    return vectors_of_model(run.load_model(), run.tokenizer)


def vectors_of_model(model: LanguageModel, tokenizer: Tokenizer) -> WordVectors:
    """The input vectors of the vocabulary's words, control tokens and white space left out."""
    return of_vocabulary(tokenizer, model.word_vectors().float().cpu().numpy())
