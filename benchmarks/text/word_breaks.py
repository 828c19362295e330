"""Words by seqlab's rules against the Unicode test file of word boundaries.

    python -m benchmarks.text.word_breaks WordBreakTest.txt --rows text/word-breaks

The file is https://www.unicode.org/Public/UCD/latest/ucd/auxiliary/WordBreakTest.txt. What seqlab decides otherwise on
purpose (see `seqlab.text.tokenizers.boundaries`) is first applied to what the file expects.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from uniseg.wordbreak import WordBreak, word_break

from benchmarks import rows
from seqlab.text.tokenizers.boundaries import RULES, word_finder

LETTERS = {WordBreak.ALETTER, WordBreak.HEBREW_LETTER}
JOINED = LETTERS | {WordBreak.NUMERIC, WordBreak.EXTENDNUMLET}
TRANSPARENT = {WordBreak.EXTEND, WordBreak.FORMAT, WordBreak.ZWJ}


def tailored(words: Iterable[str]) -> list[str]:
    """The annex's words with seqlab's choices made on top: hyphens and apostrophes join, a full stop between letters
    separates, white space is dropped. Scripts that need a dictionary are left as they are."""
    words = list(words)
    text, cuts, place = "".join(words), set[int](), 0
    for word in words:
        place += len(word)
        cuts.add(place)
    classes = [word_break(c) for c in text]
    for place, character in enumerate(text):
        before = next((c for c in reversed(classes[:place]) if c not in TRANSPARENT), None)
        end = next((p for p in range(place + 1, len(text)) if classes[p] not in TRANSPARENT), len(text))
        after = classes[end] if end < len(text) else None
        if character in "-‐‑'’" and before in JOINED and after in JOINED:
            cuts -= {place, end}
        if character == "." and before in LETTERS and after in LETTERS:
            cuts |= {place, end}
    ends = sorted(cuts)
    pieces = (text[a:b] for a, b in zip([0, *ends], ends, strict=False))
    return [kept for piece in pieces if (kept := "".join(c for c in piece if not c.isspace()))]


def cases(path: Path) -> Iterator[list[str]]:
    """The words of every line of the file: ÷ parts, × joins."""
    for line in path.read_text("utf-8").splitlines():
        if case := line.partition("#")[0].strip(" \t÷"):
            yield ["".join(chr(int(code, 16)) for code in word.split("×")) for word in case.split("÷")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    rows.add_option(parser)
    options = parser.parse_args()
    words_of, found = word_finder(RULES), Counter[str]()
    for expected in cases(options.file):
        words = words_of("".join(expected))
        found["equal to the annex"] += words == [word for word in expected if not word.isspace()]
        found["equal with seqlab's choices"] += words == tailored(expected)
        found["cases"] += 1
        if words != tailored(expected):
            print(ascii(expected), ascii(tailored(expected)), ascii(words))
    print(dict(found))
    rows.record(
        options.rows,
        {
            "words of the Unicode test file": {
                "equal with seqlab's choices": found["equal with seqlab's choices"],
                "cases": found["cases"],
                "equal to the annex as it stands": found["equal to the annex"],
            }
        },
        note="choices: hyphens and apostrophes join, a full stop between letters separates, white space is dropped",
        argv="python -m benchmarks.text.word_breaks WordBreakTest.txt --rows text/word-breaks",
    )


if __name__ == "__main__":
    main()
