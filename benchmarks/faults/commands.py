"""The commands that write, on a text so small that each takes a fraction of a second, and what they wrote."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

SECONDS, CPU_SECONDS = 120.0, 30
"""What a command may take by the clock, and of the processor, until it counts as hanging."""
STOPS = (signal.SIGINT, signal.SIGTERM)
ADDRESSES = 16 << 30
"""Bytes of addresses that a command may have: what reads without end stops there."""
LOOK = 0.001
"""Seconds between two looks at how long a command has run."""
HANGS = -14
KILLED = -9

WORDS, TYPES = 3000, 60
SMALL_LM = "--tokenizer word --hidden-dim 8 --embed-dim 8 --layers 1 --batch-size 4 --bptt 16 --steps 6 --threads 1"
SMALL_VECTORS = "--dim 8 --epochs 2 --workers 1 --min-count 1"
COMMANDS: Mapping[str, str] = {
    "train lm": f"train lm {{inputs}}/text.txt -o out {SMALL_LM} -q",
    "train embeddings": f"train embeddings {{inputs}}/text.txt -o out {SMALL_VECTORS} -q",
    "data prepare": "data prepare {inputs}/text.txt -o out --tokenizer bpe --vocab-size 300 -q",
    "convert to a folder": "convert {inputs}/vectors.txt out",
    "convert to text": "convert {inputs}/vectors out.txt",
    "convert to npz": "convert {inputs}/vectors out.npz",
    "convert to projector": "convert {inputs}/vectors out.tsv",
    "visualize": "visualize {inputs}/vectors -o out.svg --method pca --words 20",
    "curves": "curves {inputs}/run -o out.svg",
    "evaluate --tokens": "evaluate {inputs}/run --text {inputs}/text.txt --tokens out.jsonl",
}
"""What is written is called "out", with or without an ending; `{inputs}` is the folder that `make_inputs` filled."""
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows them."""
VOLATILE = ("config.json", "manifest.json", "metrics.jsonl", "corpus.json")
"""Files with times, paths and digests of such files in them."""
TIMES = ("seconds", "words_per_second", "tokens_per_second", "command", "path", "created")
"""Names of what they say that another run says otherwise."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def foreign(self) -> bool:
        """Whether it ended by an error that is not seqlab's own sentence."""
        return "Traceback" in self.err or self.code not in (0, 1, 2, 130)


def small_text(seed: int = 1, words: int = WORDS) -> str:
    """Sentences in which every word says something of the next."""
    draw = random.Random(seed)
    vocabulary = [f"{draw.choice('bdfgklmnprst')}{draw.choice('aeiou')}{n}" for n in range(TYPES)]
    followers = {word: draw.sample(vocabulary, 4) for word in vocabulary}
    word, out = vocabulary[0], []
    for number in range(words):
        out.append(word)
        if number % 12 == 11:
            out.append(".\n")
        word = draw.choice(followers[word])
    return " ".join(out)


def make_inputs(folder: Path) -> None:
    """A text, word vectors in two formats, and runs, one of them wide enough to be compressed: what commands read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.txt").write_text(small_text(), encoding="utf-8")
    names = small_text(2, 900).replace(".", "").split()
    (folder / "names.txt").write_text("\n".join(map(str.capitalize, names)) + "\n", encoding="utf-8")
    with in_folder(folder, folder / "cache"):
        for command in (
            f"train embeddings text.txt -o vectors {SMALL_VECTORS} -q",
            f"train lm text.txt -o run {SMALL_LM} -q",
            f"train lm text.txt -o wide {SMALL_LM} -q --hidden-dim 64 --embed-dim 64",
            "convert vectors vectors.txt",
        ):
            ended = run_here(command.split())
            assert ended.code == 0, ended


def arguments(name: str, inputs: Path) -> list[str]:
    """A command of COMMANDS, ready to run."""
    return COMMANDS[name].format(inputs=inputs).split()


@contextlib.contextmanager
def in_folder(folder: Path, cache: Path) -> Iterator[None]:
    """Inside, `folder` is the current one, and the cache is elsewhere too."""
    before, place = os.environ.get("SEQLAB_CACHE"), os.getcwd()
    os.environ["SEQLAB_CACHE"] = str(cache)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        if before is None:
            del os.environ["SEQLAB_CACHE"]
        else:
            os.environ["SEQLAB_CACHE"] = before


def run_here(command: list[str]) -> Ended:
    """Run a command of seqlab in this process."""
    from seqlab_cli.main import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(command)
        except BaseException:
            code = 1
            traceback.print_exc(file=err)
    return Ended(code, out.getvalue(), err.getvalue())


class Child:
    """A copy of this process, which has everything imported, that runs a command with streams of its own.

    Args:
        command: its words.
        before: called in the copy first.
        stdin: what it can read.
    """

    def __init__(self, command: list[str], before: Callable[[], object] | None = None, stdin: bytes = b""):
        self.streams = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115
        self.streams[0].write(stdin)
        self.streams[0].seek(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        self.pid = os.fork()
        if not self.pid:
            become(command, [stream.fileno() for stream in self.streams], before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        self.watch = os.pidfd_open(self.pid)

    def signal_after(self, seconds: float, number: int) -> None:
        """Send a signal once it has had so many seconds of the processor, unless it has ended before."""
        while self.ran() < seconds:
            if self._ends_within(LOOK):
                return
        signal.pidfd_send_signal(self.watch, number)

    def ran(self) -> float:
        """Seconds of the processor that it has had, but for its threads; those of a crowded machine count alike."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def ended(self) -> Ended:
        """Wait for the end; the code is -9 after a kill, HANGS where it took too long."""
        hangs = not self._ends_within(SECONDS)
        if hangs:
            signal.pidfd_send_signal(self.watch, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.watch)
        said = []
        for stream in self.streams[1:]:
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "surrogateescape"))
        for stream in self.streams:
            stream.close()
        return Ended(HANGS if hangs or code == -signal.SIGXCPU else code, *said)

    def _ends_within(self, seconds: float) -> bool:
        return bool(select.select([self.watch], [], [], seconds)[0])


def run_forked(
    command: list[str],
    before: Callable[[], object] | None = None,
    stdin: bytes = b"",
    after: float | None = None,
    number: int = signal.SIGKILL,
) -> Ended:
    """Run a command in a `Child`, which is sent a signal after so many seconds of the processor, if any."""
    child = Child(command, before, stdin)
    if after is not None:
        child.signal_after(after, number)
    return child.ended()


def become(command: list[str], streams: list[int], before: Callable[[], object] | None) -> NoReturn:
    """In a forked copy: be the program that runs a command."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, resource.RLIM_INFINITY))
        if before is not None:
            before()
        sys.argv = ["seqlab", *command]
        from seqlab_cli import end_at_once, start

        for number in STOPS:  # as `start` does, but before a signal can come
            signal.signal(number, end_at_once)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        start()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def written(folder: Path, counts: Callable[[str], bool] = lambda name: True) -> dict[str, str]:
    """Every file below a folder but the cache, with a digest of what must be the same each time: all but times.

    Args:
        folder: that was written to.
        counts: whether a file of that name is of interest.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/")[0] != "cache" and counts(name):
            found[name] = "folder" if path.is_dir() else hashlib.sha256(_timeless_bytes(path)).hexdigest()
    return found


def _timeless_bytes(path: Path) -> bytes:
    from seqlab.base.files import load_tensors, tensor_digest

    if path.name == "manifest.json":
        return json.dumps(sorted(json.loads(path.read_bytes())["files"])).encode()
    if path.name in VOLATILE:
        lines = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
        return json.dumps([timeless(json.loads(line)) for line in lines], sort_keys=True).encode()
    if path.name == "latest.safetensors":
        tensors, texts = load_tensors(path)
        return json.dumps([tensor_digest(tensors, {}), timeless(json.loads(texts["values"]))]).encode()
    return path.read_bytes()


def timeless(value: Any) -> Any:
    """A value of JSON without what is another one each time."""
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items() if name not in TIMES}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def difference(found: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """Names of what differs, but for hidden ones: what could not be removed is left to the next start."""
    names = [name for name in sorted(found.keys() | expected.keys()) if not name.startswith(".") and "/." not in name]
    return ", ".join(name for name in names if found.get(name) != expected.get(name))


def again(command: list[str], folder: Path, expected: Mapping[str, str]) -> str:
    """Run a command that was stopped once more, in the current folder: what is wrong then, "" where nothing is."""
    ended = run_forked(command)
    if ended.code:
        return f"the same command again ends with code {ended.code}: {ended.err[-400:]}"
    if wrong := difference(written(folder), expected):
        return f"another result after the same command again: {wrong}"
    if left := strays(folder):
        return f"left behind: {left}"
    try:
        opens(folder)
    except Exception as error:
        return f"what was written does not open: {error}"
    return ""


def raw_controls(text: str) -> str:
    """The characters of what was printed that could steer a terminal."""
    return "".join(
        sorted(
            {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Zl", "Zp")} | BIDI & set(text)
        )
    )


def strays(folder: Path) -> list[str]:
    """Temporary files and folders that are still there, those of the cache too."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def opens(folder: Path) -> None:
    """Open what was written and verify it. Raises what is wrong."""
    from seqlab import load

    if (folder / "out").is_dir():
        load(folder / "out")


def remove(folder: Path) -> None:
    """Remove a folder, whatever may be done with what is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=False)
        shutil.rmtree(folder)


def emptied(folder: Path) -> Path:
    """The same folder with nothing in it."""
    remove(folder)
    folder.mkdir(parents=True)
    return folder


def warm() -> None:
    """Import what commands import, so that copies of this process start at once."""
    import encodings
    import gc
    import importlib
    import pkgutil

    import matplotlib.pyplot
    import sklearn.decomposition
    import torch

    from seqlab import api  # noqa: F401

    for backend in ("agg", "svg", "pdf"):
        matplotlib.pyplot.switch_backend(backend)
    assert sklearn.decomposition.PCA
    for codec in pkgutil.iter_modules(encodings.__path__):  # which a command that runs as nobody may not read
        with contextlib.suppress(ImportError):
            importlib.import_module(f"encodings.{codec.name}")

    torch.set_num_threads(1)
    gc.freeze()
