"""Word vectors from whatever holds some: a folder, a file of another program, a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .base.errors import InputError
from .base.kinds import kind_of
from .embeddings import WordVectors, load_vectors
from .embeddings.folder import Verify
from .embeddings.formats.run import of_vocabulary, read_run, reads_characters, reads_pieces

if TYPE_CHECKING:
    from .models import LanguageModel
    from .text import Tokenizer


def open_vectors(path: str | Path, *, mapped: bool = False, verify: Verify | None = None) -> WordVectors:
    """Word vectors from any file or folder that seqlab reads, or the input vectors of a language-model run.

    Only a run whose model reads characters or word pieces has to wait for torch.

    Args:
        path: a folder or file.
        mapped: leave the matrix of an embeddings folder in its file, which opens within milliseconds whatever its
            size, once it was verified.
        verify: how an embeddings folder is verified, as of `WordVectors.load`.

    Raises:
        InputError: nothing there holds vectors, a file is damaged, or `mapped` is asked of anything but a folder of
            word vectors.
    """
    if kind_of(path) != "run":
        return load_vectors(path, mapped=mapped, verify=verify)
    if mapped:
        raise InputError(
            f"{path}: a language-model run cannot be left in its file; save its vectors to a folder first."
        )
    if not (reads_characters(path) or reads_pieces(path)):
        return read_run(path)
    from .run import Run

    run = Run.open(path)
    return vectors_of_model(run.load_model(), run.tokenizer)


WHOLE = 0.5
"""Probability of the end of a word from which a piece counts as a whole one."""


def vectors_of_model(model: LanguageModel, tokenizer: Tokenizer) -> WordVectors:
    """The input vectors of the vocabulary's words, control tokens and white space left out.

    Of word pieces those that stand for whole words are taken, under the word's own spelling.
    """
    matrix_VD = model.word_vectors().float().cpu().numpy()
    if tokenizer.kind != "bpe":
        return of_vocabulary(tokenizer, matrix_VD)
    words = whole_words(model, tokenizer)
    rows = np.fromiter(words.values(), np.int64)
    return WordVectors(list(words), matrix_VD[rows], tokenizer.vocab.counts[rows])


def whole_words(model: LanguageModel, tokenizer: Tokenizer) -> dict[str, int]:
    """Word -> id of the pieces that are whole words, most frequent first: they begin behind a space, hold letters, and
    the model expects the word to end behind them. Punctuation marks are words of their own."""
    import torch

    texts = [tokenizer.decode([id]) for id in range(len(tokenizer.vocab))]
    ends_V = torch.tensor([not text[:1].isalnum() for text in texts])
    marks = [id for id, text in enumerate(texts) if text and not any(map(str.isalnum, text)) and "\ufffd" not in text]
    seen = tokenizer.vocab.counts > 0  # pieces that only ever became longer ones were never trained
    begun = [id for id, text in enumerate(texts) if text[:1] == " " and text[1:].isalnum() and seen[id]]
    if not begun:
        return {}
    whole: list[bool] = []
    with torch.inference_mode():
        for start in range(0, len(begun), 256):
            pieces_B = torch.tensor(begun[start : start + 256], device=model.device)
            start_B = torch.full_like(pieces_B, tokenizer.start_id)
            logits_BV, _ = model.prefill(torch.stack([start_B, pieces_B], 1), model.init_state(len(pieces_B)))
            end_B = logits_BV.float().softmax(-1).cpu() @ ends_V.float()
            whole += (end_B >= WHOLE).tolist()
    found = {texts[id][1:]: id for id, is_whole in zip(begun, whole, strict=True) if is_whole}
    found |= {text: id for id in marks if (text := texts[id].strip())}
    return dict(sorted(found.items(), key=lambda pair: pair[1]))
