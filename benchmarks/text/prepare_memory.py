"""Peak memory and time of `prepare` on a large generated text: python -m benchmarks.text.prepare_memory --help

Makes a text of random words, prepares it in a process of its own and samples the resident memory of that
process and its workers, summed, ten times a second (from /proc: Linux only). Prints one JSON object. The text
is deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import rows

BLOCK = 8 << 20

PREPARE = """
import json, sys
from seqlab.config import TextConfig
from seqlab.text import prepare
source, out, kind, quiet = sys.argv[1:]
corpus = prepare(source, out, TextConfig(tokenizer=kind), quiet=quiet == "quiet")
figures = corpus.summary
print(json.dumps({key: figures[key] for key in ("tokens", "types", "chars", "words", "bytes")}))
"""


def blocks(layout: str, types: int) -> Iterator[bytes]:
    """Endless text: `lines` of ten words, one `line` of words, or letters `solid` without any white space.

    Words are of 2 to 12 letters and follow Zipf's law.
    """
    draw = np.random.default_rng(1)
    if layout == "solid":
        while True:
            yield draw.integers(97, 123, BLOCK, dtype=np.uint8).tobytes()
    letters = draw.integers(97, 123, (types, 12), dtype=np.uint8)
    words = [bytes(row[: 2 + rank % 11]) for rank, row in enumerate(letters)]
    weights = 1 / np.arange(1, types + 1)
    cumulative = np.cumsum(weights / weights.sum())
    while True:
        chosen = [words[rank] for rank in np.searchsorted(cumulative, draw.random(BLOCK // 8)).tolist()]
        if layout == "lines":
            chosen[9::10] = [word + b".\n" for word in chosen[9::10]]
        yield b" ".join(chosen) + b" "


def write_text(path: Path, size: int, layout: str, types: int) -> None:
    with path.open("wb") as handle:
        for block in blocks(layout, types):
            handle.write(block[: size - handle.tell()])
            if handle.tell() >= size:
                return


def resident(pid: int) -> int:
    """Bytes of resident memory of a process and all its descendants."""
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return total + sum(resident(int(child)) for child in children)


def measure(text: Path, out: Path, kind: str) -> dict[str, Any]:
    """Peak memory (MB, all processes), seconds and the corpus's figures."""
    command = [sys.executable, "-c", PREPARE, str(text), str(out), kind, "quiet"]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"prepare failed with status {process.returncode}")
    return {"peak_mb": round(peak / 1e6), "seconds": round(seconds, 1), **json.loads(printed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--tokenizer", default="word", help="char, byte, word, whitespace, bpe")
    parser.add_argument("--layout", default="lines", choices=("lines", "line", "solid"))
    parser.add_argument("--types", type=int, default=50_000, help="distinct words of the text")
    parser.add_argument("--folder", help="where to put the text and the corpus (default: a temporary folder)")
    rows.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        text = Path(folder) / "text.txt"
        write_text(text, options.megabytes * 1_000_000, options.layout, options.types)
        figures = measure(text, Path(folder) / "corpus", options.tokenizer)
    settings = {"megabytes": options.megabytes, "tokenizer": options.tokenizer, "layout": options.layout}
    name = f"{options.megabytes} MB, {options.layout}, {options.tokenizer}"
    rows.record(options.rows, {name: {"peak memory [MB]": figures["peak_mb"], "time [s]": figures["seconds"]}})
    print(json.dumps({**settings, **figures}))


if __name__ == "__main__":
    main()
