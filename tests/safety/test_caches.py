"""A broken entry of the cache is made again, a cache that cannot be written is done without."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from numba.core import caching

from seqlab.base.compiled import cached
from seqlab.base.files import write_json
from seqlab.base.storage import cache
from seqlab.catalogue import corpora, fetch, python_docs
from seqlab.config import TextConfig
from seqlab.embeddings.material.phrases import join_phrases
from seqlab.embeddings.material.words import TrainingText
from seqlab.text import Corpus, prepare

BREAKS = (
    "empty folder",
    "file",
    "other files",
    "a run's config",
    "truncated",
    "no manifest",
    "flipped",
    "dangling link",
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    draw = random.Random(2)
    (tmp_path / "text.txt").write_text(" ".join(draw.choice(["new york", "tea", "cup", "a", "b"]) for _ in range(600)))
    return tmp_path / "text.txt"


def break_(folder: Path, how: str) -> None:
    """Damage an entry of the cache."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if how in ("truncated", "flipped"):
        for file in files:
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data[: len(data) // 2] if how == "truncated" else data)
        return
    if how == "no manifest":
        files[0].unlink()
        (folder / "manifest.json").unlink(missing_ok=True)
        return
    shutil.rmtree(folder)
    if how == "file":
        folder.write_text("{")
    elif how == "dangling link":
        folder.symlink_to(folder.parent / "nothing")
    else:
        folder.mkdir()
        if how == "other files":
            (folder / "notes.txt").write_text("mine")
        elif how == "a run's config":
            (folder / "config.json").write_text("{")


@pytest.mark.parametrize("how", BREAKS)
def test_broken_corpora_and_phrases_are_made_again(how: str, text: Path, tmp_path: Path) -> None:
    config = TextConfig().updated({"tokenizer": "word", "lines": "no"})
    first = prepare(text, config=config, quiet=True)
    phrases = join_phrases(TrainingText.of(first), 1, 1.0, 5, quiet=True)[1]
    assert phrases
    for folder in (first.path, next((tmp_path / "cache" / "phrases").iterdir())):
        break_(folder, how)
        again = prepare(text, config=config, quiet=True)
        assert again.digest == first.digest
        assert join_phrases(TrainingText.of(again), 1, 1.0, 5, quiet=True)[1] == phrases
        assert Corpus.open(first.path, verify=True).digest == first.digest


@pytest.mark.parametrize("how", BREAKS)
def test_broken_documentation_is_read_again(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "_extract", lambda quiet: [("a", "one text"), ("b", "another text")])
    monkeypatch.setattr(python_docs, "_distinct", list)
    path = corpora.splits("python-docs")["train"][0]
    content = path.read_bytes()
    break_(path.parent, how)
    assert corpora.splits("python-docs")["train"] == [path]
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", ["{", "[1]", "5", '"x"'])
def test_a_broken_memory_of_downloads_is_begun_anew(content: str, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "texts" / "first-seen.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    fetch._remember("http://a/b", "0123", force=False)
    assert "0123" in path.read_text()


def test_a_cache_that_cannot_be_written_is_done_without(text: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.touch()
    code = (
        "import seqlab\n"
        "first, again = (seqlab.prepare('text.txt', quiet=True) for _ in range(2))\n"
        "assert first.path == again.path\n"
        "v = seqlab.train_embeddings(first, dim=4, epochs=1, min_count=1, phrases=1, quiet=True); print(first.path)"
    )
    environment = {**os.environ, "SEQLAB_CACHE": str(place), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the cache cannot be written") == 1
    assert not Path(done.stdout.strip()).exists()
    assert sorted(os.listdir(tmp_path)) == ["cache", "text.txt"]


def test_a_cache_that_can_only_be_read_is_read(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(text, quiet=True)
    monkeypatch.setattr(cache.tempfile, "TemporaryFile", lambda **options: (_ for _ in ()).throw(PermissionError()))
    assert prepare(text, quiet=True).path == first.path


def test_parked_streams_of_a_killed_command_are_swept(text: Path, tmp_path: Path) -> None:
    stray = tmp_path / "cache" / ".stream.01234567"
    stray.mkdir(parents=True)
    write_json(stray / "0", 1)
    with text.open() as handle:
        done = subprocess.run(
            [sys.executable, "-c", "import seqlab; seqlab.prepare('-', quiet=True)"],
            stdin=handle,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert not stray.exists()


COMPILED = """
import sys
from seqlab.base.compiled.cached import njit

sys.path.insert(0, sys.argv[1])
from compiled import double
assert double(4) == 8
print(sum(double.stats.cache_hits.values()))
"""
SOURCE = "from seqlab.base.compiled.cached import njit\n\n\n@njit(cache=True)\ndef double(x):\n    return 2 * x\n"


def source_in(folder: Path) -> Path:
    path = folder / "compiled.py"
    path.write_text(SOURCE)
    os.utime(path, (1e9, 1e9))
    return path


def loaded_from_the_cache(folder: Path) -> int:
    """How many functions are, where the module is imported anew."""
    spec = importlib.util.spec_from_file_location("compiled", folder / "compiled.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.double(4) == 8
    return sum(module.double.stats.cache_hits.values())


def test_damaged_compiled_functions_are_compiled_again(tmp_path: Path) -> None:
    source_in(tmp_path)
    assert loaded_from_the_cache(tmp_path) == 0
    for ending, content in ((".nbi", b"\x80\x05garbage"), (".nbc", b"")):
        (file,) = (tmp_path / "__pycache__").glob(f"*{ending}")
        file.write_bytes(content)
        assert loaded_from_the_cache(tmp_path) == 0
    assert loaded_from_the_cache(tmp_path) == 1


def test_forms_that_are_stored_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """As two programs do that compile kernels of several widths; numba forgets some, or mistakes one for another."""
    cached.guard()
    pairs = [(f"key {number}", f"code {number}") for number in range(40)]

    def store(part: list[tuple[str, str]]) -> None:
        file = caching.IndexDataCacheFile(str(tmp_path), "function", "stamp")
        for key, code in part:
            file.save(key, code)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store, [pairs[start::4] for start in range(4)]))
    kept = caching.IndexDataCacheFile(str(tmp_path), "function", "stamp")
    assert [(key, kept.load(key)) for key, _ in pairs] == pairs
    assert not list(tmp_path.glob(".*.lock"))


def test_functions_are_compiled_where_nothing_can_be_stored(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").touch()
    (tmp_path / "home").touch()
    variables = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    source_in(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", COMPILED, tmp_path], env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.stdout == "0\n", done.stderr
    assert sorted(os.listdir(tmp_path)) == ["__pycache__", "compiled.py", "home"]
