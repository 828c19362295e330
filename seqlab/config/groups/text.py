"""Settings of how text becomes ids."""

from __future__ import annotations

from typing import Literal

from ..names import TokenizerName
from ..settings import Settings, knob


class TextConfig(Settings):
    """How text becomes ids."""

    tokenizer: TokenizerName = knob(
        "auto",
        "What a token is; auto chooses from the text.",
        tier="essential",
        usual="char below a few MB, bpe or word above; word or whitespace for word vectors",
        effect="Characters learn spelling first and need long windows; words read well but know no new word.",
    )
    vocab_size: int | None = knob(
        None,
        "Largest vocabulary. By default every type is kept (bpe: chosen from the size of the text).",
        tier="essential",
        usual="2,000 to 50,000",
        effect="Smaller trains faster; with words, rarer ones become <unk>.",
        ge=2,
        le=10**7,
    )
    min_count: int | None = knob(
        None,
        "Types seen less often in the training split become <unk> (word, whitespace, char). "
        "Default: 2 for word, else 1.",
        tier="essential",
        usual="1 to 5",
        effect="Higher gives a smaller vocabulary and more unknown words.",
        ge=1,
        le=10**12,
    )
    lowercase: bool = knob(
        False,
        "Convert the text to lower case first (word tokenizer only).",
        tier="recipe",
        usual="true for small texts where case does not matter",
        effect="Fewer types and more examples of each; generated text has no capitals.",
    )
    lines: Literal["auto", "yes", "no"] = knob(
        "auto",
        "One item a line (names, headlines, titles): lines are shuffled for every pass, each is read from its own "
        "beginning and ended by <eos>; auto recognises such lists.",
        tier="essential",
        usual="yes for lists, no for prose, verse, code and dialogue",
        effect="The model writes one item after another, each independent of the one before.",
    )
    valid_fraction: float = knob(
        0.1,
        "Share of the text set aside for validation when no validation text is given: its end, or of a list lines "
        "drawn at random.",
        tier="recipe",
        usual="0.005 to 0.1",
        effect="More makes validation steadier and leaves less to learn from.",
        ge=0,
        lt=1,
    )
    strip_ebook_header: bool = knob(
        False,
        "Leave out the header and the licence around an e-book of Project Gutenberg.",
        tier="recipe",
        usual="true for such books; `seqlab data inspect` tells",
        effect="The model does not learn to write licences.",
    )
    unwrap: bool = knob(
        False,
        "Join the lines of paragraphs that are wrapped at one width; verse and lists keep theirs.",
        tier="recipe",
        usual="true for books with hard line breaks; `seqlab data inspect` tells",
        effect="Line ends mean something again, and no word is spent on them.",
    )
    encoding: str | None = knob(
        None,
        "Encoding of files that are not UTF-8; those that are need none.",
        tier="recipe",
        usual="cp1252 (Western Europe, Windows), latin-1, cp1251, shift-jis, gb18030",
        effect="Old files are read as they were meant.",
    )
    errors: Literal["strict", "replace"] = knob(
        "strict",
        "Bytes that are not UTF-8: refuse them with file, line and offset, or replace them by U+FFFD and count them.",
        tier="internal",
        usual="replace for texts scanned or collected from the web",
        effect="replace reads damaged files instead of stopping.",
    )
    field: str = knob(
        "text",
        "Field of a JSON Lines record (message.content: one inside another), or column of a table (its name, or its "
        "number from 1), that holds the text.",
        tier="recipe",
        usual="text, title, headline, 2",
        effect="Another field or column of the same file is read.",
    )
