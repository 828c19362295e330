"""Phrases found by counting: words that occur together unusually often become one (Mikolov et al. 2013, section 4,
https://arxiv.org/abs/1310.4546).

    score(a, b) = (count(a b) - discount) / count(a) / count(b) * words

with the discount that keeps rare pairs out, here `min_count` as in word2phrase. Pairs that score above the threshold
are joined from left to right. Passes with twice the threshold that come before join phrases of three and four words:
those whose parts belong together strongly.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.files import atomic_folder, read_json, write_json, write_manifest
from ...base.progress import Progress
from ...base.storage.cache import cached, writable_cache
from ...base.storage.verified import verify_folder_once
from ...text import TokenFile, Vocab
from ...text.ids.token_file import SplitWriter, open_split
from .phrase_pairs import HALF, JOINT, LOW, Pairs, Sweeps, find_pairs, join_block, new_table, put
from .words import TrainingText

FALL = 2.0
"""What the threshold is divided by from one pass to the next; word2phrase's example takes 200, then 100."""
BLOCK_TOKENS = 1 << 18
"""Tokens read at once."""
FORMAT = 1
"""Version of a folder in the cache."""
HEADER = "phrases.json"
VOCAB = "vocab.json"


@dataclass(frozen=True)
class Phrase:
    """A phrase as the vocabulary has it, how often it occurs in the joined text, and its (best) score."""

    text: str
    count: int
    score: float


def join_phrases(
    text: TrainingText,
    passes: int,
    threshold: float,
    min_count: int,
    quiet: bool = False,
    block_tokens: int = BLOCK_TOKENS,
) -> tuple[TrainingText, list[Phrase]]:
    """Find the phrases of `text.train` and join them in all splits.

    Args:
        text: ids with their vocabulary. Nothing is joined across documents, nor across an id that is no word,
            nor across punctuation: the first word must end and the second begin with a letter, digit, mark or `_`.
        passes: 0 gives back `text` itself.
        threshold: score above which the last pass joins; FALL times that in the one before, and so on.
        min_count: discount of the score. Pairs have to occur more often than that.
        block_tokens: does not change the result.

    Returns the joined text and its phrases, the most frequent first. Phrases that are spelled as a word that is
    there already, or as each other, are one entry of the vocabulary. All earlier words stay, if need be with no
    occurrence left, because the held-out text may contain them. The ids are stored in the user's cache and found
    there again by the digest of the text and the settings.
    """
    if not passes:
        return text, []
    settings = {"passes": passes, "threshold": threshold, "min_count": min_count}
    key = json.dumps({"format": FORMAT, "text": text.digest, **settings}, sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()
    sweeps = 4 * len(text.train) + len(text.valid or ())
    with Progress("finding phrases", passes * sweeps, "tokens", quiet) as progress:
        joined = None
        for place in cached("phrases", digest[:32]):
            with contextlib.suppress(InputError, OSError):  # not there yet, or damaged: made (again)
                joined = joined or _open(place, digest)
        if joined is None:
            place = writable_cache() / "phrases" / digest[:32]
            with atomic_folder(place, HEADER, overwrite=True) as folder:
                _make(folder, text, settings, digest, Sweeps(block_tokens, progress))
            joined = _open(place, digest, verify=False)
            progress.update(progress.total or 0)
        phrases = joined[1]
        examples = f", such as {', '.join(phrase.text for phrase in phrases[:3])}" if phrases else ""
        progress.note(f"{len(phrases):,} phrase{'s' * (len(phrases) != 1)} joined{examples}.")
    return joined


class _Joiner:
    """Turns pairs of ids into one each: an earlier id, or a new one for a spelling that is new.

    itos: of the earlier ids and, behind them, of the new ones. scores: by the spelling of every pair.
    """

    def __init__(self, vocab: Vocab, pairs: Pairs):
        self.itos, self.scores = list(vocab.itos), dict[str, float]()
        new: dict[str, int] = {}
        ids = np.empty(len(pairs.keys_P), np.int64)
        first, second = pairs.keys_P >> HALF, pairs.keys_P & LOW
        for i, (a, b, points) in enumerate(zip(first.tolist(), second.tolist(), pairs.scores_P.tolist(), strict=True)):
            spelled = vocab.itos[a] + JOINT + vocab.itos[b]
            known = vocab.stoi.get(spelled)
            ids[i] = new.setdefault(spelled, len(vocab) + len(new)) if known is None else known
            self.scores[spelled] = max(points, self.scores.get(spelled, 0.0))
        self.itos += new
        self.opens = np.zeros(len(vocab), np.bool_)
        self.opens[first] = True
        self.slots, self.values = new_table(len(ids))
        put(self.slots, self.values, pairs.keys_P, ids)

    def join(self, tokens: TokenFile, counts: np.ndarray, documents: np.ndarray, sweeps: Sweeps) -> Iterator[Any]:
        """The joined ids, block by block; in the end `counts` (of ids) and `documents` (offsets) are filled in."""
        written, held, document = 0, -1, 0
        room = np.empty(sweeps.block_tokens + 1, np.uint32)
        for start, stop in sweeps.ranges(tokens):
            ids = np.array(tokens[start:stop], np.uint32)
            end = int(np.searchsorted(tokens.documents, stop))
            starts = tokens.documents[document:end] - start
            borders = documents[document:end]
            table = (self.opens, self.slots, self.values)
            size, held = join_block(ids, starts, held, *table, counts, room, borders)
            borders += written
            written, document = written + size, end
            yield room[:size]
        documents[document:] = written + (held >= 0)
        if held >= 0:
            counts[held] += 1
            yield np.array([held], np.uint32)


def _join_once(
    text: TrainingText, pairs: Pairs, folder: Path, sweeps: Sweeps
) -> tuple[TrainingText, dict[str, Any], dict[str, float]]:
    """Join pairs in all splits, into a folder; returns the text, the headers of its splits and the pairs' scores."""
    joiner = _Joiner(text.vocab, pairs)
    counts = np.zeros(len(joiner.itos), np.int64)
    for _ in joiner.join(text.train, counts, np.empty_like(text.train.documents), sweeps):
        pass
    is_word = np.concatenate([text.is_word, np.ones(len(counts) - len(text.vocab), np.bool_)])
    order = np.lexsort((~is_word, -counts))
    dtype = np.dtype(np.uint16 if len(order) <= 1 << 16 else np.uint32)
    final = np.empty(len(order), dtype)
    final[order] = np.arange(len(order))
    headers, splits = {}, {}
    for name, tokens in (("train", text.train), ("valid", text.valid)):
        if tokens is None:
            continue
        occurrences, documents = np.zeros(len(order), np.int64), np.empty_like(tokens.documents)
        writer = SplitWriter(folder, name, dtype)
        for ids in joiner.join(tokens, occurrences, documents, sweeps):
            writer.write(final[ids])
        digest = writer.close(documents)
        types = int(np.count_nonzero(occurrences))
        figures = replace(tokens.counts, tokens=writer.tokens, types=types, sha256=digest)
        headers[name] = {"counts": asdict(figures), "dtype": dtype.name, "shards": writer.shards}
        splits[name] = open_split(folder, name, headers[name], len(order))
    vocab = Vocab([joiner.itos[id] for id in order.tolist()], counts[order])
    joined = TrainingText(vocab, is_word[order], splits["train"], splits.get("valid"), "")
    return joined, headers, joiner.scores


def _make(folder: Path, text: TrainingText, settings: dict[str, Any], digest: str, sweeps: Sweeps) -> None:
    """All passes; the folder holds the outcome of the last one."""
    scores: dict[str, float] = {}
    headers: dict[str, Any] = {}
    passes, min_count, work = settings["passes"], settings["min_count"], folder / "work"
    for number in range(passes):
        pairs = find_pairs(text, settings["threshold"] * FALL ** (passes - 1 - number), min_count, sweeps)
        place = folder if number == passes - 1 else work / str(number)
        place.mkdir(parents=True, exist_ok=True)
        text, headers, found = _join_once(text, pairs, place, sweeps)
        scores |= {spelled: max(points, scores.get(spelled, 0.0)) for spelled, points in found.items()}
        if number:
            shutil.rmtree(work / str(number - 1))
    shutil.rmtree(work, ignore_errors=True)
    others = np.flatnonzero(~text.is_word).tolist()
    vocab = {"itos": text.vocab.itos, "counts": text.vocab.counts.tolist(), "others": others}
    (folder / VOCAB).write_bytes(json.dumps(vocab, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    header = {"seqlab": FORMAT, "digest": digest, "settings": settings, "splits": headers, "scores": scores}
    write_json(folder / HEADER, header)
    write_manifest(folder, [file.name for file in folder.iterdir()])


def _open(folder: Path, digest: str, verify: bool = True) -> tuple[TrainingText, list[Phrase]]:
    """What `_make` wrote. Raises InputError where something is missing or damaged; without `verify` digests are not
    compared."""
    header = read_json(folder / HEADER)
    try:
        if verify:
            verify_folder_once(folder)
        if header["digest"] != digest:
            raise InputError(f"{folder / HEADER}: is of another text.")
        values = read_json(folder / VOCAB)
        if not set(map(type, values["itos"])) <= {str}:
            raise TypeError("a word is no text")
        vocab = Vocab(values["itos"], values["counts"])
        is_word = np.ones(len(vocab), np.bool_)
        is_word[values["others"]] = False
        splits = {name: open_split(folder, name, split, len(vocab)) for name, split in header["splits"].items()}
        scores = {vocab.stoi[text]: points for text, points in header["scores"].items()}
        phrases = [Phrase(vocab.itos[id], int(vocab.counts[id]), scores[id]) for id in sorted(scores)]
        phrases = [phrase for phrase in phrases if phrase.count]
        return TrainingText(vocab, is_word, splits["train"], splits.get("valid"), digest), phrases
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(f"{folder / HEADER}: not phrases of a text ({error}); the file is damaged.") from None
