"""A text becomes ids with a tokenizer that exists already: what evaluating a model on a new text needs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ...base.errors import InputError
from ...config import TextConfig
from ..ids.token_file import TokenFile, open_split
from ..sources.readers import ReadReport, Sources, resolve_sources
from ..tokenizers.base import Tokenizer
from .lines import separate
from .numbering import Numbering, SplitNumbering
from .prepare import read_spool


def tokenize(
    sources: Sources,
    tokenizer: Tokenizer,
    config: TextConfig | None = None,
    quiet: bool = True,
    spelt: bool = False,
) -> TokenFile:
    """Encode a text with a tokenizer that exists already, such as a model's, and keep the ids in memory.

    Every document is closed by `<eos>` where the tokenizer has one.

    Args:
        sources: anything `prepare` reads.
        tokenizer: a tokenizer with a vocabulary.
        config: how to read: `errors`, `field`, and whether every line is a document (`lines` = "yes").
        quiet: no progress on stderr.
        spelt: also tell apart the words that the vocabulary lacks (`TokenFile.spelt`), for a model that reads
            characters.

    Raises:
        InputError: as `read_documents`, or the text is empty.
    """
    files = resolve_sources(sources)
    with tempfile.TemporaryDirectory(prefix="seqlab-") as name:
        folder = Path(name)
        config = config or TextConfig()
        spool = read_spool(folder / "text.txt", files, config, ReadReport(), quiet)
        lines = config.lines == "yes"
        if lines:
            spool = separate(spool, folder, "text", 0.0, any(file.is_records for file in files)).train
        numbering = Numbering(folder, {"text": SplitNumbering(spool.chunks)})
        numbering.segment(tokenizer, tokenizer.eos_id is not None, quiet=quiet)
        headers = numbering.write(folder, tokenizer)
        if not headers:
            raise InputError(f"{files[0].name}: the text contains only white space.")
        stored = open_split(folder, "text", headers["text"], len(tokenizer.vocab), lines)
        tokens = TokenFile([np.array(stored[:])], stored.documents, stored.counts)
        tokens.lines = lines
        if spelt:
            known = stored.with_spelling(tokenizer)
            tokens.spelt, tokens.extra_words = None if known.spelt is None else known.spelt[:], known.extra_words
        return tokens
