"""Small texts and settings of the tests of preparation."""

from __future__ import annotations

from pathlib import Path

from seqlab.config import TextConfig
from seqlab.text import TOKENIZERS

KINDS = sorted(TOKENIZERS)
WORDS = "the cat sat on the mat . <unk> a cat , the 日本 é"


def config(kind: str = "auto", **values: object) -> TextConfig:
    return TextConfig().updated({"tokenizer": kind, **values})


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path
