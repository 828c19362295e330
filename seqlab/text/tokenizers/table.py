"""The table of tokenizers, and the choice among them for a text."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...base.contents.forms import check_form
from ...base.errors import InputError
from ...base.files import read_json
from ..scripts import script_of, segmented
from .base import FORMAT, Tokenizer
from .bpe import BpeTokenizer
from .characters import ByteTokenizer, CharTokenizer
from .vocab import Vocab
from .words import WhitespaceTokenizer, WordTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    kind.kind: kind for kind in (CharTokenizer, ByteTokenizer, WordTokenizer, WhitespaceTokenizer, BpeTokenizer)
}

SMALL_TEXT = 3_000_000
"""Characters below which a language model learns more from characters than from sub-words."""
WORDS_FROM, WORDS_BELOW = 2_000_000, 10_000_000
"""Characters of prose between which a language model reads best by words: it invents none, and at equal time predicts
nearly as well as by sub-words (benchmarks/LOG.md, 'Tokenizers')."""
FEWEST_WORDS = 0.5
"""Share of letters-only words among the word tokens of prose; source code has 0.4."""
MOST_RARE = 0.15
"""Share of tokens that occur once in 130,000 characters: English has 0.1, languages of many word forms twice that."""
MIN_COUNT = {"word": 2, "whitespace": 1, "char": 1}
"""Default `min_count` of a language model's vocabulary."""

FORM = {"seqlab": (int, str), "kind": str, "options": dict, "vocab": [str], "counts": [int], "digest": str}
"""What tokenizer.json holds."""
MOST_COUNTED = 1 << 53
"""Tokens that counts may amount to: more than any text has, and exact in float64."""

_SPACED = re.compile(r"(?<=\s)[,.](?=\s)")
_ENDING = re.compile(r"[,.](?=\s)")


def looks_tokenised(sample: str) -> bool:
    """Whether a text is tokenised already: it holds `<unk>`, or spaces before nearly every comma and stop, or between
    the words of a script that has none there."""
    words = sample.split()
    if words.count("<unk>") > 1e-4 * len(words):
        return True
    marks = len(_ENDING.findall(sample))
    return (marks >= 20 and len(_SPACED.findall(sample)) > 0.9 * marks) or bool(segmented(sample))


def reads_as_words(sample: str) -> bool:
    """Whether a text consists of words that come back: prose of a language that spaces them and inflects little."""
    if script_of(sample)[0]:
        return False
    types, indices = WordTokenizer().segment(sample)
    counts = np.bincount(indices, minlength=len(types))
    words = sum(count for word, count in zip(types, counts.tolist(), strict=True) if word.isalpha())
    once = int(np.count_nonzero(counts == 1))
    return len(indices) > 0 and words >= FEWEST_WORDS * len(indices) and once <= MOST_RARE * len(indices)


def choose_tokenizer(sample: str, characters: int, for_words: bool = False) -> tuple[str, str]:
    """The kind of tokenizer that suits a text, and why in a few words.

    Args:
        sample: some 100,000 characters of the text.
        characters: length of the whole text.
        for_words: the ids are for word vectors, so that characters and word pieces are out of the question.
    """
    if script := segmented(sample):
        return "whitespace", f"spaces part the words of this {script} text already, which was segmented beforehand"
    if looks_tokenised(sample):
        return "whitespace", "the text looks tokenised already"
    if for_words:
        script = script_of(sample)[0]
        unspaced = (
            f", but {script} has no spaces between them, so that characters or phrases get vectors; "
            "let a word segmenter put spaces between words first"
        )
        return "word", "word vectors need words" + (unspaced if script else "")
    if WORDS_FROM <= characters < WORDS_BELOW and reads_as_words(sample):
        return "word", f"{characters:,} characters of prose are enough to learn words from, and few enough to know most"
    if characters < SMALL_TEXT:
        return "char", f"{characters:,} characters are too few to learn words from"
    return "bpe", f"{characters:,} characters are enough for word pieces"


def bpe_vocab_size(characters: int) -> int:
    """Default number of word pieces for a text of that length: 4,096 to 16,384."""
    return 4096 if characters < 10_000_000 else 8192 if characters < 100_000_000 else 16384


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Load the tokenizer that `Tokenizer.save` wrote.

    Args:
        path: a tokenizer.json.

    Raises:
        InputError: the file is missing, damaged, edited, or of another version.
    """
    values = read_json(path)
    check_form(path, values, FORM)
    try:
        if values["seqlab"] != FORMAT:
            raise InputError(f"is of format {values['seqlab']!r}, not {FORMAT}; it needs another version of seqlab.")
        vocab = Vocab(values["vocab"], values["counts"])
        if len(vocab) and not 0 <= vocab.counts.min() <= vocab.counts.max() <= MOST_COUNTED // len(vocab):
            raise ValueError("its counts are not those of a text")
        tokenizer = TOKENIZERS[values["kind"]].from_options(vocab, values["options"])
        tokenizer.check()
        intact = tokenizer.digest == values["digest"]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: not a seqlab tokenizer ({reason}); the file is damaged.") from None
    if not intact:
        raise InputError(f"{path}: its content differs from its digest; the file is damaged or was edited.")
    return tokenizer
