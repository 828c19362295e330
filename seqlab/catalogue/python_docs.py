"""The corpus `python-docs`: the documentation of the Python and packages that run seqlab, as English prose.

Docstrings and the language reference are read from source files; nothing is imported or fetched.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.files import atomic_folder, read_json, sha256, write_json
from ..base.progress import Progress
from .docstrings import paragraphs, word_set
from .sources import docstrings

EXTRACTOR_VERSION = 3
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "matplotlib": "matplotlib",
    "networkx": "networkx",
    "sympy": "sympy",
    "numba": "numba",
}
"""Import name -> distribution name."""

# Tests, copies of other projects, generated tables, and what some distributions of Python leave out.
_SKIPPED_FOLDERS = word_set(
    "test tests testing idlelib lib2to3 distutils tkinter turtledemo ensurepip msilib pydoc_data "
    "site-packages dist-packages lib-dynload __pycache__ _vendor vendored vendored_templates externals "
    "_external third_party array_api_compat array_api_extra cobyqa pyprima highspy _highspy uarray"
)
_DOC_CALLS = word_set("add_newdoc add_docstr _add_docstr add_docstr_all parse_kwargs")
_DOC_CALL_BYTES = [name.encode() for name in sorted(_DOC_CALLS)]
_WORD = re.compile("[a-z]+")
_MIN_WORDS = 8
_SHINGLE = 5
_SEEN_SHARE = 0.75


Document = tuple[str, list[str]]
"""Where a docstring is, and its paragraphs."""


def build(cache: Path, quiet: bool = False) -> Path:
    """The corpus as JSON Lines under `cache`, made on first use: a record `{"source", "text"}` a document.

    Made again when Python, a package or the extractor changes version. The order is pseudo-random but fixed,
    so that the end of the file is a fair sample.
    """
    path = location(cache)
    if not is_built(cache):
        texts = _distinct(_extract(quiet))
        texts.sort(key=lambda item: hashlib.sha256(item[1].encode()).digest())
        with atomic_folder(path.parent, overwrite=True) as temporary:
            with (temporary / path.name).open("w", encoding="utf-8", newline="\n") as handle:
                for source, text in texts:
                    handle.write(json.dumps({"source": source, "text": text}, ensure_ascii=False) + "\n")
            counts = {
                "documents": len(texts),
                "words": sum(len(text.split()) for _, text in texts),
                "bytes": (temporary / path.name).stat().st_size,
                "sha256": sha256(temporary / path.name),
            }
            write_json(temporary / "about.json", {"versions": _versions(), **counts})
    return path


def is_built(cache: Path) -> bool:
    """Whether the corpus is there, undamaged; one of an earlier version, which stored no digest, goes by its size."""
    path = location(cache)
    try:
        facts = about(path)
        digest = facts.get("sha256")
        intact = path.stat().st_size == facts["bytes"] and digest in (None, sha256(path))
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return False
    return bool(intact)


def location(cache: Path) -> Path:
    """Where `build` puts the corpus for the present versions."""
    key = hashlib.sha256(json.dumps(_versions(), sort_keys=True).encode()).hexdigest()[:16]
    return cache / f"python-docs-{key}" / "python-docs.jsonl"


def about(path: Path) -> dict[str, Any]:
    """What `build` recorded: versions read and counts of documents, words and bytes."""
    return read_json(path.parent / "about.json")


def _versions() -> dict[str, str]:
    found = {"extractor": str(EXTRACTOR_VERSION), "python": platform.python_version()}
    for name in PACKAGES.values():
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _files() -> list[tuple[str, Path]]:
    """(dotted module name, path) of every source file read, in a fixed order."""
    roots = [("", Path(sysconfig.get_paths()["stdlib"]))]
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            roots.append((package, Path(spec.submodule_search_locations[0])))
    found = []
    for package, root in roots:
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if name not in _SKIPPED_FOLDERS)
            for name in sorted(files):
                if name.endswith(".py") and not name.startswith(("test_", "_sysconfigdata")):
                    path = Path(folder, name)
                    parts = [*package.split("."), *path.relative_to(root).with_suffix("").parts]
                    found.append((".".join(part for part in parts if part and part != "__init__"), path))
    return found


def _extract(quiet: bool) -> list[Document]:
    """Every document, the language reference first, then file by file. Two processes share the work."""
    import joblib

    found = [(f"python.{name}", paragraphs(text)) for name, text in sorted(_topics().items())]
    files = _files()
    pool = joblib.Parallel(2, "loky", return_as="generator", batch_size=16, pre_dispatch=256, idle_worker_timeout=60)
    with Progress("reading documentation", len(files), "files", quiet) as progress:
        for number, documents in enumerate(pool(joblib.delayed(_documents)(*file) for file in files), 1):
            found += documents
            progress.update(number)
    return found


def _topics() -> dict[str, str]:
    """The language reference: one literal dictionary of topic -> text in pydoc_data/topics.py."""
    path = Path(sysconfig.get_paths()["stdlib"], "pydoc_data", "topics.py")
    if not path.exists():
        return {}
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            return dict(ast.literal_eval(node.value))
    return {}


def _documents(module: str, path: Path) -> list[Document]:
    """The documents of a source file."""
    source = path.read_bytes()
    if b'"""' not in source and b"'''" not in source:
        return []
    if not any(call in source for call in _DOC_CALL_BYTES):
        text = source.decode("utf-8", "replace").replace("\r\n", "\n")
        return [(name, kept) for name, docstring in docstrings(text, module) if (kept := paragraphs(docstring))]
    collecting = gc.isenabled()
    gc.disable()  # syntax trees hold no cycles, and are many objects to look through
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of other people's source
            tree = ast.parse(source)
        return [(name, kept) for name, docstring in _docstrings(tree, module) if (kept := paragraphs(docstring))]
    except (SyntaxError, ValueError):  # a template, or written for another Python version
        return []
    finally:
        if collecting:
            gc.enable()


def _docstrings(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of a module and all it defines, in the order of the source."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if docstring := ast.get_docstring(node, clean=False):
            yield name, docstring
    elif isinstance(node, ast.Expr | ast.Assign):
        if isinstance(node.value, ast.Call) and _called(node.value) in _DOC_CALLS:
            yield from _attached(node.value, name)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(child, f"{name}.{child.name}")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from _docstrings(child, name)


def _attached(call: ast.Call, name: str) -> Iterator[tuple[str, str]]:
    """The docstrings a call gives to functions written in C: `add_docstr(torch.abs, "...")`."""
    for argument in call.args:
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "\n" in part.value:
                yield f"{name}.{ast.unparse(call.args[0])[:60]}", part.value


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _distinct(documents: list[Document]) -> list[tuple[str, str]]:
    """(source, text) of documents worth reading, without the paragraphs that repeat earlier ones."""
    seen = _Seen()
    found = []
    for source, texts in documents:
        text = "\n".join(filter(seen.is_new, texts))
        if len(text.split()) >= _MIN_WORDS:
            found.append((source, text))
    return found


class _Seen:
    """Recognises near-copies: a paragraph most of whose runs of five words were met before.

    Runs are kept as one byte a hash bucket, so memory is fixed; at a few million runs a bucket is taken by
    chance in less than a tenth of the look-ups, far below the share that counts as a copy.
    """

    _BUCKETS = 1 << 25

    def __init__(self) -> None:
        self.buckets = bytearray(self._BUCKETS)
        self.numbers: dict[str, int] = {}

    def is_new(self, text: str) -> bool:
        numbers = self.numbers
        words = [numbers.setdefault(word, len(numbers)) for word in _WORD.findall(text.lower())]
        last = self._BUCKETS - 1
        runs = zip(*(words[i : len(words) - _SHINGLE + 1 + i] for i in range(_SHINGLE)), strict=True)
        # hashes of tuples of small numbers are the same in every process
        slots = [hash(run) & last for run in ([tuple(words)] if len(words) <= _SHINGLE else runs)]
        buckets = self.buckets
        if sum([buckets[slot] for slot in slots]) > _SEEN_SHARE * len(slots):
            return False
        for slot in slots:
            buckets[slot] = 1
        return True
