"""The commands that write, on a text so small that each takes a fraction of a second, and what they wrote."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import shutil
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
VOLATILE = ("config.json", "manifest.json", "metrics.jsonl", "corpus.json")
"""Files with times, paths and digests of such files in them."""


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
    """A text, word vectors in two formats and a run, for the commands to read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.txt").write_text(small_text(), encoding="utf-8")
    with in_folder(folder, folder / "cache"):
        for command in (
            f"train embeddings text.txt -o vectors {SMALL_VECTORS} -q",
            f"train lm text.txt -o run {SMALL_LM} -q",
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


def run_forked(command: list[str], seconds: float = 60.0, before: object = None) -> Ended:
    """Run a command in a copy of this process, which has everything imported; `before()` is called in it first.

    A command that takes longer than `seconds` is killed by SIGALRM: code -14.
    """
    import signal
    import tempfile

    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        child = os.fork()
        if not child:
            code = 1
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, seconds)
                if callable(before):
                    before()
                ended = run_here(command)
                for handle, text in ((out, ended.out), (err, ended.err)):
                    os.write(handle.fileno(), text.encode("utf-8", "surrogateescape"))
                code = ended.code
            except BaseException:
                os.write(err.fileno(), traceback.format_exc().encode())
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        out.seek(0)
        err.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), out.read(), err.read())


def written(folder: Path) -> dict[str, str]:
    """Every file below a folder but the cache, with a digest of what must be the same each time."""
    from seqlab.base.files import load_tensors, tensor_digest

    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/")[0] == "cache":
            continue
        if path.is_dir():
            found[name] = "folder"
        elif path.name in VOLATILE:
            found[name] = "file"
        elif path.name == "latest.safetensors":
            found[name] = tensor_digest(load_tensors(path)[0], {})
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def strays(folder: Path) -> list[str]:
    """Temporary files and folders that are still there, those of the cache too."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def opens(folder: Path) -> None:
    """Open what was written and verify it. Raises what is wrong."""
    from seqlab import load

    for path in folder.iterdir():
        if path.name == "out":
            load(path)


def emptied(folder: Path) -> Path:
    """The same folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
