"""An example of everything that seqlab reads, in a folder each, and the commands that read it."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import pkgutil
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import commands

LM = f"train lm {{inputs}}/text.txt -o in/run {commands.SMALL_LM} -q"
LIST = LM.replace("text.txt", "names.txt").replace("--tokenizer word", "--tokenizer char --lines")
VECTORS = f"train embeddings {{inputs}}/text.txt -o in/vectors {commands.SMALL_VECTORS} -q"
PHRASES = f"train embeddings {{inputs}}/text.txt -o out {commands.SMALL_VECTORS} --phrases 1 -q"
TWO_STEPS = "--hidden-dim 8 --embed-dim 8 --layers 1 --batch-size 4 --bptt 8 --steps 2 --threads 1 -q"
OF_A_RUN = (
    "generate in/run --prompt {word} --length 8 --seed 1 --json",
    "generate in/run --length 8 --beam 2 --json",
    "evaluate in/run --text {inputs}/short.txt --cache --json",
    "info in/run --json",
    "curves in/run -o out.svg",
    f"{LM}",
    LM.replace("--steps 6", "--steps 7"),
    f"train lm {{inputs}}/short.txt -o out --init in/run {TWO_STEPS} --tokenizer word",
)
OF_VECTORS = (
    "neighbors in/vectors {word} -k 3 --json",
    "analogy in/vectors {word} {other} {third} -k 3 --json",
    "doesnt-match in/vectors {word} {other} {third} --json",
    "evaluate in/vectors --questions {inputs}/questions.txt --json",
    "convert in/vectors out.txt",
    "visualize in/vectors -o out.svg --method pca --words 10",
    VECTORS,
    f"train embeddings {{inputs}}/short.txt -o out --resume in/vectors {commands.SMALL_VECTORS} -q",
)
OF_A_CORPUS = (
    "info in/corpus --json",
    f"train lm in/corpus -o out {TWO_STEPS}",
    f"train embeddings in/corpus -o out {commands.SMALL_VECTORS} -q",
)
OF_A_FILE = ("neighbors {file} {word} -k 3 --json", "convert {file} out", "info {file} --json")
TEXT_KINDS = (
    "txt",
    "txt.gz",
    "txt.bz2",
    "txt.xz",
    "txt.zst",
    "jsonl",
    "csv",
    "tsv",
    "html",
    "srt",
    "epub",
    "docx",
    "pdf",
)


@dataclass(frozen=True)
class Sample:
    """Something to read.

    Attributes:
        verbs: commands that read it; what it is lies in the folder `in`.
        make: makes it, in the current folder.
        verified: whether damage must be noticed.
    """

    verbs: tuple[str, ...]
    make: Callable[[Path], None]
    verified: bool = False


def made_by(*lines: str) -> Callable[[Path], None]:
    """What commands make."""

    def make(inputs: Path) -> None:
        for line in lines:
            ended = commands.run_here(filled(line, inputs))
            assert ended.code == 0, ended

    return make


def filled(line: str, inputs: Path, file: str = "") -> list[str]:
    """A command, ready to run."""
    first, second, third = commands.small_text().split()[:3]
    return line.format(inputs=inputs, file=file, word=first, other=second, third=third).split()


def unfinished(command: str, at: str) -> Callable[[Path], None]:
    """What a training leaves that was stopped in the function `at`, "module:name"."""

    def make(inputs: Path) -> None:
        module, _, path = at.partition(":")
        holder, _, name = path.rpartition(".")
        place = pkgutil.resolve_name(f"{module}:{holder}" if holder else module)

        def stop(*arguments: object, **more: object) -> None:
            raise KeyboardInterrupt

        before = getattr(place, name)
        setattr(place, name, stop)
        try:
            ended = commands.run_here(filled(command, inputs))
        finally:
            setattr(place, name, before)
        assert ended.code == 130, ended

    return make


def converted(ending: str, format: str) -> Callable[[Path], None]:
    """A file of vectors."""
    return made_by(f"convert {{inputs}}/vectors in/vectors.{ending} --format {format}")


def text_file(ending: str) -> Callable[[Path], None]:
    """A text in one of the kinds of files that are read."""

    def make(inputs: Path) -> None:
        write_text(Path("in") / f"text.{ending}", commands.small_text(5, 500))

    return make


def write_text(path: Path, text: str) -> None:
    """Write a text as the ending of `path` says."""
    data, lines = text.encode(), text.splitlines()
    kind = path.name.partition(".")[2]
    if kind == "txt.zst":
        import zstandard

        path.write_bytes(zstandard.compress(data))
    elif kind in ("txt.gz", "txt.bz2", "txt.xz"):
        compress = {"txt.gz": gzip.compress, "txt.bz2": bz2.compress, "txt.xz": lzma.compress}[kind]
        path.write_bytes(compress(data))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"id": n, "text": line}) + "\n" for n, line in enumerate(lines)))
    elif kind in ("csv", "tsv"):
        with path.open("w", newline="") as handle:
            writer = csv.writer(handle, delimiter="," if kind == "csv" else "\t")
            writer.writerows([("id", "text"), *enumerate(lines)])
    elif kind == "html":
        path.write_text(page(lines))
    elif kind == "srt":
        path.write_text(
            "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{line}\n\n" for n, line in enumerate(lines, 1))
        )
    elif kind == "epub":
        write_epub(path, page(lines))
    elif kind == "docx":
        import docx

        document = docx.Document()
        for line in lines:
            document.add_paragraph(line)
        document.save(str(path))
    elif kind == "pdf":
        path.write_bytes(pdf(lines))
    else:
        path.write_bytes(data)


def page(lines: list[str]) -> str:
    """A page of HTML."""
    body = "".join(f"<p>{line}</p>\n" for line in lines)
    return f"<!DOCTYPE html>\n<html><head><title>A page</title></head><body>{body}</body></html>\n"


def write_epub(path: Path, chapter: str) -> None:
    """A book of one chapter."""
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        book.writestr(
            "book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="a.xhtml" '
            'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>',
        )
        book.writestr("a.xhtml", chapter, zipfile.ZIP_DEFLATED)


def pdf(lines: list[str]) -> bytes:
    """A page with lines of text."""
    shown = "".join(f"({line}) Tj T*\n" for line in lines)
    stream = f"BT /F1 8 Tf 9 TL 20 780 Td\n{shown}ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{one}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def settings_file(ending: str) -> Callable[[Path], None]:
    """Settings of a language model."""
    toml = '[text]\ntokenizer = "word"\nmin_count = 2\n\n[model]\nhidden_dim = 8\nembed_dim = 8\nlayers = 1\n'
    toml += "dropout = 0.2\n\n[training]\nsteps = 3\nlr = 4e-3\nbatch_size = 4\nbatch_schedule = [[0.5, 8]]\n"

    def make(inputs: Path) -> None:
        import tomllib

        text = toml if ending == "toml" else json.dumps(tomllib.loads(toml), indent=1)
        (Path("in") / f"settings.{ending}").write_text(text)

    return make


def questions(inputs: Path) -> None:
    """Analogies and human scores."""
    words = sorted(set(commands.small_text().split()))
    lines = [
        f"{head}{' '.join(words[n : n + 4])}"
        for n, head in enumerate([": one\n", *[""] * 9, ": gram two\n", *[""] * 9])
    ]
    (Path("in") / "questions.txt").write_text("\n".join(lines) + "\n")
    scores = (f"{words[n]}\t{words[n + 7]}\t{n / 3:.2f}\n" for n in range(1, 25))
    (Path("in") / "similarity.tsv").write_text("# scores\n" + "".join(scores))


def cache(inputs: Path) -> None:
    """What a command left in the cache, which lies in `in` here."""
    made_by(PHRASES)(inputs)
    shutil.rmtree("out")
    shutil.copytree("cache", "in/cache")


SAMPLES: Mapping[str, Sample] = {
    "run": Sample(OF_A_RUN, made_by(LM), verified=True),
    "run of a list": Sample(
        (
            "generate in/run --items 3 --seed 1 --json",
            "generate in/run --items 2 --new --seed 1 --json",
            "info in/run --json",
            LIST,
        ),
        made_by(LIST),
        verified=True,
    ),
    "unfinished run": Sample(
        (LM, "generate in/run --length 5 --seed 1 --json", "curves in/run -o out.svg"),
        unfinished(LM, "seqlab.training.train:report"),
        verified=True,
    ),
    "corpus": Sample(
        OF_A_CORPUS,
        made_by("data prepare {inputs}/text.txt -o in/corpus --tokenizer word -q"),
        verified=True,
    ),
    "corpus of pieces": Sample(
        OF_A_CORPUS[:2],
        made_by("data prepare {inputs}/text.txt -o in/corpus --tokenizer bpe --vocab-size 300 -q"),
        verified=True,
    ),
    "vectors": Sample(OF_VECTORS, made_by(VECTORS), verified=True),
    "unfinished vectors": Sample(
        (VECTORS, "neighbors in/vectors {word} --json"),
        unfinished(VECTORS, "seqlab.embeddings.training.loop:VectorTrainer.finish"),
        verified=True,
    ),
    "word2vec text": Sample(OF_A_FILE, converted("txt", "word2vec")),
    "word2vec binary": Sample(OF_A_FILE, converted("bin", "binary")),
    "GloVe": Sample(OF_A_FILE, converted("txt", "glove")),
    "fastText text": Sample(OF_A_FILE, converted("vec", "fasttext")),
    "npz": Sample(OF_A_FILE, converted("npz", "npz")),
    "projector": Sample(OF_A_FILE, converted("tsv", "projector")),
    "questions": Sample(
        ("evaluate {inputs}/vectors --questions in/questions.txt --similarity in/similarity.tsv --json",), questions
    ),
    "settings": Sample(("train lm {inputs}/short.txt -o out --config {file} --dry-run",), settings_file("toml")),
    "settings in JSON": Sample(
        ("train lm {inputs}/short.txt -o out --config {file} --dry-run",), settings_file("json")
    ),
    **{
        f"text.{ending}": Sample(
            ("data prepare {file} -o out --tokenizer char -q", "data inspect {file} --json"), text_file(ending)
        )
        for ending in TEXT_KINDS
    },
    "cache": Sample((PHRASES,), cache),
}
