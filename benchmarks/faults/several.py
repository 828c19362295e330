"""Several programs on one folder at a time, and one program for a long time."""

from __future__ import annotations

import gc
import os
import random
import shlex
import threading
import time
from collections import Counter
from pathlib import Path

from . import commands
from .kills import TRAININGS, small_starter
from .replaced import torn_loads
from .trials import Outcome, Part

PAIRS = {
    "words with counts and cache": TRAININGS["words with counts and cache"],
    "vectors": commands.COMMANDS["train embeddings"],
    "into one cache": "train lm {inputs}/text.txt -o out{n} " + commands.SMALL_LM + " -q",
    "convert to a folder": commands.COMMANDS["convert to a folder"],
    **{name: TRAININGS[name] for name in ("vectors with phrases", "data prepare")},
    "from the starter": TRAININGS["from the starter"].replace("-o out", "-o out{n}"),
    "convert to text": commands.COMMANDS["convert to text"],
}
"""Commands that are started twice at nearly the same time; those with {n} write to two places and share the cache. The
tests start the first ones only."""
WARM_UP = 15
"""Rounds until everything is imported and every buffer has its size."""
GROWTH = 30_000_000
"""Bytes by which memory may differ after that."""


class Writers(Part):
    """A trial is one command twice: each succeeds or is refused in a sentence, and the result is that of one."""

    name, share, planned, quick = "writers", 0.04, 96, 4

    def prepare(self) -> None:
        small_starter(self.inputs)
        self.expected = {}
        for name, command in list(PAIRS.items())[: self.quick if self.short else None]:
            folder = commands.emptied(self.place / "whole")
            with commands.in_folder(folder, folder / "cache"):
                for n in (1, 2):
                    ended = commands.run_forked(self.words(command, n))
                    assert ended.code == 0, ended
            self.expected[name] = commands.written(folder)

    def words(self, command: str, n: int) -> list[str]:
        return shlex.split(command.format(inputs=self.inputs, n=n))

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        name = list(PAIRS)[number % len(PAIRS)]
        late = draw.choice((0.0, 0.0, draw.uniform(0, 0.05), draw.uniform(0, 0.4)))
        with commands.in_folder(folder, folder / "cache"):
            first = commands.Child(self.words(PAIRS[name], 1))
            second = commands.Child(self.words(PAIRS[name], 2), before=lambda: time.sleep(late))
            ends = [first.ended(), second.ended()]
            counts = Counter("refused" if ended.code else "succeeded" for ended in ends)
            for ended in ends:
                if ended.foreign or ended.code not in (0, 2):
                    return Outcome(f"{name}: code {ended.code}: {ended.err[-500:]}", counts)
            if not counts["succeeded"]:
                return Outcome(f"{name}: both refused: {ends[0].err} {ends[1].err}", counts)
            if counts["refused"]:
                commands.run_forked(self.words(PAIRS[name], 1))  # the one that was refused, if it was this one
            wrong = commands.again(self.words(PAIRS[name], 2), folder, self.expected[name])
        return Outcome(wrong and f"{name}, {late:.3f} s apart: {wrong}", counts)


class Readers(Part):
    """A trial is 500 loads of folders by 8 readers while a writer replaces them: none is torn, and none fails."""

    name, share, planned, quick = "readers", 0.06, 30, 1
    loads = 500

    def prepare(self) -> None:
        """Nothing is needed."""

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        found = torn_loads(folder, 8, self.loads // (5 if self.short else 1), method="fork")
        wrong = {name: count for name, count in found.items() if name not in ("whole", "replacements")}
        return Outcome(f"{wrong}" if wrong else "", {name: found[name] for name in ("whole", "replacements")})


class Soak(Part):
    """A trial is one process that loads, generates, evaluates and trains again and again."""

    name, share, planned, quick = "soak", 0.06, 1, 0
    rounds = 100

    def prepare(self) -> None:
        """The inputs are enough."""

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        import seqlab

        small = {"hidden_dim": 8, "embed_dim": 8, "layers": 1, "batch_size": 4, "bptt": 16, "steps": 2, "threads": 1}
        text = str(self.inputs / "text.txt")
        seen: list[tuple[int, int, int]] = []
        with commands.in_folder(folder, folder / "cache"):
            for n in range(self.rounds):
                model = seqlab.load(self.inputs / "run")
                model.generate(length=20, seed=n)
                model.evaluate(text)
                seqlab.train_language_model(text, "out", tokenizer="word", quiet=True, **small)
                vectors = seqlab.load(self.inputs / "vectors")
                vectors.neighbors(vectors.words[n % len(vectors.words)], k=3)
                commands.remove(folder / "out")
                del model, vectors
                gc.collect()
                seen.append((resident(), len(os.listdir("/proc/self/fd")), threading.active_count()))
        memory = [one[0] for one in seen[WARM_UP:]]
        grown = max(memory[-5:]) - min(memory[:5])
        wrong = f"memory grew by {grown / 1e6:.1f} MB" if grown > GROWTH else ""
        for what, at in (("open files", 1), ("threads", 2)):
            if len({one[at] for one in seen[WARM_UP:]}) > 1:
                wrong += f" {what}: {sorted({one[at] for one in seen[WARM_UP:]})}"
        return Outcome(wrong, {"rounds": self.rounds, "MB grown": round(max(0, grown) / 1e6)})


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
