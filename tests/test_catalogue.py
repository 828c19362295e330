"""Named corpora: the registry, fetching from a local server with every way it can fail, and python-docs."""

from __future__ import annotations

import ast
import gzip
import hashlib
import http.server
import io
import json
import socket
import tarfile
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from seqlab.base.errors import InputError, SeqlabError
from seqlab.catalogue import corpora, python_docs
from seqlab.catalogue.docstrings import paragraphs
from seqlab.catalogue.fetch import fetch
from seqlab.catalogue.sources import docstrings
from seqlab.text.sources.readers import read_documents

BOOK = (
    "\ufeffThe Project Gutenberg eBook of A Tale\r\n\r\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***\r\n\r\n"
    "Once upon a time.\r\n\r\n*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\r\nLicence.\r\n"
).encode()
ACCENTS = "aé€𝄞".encode() * 20000


def zipped(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(members: dict[str, bytes], links: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return data.getvalue()


class Server:
    """Serves `content` (path -> bytes) on a free port; counts requests; can break answers off half-way."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.truncated: set[str] = set()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                data = server.content.get(self.path)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if self.path in server.truncated else data)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def register(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`register(name, downloads, splits, ...)`: a registry of one corpus, whose downloads the server has."""

    def write(
        name: str,
        downloads: dict[str, bytes],
        splits: dict[str, str] | None = None,
        extra: str = "",
        digests: bool = True,
        addresses: list[str] | None = None,
    ) -> None:
        lines = [f"[{name}]", 'description = "a test"', 'licence = "none"', extra]
        for file, data in downloads.items():
            server.content[f"/{file}"] = data
            lines += [
                f"[[{name}.files]]",
                f"addresses = {json.dumps(addresses or [f'{server.address}/{file}'])}",
            ]
            if digests:
                lines += [f'sha256 = "{hashlib.sha256(data).hexdigest()}"', f"bytes = {len(data)}"]
        if splits:
            lines += [f"[{name}.splits]", *(f"{split} = {parts}" for split, parts in splits.items())]
        path = tmp_path / "registry.toml"
        path.write_text("\n".join(lines), "utf-8")
        monkeypatch.setenv("SEQLAB_CORPORA", str(path))

    return write


def texts(name: str) -> dict[str, list[bytes]]:
    return {split: [path.read_bytes() for path in paths] for split, paths in corpora.splits(name).items()}


def leftovers(tmp_path: Path, name: str) -> list[str]:
    folder = tmp_path / "cache" / "texts"
    return [path.name for path in folder.iterdir() if name in path.name] if folder.exists() else []


def test_shipped_registry_is_valid_and_says_what_is_fetched() -> None:
    found = corpora.registry()
    assert {"wikitext-2", "wikitext-103", "text8", "enwik8", "tinyshakespeare", "names"} <= set(found)
    for name, entry in found.items():
        assert entry.licence, name
        assert entry.description, name
        assert entry.trim == "gutenberg" or all(file.sha256 or file.md5 for file in entry.files), name
    assert found["wikitext-2"].parts["valid"][0].file == "wikitext-2/wiki.valid.tokens"
    raw = tomllib.loads(files("seqlab_data").joinpath("corpora.toml").read_text("utf-8"))
    assert corpora.names() == ["python-docs", *raw]


def test_registered_digest_is_that_of_the_text(shared_data: Path) -> None:
    shakespeare = hashlib.sha256((shared_data / "tinyshakespeare" / "input.txt").read_bytes()).hexdigest()
    names = hashlib.sha256((shared_data / "names" / "names.txt").read_bytes()).hexdigest()
    assert corpora.entry("tinyshakespeare").files[0].sha256 == shakespeare
    assert corpora.entry("names").files[0].sha256 == names


def test_unknown_and_unfetched_names(server: Server) -> None:
    assert corpora.resolve("no-such-corpus") is None
    with pytest.raises(InputError, match=r"Did you mean 'wikitext-2'"):
        corpora.entry("wikitext2")
    with pytest.raises(InputError, match=r"seqlab data fetch text8' first"):
        corpora.resolve("text8")
    assert corpora.describe("text8")["cached"] is False
    assert corpora.describe("text8")["bytes"] == 31344016


def test_fetch_zip_with_splits_then_from_cache(server: Server, register: Callable[..., None]) -> None:
    archive = zipped({"set/train.tokens": b"a b\n", "set/valid.tokens": b"c\n", "../../evil.txt": b"evil"})
    register("tiny", {"tiny.zip": archive}, {"train": '["set/train.tokens"]', "valid": '["set/valid.tokens"]'})
    found = fetch("tiny")
    assert found.fresh
    assert not found.trusted
    assert texts("tiny") == {"train": [b"a b\n"], "valid": [b"c\n"]}
    assert corpora.resolve("tiny") == found.splits["train"]
    assert corpora.describe("tiny")["cached"] is True
    assert not fetch("tiny").fresh
    assert server.requests == ["/tiny.zip"]
    assert "".join(text for _, text in read_documents("tiny")) == "a b\n"


def test_fetch_again_mends_a_damaged_cache(server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"some text\n"})
    path = fetch("tiny").splits["train"][0]
    path.write_bytes(b"SOME text\n")
    assert corpora.splits("tiny")["train"] == [path]  # a quick look sees names and sizes only
    assert fetch("tiny").fresh
    assert path.read_bytes() == b"some text\n"
    (path.parent / corpora.RECEIPT).write_text("{}")
    assert fetch("tiny").fresh
    path.write_bytes(b"short")
    with pytest.raises(InputError, match="not on this machine yet"):
        corpora.splits("tiny")


def test_a_changed_registry_entry_asks_for_another_fetch(register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"one\n"})
    fetch("tiny")
    register("tiny", {"tiny.txt": b"two\n"})
    with pytest.raises(InputError, match="not on this machine yet"):
        corpora.splits("tiny")
    fetch("tiny")
    assert texts("tiny") == {"train": [b"two\n"]}


@pytest.mark.parametrize("cuts", [(0, 1), (7, 65536), (65535, 65537), (65538, 131077), (99999, 120000)])
def test_byte_ranges_end_at_whole_characters(register: Callable[..., None], cuts: tuple[int, int]) -> None:
    first, second = cuts
    splits = {
        "train": f'[{{ file = "a.txt", stop = {first} }}]',
        "valid": f'[{{ file = "a.txt", start = {first}, stop = {second} }}]',
        "test": f'[{{ file = "a.txt", start = {second} }}]',
    }
    register("accents", {"a.txt": ACCENTS}, splits)
    fetch("accents")
    parts = [texts("accents")[split][0] for split in ("train", "valid", "test")]
    assert b"".join(parts) == ACCENTS
    for part, cut in zip(parts, (first, second - first, len(ACCENTS) - second), strict=True):
        part.decode("utf-8")
        assert abs(len(part) - cut) < 4


def test_tar_members_and_several_files(register: Callable[..., None]) -> None:
    archive = tarred({"in/one.txt": b"1\n", "in/two.txt": b"2\n"}, {"in/link": "/etc/passwd"})
    register("tarred", {"t.tar.gz": archive}, {"train": '["in/one.txt", "in/two.txt"]'})
    fetch("tarred")
    assert texts("tarred") == {"train": [b"1\n", b"2\n"]}
    register("linked", {"t.tar.gz": archive}, {"train": '["in/link"]'})
    with pytest.raises(SeqlabError, match=r"linked: in/link: cannot be unpacked"):
        fetch("linked")


def test_single_gzip_and_gutenberg_trimming(register: Callable[..., None]) -> None:
    register("book", {"pg1.txt.gz": gzip.compress(BOOK)}, extra='trim = "gutenberg"')
    fetch("book")
    assert texts("book") == {"train": [b"Once upon a time.\n"]}


def test_malicious_member_cannot_leave_the_folder(tmp_path: Path, register: Callable[..., None]) -> None:
    archive = zipped({"../../../evil.txt": b"evil\n"})
    register("evil", {"evil.zip": archive}, {"train": '["../../../evil.txt"]'})
    path = fetch("evil").splits["train"][0]
    assert path == tmp_path / "cache" / "texts" / "evil" / "train.txt"
    assert not list(tmp_path.rglob("evil.txt"))


def test_wrong_digest_keeps_nothing(tmp_path: Path, server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"right\n"})
    server.content["/tiny.txt"] = b"wrong\n"
    with pytest.raises(SeqlabError, match=r"not the registered one \(digest \w+... instead of .* nothing was kept"):
        fetch("tiny")
    assert leftovers(tmp_path, "tiny") == []


def test_failed_fetch_leaves_the_old_text(server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"right\n"})
    fetch("tiny")
    server.content["/tiny.txt"] = b"wrong\n"
    with pytest.raises(SeqlabError):
        fetch("tiny", force=True)
    assert texts("tiny") == {"train": [b"right\n"]}


def test_network_failures_are_one_sentence(tmp_path: Path, server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"text " * 1000})
    server.truncated.add("/tiny.txt")
    with pytest.raises(SeqlabError, match="the connection broke off before the end") as error:
        fetch("tiny")
    assert error.value.exit_code == 1
    del server.content["/tiny.txt"]
    with pytest.raises(SeqlabError, match="the server answers 404 Not Found"):
        fetch("tiny")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/tiny.txt"
    register("tiny", {"tiny.txt": b"text"}, addresses=[closed])
    with pytest.raises(SeqlabError, match=r"cannot be reached; check the network connection") as error:
        fetch("tiny")
    assert "\n" not in str(error.value)
    assert leftovers(tmp_path, "tiny") == []


def test_second_address_is_tried(server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"text\n"}, addresses=[f"{server.address}/gone", f"{server.address}/tiny.txt"])
    fetch("tiny")
    assert server.requests == ["/gone", "/tiny.txt"]
    assert texts("tiny") == {"train": [b"text\n"]} or corpora.entry("tiny").files[0].name == "gone"


def test_trust_on_first_use(server: Server, register: Callable[..., None]) -> None:
    register("tiny", {"tiny.txt": b"one\n"}, digests=False)
    digest = hashlib.sha256(b"one\n").hexdigest()
    assert fetch("tiny").trusted == {f"{server.address}/tiny.txt": digest}
    server.content["/tiny.txt"] = b"two\n"
    corpora.splits("tiny")["train"][0].unlink()
    with pytest.raises(SeqlabError, match=r"changed since it was first fetched .* force"):
        fetch("tiny")
    fetch("tiny", force=True)
    assert texts("tiny") == {"train": [b"two\n"]}


def test_wrong_size_without_digest(register: Callable[..., None], tmp_path: Path) -> None:
    register("tiny", {"tiny.txt": b"one\n"}, digests=False)
    registry = tmp_path / "registry.toml"
    registry.write_text(registry.read_text() + "\nbytes = 5\n")
    with pytest.raises(SeqlabError, match="has 4 bytes, not 5"):
        fetch("tiny")


@pytest.mark.parametrize("data", [b"PK\x03\x04 not a zip file", zipped({"a": b"x" * 5000})[:-30]], ids=["alien", "cut"])
def test_damaged_archive(register: Callable[..., None], tmp_path: Path, data: bytes) -> None:
    register("broken", {"broken.zip": data}, {"train": '["a"]'})
    with pytest.raises(SeqlabError, match="broken: a: cannot be unpacked"):
        fetch("broken")
    assert leftovers(tmp_path, "broken") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nlicence = 'x'", "description: field required"),
        ("[a]\ndescription = ''\nlicence = ''\nfiles = []", "files: "),
        (
            "[a]\ndescription=''\nlicence=''\ntokeniser=''\n[[a.files]]\naddresses=['http://a/b']",
            "unknown key 'tokeniser'. Did you mean 'tokenizer'",
        ),
        ("a = 1", "must be a table"),
        ("[a", "cannot be read as a registry"),
        (
            "[a]\ndescription=''\nlicence=''\n[[a.files]]\naddresses=['file:///etc/passwd']",
            "must begin with http",
        ),
        (
            "['..']\ndescription=''\nlicence=''\n[['..'.files]]\naddresses=['http://a/b']",
            "a corpus name is made of letters",
        ),
        ("[a]\ndescription=''\nlicence=''\n[[a.files]]\naddresses=['http://a/..']", "must end in file names"),
    ],
)
def test_bad_registry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        corpora.registry(path)
    assert str(path) in str(error.value)


DOCSTRING = """
    Compute the mean of an array, see :func:`~numpy.sum` and [1]_.

    The values are summed first [2]_. It uses :math:`\\\\frac{1}{N}` here.  The result is
    always a *float* of ``double`` precision, as ``a.sum() == b`` shows::

        >>> mean([1, 2])

    .. versionchanged:: 1.2
       An empty array is now refused.

    Parameters
    ----------
    values : array_like, optional
        The numbers that are averaged. They are
        not changed.
    axis : {'rows', 'columns'}
        Where the mean is taken.

    Returns
    -------
    out : ndarray

    .. math:: x = y

    ====  =====
    code  name
    ====  =====

    See Also
    --------
    median : The middle of the values in an array.

    Examples
    --------
    The mean of two numbers is easy:

    >>> mean([1, 2])
    1.5
    """


def test_docstring_becomes_prose() -> None:
    assert paragraphs(DOCSTRING) == [
        "The values are summed first.",
        "An empty array is now refused.",
        "values (array_like, optional): The numbers that are averaged. They are not changed.",
        "axis ('rows', 'columns'): Where the mean is taken.",
    ]


def test_google_and_sphinx_fields() -> None:
    text = """Load a file from the disk.

    Args:
        path (str): where the file is on this machine
        strict: whether errors of any kind are raised,
            or only a warning is given

    :param other: the name of another file
    :type other: str
    """
    assert paragraphs(text) == [
        "Load a file from the disk.",
        "path (str): where the file is on this machine",
        "strict: whether errors of any kind are raised, or only a warning is given",
        "other: the name of another file",
    ]


@pytest.fixture
def small_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-docs of two packages of the standard library only."""
    monkeypatch.setattr(python_docs, "PACKAGES", {"json": "json", "email": "email"})
    whole = python_docs._files()
    monkeypatch.setattr(
        python_docs, "_files", lambda: [file for file in whole if file[0].startswith(("json", "email"))]
    )


@pytest.mark.usefixtures("small_docs")
@pytest.mark.filterwarnings("error::UserWarning")
def test_python_docs_are_made_once_and_always_the_same(tmp_path: Path) -> None:
    first = python_docs.build(tmp_path / "a", quiet=True)
    second = python_docs.build(tmp_path / "b", quiet=True)
    assert first.read_bytes() == second.read_bytes()
    stamp = first.stat().st_mtime_ns
    assert python_docs.build(tmp_path / "a", quiet=True).stat().st_mtime_ns == stamp
    records = [json.loads(line) for line in first.read_text("utf-8").splitlines()]
    about = python_docs.about(first)
    assert about["documents"] == len(records) > 200
    assert about["words"] == sum(len(record["text"].split()) for record in records) > 20_000
    assert len({record["text"] for record in records}) == len(records)
    assert not any(mark in record["text"] for record in records for mark in (">>>", "----", "::", ":func:"))
    assert any(record["source"] == "python.assignment" for record in records)
    documents = list(read_documents(first))
    assert [text for _, text in documents] == [record["text"] for record in records]


@pytest.mark.usefixtures("small_docs")
def test_python_docs_change_place_with_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = python_docs.location(tmp_path)
    monkeypatch.setattr(python_docs, "EXTRACTOR_VERSION", 99)
    assert python_docs.location(tmp_path) != before


def test_near_copies_are_dropped() -> None:
    seen = python_docs._Seen()
    text = "The number of parallel jobs to run for the search. None means one unless in a context of its own."
    assert seen.is_new(text)
    assert not seen.is_new("n_jobs: " + text.replace(" of its own", ""))
    assert seen.is_new("Another sentence about something that was not met before at all.")


def test_the_listing_is_a_result(server: Server) -> None:
    found = corpora.listing()
    assert [one["name"] for one in found] == corpora.names()
    assert repr(found) == f"NamedCorpora({len(found)} corpora · 0 on this machine)"
    assert found.to_json() == {"corpora": [corpora.describe(name) for name in corpora.names()]}
    assert found.to_frame()["licence"].tolist() == [one["licence"] for one in found]


def test_docstrings_found_without_parsing_are_those_that_the_parser_finds() -> None:
    """On the standard library: hardly one is missed (those not in triple quotes), fewer are made up."""
    both = missed = invented = 0
    for module, path in python_docs._files()[:150]:
        source = path.read_text("utf-8", "replace")
        if '"""' not in source:
            continue
        parsed = {text for _, text in python_docs._docstrings(ast.parse(source), module)}
        found = {text for _, text in docstrings(source, module)}
        both, missed, invented = (
            both + len(parsed & found),
            missed + len(parsed - found),
            invented + len(found - parsed),
        )
    assert both > 1000
    assert missed < 0.08 * both
    assert invented < 0.005 * both


def test_docstrings_are_named_after_what_they_document() -> None:
    source = (
        '# a comment\n"""Top."""\nimport os\n\nclass A(B):\n    r"""Of A: \\d."""\n    x = 1\n    """Of no one."""\n\n'
        "    async def f(\n        self, y={1: 2}  # a colon:\n    ) -> int:\n        # first\n"
        "        '''Of f: \\x41.'''\n        text = \"\"\"\n    def not_code():\n        '''No.'''\n\"\"\"\n"
        '\ndef g(): return """Not alone."""\n\ndef h():\n    b"""Bytes."""\n'
    )
    assert list(docstrings(source, "m")) == [("m", "Top."), ("m.A", "Of A: \\d."), ("m.A.f", "Of f: A.")]
