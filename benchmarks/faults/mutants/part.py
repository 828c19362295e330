"""Every file that seqlab reads is damaged in every way; each command then reads it, or refuses it in one sentence."""

from __future__ import annotations

import gc
import json
import random
import resource
import shutil
import signal
from pathlib import Path

from .. import commands
from ..trials import Outcome, Part
from . import damage
from .samples import SAMPLES, filled

MOST_MEMORY = 500_000_000
"""Bytes that reading a damaged file may take."""
ADDRESSES = 4_000_000_000
"""Bytes of addresses beyond those of the program before a worker gets no more memory."""
LONGEST = 30.0
"""Seconds of the processor until a command hangs."""
FREE = ("metrics.jsonl",)
"""Files whose damaged lines are left out, verified or not: only pictures depend on them."""
MOVING = (*commands.TIMES, "start_up_seconds", "bytes", "files", "modified")


class Mutants(Part):
    """A trial is one damaged file and one command that reads it."""

    name, share, planned, quick = "mutants", 0.35, 10_000, 30

    def prepare(self) -> None:
        questions(self.inputs)
        self.trials = [(name, verb) for name, sample in SAMPLES.items() for verb in sample.verbs]
        random.Random(self.seed).shuffle(self.trials)
        if self.short:
            self.trials = self.trials[: self.quick]
        self.expected: dict[tuple[str, str], tuple[object, ...]] = {}
        self.others = []
        for name, sample in SAMPLES.items():
            place = commands.emptied(self.place / "samples" / name)
            (place / "in").mkdir()
            with commands.in_folder(place, self.cache(place)):
                sample.make(self.inputs)
            self.others += [one for one in (place / "in").rglob("*") if one.is_file()]
        for name, verb in self.trials:
            folder = self.copy(name, commands.emptied(self.place / "whole"))
            code, *rest = self.read(name, verb, folder, None)
            assert code == 0 or (code == 2 and name.startswith("unfinished")), (name, verb, rest)
            self.expected[name, verb] = (code, *rest)
        gc.freeze()

    def cache(self, folder: Path) -> Path:
        """Damaged, where there is one in the sample; else one for all."""
        return folder / "in" / "cache" if (folder / "in" / "cache").exists() else folder / "cache"

    def copy(self, name: str, folder: Path) -> Path:
        shutil.copytree(self.place / "samples" / name / "in", folder / "in")
        return folder

    def read(self, name: str, verb: str, folder: Path, damaged: Path | None) -> tuple[object, ...]:
        """Run a command: its exit code, what it said, and what it wrote."""
        file = f"in/{sorted(one.name for one in (self.place / 'samples' / name / 'in').iterdir())[-1]}"
        cache = self.cache(folder)
        with commands.in_folder(
            folder, cache if cache.name == "cache" and "in" in cache.parts else self.place / "cache"
        ):
            ended = commands.run_here(filled(verb, self.inputs, file))
        hurt = None if damaged is None else str(damaged.relative_to(folder))
        kept = {}
        if ended.code == 0:
            kept = commands.written(
                folder, lambda one: one.startswith("out") or (one.endswith(".safetensors") and one != hurt)
            )
        return ended.code, ended.err, steady(ended.out), kept

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        name, verb = self.trials[number % len(self.trials)]
        self.copy(name, folder)
        files = sorted(one for one in (folder / "in").rglob("*") if one.is_file())
        victim = draw.choice(files)
        how = damage.damage(victim, draw, draw.choice(self.others).read_bytes())
        manifests = [one.parent for one in (folder / "in").rglob("manifest.json") if one != victim]
        fits = draw.random() < 0.5 and any(
            damage.with_fitting_digests(one) for one in manifests if one in victim.parents
        )
        fits = fits or (how.endswith("anew") and not covered(victim))
        self.limit()
        before, highest = memory(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        code, said, *rest = self.read(name, verb, folder, victim)
        signal.setitimer(signal.ITIMER_PROF, 0)
        taken = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        how += ", digests fit" * fits
        what = f"{name}, {victim.relative_to(folder / 'in')}: {how}; {verb.split(' -')[0]}"
        if taken > 1024 * highest and taken - before > MOST_MEMORY:
            return Outcome(f"{what}: took {(taken - before) / 1e6:,.0f} MB")
        verdict, wrong = self.judge(name, verb, victim, fits, code, str(said), rest)
        return Outcome(wrong and f"{what}: {wrong}", {verdict: 1})

    def judge(
        self, name: str, verb: str, victim: Path, fits: bool, code: object, said: str, rest: list[object]
    ) -> tuple[str, str]:
        """How a reading ended, and what is wrong with that."""
        if "Traceback" in said or code not in (0, 1, 2):
            return "foreign errors", f"code {code}: {said[-700:]}"
        if raw := commands.raw_controls(said + str(rest[0])):
            return "raw control characters", f"prints {raw!r}: {said[-300:]!r}"
        if code:
            if not said.strip().splitlines()[-1].startswith("seqlab: "):
                return "no sentence", f"code {code}: {said[-300:]}"
            return "refused", ""
        whole = self.expected[name, verb]
        hurt = str(victim).rpartition("/in/")[2]
        expected = {one: digest for one, digest in dict(whole[3]).items() if one != f"in/{hurt}"}
        if [whole[2], expected] == rest:
            return "read as if whole", ""
        if not SAMPLES[name].verified or fits or victim.name in FREE:
            return "read otherwise, without a digest or with one that fits", ""
        if name == "cache":
            return "read otherwise", "the cache gave another result"
        return "read otherwise", f"unnoticed: {said[-200:]!r}; {differences([whole[2], expected], rest)}"

    def limit(self) -> None:
        """A worker gets no more addresses than that; signals of the timer end it."""
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESSES, resource.RLIM_INFINITY))


def covered(file: Path) -> bool:
    """Whether a manifest has the digest of a file."""
    for folder in file.parents:
        if (folder / "manifest.json").is_file():
            return f'"{file.relative_to(folder)}"' in (folder / "manifest.json").read_text("utf-8", "replace")
    return False


def memory() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def steady(out: str) -> str:
    """What a command printed, without what is another one each time."""
    lines = []
    for line in out.splitlines():
        try:
            lines.append(json.dumps(without_moving(json.loads(line)), sort_keys=True))
        except ValueError:
            lines.append(line)
    return "\n".join(lines)


def without_moving(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_moving(one) for name, one in value.items() if name not in MOVING}
    return [without_moving(one) for one in value] if isinstance(value, list) else value


def differences(whole: list[object], found: list[object]) -> str:
    """Where two readings differ, shortened."""
    if whole[0] != found[0]:
        return f"says {str(found[0])[:200]!r}, not {str(whole[0])[:200]!r}"
    return f"writes other {sorted(set(dict(whole[1]).items()) ^ set(dict(found[1]).items()))[:2]}"


def questions(inputs: Path) -> None:
    """Analogies for verbs of vectors, and a short text."""
    words = sorted(set(commands.small_text().split()))
    lines = [": one", *(" ".join(words[n : n + 4]) for n in range(1, 20))]
    (inputs / "questions.txt").write_text("\n".join(lines) + "\n")
    (inputs / "short.txt").write_text(commands.small_text(1, 400))
