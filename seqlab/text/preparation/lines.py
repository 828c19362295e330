"""Lists of one item a line: how one is recognised, and how its lines become documents of their own.

Names, headlines, titles or short messages stand in no order that means anything, so a model reads each line from its
own beginning. Prose, verse, code, tables, logs and dialogue are read as they stand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..tokenizers.table import looks_tokenised
from .spool import Chunk, Spool

FEWEST = 20
"""Lines below which no text is taken for a list."""
LONGEST = 300
"""Characters that nineteen of twenty items do not exceed."""
LOOKED_AT = 20_000
"""Lines that are looked at, from the beginning, the middle and the end of a text."""

_OPEN_END = re.compile(r"[,;:(\[{\\/=|<>+*&\-，、；：（「『]$|\b(?:and|or|the|a|of|to|in)$")
_FULL_STOP = re.compile(r"[.!?。！？][\"'”’)\]」』）]*$")
_TWO_SENTENCES = re.compile(
    r"[.!?][\"'”’)\]]* +[\"'“‘(]?[A-Z].*[.!?][\"'”’)\]]*$|[。！？][^。！？]{2,}[。！？][”’」』）]*$"
)
_SPEAKER = re.compile(r"^[\w .'-]{1,24}(?:: |：)")
_DAYS_AND_MONTHS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_STAMP = re.compile(rf"^[\[(<]?(?:\d{{1,4}}[-:/.,]\d|(?:{_DAYS_AND_MONTHS})\w* +\d)")
_CODE = re.compile(r"[{};]$|^(?:#|//|/\*|\*|--)|(?:==|!=|->|=>|\(\)|::)")


@dataclass(frozen=True)
class LineFeatures:
    """What tells a list from prose, verse, code, tables and logs; shares are of the lines that are not blank.

    Attributes:
        lines: that are not blank.
        blank: blank lines for each of the others.
        long: length in characters that nineteen of twenty do not exceed.
        full: share of lines that reach nearly that length and hardly ever more, as wrapped prose does.
        indented: share that begin with white space.
        open_ends: share whose end asks for another line: a comma, a bracket, an article.
        lower_after: share that begin with a small letter, where most begin with a capital.
        full_stops: share that end as a sentence does.
        sentences: share with more than one sentence.
        speakers: share that begin as a line of a dialogue.
        stamps: share that begin with a date or a time.
        code: share with marks of source code.
        columns: share with as many commas, semicolons or tabs as most others, where most have any.
    """

    lines: int
    blank: float
    long: float
    full: float
    indented: float
    open_ends: float
    lower_after: float
    full_stops: float
    sentences: float
    speakers: float
    stamps: float
    code: float
    columns: float

    @classmethod
    def of(cls, lines: Sequence[str]) -> LineFeatures:
        """The features of a text's lines."""
        kept = [line.rstrip() for line in lines if line.strip()]
        count = max(1, len(kept))
        lengths = np.array([len(line) for line in kept] or [0])
        long = float(np.quantile(lengths, 0.95))
        capitals = sum(line.lstrip()[0].isupper() for line in kept) / count
        small = sum(line.lstrip()[0].islower() for line in kept) / count

        def share(pattern: re.Pattern[str]) -> float:
            return sum(bool(pattern.search(line)) for line in kept) / count

        return cls(
            lines=len(kept),
            blank=(len(lines) - len(kept)) / count,
            long=long,
            full=float(np.mean(lengths >= 0.85 * long)) if np.quantile(lengths, 0.99) <= 1.06 * long else 0.0,
            indented=sum(line[0] in " \t\u3000" for line in kept) / count,
            open_ends=share(_OPEN_END),
            lower_after=small if capitals > 0.15 else 0.0,
            full_stops=share(_FULL_STOP),
            sentences=share(_TWO_SENTENCES),
            speakers=share(_SPEAKER),
            stamps=share(_STAMP),
            code=share(_CODE),
            columns=max(_even(kept, mark) for mark in ",;\t|"),
        )

    def objection(self) -> str | None:
        """Why the text is no list of items, None where it is one."""
        rules = (
            (self.lines < FEWEST, f"it has only {self.lines} lines"),
            (self.blank > 0.05, "blank lines part it into paragraphs"),
            (self.long > LONGEST, f"its lines are up to {self.long:,.0f} characters long"),
            (self.indented > 0.05, "lines are indented"),
            (self.columns > 0.8, "it looks like a table"),
            (self.stamps > 0.3, "it looks like a log"),
            (self.speakers > 0.3, "it looks like a dialogue"),
            (self.code > 0.1, "it looks like source code"),
            (self.open_ends > 0.08, "lines run on into the next"),
            (self.lower_after > 0.3 and self.long > 25, "lines run on into the next"),
            (self.long > 40 and self.full > 0.6, "lines are wrapped at one width"),
            (self.full_stops > 0.5 and self.long > 40, "its lines are sentences"),
            (self.sentences > 0.2, "its lines are paragraphs"),
        )
        return next((why for found, why in rules if found), None)


def _even(lines: Sequence[str], mark: str) -> float:
    """Share of the lines that hold a mark as often as most do, 0 where most hold none."""
    found = np.array([line.count(mark) for line in lines] or [0])
    common = int(np.bincount(np.minimum(found, 1000)).argmax())
    return float(np.mean(found == common)) if common else 0.0


def is_list(spool: Spool, records: bool) -> bool:
    """Whether a text is a list of items to be read each from its own beginning.

    Args:
        spool: the text.
        records: whether every document is a record of a table or of JSON Lines, whose order means nothing: then only
            their length counts.
    """
    texts = _sampled(spool)
    if records:
        lengths = [len(text) for text in texts]
        return len(lengths) >= FEWEST and bool(np.quantile(lengths, 0.95) <= LONGEST)
    if spool.documents > 1:
        return False
    lines = [line for text in texts for line in text.split("\n")]
    return not looks_tokenised("\n".join(lines)) and LineFeatures.of(lines).objection() is None


def _sampled(spool: Spool) -> list[str]:
    """Documents at the beginning, in the middle and at the end of a text, LOOKED_AT lines at most of each."""
    chosen = sorted({0, len(spool.chunks) // 2, len(spool.chunks) - 1})
    texts = []
    for place in chosen:
        documents = spool.chunks[place].documents()
        if len(documents) > 1:
            texts += documents[:LOOKED_AT]
        else:
            texts.append("\n".join(documents[0].split("\n", LOOKED_AT)[:LOOKED_AT]))
    return texts


def item_key(text: str) -> int:
    """64 bits of an item, by which it is known again: case and white space do not count."""
    plain = "".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def items_of(chunks: Iterable[Chunk], records: bool) -> Iterator[str]:
    """The items of a text: its lines that are not blank, or its records, each on one line."""
    pending = ""
    for chunk in chunks:
        texts, ended = chunk.documents(), len(chunk.ends)
        for number, text in enumerate(texts):
            text, pending = pending + text, ""
            lines = text.split("\n")
            if number >= ended:  # goes on in the next chunk
                pending = text if records else lines.pop()
                lines = [] if records else lines
            if records and lines:
                lines = [" ".join(text.split("\n"))]
            yield from (item for line in lines if (item := line.strip()))
    if item := pending.strip():
        yield " ".join(item.split("\n"))


@dataclass
class SeparatedLines:
    """A list, its lines in documents of their own.

    Attributes:
        train, valid: spools; `valid` is None where nothing is kept for validation.
        keys: sorted distinct `item_key` of all of them.
        count: items.
    """

    train: Spool
    valid: Spool | None
    keys: np.ndarray
    count: int


def separate(spool: Spool, folder: Path, name: str, fraction: float, records: bool) -> SeparatedLines:
    """Write the items of a text as documents, a random `fraction` of the distinct ones apart for validation.

    Which ones is decided by their keys, so that no item is in both, and it does not depend on the order of the list.
    """
    keys_L = np.fromiter((item_key(item) for item in items_of(spool.chunks, records)), np.uint64)
    keys = np.unique(keys_L)
    order = np.sort(_mixed(keys))
    kept = min(len(keys) - 1, max(1, round(fraction * len(keys)))) if fraction > 0 else 0
    limit = order[kept] if kept > 0 else np.uint64(0)
    valid_L = _mixed(keys_L) < limit

    def documents(wanted: bool) -> Iterator[tuple[bool, str]]:
        items = items_of(spool.chunks, records)
        yield from ((True, item) for item, valid in zip(items, valid_L.tolist(), strict=True) if valid is wanted)

    spools = {}
    for part, wanted in (("train", False), ("valid", True)):
        if wanted and kept <= 0:
            continue
        spools[part] = Spool(folder / f"{name}-{part}-items.txt", spool.chunk_size)
        for _ in spools[part].fill(documents(wanted)):
            pass
    return SeparatedLines(spools["train"], spools.get("valid"), keys, len(keys_L))


def _mixed(keys: np.ndarray) -> np.ndarray:
    """The keys in another order, so that the split tells nothing of the order in which they are stored."""
    return keys * np.uint64(0x9E3779B97F4A7C15)
