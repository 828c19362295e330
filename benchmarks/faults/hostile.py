"""Names and kinds of files that nobody expects, for every command: success or a sentence, which steers no terminal."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from . import commands
from .mutants.part import questions
from .mutants.samples import TWO_STEPS, filled
from .trials import Outcome, Part

READS = {
    "text": (
        "data prepare {p} -o out --tokenizer char -q",
        "data inspect {p}",
        f"train lm {{p}} -o out {TWO_STEPS} --tokenizer word",
        f"train embeddings {{p}} -o out {commands.SMALL_VECTORS} -q",
        "evaluate {inputs}/run --text {p}",
        f"train lm {{inputs}}/short.txt --valid {{p}} -o out {TWO_STEPS} --tokenizer word",
        "visualize {inputs}/vectors -o out.svg --method pca --only {p}",
        "train lm {inputs}/short.txt -o out --dry-run --config {p}",
        "evaluate {inputs}/vectors --questions {p}",
        "evaluate {inputs}/vectors --similarity {p}",
        "settings {p}",
        f"train lm {{inputs}}/short.txt -o out {TWO_STEPS} --preset {{p}}",
    ),
    "run": (
        "generate {p} --length 3",
        "evaluate {p} --text {inputs}/short.txt",
        "curves {p} -o out.svg",
        "info {p}",
        f"train lm {{inputs}}/short.txt -o out {TWO_STEPS} --tokenizer word --init {{p}}",
        "neighbors {p} {word}",
    ),
    "vectors": (
        "neighbors {p} {word} -k 2",
        "analogy {p} {word} {other} {third}",
        "doesnt-match {p} {word} {other} {third}",
        "visualize {p} -o out.svg --method pca --words 5",
        "convert {p} out",
        f"train lm {{inputs}}/short.txt -o out {TWO_STEPS} --tokenizer word --embeddings {{p}}",
        f"train embeddings {{inputs}}/short.txt -o out {commands.SMALL_VECTORS} -q --resume {{p}}",
        "info {p} --json",
    ),
}
"""Commands that read `{p}`, by what it is where it is anything."""
WRITES = (
    *(one.replace("-o out", "-o {p}") for one in commands.COMMANDS.values() if "-o out" in one),
    "visualize {inputs}/vectors -o {p} --method pca",
    "convert {inputs}/vectors {p}",
    "convert {inputs}/vectors {p} --format npz",
    "evaluate {inputs}/run --text {inputs}/short.txt --tokens {p}",
    "demo -o {p}",
)
HOPELESS = (
    "name: 300 bytes",
    "a path that is too long",
    "a loop of links",
    "a socket",
    "/dev/null",
    "a file where a folder should be",
)
"""Where no folder can be: the demo, which takes minutes, is tried with these alone."""
NAMES: Mapping[str, bytes] = {
    "escapes": b"\x1b[31mred\x1b]0;title\x07.txt",
    "newline": b"two\nlines\r.txt",
    "bidi": "a\u202etxt.exe\u2066".encode(),
    "invisible": "a\u200b\ufeff\u2028b".encode(),
    "not UTF-8": b"caf\xe9\xff\xfe.txt",
    "C1": "a\u009b31mb".encode(),
    "255 bytes": b"n" * 251 + b".txt",
    "250 bytes of letters of three": "語".encode() * 83,
    "300 bytes": b"n" * 300,
    "an option": b"--help",
    "short option": b"-o",
    "a dash": b"-",
    "spaces": b"  two  spaces ",
    "format": b"%s{0}{x}%(a)s$HOME`id`;*?[a]",
    "quotes": b"'\"\\",
    "a corpus": b"python-docs2",
    "dots": b"...",
    "hidden": b".hidden",
    "emoji": "👩‍👩‍👧 e\u0301".encode(),
    "empty": b"",
}
DEEP = "/".join(["d" * 60] * 55)


class Hostile(Part):
    """A trial is one command and one odd thing that it is told to read or write."""

    name, share, quick = "hostile", 0.1, 12

    def prepare(self) -> None:
        questions(self.inputs)
        self.things = [*(f"name: {name}" for name in NAMES), *KINDS]
        trials = [
            (verb, kind, thing)
            for thing in self.things
            for kind, verbs in (*READS.items(), ("output", WRITES))
            for verb in verbs
            if not verb.startswith("demo") or thing in HOPELESS
        ]
        self.trials = random.Random(self.seed).sample(trials, len(trials))
        self.planned = len(self.trials)
        for place in (self.inputs.parent, self.inputs, self.place):
            place.chmod(0o755)

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        verb, kind, thing = self.trials[number]
        source = {"text": "short.txt", "run": "run", "vectors": "vectors", "output": ""}[kind]
        original = self.inputs / source if source else None
        helpers: list[subprocess.Popen[bytes]] = []
        with commands.in_folder(folder, folder / "cache"):
            name = self.make(thing, original, helpers)
            words = [part.replace("{p}", os.fsdecode(name)) for part in shlex.split(verb)]
            command = [filled(one, self.inputs)[0] if "{" in one and one != os.fsdecode(name) else one for one in words]
            plain = thing in ("unreadable file", "read-only folder", "folder without names")
            if plain:
                give_away(folder)
            ended = commands.run_forked(command, before=nobody if plain else None)
            for helper in helpers:
                helper.kill()
                helper.wait()
        what, said = f"{verb.replace('{inputs}/', '')} with {thing}", ended.out + ended.err
        counts = {f"exit code {ended.code}": 1}
        if ended.foreign or ended.code == 130:
            return Outcome(f"{what}: code {ended.code}: {said[-600:]}", counts)
        if raw := commands.raw_controls(said):
            return Outcome(f"{what}: prints {raw!r}: {said[-300:]!r}", counts)
        if ended.code and not (ended.err.strip() and "seqlab: " in ended.err):
            return Outcome(f"{what}: code {ended.code} without a sentence: {said[-300:]!r}", counts)
        return Outcome("", counts)

    def make(self, thing: str, original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
        """Make a thing in the current folder; its name."""
        if thing.startswith("name: "):
            name = NAMES[thing.removeprefix("name: ")]
            if original is not None and 0 < len(name) < 256:
                copy(original, name)
            return name
        return KINDS[thing](original, helpers)


def copy(original: Path, name: bytes) -> None:
    """A file or folder under another name."""
    if original.is_dir():
        shutil.copytree(original, os.fsdecode(name))
    else:
        shutil.copyfile(original, os.fsdecode(name))


Maker = Callable[[Path | None, list[subprocess.Popen[bytes]]], bytes]


def deep(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.makedirs(DEEP)
    if original is not None:
        copy(original, f"{DEEP}/p".encode())
    return f"{DEEP}/p".encode()


def too_deep(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    return f"{DEEP}/{DEEP}/p".encode()


def loop(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.symlink("q", "p")
    os.symlink("p", "q")
    return b"p"


def loop_inside(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkdir("p")
    os.symlink("../p", "p/again")
    Path("p/a.txt").write_text("a b c d e f g\n" * 50)
    return b"p"


def dangling(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.symlink("nowhere/at/all", "p")
    return b"p"


def pipe(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkfifo("p")
    if original is None:
        helpers.append(subprocess.Popen(["sh", "-c", "exec cat p >/dev/null"]))
    else:
        source = original if original.is_file() else original / "config.json"
        helpers.append(subprocess.Popen(["sh", "-c", 'exec cat "$0" >p', source], stderr=subprocess.DEVNULL))
    return b"p"


def bound(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("p")
    return b"p"


def device(name: bytes) -> Maker:
    return lambda original, helpers: name


def unreadable(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    copy(original or Path("/dev/null"), b"p")
    for path in [Path("p"), *Path("p").rglob("*")]:
        if path.is_file():
            path.chmod(0)
    return b"p"


def read_only(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkdir("place")
    if original is not None:
        copy(original, b"place/p")
    os.chmod("place", 0o555)
    return b"place/p"


def without_names(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkdir("place")
    if original is not None:
        copy(original, b"place/p")
    os.chmod("place", 0o311)
    return b"place/p"


def file_above(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    Path("file").write_text("a")
    return b"file/deep/p"


def empty_file(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    Path("p").touch()
    return b"p"


def empty_folder(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkdir("p")
    return b"p"


def another_folder(original: Path | None, helpers: list[subprocess.Popen[bytes]]) -> bytes:
    os.mkdir("p")
    copy(Path("/dev/null"), b"p/thesis.doc")
    os.symlink("/etc", "p/config.json")
    return b"p"


KINDS: Mapping[str, Maker] = {
    "a deep path": deep,
    "a path that is too long": too_deep,
    "a loop of links": loop,
    "a folder that holds itself": loop_inside,
    "a dangling link": dangling,
    "a pipe": pipe,
    "a socket": bound,
    "/dev/null": device(b"/dev/null"),
    "/dev/zero": device(b"/dev/zero"),
    "/dev/full": device(b"/dev/full"),
    "/dev/urandom": device(b"/dev/urandom"),
    "/proc/self/mem": device(b"/proc/self/mem"),
    "/": device(b"/"),
    "unreadable file": unreadable,
    "read-only folder": read_only,
    "folder without names": without_names,
    "a file where a folder should be": file_above,
    "an empty file": empty_file,
    "an empty folder": empty_folder,
    "another's folder": another_folder,
}


def give_away(folder: Path) -> None:
    """The folder and all in it belong to nobody."""
    if os.getuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


NOBODY = 65534


def nobody() -> None:
    """In a copy of this process: be somebody who may not do everything."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
