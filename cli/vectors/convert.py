"""`seqlab convert`: word vectors from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, nothing_but, print_json, say
from .neighbors import open_vectors


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="Seqlab folder, word2vec text or binary, GloVe, .vec, fastText .bin, .npz or Projector .tsv, "
            "recognised by content, text also as .gz; or a language-model RUN (its embedding).",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="By its ending: .txt word2vec, .bin word2vec binary, .glove, .vec, .npz, .tsv; none: seqlab folder.",
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(help="seqlab, word2vec, binary, glove, fasttext, npz or projector, whatever OUT is called."),
    ] = None,
    words: Annotated[int | None, typer.Option(min=1, help="Keep the first N words.")] = None,
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Pass NaN and infinity on, but never into a seqlab folder.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Convert word vectors between formats, of any size: rows pass through a temporary file, not through memory.

    A seqlab folder stores the n-grams of a fastText model; other formats have no place for them.

    Example: seqlab convert vectors vectors.txt --words 50000
    """
    from seqlab.base.kinds import kind_of
    from seqlab.embeddings import convert_vectors

    if kind_of(source) == "run":
        report = _convert_run(source, target, format, words)
    else:
        report = convert_vectors(source, target, format, words, allow_nonfinite)
    with nothing_but(target):
        _print(report, source, target, json)


def _convert_run(source: Path, target: Path, format: str | None, words: int | None) -> dict[str, Any]:
    """Write the embedding of a language model; the report is as that of `convert_vectors`."""
    from seqlab.embeddings import save_vectors
    from seqlab.embeddings.formats.table import FORMATS, format_of

    name = format_of(target, format)
    vectors = open_vectors(source)
    vectors = vectors if words is None else vectors.subset(words)
    notes = save_vectors(vectors, target, format)
    return {
        "from": "a language model",
        "to": FORMATS[name].title,
        "words": len(vectors),
        "noun": vectors.noun,
        "dim": vectors.dim,
        "nonfinite": 0,
        "notes": notes,
    }


def _print(report: dict[str, Any], source: Path, target: Path, json: bool) -> None:
    from seqlab.base.errors import counted

    if json:
        print_json(report)
        return
    for note in report["notes"]:
        say(f"{source}: {note}")
    if report["nonfinite"]:
        several = report["nonfinite"] > 1
        say(f"{source}: {report['nonfinite']:,} vector{'s hold' if several else ' holds'} NaN or infinity.")
    size = f"{counted(report['words'], report['noun'])} of {counted(report['dim'], 'dimension')}"
    print(printable(f"{target}: {size}, {report['from']} to {report['to']}"))
