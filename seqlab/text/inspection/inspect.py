"""What a text is like before anything is trained on it: figures, oddities, what to mend."""

from __future__ import annotations

import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...config import TextConfig
from ..ids.token_file import TokenFile, open_split
from ..preparation.numbering import Numbering, SplitNumbering, worker_count
from ..preparation.prepare import read_spool
from ..preparation.spool import Spool
from ..sources import corpora
from ..sources.plain_text import FileReport
from ..sources.readers import ReadReport, SourceFile, Sources, corpus_name, read_documents, resolve_sources
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


def inspect(
    sources: Sources,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    field: str = "text",
    quiet: bool = False,
    workers: int | None = None,
) -> Inspection:
    """Report what a text is like, before training on it.

    The text is read and counted as `prepare` does it, in a temporary folder; memory depends on its vocabulary, not on
    its length. Invalid bytes are counted, not refused.

    Args:
        sources: what `prepare` reads, but no prepared corpus. A named corpus brings its own valid and test texts.
        valid: a validation text to compare with the first: unknown words, and overlap.
        test: a test text to compare in the same way.
        field: the field of a JSON Lines record that holds its text.
        quiet: no progress on stderr.
        workers: processes; by default as many as there are cores, none for a small text.

    Returns:
        The figures, and `findings`: plain sentences on what to mend.

    Raises:
        InputError: a source does not exist, is empty, or is not what its name says.
    """
    given = {"train": sources, **_comparisons(sources, valid, test)}
    files = {name: resolve_sources(source) for name, source in given.items()}
    with tempfile.TemporaryDirectory(prefix="seqlab-") as folder:
        texts = _read(Path(folder), files, field, quiet, workers)
        return Inspection(_report(texts))


def _comparisons(sources: Sources, valid: Sources | None, test: Sources | None) -> dict[str, Sources]:
    """The texts to compare with: those requested, else those that a named corpus has."""
    given: dict[str, Sources] = {}
    if name := corpus_name(sources):
        given |= {split: list(paths) for split, paths in corpora.splits(name).items() if split != "train"}
    return given | {split: source for split, source in (("valid", valid), ("test", test)) if source}


@dataclass
class InspectedText:
    """One text, read and counted.

    words, spaces: its tokens under the tokenizers `word` and `whitespace`, counted; their types are shared by all
    texts. tokens: the ids under `whitespace`.
    """

    files: list[dict[str, Any]]
    spool: Spool
    look: Look
    words: SplitNumbering
    spaces: SplitNumbering
    tokens: TokenFile


@dataclass
class InspectedTexts:
    """All texts of an inspection by name, `train` first, and the types they share under each tokenizer of words."""

    texts: dict[str, InspectedText]
    types: dict[str, list[str]]

    def counts(self, name: str, kind: str) -> np.ndarray:
        """Occurrences in a text of every type under the tokenizer `kind`."""
        text = self.texts[name]
        return (text.words if kind == "word" else text.spaces).counts_of(len(self.types[kind]))


def _read(
    folder: Path, files: dict[str, list[SourceFile]], field: str, quiet: bool, workers: int | None
) -> InspectedTexts:
    config = TextConfig(errors="replace", field=field)
    spools, listed, looks = {}, {}, {}
    for name, group in files.items():
        report = ReadReport()
        spools[name] = read_spool(folder / f"{name}.txt", group, config, report, quiet)
        listed[name] = [_file(file, entry, field) for file, entry in zip(group, report.files, strict=True)]
        looks[name] = _look(spools[name], quiet, workers)
    numberings = {}
    for kind in ("word", "whitespace"):
        numberings[kind] = Numbering(folder, {name: SplitNumbering(spool.chunks) for name, spool in spools.items()})
        numberings[kind].segment(TOKENIZERS[kind](), kind == "whitespace", workers, quiet)
    types = {kind: list(numbering.types) for kind, numbering in numberings.items()}
    spaces = numberings["whitespace"]
    headers = spaces.write(folder, TOKENIZERS["whitespace"](Vocab(types["whitespace"])))
    return InspectedTexts(
        {
            name: InspectedText(
                listed[name],
                spools[name],
                looks[name],
                numberings["word"].splits[name],
                spaces.splits[name],
                open_split(folder, name, headers[name]),
            )
            for name in files
        },
        types,
    )


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


def _file(file: SourceFile, entry: FileReport, field: str) -> dict[str, Any]:
    return {
        "name": entry.name,
        "bytes": entry.bytes_read,
        "compression": entry.compression,
        "encoding": entry.encoding,
        "byte_order_mark": entry.byte_order_mark,
        "carriage_returns": entry.carriage_returns,
        "invalid": entry.replaced,
        "first_invalid": _first_invalid(file, field) if entry.replaced and not file.is_stream else None,
    }


def _first_invalid(file: SourceFile, field: str) -> str | None:
    """Where a file's first invalid byte is, in the words of the reader that refuses it."""
    try:
        for _ in read_documents([file], "strict", field):
            pass
    except InputError as error:
        return str(error).removeprefix(f"{file.name}: ").partition(";")[0]
    return None


def _report(texts: InspectedTexts) -> dict[str, Any]:
    train = texts.texts["train"]
    sample = train.spool.sample()
    kind, reason = choose_tokenizer(sample, train.spool.characters)
    tokenised = looks_tokenised(sample)
    pieces = _pieces(train.spool)
    repeats = Repeats(len(texts.types["whitespace"]), texts.types["whitespace"].index(EOS))
    lines = {name: repeats.lines(text.tokens, text.look.lines) for name, text in texts.texts.items()}
    splits = {}
    for name in [name for name in texts.texts if name != "train"]:
        runs = repeats.runs(texts.texts[name].tokens, len(texts.texts[name].tokens))
        found = repeats.found((lines[name], runs), train.tokens)
        overlap = {"lines": lines[name].share_of(found[0]), "runs": runs.share_of(found[1]), "run_words": RUN}
        splits[name] = {
            **_figures(texts, name, kind, pieces, lines[name]),
            "files": texts.texts[name].files,
            **_unknown(texts, name),
            "overlap": overlap,
        }
    report = {
        "sources": [file["name"] for file in train.files],
        "tokenizer": kind,
        "reason": reason,
        **_figures(texts, "train", kind, pieces, lines["train"]),
        "tokenised": tokenised,
        "files": train.files,
        **_words(texts, "whitespace" if tokenised else "word"),
        "longest_line": {"chars": train.look.longest[0], "line": train.look.longest[1]},
        "duplicate_lines": _duplicates(texts, lines["train"]),
        "characters": _characters(texts),
        "splits": splits,
        "estimated": ["duplicate_lines"] * (lines["train"].share < 1) + ["tokenizers.bpe"],
    }
    return {**report, "findings": findings(report)}


def _pieces(spool: Spool) -> tuple[float, int]:
    """Word pieces a character, and different ones, as learned from a sample."""
    sample = spool.sample(characters=BPE_SAMPLE)
    tokenizer = train_bpe([sample], bpe_vocab_size(spool.characters))
    return len(tokenizer.segment(sample)[1]) / len(sample), len(tokenizer.learned)


def _figures(texts: InspectedTexts, name: str, kind: str, pieces: tuple[float, int], lines: Hashes) -> dict[str, Any]:
    """Counts of a text; tokens and types under each tokenizer, with every `<eos>` that `prepare` would add."""
    text, counts = texts.texts[name], {kind: texts.counts(name, kind) for kind in texts.types}
    characters, documents = text.spool.characters, text.spool.documents
    closing = documents if documents > 1 else 0
    bytes_used = {byte for code in text.look.codes for byte in chr(code).encode("utf-8")}
    kinds = {
        "char": {"tokens": characters + closing, "types": len(text.look.codes)},
        "byte": {"tokens": text.spool.bytes + closing, "types": len(bytes_used)},
        "word": {"tokens": text.words.tokens + closing, "types": int(np.count_nonzero(counts["word"]))},
        "whitespace": {"tokens": text.spaces.tokens, "types": int(np.count_nonzero(counts["whitespace"]))},
        "bpe": {"tokens": round(pieces[0] * characters) + closing, "types": pieces[1]},
    }
    return {
        **kinds[kind],
        "chars": characters,
        "words": text.spaces.words,
        "bytes": text.spool.bytes,
        "documents": documents,
        "lines": text.look.lines,
        "blank_lines": text.look.lines - lines.total,
        "tokenizers": kinds,
    }


def _unknown(texts: InspectedTexts, name: str) -> dict[str, Any]:
    """Shares of a text's tokens that the training text lacks, or has too rarely for its vocabulary."""
    codes, known = texts.texts[name].look.codes, texts.texts["train"].look.codes
    characters = [code for code in sorted(codes) if code not in known]
    shares: dict[str, float | None] = {}
    for kind in texts.types:
        own, train = texts.counts(name, kind), texts.counts("train", kind)
        shares[kind] = float(own[train < MIN_COUNT[kind]].sum() / own.sum()) if own.any() else None
    shares["char"] = sum(codes[code] for code in characters) / codes.total()
    return {"unknown": shares, "unknown_characters": "".join(map(chr, characters[:100]))}


def _words(texts: InspectedTexts, kind: str) -> dict[str, Any]:
    """Frequent and rare words: tokens with a letter or digit, of the tokenizer that suits the words."""
    types, counts = texts.types[kind], texts.counts("train", kind)
    once = np.flatnonzero(counts == 1)
    frequent: list[dict[str, Any]] = []
    for place in np.argsort(-counts, kind="stable").tolist():
        if len(frequent) == SHOWN or not counts[place]:
            break
        if types[place] != EOS and any(map(str.isalnum, types[place])):
            frequent.append({"word": unescape(types[place]), "count": int(counts[place])})
    words = [types[place] for place in once.tolist() if any(map(str.isalnum, types[place]))]
    rare = [unescape(word) for word in words[:: max(1, len(words) // SHOWN)][:SHOWN]]
    return {
        "frequent": frequent,
        "rare": rare,
        "hapax_share": len(once) / max(1, int(np.count_nonzero(counts))),
    }


def _duplicates(texts: InspectedTexts, lines: Hashes) -> dict[str, Any]:
    """The share of the lines that repeat an earlier one, and the lines that occur most often."""
    tokens, types = texts.texts["train"].tokens, texts.types["whitespace"]
    repeated = []
    for place in np.lexsort((lines.places, -lines.counts))[:5].tolist():
        if lines.counts[place] > 1:
            start = int(lines.places[place])
            words = [types[id] for id in tokens[start : start + 200].tolist()]
            words = [unescape(word) for word in words[: words.index(EOS) if EOS in words else None]]
            repeated.append({"line": " ".join(words)[:200], "count": int(lines.counts[place])})
    share = 1 - len(lines.values) / lines.counts.sum() if lines.total else 0.0
    return {"share": float(share), "most_repeated": repeated}


def _characters(texts: InspectedTexts) -> dict[str, Any]:
    """What the text holds besides letters, marks, digits, punctuation and ordinary white space."""
    odd: dict[str, dict[str, int]] = {"control": {}, "format": {}, "private": {}, "line_breaks": {}}
    spaceless, look = 0, texts.texts["train"].look
    for code, count in sorted(look.codes.items()):
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
    literal = dict(zip(texts.types["whitespace"], texts.counts("train", "whitespace").tolist(), strict=True))
    return {
        **odd,
        "replacement": look.codes[0xFFFD],
        "upper_case": sum(count for code, count in look.codes.items() if chr(code).isupper()),
        "spaceless": spaceless,
        "decomposed": look.decomposed,
        "markup": look.tags,
        "literal_unk": literal.get(UNK, 0),
        "literal_eos": literal.get(escape(EOS), 0),
    }
