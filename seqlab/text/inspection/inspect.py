"""Tells a person what a text is like before anything is trained on it: figures, and what to mend."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

from ...base.errors import InputError
from ...base.progress import Progress
from ..ids.token_file import Corpus
from ..sources import corpora
from ..sources.plain_text import FileReport
from ..sources.readers import ReadReport, SourceFile, Sources, corpus_name, read_documents, resolve_sources
from ..tokenizers.bpe import train_bpe
from ..tokenizers.table import MIN_COUNT, bpe_vocab_size, choose_tokenizer, looks_tokenised
from ..tokenizers.vocab import EOS, unescape
from ..workers import Workers
from .findings import findings
from .survey import RUN, Survey, Wanted, chunks, parked, surveyor

ALONE_BELOW = 8 << 20
"""Bytes of text below which starting processes costs more than it saves."""
BPE_SAMPLE = 1 << 20
"""Characters from which the number of word pieces is estimated."""
SHOWN = 10


def inspect(
    sources: Sources,
    valid: Sources | None = None,
    test: Sources | None = None,
    field: str = "text",
    quiet: bool = False,
    workers: int = 2,
) -> dict[str, Any]:
    """Read texts once and report on them. Nothing is written; memory does not depend on their size.

    Args:
        sources: what `prepare` reads, but no prepared corpus. A named corpus brings its own valid and test.
        valid, test: texts to compare with the first: unknown words, and overlap.
        field: the field of a JSON Lines record that holds its text.

    Returns a dict that JSON can hold: chars, bytes (as UTF-8), words (between white space), lines, documents,
    tokens and types under the tokenizer `prepare` would choose (`tokenizer`), the same for every kind
    (`tokenizers`), files, frequent, rare, hapax_share, longest_line, duplicate_lines, characters, splits, and
    `findings`: plain sentences on what to mend. Shares are fractions. Invalid bytes are counted, not refused.
    `estimated` names the figures that are estimates because there is too much of something.

    Raises InputError for sources that do not exist, are empty, or are not what their name says.
    """
    given = {"train": sources, **_comparisons(sources, valid, test)}
    for source in given.values():
        _refuse_corpus(source)
    files = {name: resolve_sources(source) for name, source in given.items()}
    surveys, reports = {}, {}
    for name in list(given)[1:]:
        surveys[name], reports[name] = _survey(files[name], None, field, quiet, workers)
    wanted = Wanted.join([survey.wanted() for survey in surveys.values()])
    train, reports["train"] = _survey(files["train"], wanted, field, quiet, workers)
    listed = {name: _files(files[name], reports[name], field) for name in files}
    kind, reason = choose_tokenizer(train.sample(), train.characters)
    pieces, tokenised = Pieces.learn(train), looks_tokenised(train.sample())
    report = {
        "sources": [file.name for file in files["train"]],
        "tokenizer": kind,
        "reason": reason,
        **_figures(train, kind, pieces),
        "tokenised": tokenised,
        "files": listed["train"],
        **_words(train, tokenised),
        **_lines(train),
        "characters": _characters(train),
        "splits": {
            name: {
                **_figures(survey, kind, pieces),
                "files": listed[name],
                **_comparison(survey, train, wanted),
            }
            for name, survey in surveys.items()
        },
        "estimated": _estimated(train),
    }
    return {**report, "findings": findings(report)}


def _comparisons(sources: Sources, valid: Sources | None, test: Sources | None) -> dict[str, Sources]:
    """The texts to compare with: those given, else those that a named corpus has."""
    given: dict[str, Sources] = {}
    if name := corpus_name(sources):
        given |= {split: list(paths) for split, paths in corpora.splits(name).items() if split != "train"}
    return given | {split: source for split, source in (("valid", valid), ("test", test)) if source}


def _refuse_corpus(sources: Sources) -> None:
    for source in [sources] if isinstance(sources, str | Path) else sources:
        if Corpus.is_corpus(source):
            raise InputError(f"{source}: is a prepared corpus, not a text; see it with 'seqlab info {source}'.")


def _survey(
    files: list[SourceFile], wanted: Wanted | None, field: str, quiet: bool, workers: int
) -> tuple[Survey, ReadReport]:
    survey, report = Survey(wanted), ReadReport()
    size = sum(file.size for file in files)
    large = size > ALONE_BELOW or any(file.path is None for file in files)
    with (
        Progress("reading", size / 1e6 or None, "MB", quiet) as progress,
        tempfile.TemporaryDirectory(prefix="seqlab-") as folder,
        Workers(workers if large else 0, surveyor, wanted) as pool,
    ):
        blocks = read_documents(files, "replace", field, report)
        for figures in pool.map(parked(chunks(blocks), Path(folder))):
            survey.add(figures)
            progress.update(report.bytes_read / 1e6)
    if not survey.characters:
        raise InputError(f"{files[0].name}: the text is empty.")
    return survey, report


def _figures(survey: Survey, kind: str, pieces: Pieces) -> dict[str, Any]:
    kinds = _kinds(survey, pieces)
    return {
        "tokens": kinds[kind]["tokens"],
        "types": kinds[kind]["types"],
        "chars": survey.characters,
        "words": survey.words,
        "bytes": survey.bytes,
        "documents": survey.documents,
        "lines": survey.lines,
        "blank_lines": survey.blank_lines,
        "tokenizers": kinds,
    }


def _kinds(survey: Survey, pieces: Pieces) -> dict[str, dict[str, Any]]:
    """Tokens and types under each tokenizer, with every `<eos>` that `prepare` would add."""
    closing = survey.documents if survey.documents > 1 else 0
    bytes_used = {byte for code in survey.codes for byte in chr(code).encode("utf-8", "surrogatepass")}
    words, spaces = survey.types["word"], survey.types["whitespace"]
    return {
        "char": {"tokens": survey.characters + closing, "types": len(survey.codes)},
        "byte": {"tokens": survey.bytes + closing, "types": len(bytes_used)},
        "word": {"tokens": words.tokens + closing, "types": words.hashes.distinct},
        "whitespace": {"tokens": spaces.tokens, "types": spaces.hashes.distinct},
        "bpe": {"tokens": round(pieces.per_character * survey.characters) + closing, "types": pieces.types},
    }


class Pieces(NamedTuple):
    """What word pieces learned from a sample of the text amount to."""

    per_character: float
    types: int

    @classmethod
    def learn(cls, survey: Survey) -> Pieces:
        sample = survey.sample(BPE_SAMPLE)
        tokenizer = train_bpe([sample], bpe_vocab_size(survey.characters))
        return cls(len(tokenizer.segment(sample)[1]) / len(sample), len(tokenizer.learned))


def _files(files: list[SourceFile], report: ReadReport, field: str) -> list[dict[str, Any]]:
    return [_file(file, entry, field) for file, entry in zip(files, report.files, strict=True)]


def _file(file: SourceFile, entry: FileReport, field: str) -> dict[str, Any]:
    return {
        "name": entry.name,
        "bytes": entry.bytes_read,
        "compression": entry.compression,
        "encoding": entry.encoding,
        "byte_order_mark": entry.byte_order_mark,
        "carriage_returns": entry.carriage_returns,
        "invalid": entry.replaced,
        "first_invalid": _first_invalid(file, field) if entry.replaced and file.path else None,
    }


def _first_invalid(file: SourceFile, field: str) -> str | None:
    """Where a file's first invalid byte is, in the words of the reader that refuses it."""
    try:
        for _ in read_documents([file], "strict", field):
            pass
    except InputError as error:
        return str(error).removeprefix(f"{file.name}: ").partition(";")[0]
    return None


def _words(survey: Survey, tokenised: bool) -> dict[str, Any]:
    """Frequent and rare words: tokens with a letter or digit, of the tokenizer that suits the words."""
    types = survey.types["whitespace" if tokenised else "word"]
    words = [
        (unescape(word), count)
        for word, count in types.names.most_common()
        if word != EOS and any(map(str.isalnum, word))
    ]
    rare = [word for word, count in words if count == 1]
    return {
        "frequent": [{"word": word, "count": count} for word, count in words[:SHOWN]],
        "rare": rare[:: max(1, len(rare) // SHOWN)][:SHOWN],
        "hapax_share": types.once_share,
    }


def _lines(survey: Survey) -> dict[str, Any]:
    lines = survey.line_hashes
    filled = lines.total
    repeated = [(line, lines.count_of(line) or 0) for line in survey.repeated]
    repeated = sorted((item for item in repeated if item[1] > 1), key=lambda item: -item[1])
    return {
        "longest_line": {"chars": survey.longest[0], "line": survey.longest[1]},
        "duplicate_lines": {
            "share": 1 - len(lines.items()[0]) / filled if filled else 0.0,
            "most_repeated": [{"line": line[:200], "count": count} for line, count in repeated[:5]],
        },
    }


def _characters(survey: Survey) -> dict[str, Any]:
    """What the text holds besides letters, marks, digits, punctuation and ordinary white space."""
    odd: dict[str, dict[str, int]] = {"control": {}, "format": {}, "private": {}, "line_breaks": {}}
    spaceless, spaces = 0, survey.types["whitespace"].hashes
    for code, count in sorted(survey.codes.items()):
        character, name = chr(code), f"U+{code:04X}"
        category = unicodedata.category(character)
        if character in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
            odd["line_breaks"][name] = count
        elif category == "Cc" and character not in "\t\n":
            odd["control"][name] = count
        elif category == "Cf":
            odd["format"][name] = count
        elif category in ("Co", "Cn", "Cs"):
            odd["private"][name] = count
        elif 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0x20000 <= code <= 0x3134F:
            spaceless += count
    return {
        **odd,
        "replacement": survey.codes[0xFFFD],
        "upper_case": sum(count for code, count in survey.codes.items() if chr(code).isupper()),
        "spaceless": spaceless,
        "decomposed": survey.decomposed,
        "markup": survey.tags,
        "literal_unk": spaces.count_of("<unk>") or 0,
        "literal_eos": spaces.count_of("\\<eos>") or 0,
    }


def _comparison(survey: Survey, train: Survey, wanted: Wanted) -> dict[str, Any]:
    """How a text relates to the training text. None where there is nothing to compare."""
    characters = [chr(code) for code in sorted(survey.codes) if code not in train.codes]
    missing = sum(survey.codes[ord(character)] for character in characters)
    unknown = {
        kind: types.hashes.share_below(train.types[kind].hashes, MIN_COUNT[kind])
        for kind, types in survey.types.items()
    }
    return {
        "unknown": {**unknown, "char": missing / survey.characters},
        "unknown_characters": "".join(characters[:100]),
        "overlap": {
            "lines": survey.line_hashes.share_of(wanted.lines[train.found_lines]),
            "runs": survey.runs.share_of(wanted.runs[train.found_runs]),
            "run_words": RUN,
        },
    }


def _estimated(survey: Survey) -> list[str]:
    counted = {
        "types": survey.types["word"].hashes,
        "hapax_share": survey.types["word"].hashes,
        "duplicate_lines": survey.line_hashes,
    }
    return [name for name, hashes in counted.items() if hashes.step > 1] + ["tokenizers.bpe"]
