"""What a text is like before anything is trained on it: figures, oddities, what to mend."""

from __future__ import annotations

import tempfile
import unicodedata
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...base.storage.streams import read_once
from ...config import TextConfig
from ..ids.token_file import TokenFile, open_split
from ..preparation.lines import LineFeatures, is_list
from ..preparation.numbering import Numbering, SplitNumbering, worker_count
from ..preparation.prepare import read_spool
from ..preparation.spool import Spool
from ..scripts import spaceless
from ..sources.books import LOOKED_AT as WRAP_SAMPLE
from ..sources.books import NOTICE, wrap_width
from ..sources.plain_text import FileReport
from ..sources.readers import (
    ReadReport,
    SourceFile,
    Sources,
    check_field,
    check_one_stdin,
    read_documents,
    resolve_sources,
)
from ..sources.splits import splits_of
from ..tokenizers.bpe import train_bpe
from ..tokenizers.table import MIN_COUNT, TOKENIZERS, bpe_vocab_size, choose_tokenizer, looks_tokenised
from ..tokenizers.vocab import EOS, UNK, Vocab, escape, unescape
from ..workers import Workers
from .findings import findings
from .inspection import Inspection
from .look import Look, looker
from .repeats import RUN, Hashes, Repeats

BPE_SAMPLE = 1 << 17
"""Characters of each of the eight stretches of text from which the number of word pieces is estimated."""
SHOWN = 10
JOINED = (range(0x600, 0x1E00), range(0x1F000, 0x20000))
"""Scripts, from Arabic on, and pictures that spell words and families with joiners."""


def inspect(
    sources: Sources,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    field: str = "text",
    encoding: str | None = None,
    quiet: bool = False,
    workers: int | None = None,
) -> Inspection:
    """Report what a text is like, before training on it.

    The text is read and counted as `prepare` does it, in a temporary folder; memory depends on its vocabulary, not on
    its length. Invalid bytes are counted, not refused.

    Args:
        sources: what `prepare` reads, but no prepared corpus. A named corpus brings its own valid and test texts, and
            so does a folder whose files are called so.
        valid: a validation text to compare with the first: unknown words, and overlap.
        test: a test text to compare in the same way.
        field: the field of a JSON Lines record that holds its text.
        encoding: of files that are not UTF-8.
        quiet: no progress on stderr.
        workers: processes; by default as many as there are cores, none for a small text.

    Returns:
        The figures, and `findings`: plain sentences on what to mend.

    Raises:
        InputError: a source does not exist, is empty, or is not what its name says.
    """
    given, note = splits_of(sources, valid, test)
    if note:
        Progress("reading", quiet=quiet).note(note)
    files = {name: resolve_sources(source) for name, source in given.items()}
    check_one_stdin(files)
    check_field(files["train"], field)
    with read_once(), tempfile.TemporaryDirectory(prefix="seqlab-") as folder:
        config = TextConfig(errors="replace", field=field, encoding=encoding)
        return Inspection(_report(*_read(Path(folder), files, config, quiet, workers)))


@dataclass
class InspectedText:
    """One text, read and counted.

    counts: occurrences of every type under `word` and `whitespace`, whose types all texts share. tokens: its ids under
    `whitespace`. records: whether every document is a record of a table or of JSON Lines.
    """

    files: list[dict[str, Any]]
    spool: Spool
    look: Look
    counts: dict[str, np.ndarray]
    tokens: TokenFile
    records: bool


def _read(
    folder: Path, files: dict[str, list[SourceFile]], config: TextConfig, quiet: bool, workers: int | None
) -> tuple[dict[str, InspectedText], dict[str, list[str]]]:
    """All texts by name, `train` first, and their types by kind of tokenizer."""
    spools, reports = {}, {name: ReadReport() for name in files}
    for name, group in files.items():
        spools[name] = read_spool(folder / f"{name}.txt", group, config, reports[name], quiet)
    types, counts = {}, {}
    for kind in ("word", "whitespace"):
        numbering = Numbering(folder, {name: SplitNumbering(spool.chunks) for name, spool in spools.items()})
        numbering.segment(TOKENIZERS[kind](), kind == "whitespace", workers, quiet)
        types[kind] = list(numbering.types)
        counts[kind] = {name: split.counts_of(len(types[kind])) for name, split in numbering.splits.items()}
    blank = next((name for name, split in counts["word"].items() if not has_words(types["word"], split)), None)
    if blank:
        raise InputError(f"{files[blank][0].name}: the text contains only white space.")
    headers = numbering.write(folder, TOKENIZERS["whitespace"](Vocab(types["whitespace"])))
    texts = {
        name: InspectedText(
            [_file(file, entry, config) for file, entry in zip(group, reports[name].files, strict=True)],
            spools[name],
            _look(spools[name], quiet, workers),
            {kind: counts[kind][name] for kind in counts},
            open_split(folder, name, headers[name], len(types["whitespace"])),
            any(file.is_records for file in group),
        )
        for name, group in files.items()
    }
    return texts, types


def has_words(types: list[str], counts_V: np.ndarray) -> bool:
    """Whether a text has anything but white space."""
    return any(count and token.strip() and token != EOS for token, count in zip(types, counts_V.tolist(), strict=True))


def _look(spool: Spool, quiet: bool, workers: int | None) -> Look:
    look, done = Look(), 0
    with (
        Progress("looking at characters", spool.bytes / 1e6, "MB", quiet) as progress,
        Workers(worker_count(spool.bytes) if workers is None else workers, looker) as pool,
    ):
        for chunk, found in zip(spool.chunks, pool.map(spool.chunks), strict=True):
            look.add(found)
            done += chunk.size
            progress.update(done / 1e6)
    return look


def _file(file: SourceFile, entry: FileReport, config: TextConfig) -> dict[str, Any]:
    found = {name: getattr(entry, name) for name in ("compression", "encoding", "byte_order_mark", "line_ends", "note")}
    first = _first_invalid(file, config) if entry.replaced else None
    return {"name": entry.name, "bytes": entry.bytes_read, **found, "invalid": entry.replaced, "first_invalid": first}


def _first_invalid(file: SourceFile, config: TextConfig) -> str | None:
    """Where a file's first invalid byte is and what to do, in the words of the reader that refuses it."""
    try:
        for _ in read_documents([file], "strict", config.field, encoding=config.encoding):
            pass
    except InputError as error:
        return str(error).removeprefix(f"{file.name}: ").removesuffix(".")
    return None


def _report(texts: dict[str, InspectedText], types: dict[str, list[str]]) -> dict[str, Any]:
    train, sample = texts["train"], texts["train"].spool.sample()
    kind, reason = choose_tokenizer(sample, train.spool.characters)
    tokenised = looks_tokenised(sample)
    pieces = _pieces(train.spool)
    repeats = Repeats(len(types["whitespace"]), types["whitespace"].index(EOS))
    lines = {name: repeats.lines(text.tokens, text.look.lines) for name, text in texts.items()}
    splits = {}
    for name in [name for name in texts if name != "train"]:
        runs = repeats.runs(texts[name].tokens, len(texts[name].tokens))
        found = repeats.found((lines[name], runs), train.tokens)
        splits[name] = {
            **_figures(texts[name], kind, pieces, lines[name]),
            "files": texts[name].files,
            **_unknown(texts[name], train),
            "overlap": {"lines": lines[name].share_of(found[0]), "runs": runs.share_of(found[1]), "run_words": RUN},
        }
    best = "whitespace" if tokenised else "word"
    literal = dict(zip(types["whitespace"], train.counts["whitespace"].tolist(), strict=True))
    report = {
        "sources": [file["name"] for file in train.files],
        "tokenizer": kind,
        "reason": reason,
        **_figures(train, kind, pieces, lines["train"]),
        "tokenised": tokenised,
        **_form(train),
        "files": train.files,
        **_words(types[best], train.counts[best]),
        "longest_line": {"chars": train.look.longest[0], "line": train.look.longest[1]},
        "duplicate_lines": _duplicates(train.tokens, types["whitespace"], lines["train"]),
        "characters": {
            **_characters(train.look),
            "literal_unk": literal.get(UNK, 0),
            "literal_eos": literal.get(escape(EOS), 0),
        },
        "splits": splits,
        "estimated": ["duplicate_lines"] * (lines["train"].share < 1) + ["tokenizers.bpe"],
    }
    return {**report, "findings": findings(report)}


def _form(text: InspectedText) -> dict[str, Any]:
    """Whether a text has the notices of an e-book, at which width it is wrapped (0: not), and whether it is a list."""
    spool = text.spool
    ends = [spool.chunks[place].read() for place in sorted({0, len(spool.chunks) - 1})]
    return {
        "ebook_notice": any(NOTICE.search(text) for text in ends),
        "wrapped_at": wrap_width(ends[0][:WRAP_SAMPLE].split("\n")),
        "list": is_list(spool, text.records),
        "stamps": LineFeatures.of(ends[0][:WRAP_SAMPLE].split("\n")).stamps,
    }


def _pieces(spool: Spool) -> tuple[float, int]:
    """Word pieces a character, and different ones, as learned from a sample."""
    sample = spool.sample(characters=BPE_SAMPLE)
    tokenizer = train_bpe([sample], bpe_vocab_size(spool.characters))
    return len(tokenizer.segment(sample)[1]) / len(sample), len(tokenizer.learned)


def _figures(text: InspectedText, kind: str, pieces: tuple[float, int], lines: Hashes) -> dict[str, Any]:
    """Counts of a text; tokens and types under each tokenizer, with every `<eos>` that `prepare` would add."""
    characters, documents = text.spool.characters, text.spool.documents
    closing = documents if documents > 1 else 0
    bytes_used = {byte for code in text.look.codes for byte in chr(code).encode("utf-8")}
    used = {kind: int(np.count_nonzero(counts)) for kind, counts in text.counts.items()}
    kinds = {
        "char": {"tokens": characters + closing, "types": len(text.look.codes)},
        "byte": {"tokens": text.spool.bytes + closing, "types": len(bytes_used)},
        "word": {"tokens": int(text.counts["word"].sum()) + closing, "types": used["word"]},
        "whitespace": {"tokens": len(text.tokens), "types": used["whitespace"]},
        "bpe": {"tokens": round(pieces[0] * characters) + closing, "types": pieces[1]},
    }
    return {
        **kinds[kind],
        "chars": characters,
        "words": text.tokens.words,
        "bytes": text.spool.bytes,
        "documents": documents,
        "lines": text.look.lines,
        "blank_lines": text.look.lines - lines.total,
        "tokenizers": kinds,
    }


def _unknown(text: InspectedText, train: InspectedText) -> dict[str, Any]:
    """Shares of a text's tokens that the training text lacks, or has too rarely for its vocabulary."""
    codes = text.look.codes
    characters = [code for code in sorted(codes) if code not in train.look.codes]
    shares: dict[str, float | None] = {"char": sum(codes[code] for code in characters) / codes.total()}
    for kind, own in text.counts.items():
        shares[kind] = float(own[train.counts[kind] < MIN_COUNT[kind]].sum() / own.sum()) if own.any() else None
    return {"unknown": shares, "unknown_characters": "".join(map(chr, characters[:100]))}


def _words(types: list[str], counts: np.ndarray) -> dict[str, Any]:
    """Frequent and rare words: tokens with a letter or digit."""
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()
    words = ((types[place], int(counts[place])) for place in order)
    frequent = islice(((word, count) for word, count in words if word != EOS and _is_word(word)), SHOWN)
    rare = [types[place] for place in np.flatnonzero(counts == 1).tolist() if _is_word(types[place])]
    return {
        "frequent": [{"word": unescape(word), "count": count} for word, count in frequent],
        "rare": [unescape(word) for word in rare[:: max(1, len(rare) // SHOWN)][:SHOWN]],
        "hapax_share": float(np.count_nonzero(counts == 1) / len(order)),
    }


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))


def _duplicates(tokens: TokenFile, types: list[str], lines: Hashes) -> dict[str, Any]:
    """The share of the lines that repeat an earlier one, and the lines that occur most often."""
    repeated = []
    for place in np.lexsort((lines.places, -lines.counts))[:5].tolist():
        if lines.counts[place] > 1:
            start = int(lines.places[place])
            words = takewhile(lambda word: word != EOS, (types[id] for id in tokens[start : start + 200].tolist()))
            repeated.append({"line": " ".join(map(unescape, words))[:200], "count": int(lines.counts[place])})
    share = 1 - len(lines.values) / lines.counts.sum() if lines.total else 0.0
    return {"share": float(share), "most_repeated": repeated}


def _characters(look: Look) -> dict[str, Any]:
    """What the text holds besides letters, marks, digits, punctuation and ordinary white space."""
    odd: dict[str, dict[str, int]] = {"control": {}, "format": {}, "private": {}, "line_breaks": {}}
    joins = any(code in codes for code in look.codes for codes in JOINED)
    kinds = {"Cc": "control", "Cf": "format", "Co": "private", "Cn": "private", "Cs": "private"}
    for code, count in sorted(look.codes.items()):
        character, category = chr(code), unicodedata.category(chr(code))
        if character in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
            odd["line_breaks"][f"U+{code:04X}"] = count
        elif category in kinds and character not in "\t\n" and not (joins and character in "\u200c\u200d"):
            odd[kinds[category]][f"U+{code:04X}"] = count
    script, letters = spaceless({chr(code): count for code, count in look.codes.items()})
    return {
        **odd,
        "replacement": look.codes[0xFFFD],
        "upper_case": sum(count for code, count in look.codes.items() if chr(code).isupper()),
        "spaceless": letters,
        "spaceless_script": script,
        "decomposed": look.decomposed,
        "markup": look.tags,
    }
