"""Sources become a corpus folder: read once, cut into tokens on all cores; vocabulary from the train split.

Memory does not depend on the size of the text, only on its vocabulary: the clean text goes to a spool file,
chunks of it become provisional ids in worker processes, and when the counts are known the ids are renumbered
by frequency.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError, option
from ...base.files import (
    atomic_folder,
    write_json,
    write_manifest,
)
from ...base.progress import Progress
from ...base.storage.cache import cached, writable_cache
from ...base.storage.outputs import check_folder, scratch
from ...base.storage.streams import STDIN, parked, read_once
from ...catalogue import corpora
from ...config import TextConfig
from ..ids.token_file import (
    FORMAT,
    HEADER,
    ITEMS,
    TOKENIZER,
    Corpus,
    SplitCounts,
    corpus_digest,
)
from ..scripts import segmented
from ..sources.books import unwrapped, without_headers
from ..sources.readers import (
    ReadReport,
    SourceFile,
    Sources,
    check_field,
    check_one_stdin,
    corpus_name,
    listed,
    read_documents,
    resolve_sources,
)
from ..sources.splits import splits_of
from ..tokenizers.base import Tokenizer
from ..tokenizers.boundaries import RULES
from ..tokenizers.bpe import BpeTokenizer, sample_blocks
from ..tokenizers.table import MIN_COUNT, TOKENIZERS, bpe_vocab_size, choose_tokenizer
from ..tokenizers.vocab import EOS, UNK, Vocab
from ..tokenizers.words import WordTokenizer
from ..workers import Workers
from .jobs import bpe_trainer
from .lines import is_list, separate
from .numbering import ALONE_BELOW, Numbering, SplitNumbering
from .spool import CHUNK_BYTES, Chunk, Spool

SPACES_SAMPLE = 100_000
"""Bytes of the training text in which spaces around marks are counted."""
BPE_SAMPLE = 64 << 20
"""Bytes of training text from which word pieces are learned, evenly spaced over all of it."""


def prepare(
    sources: Sources | Corpus,
    out: str | Path | None = None,
    config: TextConfig | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    for_words: bool = False,
    quiet: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
    workers: int | None = None,
) -> Corpus:
    """Turn a text into ids on disk, once for any number of trainings.

    Several documents are each closed by `<eos>`; a single text has no such token, except under the `whitespace`
    tokenizer, whose `<eos>` is the line end. In a list of one item a line (`config.lines`) every line is a document.

    Args:
        sources: file(s), a folder, `-`, a named corpus. A prepared corpus is returned as it is.
        out: the folder to write, left as it is where it holds this text prepared in this way; None keeps the corpus in
            the user's cache, found again by the content of the sources and the settings, never by path.
        config: tokenizer and vocabulary; the defaults choose them from the text.
        valid: a validation text. Without it the last `config.valid_fraction` of the text is set apart: for characters
            and bytes exactly from int(characters * (1 - fraction)) on, for several documents from the nearest document
            border, of a list that share of its distinct lines, drawn at random, otherwise from the next line end.
        test: a test text.
        for_words: choose a tokenizer of words, and keep the rare ones, because the ids are for word vectors.
        quiet: no progress on stderr.
        chunk_bytes: size of the units of work; it does not change the result.
        workers: number of processes; it does not change the result. Default: all cores, none for a small text.

    Raises:
        InputError: something is wrong with a source or a setting; the message names it.
    """
    config = config or TextConfig()
    prepared = _already_prepared(sources, config, valid, test)
    if prepared:
        return prepared
    assert not isinstance(sources, Corpus)
    _check_settings(config, config.tokenizer)
    is_cached = out is None
    if out is not None:
        check_folder(out, HEADER)
    (given, note), hint = splits_of(sources, valid, test), _hint(sources, for_words)
    if note:
        Progress("preparing", quiet=quiet).note(note)
    with read_once():
        found = {name: resolve_sources(part) for name, part in given.items()}
        check_one_stdin(found)
        check_field(found["train"], config.field)
        files = {name: [_on_disk(file, out) for file in group] for name, group in found.items()}
        entries = {name: [_entry(file) for file in group] for name, group in files.items()}
        if out is None:
            place = "corpora", _cache_key(entries, config, hint, for_words)
            for out in cached(*place):
                with contextlib.suppress(InputError, OSError):  # a damaged one is made again, or one without spelling
                    if Corpus.is_corpus(out) and (corpus := _opened(out, config, quiet)).keeps_spelling:
                        return corpus
            out = writable_cache().joinpath(*place)
        elif earlier := _earlier(Path(out), entries, config, hint, for_words):
            Progress("preparing", quiet=quiet).note(f"{out} holds this text, prepared in this way; it is used as it is")
            return earlier
        with atomic_folder(out, HEADER, overwrite=is_cached) as folder:
            job = _Preparation(folder, config, hint, for_words, quiet, chunk_bytes, workers)
            write_json(folder / HEADER, {**job.run(files), "sources": entries})
            write_manifest(folder, [file.name for file in folder.iterdir()])
    return _opened(out, config, quiet, verify=False)


def _earlier(
    out: Path, entries: dict[str, list[dict[str, Any]]], config: TextConfig, hint: str | None, for_words: bool
) -> Corpus | None:
    """The corpus at `out`, where preparing these sources again would give the same."""
    if not Corpus.is_corpus(out):
        return None
    try:
        corpus = Corpus.open(out)
    except InputError:  # damaged, or of another version: it is made again
        return None
    settings = {**config.model_dump(), "for_words": for_words}
    if config.tokenizer == "auto":  # which depends on the text alone
        settings["tokenizer"] = hint or corpus.header["kind"]
    same = corpus.header["sources"] == entries and corpus.header["settings"] == settings
    return corpus if same and corpus.keeps_spelling else None


def _opened(out: str | Path, config: TextConfig, quiet: bool, verify: bool | None = None) -> Corpus:
    corpus = Corpus.open(out, verify)
    for note in corpus.header.get("notes", []):
        Progress("preparing", quiet=quiet).note(note)
    lines = corpus.header.get("lines")
    if lines and config.lines == "auto":
        Progress("preparing", quiet=quiet).note(lines_sentence(lines))
    if config.tokenizer == "auto":
        Progress("preparing", quiet=quiet).note(f"{corpus.tokenizer.kind} tokenizer: {corpus.header['reason']}")
    return corpus


def lines_sentence(lines: Mapping[str, int]) -> str:
    """How a list is read, from what its corpus says of it."""
    drawn = f", {lines['drawn']:,} drawn at random for validation" if lines["drawn"] else ""
    return (
        f"one item a line: {lines['items']:,} lines{drawn}; they are shuffled for every pass and each is read from its "
        f"own beginning ({option('lines', 'no')} reads them as one text)"
    )


def _hint(sources: Sources, for_words: bool) -> str | None:
    """The kind of tokenizer that the catalogue suggests for a corpus of its own."""
    if not (name := corpus_name(sources)):
        return None
    hint: str | None = corpora.describe(name)["tokenizer"]
    return None if for_words and hint not in ("word", "whitespace") else hint


def _entry(file: SourceFile) -> dict[str, Any]:
    """What a corpus remembers of a source: no paths, so that equal texts give equal corpora."""
    return {
        "name": Path(file.name).name,
        "bytes": file.size,
        "sha256": file.sha256,
        "format": file.format,
    }


def _already_prepared(
    sources: Sources | Corpus, config: TextConfig, valid: Sources | None, test: Sources | None
) -> Corpus | None:
    if isinstance(sources, Corpus):
        given, corpora = [sources.path], [sources.path]
    else:
        given = [Path(source).expanduser() for source in listed(sources)]
        corpora = [path for path in given if Corpus.is_corpus(path)]
    if not corpora:
        return None
    if len(given) > 1 or valid or test:
        raise InputError(f"{corpora[0]}: is a prepared corpus already; it cannot be joined with other texts.")
    corpus = sources if isinstance(sources, Corpus) else Corpus.open(corpora[0])
    if config.tokenizer not in ("auto", corpus.tokenizer.kind):
        raise InputError(
            f"{corpus.path}: was prepared with the {corpus.tokenizer.kind} tokenizer, not {config.tokenizer}; "
            "prepare the text again."
        )
    return corpus


def _check_settings(config: TextConfig, kind: str) -> None:
    if config.lowercase and kind not in ("auto", "word"):
        raise InputError(f"lowercase: works with the word tokenizer only, not {kind}.")
    if config.min_count is not None and kind in ("byte", "bpe"):
        raise InputError(f"min_count: the {kind} tokenizer knows no rare words; leave it out.")
    if config.vocab_size is not None and kind == "byte":
        raise InputError("vocab_size: the byte tokenizer always has 256 types; leave it out.")
    if config.vocab_size is not None and kind == "bpe" and config.vocab_size < 257:
        raise InputError(f"vocab_size: bpe needs at least 257 (256 bytes and one merge), not {config.vocab_size}.")


def _on_disk(file: SourceFile, out: str | Path | None) -> SourceFile:
    """The same text as a file that can be read twice."""
    if not file.is_stream:
        return file
    return SourceFile(parked(file.path or STDIN, scratch(out) if out else None), file.name)


def _cache_key(entries: dict[str, list[dict[str, Any]]], config: TextConfig, hint: str | None, for_words: bool) -> str:
    content = {
        "format": FORMAT,
        "rules": RULES,
        "settings": config.model_dump(),
        "hint": hint,
        "for_words": for_words,
        "sources": {name: [(entry["sha256"], entry["format"]) for entry in group] for name, group in entries.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@dataclass
class _Preparation:
    """The steps of `prepare`, inside a folder that is not in place yet."""

    folder: Path
    config: TextConfig
    hint: str | None
    for_words: bool
    quiet: bool
    chunk_bytes: int
    workers: int | None

    def run(self, files: dict[str, list[SourceFile]]) -> dict[str, Any]:
        """Do everything; returns the header of the corpus but for its sources."""
        work, report = self.folder / "work", ReadReport()
        work.mkdir()
        spools = {
            name: read_spool(work / f"{name}.txt", group, self.config, report, self.quiet, self.chunk_bytes)
            for name, group in files.items()
        }
        records = any(file.is_records for file in files["train"])
        items = self._items(spools, work, records) if self._is_list(spools["train"], records) else None
        kind, reason = self._choose(spools["train"])
        several = spools["train"].documents > 1
        splits = self._splits(spools, TOKENIZERS[kind].cuts_anywhere)
        blank = self._rule(kind, splits["train"].chunks, spools["train"].characters, several)
        numbering = Numbering(work, splits)
        numbering.segment(blank, several or kind == "whitespace", self.workers, self.quiet)
        tokenizer = blank.with_vocab(self._vocab(blank, numbering, files["train"][0].name))
        tokenizer.save(self.folder / TOKENIZER)
        headers = numbering.write(self.folder, tokenizer)
        shutil.rmtree(work)
        counts = {name: SplitCounts(**header["counts"]) for name, header in headers.items()}
        return {
            "seqlab": FORMAT,
            "kind": kind,
            "reason": reason,
            "lines": items,
            "settings": {**self.config.model_dump(), "tokenizer": kind, "for_words": self.for_words},
            "documents": items["items"] if items else spools["train"].documents,
            "replaced": report.replaced,
            "notes": [file.note for file in report.files if file.note],
            "splits": headers,
            "digest": corpus_digest(tokenizer.digest, counts),
        }

    def _is_list(self, spool: Spool, records: bool) -> bool:
        """Whether every line is to be read from its own beginning."""
        if self.config.lines != "auto":
            return self.config.lines == "yes"
        return not (self.hint or self.for_words) and self.config.tokenizer != "whitespace" and is_list(spool, records)

    def _items(self, spools: dict[str, Spool], work: Path, records: bool) -> dict[str, int]:
        """Make a document of every line in the spools, keep some lines for validation, and store the lines' keys;
        returns how many there are."""
        fraction = 0.0 if "valid" in spools else self.config.valid_fraction
        found = separate(spools["train"], work, "train", fraction, records)
        np.save(self.folder / ITEMS, found.keys, allow_pickle=False)
        drawn = found.valid.documents if found.valid else 0
        for name in [name for name in spools if name != "train"]:
            spools[name] = separate(spools[name], work, name, 0.0, records).train
        spools["train"] = found.train
        if found.valid:
            spools["valid"] = found.valid
        return {"items": found.count, "distinct": len(found.keys), "drawn": drawn}

    def _choose(self, spool: Spool) -> tuple[str, str]:
        if self.config.tokenizer != "auto":
            if self.config.tokenizer == "word" and segmented(spool.sample()) in ("Chinese", "Japanese"):
                whole = f"words are parted by spaces already; {option('tokenizer', 'whitespace')} keeps them whole"
                Progress("preparing", quiet=self.quiet).note(whole)
            return self.config.tokenizer, "as asked"
        if self.hint:
            kind, reason = self.hint, "it suits this corpus"
        elif self.config.lowercase:
            kind, reason = "word", "lower-casing works on words"
        else:
            kind, reason = choose_tokenizer(spool.sample(), spool.characters, self.for_words)
        _check_settings(self.config, kind)
        return kind, reason

    def _splits(self, spools: dict[str, Spool], anywhere: bool) -> dict[str, SplitNumbering]:
        chunks: dict[str, Sequence[Chunk]] = {name: spool.chunks for name, spool in spools.items()}
        if "valid" not in spools:
            train, valid = spools["train"].split(self.config.valid_fraction, anywhere)
            chunks |= {"train": train, "valid": valid}
        return {name: SplitNumbering(chunks[name]) for name in ("train", "valid", "test") if chunks.get(name)}

    def _rule(self, kind: str, train: Sequence[Chunk], characters: int, several: bool) -> Tokenizer:
        """The tokenizer, still without a vocabulary."""
        if kind == "word":
            blocks = sample_blocks(train[-1].path, train[-1].start + train[-1].size, SPACES_SAMPLE, block=1 << 12)
            return WordTokenizer(lowercase=self.config.lowercase).learn_spaces("\n".join(blocks))
        if kind != "bpe":
            return TOKENIZERS[kind]()
        size = self.config.vocab_size or bpe_vocab_size(characters)
        end = train[-1].start + train[-1].size
        alone = end < ALONE_BELOW
        with Progress("learning word pieces", quiet=self.quiet) as progress:
            if not alone:
                progress.note(f"learning {size:,} word pieces from {min(end, BPE_SAMPLE) / 1e6:.0f} MB of text")
            with Workers(0 if alone else 1, bpe_trainer, size - several, BPE_SAMPLE, parallel=True) as pool:
                (options,) = pool.map([(train[-1].path, end)])
        return BpeTokenizer(**options)

    def _vocab(self, tokenizer: Tokenizer, numbering: Numbering, name: str) -> Vocab:
        train, types = numbering.splits["train"], numbering.types
        if not train.tokens or not any(token not in (EOS, "\n", tokenizer.newline) for token in types):
            raise InputError(f"{name}: the text contains only white space.")
        min_count = self.config.min_count or (1 if self.for_words else MIN_COUNT.get(tokenizer.kind, 1))
        controls = [UNK] if tokenizer.has_unk else []
        controls += [EOS] if EOS in types else []
        counts = train.counts_of(len(types))
        vocab = Vocab.build(types, counts, controls, tokenizer.required, min_count, self.config.vocab_size)
        if not any(token not in (UNK, EOS, "\n") for token in vocab.itos):
            raise InputError(
                f"{name}: all words occur fewer than min_count = {min_count} times in the training text; "
                f"lower {option('min_count')} or give more text."
            )
        return vocab


def read_spool(
    path: Path,
    files: list[SourceFile],
    config: TextConfig,
    report: ReadReport,
    quiet: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
) -> Spool:
    """Write the clean text of `files` into one file at `path`; what was found is added to `report`."""
    spool, own = Spool(path, chunk_bytes), ReadReport()
    documents = read_documents(files, config.errors, config.field, own, config.encoding)
    documents = without_headers(documents) if config.strip_ebook_header else documents
    documents = unwrapped(documents) if config.unwrap else documents
    with Progress("reading", sum(file.size for file in files) / 1e6, "MB", quiet) as progress:
        for _ in spool.fill(documents):
            progress.update(own.bytes_read / 1e6)
        if own.replaced:
            progress.note(f"{own.replaced:,} invalid byte sequences were replaced by U+FFFD")
    report.files += own.files
    if not spool.chunks:
        raise InputError(f"{files[0].name}: the text is empty.")
    return spool
