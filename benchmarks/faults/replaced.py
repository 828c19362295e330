"""Folders are loaded by several programs while another one replaces them: how many loads mix two versions, or fail?"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.base.errors import SeqlabError
from seqlab.base.files import atomic_folder
from seqlab.embeddings import WordVectors
from seqlab.text import Corpus, prepare

WORDS = 50
VERSIONS = 2
KINDS = ("vectors", "mapped", "unverified", "corpus")


def torn_loads(folder: Path, readers: int = 8, loads: int = 15_000, method: str = "spawn") -> Counter[str]:
    """Load two folders `loads` times in all while a writer replaces them.

    Args:
        folder: where they are made.
        readers: processes that load.
        loads: of all readers together.
        method: by which multiprocessing starts them.

    Returns:
        Counts of "whole" loads, "torn" ones (of two versions) and "alarms" (errors, though nothing is damaged), and of
        the "replacements" meanwhile.
    """
    texts = [folder / f"{version}.txt" for version in range(VERSIONS)]
    for version, text in enumerate(texts):
        text.write_text(f"version{version} " * (100 + version))
        _write(folder, text, version)
    context = multiprocessing.get_context(method)
    with context.Manager() as manager, context.Pool(readers) as pool:
        begun, done = manager.Event(), manager.Event()
        writer = context.Process(target=_replace, args=(folder, begun, done))
        writer.start()
        try:
            shares = [loads // readers + (number < loads % readers) for number in range(readers)]
            begun.wait()
            counts = pool.starmap(_read, [(folder, share, number) for number, share in enumerate(shares)])
        finally:
            done.set()
            writer.join()
    found = sum(counts, Counter[str]())
    found["replacements"] = int((folder / "replacements").read_text())
    return found


def _write(folder: Path, text: Path, version: int) -> None:
    """Both folders in one version: every file of them tells which."""
    words = [f"{version}-{number}" for number in range(WORDS)]
    matrix = np.full((WORDS, 8), version + 1.0, np.float32)
    WordVectors(words, matrix, np.full(WORDS, version + 1), {"version": version}).save(folder / "vectors")
    prepare(text, folder / "corpus", quiet=True)
    for name in ("vectors", "corpus"):
        shutil.copytree(folder / name, folder / f"{name}-{version}")


def _replace(folder: Path, begun: Any, done: Any) -> None:
    number = 0
    while not done.is_set():
        for name in ("vectors", "corpus"):
            with atomic_folder(folder / name, "manifest.json") as temporary:
                shutil.copytree(folder / f"{name}-{number % VERSIONS}", temporary, dirs_exist_ok=True)
        number += 1
        begun.set()
    (folder / "replacements").write_text(str(2 * number))


def _read(folder: Path, loads: int, number: int) -> Counter[str]:
    found: Counter[str] = Counter()
    versions: dict[str, Callable[[], set[int]]] = {
        "vectors": lambda: _versions(WordVectors.load(folder / "vectors")),
        "mapped": lambda: _versions(WordVectors.load(folder / "vectors", mapped=True)),
        "unverified": lambda: _versions(WordVectors.load(folder / "vectors", mapped=True, verify=False)),
        "corpus": lambda: _corpus_versions(Corpus.open(folder / "corpus")),
    }
    for load in range(loads):
        try:
            seen = versions[KINDS[(load + number) % len(KINDS)]]()
            found["whole" if len(seen) == 1 else "torn"] += 1
        except (SeqlabError, OSError) as error:
            found["alarms"] += 1
            found[f"alarm: {type(error).__name__} {str(error)[-60:]}"] += 1
        if load % 50 == 0:
            time.sleep(0)
    return found


def _versions(vectors: WordVectors) -> set[int]:
    assert vectors.counts is not None
    seen = {int(word.partition("-")[0]) for word in vectors.words}
    seen |= {int(value) - 1 for value in vectors.matrix.ravel().tolist()}
    return seen | set((vectors.counts - 1).tolist()) | {vectors.meta["version"]}


def _corpus_versions(corpus: Corpus) -> set[int]:
    text = corpus.decode(0, len(corpus.train))
    seen = {int(word.removeprefix("version")) for word in text.split() if word.startswith("version") and word[7:]}
    named = corpus.header["sources"]["train"][0]["name"]
    return seen | {int(Path(named).stem)}
