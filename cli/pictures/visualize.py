"""`seqlab visualize`: a map of word vectors as a picture or a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seqlab.base.printing import printable
from seqlab.visualization.choices import MapColor, MapMethod

from ..console import JsonFlag, print_json, say
from ..vectors.neighbors import VectorsArgument, open_vectors


def visualize(
    vectors: VectorsArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The picture: .html, .png, .svg or .pdf."),
    ],
    method: Annotated[
        MapMethod, typer.Option(help="How to lay the words out: tsne keeps similar words together, pca is quicker.")
    ] = "tsne",
    words: Annotated[int, typer.Option(metavar="N", help="Draw the N most frequent words.")] = 500,
    only: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the words of this file instead, one a line ('-' reads stdin)."),
    ] = None,
    highlight: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Always draw this word and its neighbours, and set them off (repeatable)."),
    ] = None,
    color: Annotated[MapColor, typer.Option(help="Colour the words by k-means cluster or by frequency.")] = "cluster",
    symbols: Annotated[
        bool,
        typer.Option("--symbols", help="Also draw tokens without a letter or digit, and <unk>."),
    ] = False,
    perplexity: Annotated[
        float, typer.Option(help="tsne: about how many neighbours stay together; lowered for few words.")
    ] = 30.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed draws the same map.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Draw a map of word vectors, similar words near each other.

    Example: seqlab visualize vectors -o map.html --highlight king
    """
    from seqlab.visualization import draw_map
    from seqlab.visualization.output import FORMATS, check_output

    check_output(output)
    wanted = None if only is None else _word_list(only)
    picture = draw_map(
        open_vectors(vectors),
        method=method,
        words=words,
        only=wanted,
        highlight=highlight or (),
        perplexity=perplexity,
        seed=seed,
        color=color,
        symbols=symbols,
        source=vectors.resolve().name,
    )
    if missing := picture.missing:
        shown = ", ".join(printable(word) for word in missing[:10]) + (", ..." if len(missing) > 10 else "")
        say(f"{len(missing)} of the words in {only} are not in the vectors: {shown}")
    known = picture.notes
    for note in known:
        say(note)
    picture.save(output)
    report = picture.to_json()
    for note in report["notes"][len(known) :]:
        say(note)
    say(f"Wrote {output} with {report['words']:,} words: {FORMATS[report['format']]}.")
    if as_json:
        print_json(report)
    else:
        print(output)


def _word_list(name: str) -> list[str]:
    """The words of a file (or of standard input, for "-"), one a line."""
    from seqlab.base.errors import InputError

    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()}).") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; save the list as UTF-8.") from None
    return [line.strip() for line in text.split("\n") if line.strip()]
