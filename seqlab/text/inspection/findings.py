"""What to mend in an inspected text, and which flags suit it: plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...base.errors import option
from ...base.printing import printable

SMALL = 20_000
"""Characters below which a model learns little more than to repeat."""
DUPLICATE_LINES = 0.3
MANY_DUPLICATES = 0.5
UNKNOWN_WORDS = 0.05
OVERLAP = 0.1
MARKUP = 0.005
"""Tags and entities per word."""
SPACELESS = 0.2
"""Share of characters from scripts that put no spaces between words."""
LONG_WORDS = 30
"""Mean characters a word, spaces included, that no language has."""
STAMPED = 0.3
"""Share of lines with a date or a time in front."""
NUL_SHARE = 0.2
SAMPLE = 5

Report = dict[str, Any]


def findings(report: Report) -> list[str]:
    """Judge the figures of an inspection: sentences on what to mend, the gravest first, and which tokenizer suits."""
    return [sentence for check in CHECKS for sentence in check(report)]


def _encoding(report: Report) -> Iterator[str]:
    files = _all_files(report)
    if damaged := [file for file in files if file["invalid"]]:
        first, more = damaged[0], len(damaged) - 1
        where = f", the first: {first['first_invalid']}" if first["first_invalid"] else ""
        others = f" ({_many(more, 'more file')} likewise)" if more else ""
        yield f"{printable(first['name'])}: {_many(first['invalid'], 'invalid byte sequence')}{others}{where}."
    for file in files:
        if file["byte_order_mark"] and file["encoding"] != "utf-8":
            yield f"{printable(file['name'])}: is {file['encoding'].upper()} by its byte order mark and read as such."
        if file["note"]:
            yield f"{printable(file['note'])}."


def _control_characters(report: Report) -> Iterator[str]:
    characters = report["characters"]
    control = dict(characters["control"])
    nuls = control.pop("U+0000", 0)
    if nuls > NUL_SHARE * report["chars"]:
        yield (
            f"{nuls / report['chars']:.0%} of the characters are NUL: this is binary data, or UTF-16 without "
            "a byte order mark; convert it to UTF-8."
        )
    elif nuls:
        yield f"The text contains {_many(nuls, 'NUL character')}; remove them."
    if "U+001B" in control:
        yield (
            f"The text contains {_many(control.pop('U+001B'), 'escape character')} (U+001B), as terminal "
            "colours have; remove them, or a model will learn to print them."
        )
    if control:
        yield f"The text contains control characters: {_listed(control)}; remove them, or a model prints them."
    if characters["format"]:
        yield f"The text contains invisible characters: {_listed(characters['format'])}; are they meant?"
    if characters["line_breaks"]:
        yield (
            f"The text contains line breaks other than LF and CR: {_listed(characters['line_breaks'])}; "
            "they are kept as characters and end no line."
        )
    if characters["private"]:
        yield f"The text contains private or unassigned code points: {_listed(characters['private'])}."


def _damage(report: Report) -> Iterator[str]:
    characters = report["characters"]
    genuine = characters["replacement"] - sum(file["invalid"] for file in report["files"])
    if genuine > 0:
        yield (
            f"The text contains {_many(genuine, 'replacement character')} (U+FFFD): it was decoded wrongly "
            "before; fetch the original."
        )
    if characters["decomposed"]:
        yield (
            "Some accented letters are written as letter and accent (not Unicode NFC); normalise the text to "
            "NFC, or one word may count as two."
        )
    if characters["markup"] > MARKUP * report["words"]:
        yield f"The text contains {characters['markup']:,} HTML or XML tags or entities; strip the markup."


def _controls(report: Report) -> Iterator[str]:
    literal = report["characters"]["literal_eos"]
    if literal:
        yield f"The text contains {literal:,} literal <eos>; it stays ordinary text and ends nothing."
    literal = report["characters"]["literal_unk"]
    if literal and not report["tokenised"]:
        only = option("tokenizer", "whitespace")
        yield f"The text contains {literal:,} literal <unk>; only {only} reads it as unknown."


def _duplicates(report: Report) -> Iterator[str]:
    share, most = report["duplicate_lines"]["share"], report["duplicate_lines"]["most_repeated"]
    if share < DUPLICATE_LINES:
        return
    example = f", most often {_quoted(most[0]['line'])} ({_times(most[0]['count'])})" if most else ""
    cure = "; remove the copies, or training and validation text overlap" if share > MANY_DUPLICATES else ""
    yield f"{share:.0%} of the lines that are not blank repeat an earlier line{example}{cure}."


def _size(report: Report) -> Iterator[str]:
    if report["chars"] < SMALL:
        yield (
            f"{report['chars']:,} characters are very little: a model will memorise them; "
            "a million characters make a good start."
        )


def _vocabulary(report: Report) -> Iterator[str]:
    length = report["chars"] / max(1, report["words"])
    if report["characters"]["spaceless"] > SPACELESS * report["chars"] and not report["tokenised"]:
        script = report["characters"]["spaceless_script"]
        yield (
            f"Much of the text is in a script without spaces between words, {script}: use "
            f"{option('tokenizer', 'char')} or bpe; for words, let a word segmenter put spaces between them first."
        )
    elif length > LONG_WORDS:
        yield f"Words are {length:,.0f} characters long on average: is this text, or something encoded?"
    elif report["hapax_share"] > 0.6 and report["words"] > 50_000:
        yield (
            f"{report['hapax_share']:.0%} of the different words occur only once: for words use "
            f"{option('min_count')} 2 to 5, or take {option('tokenizer', 'bpe')}."
        )


def _splits(report: Report) -> Iterator[str]:
    for name, split in report["splits"].items():
        kind = "whitespace" if report["tokenised"] else "word"
        unknown = split["unknown"][kind]
        if unknown and unknown > UNKNOWN_WORDS:
            yield (
                f"{name}: {unknown:.1%} of the {kind} tokens are unknown to the training text's vocabulary; "
                f"use {option('tokenizer', 'bpe')} or char, or give more training text."
            )
        if split["unknown_characters"]:
            yield (
                f"{name}: contains {_many(len(split['unknown_characters']), 'character')} that the training "
                f"text lacks: {_quoted(split['unknown_characters'][:20])}."
            )
        overlap = split["overlap"]["runs"]
        if overlap and overlap > OVERLAP:
            yield (
                f"{name}: {overlap:.0%} of its runs of {split['overlap']['run_words']} words occur in the "
                "training text too, so it tests memory; split by document, or remove the copies."
            )


def _form(report: Report) -> Iterator[str]:
    if report["ebook_notice"]:
        yield (
            "The text contains the header and the licence of a Project Gutenberg e-book; "
            f"{option('strip_ebook_header', True)} leaves them out."
        )
    if report["wrapped_at"]:
        yield (
            f"Lines are wrapped at about {report['wrapped_at']} characters, so a model learns where they end; "
            f"{option('unwrap', True)} makes one line of every paragraph."
        )
    if report["stamps"] > STAMPED:
        yield (
            f"{report['stamps']:.0%} of the lines begin with a date or a time, as in a chat or a log: a model learns "
            "to write those too; take them out where only what is said matters."
        )
    if report["list"]:
        yield (
            f"The text is a list of one item a line: its lines are shuffled and read each from its own beginning "
            f"({option('lines', 'no')} reads them as one text)."
        )


def _advice(report: Report) -> Iterator[str]:
    yield f"{option('tokenizer', report['tokenizer'])} suits the text and is what seqlab chooses: {report['reason']}."


CHECKS: tuple[Callable[[Report], Iterator[str]], ...] = (
    _encoding,
    _control_characters,
    _damage,
    _duplicates,
    _splits,
    _controls,
    _size,
    _vocabulary,
    _form,
    _advice,
)


def _all_files(report: Report) -> list[dict[str, Any]]:
    return report["files"] + [file for split in report["splits"].values() for file in split["files"]]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _listed(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])
    rest = f" and {len(most) - SAMPLE} more kinds" if len(most) > SAMPLE else ""
    return ", ".join(f"{name} ({_times(count)})" for name, count in most[:SAMPLE]) + rest


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _quoted(text: str) -> str:
    return f"'{printable(text if len(text) <= 60 else text[:57] + '...')}'"
