"""Trainings are killed, or stopped, at random moments again and again; the end is that of one never stopped."""

from __future__ import annotations

import os
import random
import shlex
import signal
import statistics
import time
from collections import Counter
from pathlib import Path

from . import commands
from .trials import Outcome, Part

LM = "train lm {inputs}/text.txt -o out --hidden-dim 8 --embed-dim 8 --layers 1 --batch-size 4 --threads 1 -q"
VECTORS = "train embeddings {inputs}/text.txt -o out --dim 8 --epochs 2 --workers 1 --min-count 1 -q"
COMPRESS = "compress {inputs}/wide -o out -q --retrain 1 --method"
TRAININGS = {
    "words with counts and cache": f"{LM} --tokenizer word --bptt 16 --steps 10",
    "vectors with phrases": f"{VECTORS} --phrases 2 --model cbow",
    "pruning": f"{COMPRESS} prune=0.6",
    "data prepare": "data prepare {inputs}/text.txt -o out --tokenizer bpe --vocab-size 300 -q",
    "nt-asgd, random windows": f"{LM} --tokenizer word --bptt 16 --epochs 1 --optimizer sgd --lr 1 --average nt-asgd "
    "--set random_bptt=true --set average_patience=1 --dropout 0.3",
    "characters": f"{LM} --tokenizer char --bptt 32 --steps 10",
    "sampled softmax": f"{LM} --tokenizer word --bptt 16 --steps 10 --softmax sampled --samples 20",
    "a list of lines": LM.replace("text.txt", "names.txt") + " --tokenizer char --lines --bptt 16 --steps 10",
    "from the starter": f"{LM} --init starter --steps 6",
    "vectors with n-grams": f"{VECTORS} --subwords",
    "shared values": f"{COMPRESS} share",
    "distillation": f"{COMPRESS} distill,int8",
}
"""The first ones, unlike each other, are those that the tests kill."""
MOST, MOST_IN_SHORT = 6, 2
"""Kills of one training, at most."""


class Kills(Part):
    """A trial is one training, killed up to MOST times, every third one also stopped by Ctrl-C or SIGTERM."""

    name, share, planned, quick = "kills", 0.15, 180, 5

    def prepare(self) -> None:
        small_starter(self.inputs)
        self.commands = [shlex.split(one.format(inputs=self.inputs)) for one in TRAININGS.values()]
        self.expected, self.seconds = [], []
        for command in self.commands[: self.quick if self.short else None]:
            folder = commands.emptied(self.place / "whole")
            with commands.in_folder(folder, folder / "cache"):
                began = time.process_time()
                ended = commands.run_here(command)
                took = time.process_time() - began
                assert ended.code == 0, ended
            self.expected.append(commands.written(folder))
            if self.short:
                self.seconds.append(took)
                continue
            folder = commands.emptied(folder)
            with commands.in_folder(folder, folder / "cache"):
                child = commands.Child(command)
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
                self.seconds.append(child.ran())
                child.ended()
            assert not commands.difference(commands.written(folder), self.expected[-1])
        if self.short:  # the first training of a kind loads what the next ones find
            self.seconds = [min(took, 1.5 * statistics.median(self.seconds)) for took in self.seconds]

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        which = number % len(self.commands)
        name, command, counts = list(TRAININGS)[which], self.commands[which], Counter({"trainings": 1})
        often, stops = draw.random() < 0.7, number % 3 == 2
        with commands.in_folder(folder, folder / "cache"):
            for _ in range(draw.randint(1, MOST_IN_SHORT if self.short else MOST)):
                wanted = draw.choice([signal.SIGINT, signal.SIGTERM]) if stops else signal.SIGKILL
                ended = commands.run_forked(
                    command,
                    before=lambda: save_often() if often else None,
                    after=draw.uniform(0, self.seconds[which]) * draw.choice((0.3, 1.0)),
                    number=wanted,
                )
                if ended.code == 0:
                    counts["ended before the signal"] += 1
                    break
                counts[f"{wanted.name}"] += 1
                if ended.code != (130 if stops else commands.KILLED):
                    return Outcome(f"{name}: {wanted.name} gave code {ended.code}: {ended.err[-600:]}", counts)
                if stops and (ended.err.count("seqlab: interrupted.") != 1 or "Traceback" in ended.err):
                    return Outcome(f"{name}: {wanted.name}: said {ended.err[-600:]!r}", counts)
            wrong = commands.again(command, folder, self.expected[which])
        return Outcome(wrong and f"{name}: {wrong}", counts)


def save_often() -> None:
    """A language model saves its state after every step, so that many kills fall into a save."""
    from seqlab.training import loop

    loop.SAVE_EVERY = 0.0


def small_starter(inputs: Path) -> None:
    """The model that short texts start from is trained in a moment, on a small text."""
    from seqlab.training import starter

    small = {"text": {"tokenizer": "char"}, "model": {"hidden_dim": 8, "embed_dim": 8, "layers": 1, "tie": False}}
    small |= {"training": {"steps": 6, "batch_size": 4, "bptt": 16, "threads": 1}}
    starter.TEXT = str(inputs / "text.txt")
    starter.preset = lambda name: small
