"""Which tokenizer suits a text: nats per character of unseen text, and the share of invented words, at equal time.

    python -m benchmarks.text.tokenizers shakespeare --seconds 60
    python -m benchmarks.text.tokenizers articles --seconds 60 180 --rows text/tokenizers

Each tokenizer trains with the settings that seqlab chooses for it, on one thread, for so many seconds of CPU time in
training steps: a busy machine changes nothing but the wait. Unknown words are charged for by spelling them with a
character trigram of the training words. The counts are those of the model. (The rows of 2026-11-28 are of networks
trained alone, mixed with Kneser-Ney counts of the same tokens by one weight.)
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import seqlab
from benchmarks import rows
from seqlab.training import loop

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
HELD_OUT = 60_000
"""Characters kept for validation, and as many again for the test."""


def text_of(name: str, characters: int) -> str:
    """Verse; or encyclopedia articles as ordinary prose; or documentation of this machine's Python."""
    if name == "shakespeare":
        return rows.data("tinyshakespeare", "input.txt").read_text("utf-8")[:characters]
    if name == "documentation":
        from seqlab.catalogue.corpora import splits

        [path] = splits("python-docs")["train"]
        records = map(json.loads, path.read_text("utf-8").splitlines())
        return "\n".join(record["text"] for record in records)[:characters]
    text = rows.data("wikitext-2", "train.txt").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(" =")]
    plain = (re.sub(r" @([-,.])@ ", r"\1", line) for line in lines)
    plain = (re.sub(r" ([,.;:!?)%]|'s\b|n't\b)", r"\1", line).replace("( ", "(") for line in plain)
    sentences = (re.sub(r"\s*\"\s*([^\"]*?)\s*\"", r' "\1"', line) for line in plain)
    kept = ("".join(part for part in re.split(r"(?<=[.!?]) ", line) if "<unk>" not in part) for line in sentences)
    return "\n".join(line for line in kept if line)[:characters]


class Spelling:
    """Cost in nats of spelling a word by a character trigram, learned from distinct words; smoothed by adding 0.1."""

    def __init__(self, words: set[str]):
        self.seen: Counter[str] = Counter()
        self.before: Counter[str] = Counter()
        for word in words:
            for context, character in self.steps(word):
                self.seen[context + character] += 1
                self.before[context] += 1
        self.letters = len(set("".join(words))) + 1

    @staticmethod
    def steps(word: str) -> list[tuple[str, str]]:
        padded = f"\x02\x02{word}\x03"
        return [(padded[place - 2 : place], padded[place]) for place in range(2, len(padded))]

    def nats(self, word: str) -> float:
        return -sum(
            math.log((self.seen[context + character] + 0.1) / (self.before[context] + 0.1 * self.letters))
            for context, character in self.steps(word)
        )


class CpuClock:
    """Lets a training's budget of time count the CPU time of its steps."""

    def __init__(self) -> None:
        self.spent, step = 0.0, loop.Trainer.train_step

        def train_step(trainer: Any) -> None:
            began = time.process_time()
            step(trainer)
            self.spent += time.process_time() - began

        def look_at_the_clock(trainer: Any, last_save: float, interrupted: bool) -> tuple[bool, bool]:
            trainer.position.seconds = self.spent
            return False, False

        loop.Trainer.train_step = train_step  # type: ignore[method-assign]
        loop.Trainer.look_at_the_clock = look_at_the_clock  # type: ignore[method-assign]


def measure(text: str, tokenizer: str, seconds: float, clock: CpuClock, folder: Path) -> dict[str, float | None]:
    parts = {"train": text[: -2 * HELD_OUT], "valid": text[-2 * HELD_OUT : -HELD_OUT], "test": text[-HELD_OUT:]}
    files = {name: folder / f"{name}.txt" for name in parts}
    for name, part in parts.items():
        files[name].write_text(part, "utf-8", newline="\n")
    corpus = seqlab.prepare(
        files["train"], valid=files["valid"], test=files["test"], tokenizer=tokenizer, lines="no", quiet=True
    )
    clock.spent = 0.0
    lm = seqlab.train_language_model(corpus, minutes=seconds / 60, threads=1, evaluations=5, quiet=True, seed=1)
    scores = lm.evaluate(split="test").to_json()
    known, spelling = set(corpus.tokenizer.vocab.itos), Spelling(set(parts["train"].split()))
    charged = 0.0
    if corpus.tokenizer.unk_id is not None and tokenizer != "char":
        segments, indices = corpus.tokenizer.segment(parts["test"])
        costs = [0.0 if one in known else spelling.nats(corpus.tokenizer.plain(one)) for one in segments]
        charged = sum(costs[place] for place in indices.tolist()) / HELD_OUT
    real = {word.casefold() for word in WORD.findall(text)}
    samples = lm.sample(
        n=20, length=max(10, int(400 * len(corpus.train) / corpus.train.characters)), temperature=0.8, seed=1
    )
    written = [word for one in samples for word in WORD.findall(str(one))[:-1]]
    return {
        "with counts, unknown words spelled [nats per character]": scores["nats_per_char"] + charged,
        "network alone, unknown words spelled [nats per character]": scores.get("network", scores)["nats_per_char"]
        + charged,
        "invented words [%]": 100 * sum(word.casefold() not in real for word in written) / max(1, len(written)),
        "of it for spelling [nats per character]": charged,
        "passes": lm.summary["tokens"] / len(corpus.train),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", choices=("shakespeare", "articles", "documentation"))
    parser.add_argument("--characters", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0])
    parser.add_argument("--tokenizers", nargs="+", default=["char", "bpe", "word"])
    rows.add_option(parser)
    options = parser.parse_args()
    text, clock = text_of(options.text, options.characters), CpuClock()
    size = f"{len(text) / 1e6:.1f} MB"
    for seconds in options.seconds:
        for tokenizer in options.tokenizers:
            with tempfile.TemporaryDirectory() as folder:
                found = measure(text, tokenizer, seconds, clock, Path(folder))
            print(
                options.text,
                size,
                seconds,
                tokenizer,
                {key: round(value or 0, 3) for key, value in found.items()},
                flush=True,
            )
            rows.record(
                options.rows,
                {f"{options.text} {size}, {seconds:g} s: {tokenizer}": found},
                where="one thread, CPU time of training steps, shared with other work",
            )


if __name__ == "__main__":
    main()
