"""Odd texts, prompts and words: random strings of many scripts, joiners, broken bytes, lines of a megabyte."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from . import commands
from .mutants.part import LONGEST
from .mutants.samples import TWO_STEPS
from .trials import Outcome, Part

SCRIPTS = {
    "Latin": (0x41, 0x17F), "Greek": (0x370, 0x3FF), "Cyrillic": (0x400, 0x4FF), "Armenian": (0x530, 0x58F),
    "Hebrew": (0x590, 0x5FF), "Arabic": (0x600, 0x6FF), "Syriac": (0x700, 0x74F), "Devanagari": (0x900, 0x97F),
    "Bengali": (0x980, 0x9FF), "Tamil": (0xB80, 0xBFF), "Telugu": (0xC00, 0xC7F), "Sinhala": (0xD80, 0xDFF),
    "Thai": (0xE00, 0xE7F), "Lao": (0xE80, 0xEFF), "Tibetan": (0xF00, 0xFFF), "Burmese": (0x1000, 0x109F),
    "Georgian": (0x10A0, 0x10FF), "Hangul letters": (0x1100, 0x11FF), "Ethiopic": (0x1200, 0x137F),
    "Cherokee": (0x13A0, 0x13FF),
    "Khmer": (0x1780, 0x17FF), "Mongolian": (0x1800, 0x18AF), "Hiragana": (0x3040, 0x309F),
    "Katakana": (0x30A0, 0x30FF),
    "Han": (0x4E00, 0x9FFF), "Hangul": (0xAC00, 0xD7A3), "Yi": (0xA000, 0xA48F), "Gothic": (0x10330, 0x1034F),
    "Cuneiform": (0x12000, 0x1236F), "mathematical letters": (0x1D400, 0x1D7FF), "emoji": (0x1F300, 0x1FAFF),
    "private use": (0xE000, 0xF8FF), "tags": (0xE0020, 0xE007F), "punctuation": (0x2000, 0x206F),
    "controls": (0x01, 0x1F),
}  # fmt: skip
JOINERS = ("\u200d", "\u200c", "\u0301", "\ufe0f", "\u00ad", "\u2060", "\ufeff", "\U0001f3fd", "\u20e3", "\u0345")
SPACES = (" ", " ", " ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\r\n", "\x0b", "\x85")
BREAKS = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x00", b"\xef\xbf\xbe", b"\xf4\x90\x80\x80")
"""Bytes that no UTF-8 has (among them a lone surrogate), and a zero."""
TOKENIZERS = ("char", "byte", "word", "whitespace", "bpe --vocab-size 300")
VERBS = (
    "data prepare text.txt -o out --tokenizer {tokenizer} -q",
    f"train lm text.txt -o out {TWO_STEPS} --tokenizer {{tokenizer}} --min-count 1",
    f"train embeddings text.txt -o out {commands.SMALL_VECTORS} -q",
    "data inspect text.txt --json",
    "train lm text.txt -o out --dry-run",
)
QUERIES = (
    ("generate", "{inputs}/run", "--length", "3", "--allow-unknown", "--prompt", "{a}"),
    ("generate", "{inputs}/run", "--length", "3", "--prompt", "{a}", "--stop", "{b}", "--json"),
    ("generate", "out", "--length", "20", "--prompt", "{a}", "--seed", "1", "--json"),
    ("generate", "out", "--length", "20", "--seed", "1", "--beam", "2"),
    ("neighbors", "{inputs}/vectors", "{a}", "{b}", "-k", "2"),
    ("neighbors", "{inputs}/vectors", "{a}", "--json"),
    ("analogy", "{inputs}/vectors", "{a}", "{b}", "{c}"),
    ("doesnt-match", "{inputs}/vectors", "{a}", "{b}", "{c}"),
    (
        "visualize",
        "{inputs}/vectors",
        "-o",
        "map.svg",
        "--method",
        "pca",
        "--words",
        "5",
        "--highlight",
        "{a}",
        "--title",
        "{b}",
    ),
    ("visualize", "{inputs}/vectors", "-o", "map.html", "--method", "pca", "--words", "5", "--title", "{a}"),
    ("visualize", "{inputs}/vectors", "-o", "map.svg", "--method", "pca", "--only", "text.txt"),
    ("evaluate", "{inputs}/run", "--text", "text.txt"),
    ("settings", "{a}"),
)


class Odd(Part):
    """A trial is one odd text, what is made of it, and then some odd questions."""

    name, share, planned, quick = "odd", 0.1, 1000, 6

    def prepare(self) -> None:
        """The inputs are enough."""

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        data = odd_text(draw)
        (folder / "text.txt").write_bytes(data)
        verb = VERBS[number % len(VERBS)].format(tokenizer=draw.choice(TOKENIZERS))
        words = [part for part in data.decode("utf-8", "replace").split() if part][:500] or ["a"]
        asked = {name: draw.choice((draw.choice(words), odd_string(draw, 12), "")) for name in "abc"}
        queries = draw.sample(QUERIES, 3)
        lines = [verb.split(), *([part.format(inputs=self.inputs, **asked) for part in one] for one in queries)]
        counts: dict[str, int] = {}
        with commands.in_folder(folder, folder / "cache"):
            for line in lines:
                signal.setitimer(signal.ITIMER_PROF, LONGEST)
                ended = commands.run_here([part.replace("\x00", "") for part in line])
                signal.setitimer(signal.ITIMER_PROF, 0)
                counts[f"exit code {ended.code}"] = counts.get(f"exit code {ended.code}", 0) + 1
                what = f"{' '.join(line)!r}"[:300]
                if ended.foreign or ended.code == 130:
                    return Outcome(f"{what}: code {ended.code}: {ended.err[-700:]}", counts)
                said = ended.err + (ended.out if line[0] != "generate" or "--json" in line else "")
                if raw := commands.raw_controls(said):
                    return Outcome(f"{what}: prints {raw!r}: {said[-300:]!r}", counts)
        return Outcome("", counts)


def odd_string(draw: random.Random, most: int) -> str:
    """Characters of one or two scripts, some of them joined, unassigned ones among them."""
    scripts = draw.sample(sorted(SCRIPTS), draw.choice((1, 1, 2)))
    out = []
    for _ in range(draw.randint(1, most)):
        out.append(chr(draw.randint(*SCRIPTS[draw.choice(scripts)])))
        if draw.random() < 0.15:
            out.append(draw.choice(JOINERS))
    return "".join(out)


def odd_text(draw: random.Random) -> bytes:
    """The bytes of a text, short or long, sometimes broken, never of white space alone."""
    kind = draw.choice(("words", "words", "words", "few", "one line", "broken", "one word", "no spaces", "short"))
    if kind == "short":
        return draw.choice((b"a", b"a\n", b"a b", b"\xef\xbb\xbfa", "é".encode(), b"a\x00b", b"a\n" * 30))
    words = [odd_string(draw, 9) for _ in range(draw.choice((3, 30, 300)))]
    if kind == "one word":
        return (words[0] * 20).encode()
    spaces = SPACES if draw.random() < 0.5 else (" ", " ", " ", " ", " ", "\n")
    count = {"few": 20, "one line": 3000}.get(kind, draw.choice((200, 2000)))
    parts = [draw.choice(words) + ("" if kind == "no spaces" else draw.choice(spaces)) for _ in range(count)]
    text = "".join(parts)
    if kind == "one line":
        text = (text.replace("\n", " ") * 40)[:400_000]
    data = bytearray(text.encode())
    if kind == "broken":
        for _ in range(draw.choice((1, 3))):
            place = draw.randrange(len(data))
            data[place:place] = draw.choice(BREAKS)
    return bytes(data)
