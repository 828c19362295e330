"""`seqlab visualize`: a map of word vectors as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, check_one_stdin, print_json, say
from ..flags import FILES, PANELS
from ..vectors.neighbors import VectorsArgument, open_vectors


def visualize(
    vectors: VectorsArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The picture: .html, .png, .svg or .pdf.", rich_help_panel=FILES
        ),
    ],
    words: Annotated[int | None, typer.Option(metavar="N")] = None,
    skip: Annotated[int | None, typer.Option(metavar="N")] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw the words of this file instead, one a line ('-' reads stdin).",
            rich_help_panel=PANELS["essential"],
        ),
    ] = None,
    highlight: Annotated[list[str] | None, typer.Option(metavar="WORD")] = None,
    method: Annotated[str | None, typer.Option()] = None,
    color: Annotated[str | None, typer.Option()] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Colour by label: a file with a word or line, a tab and its label on each line.",
            rich_help_panel=PANELS["essential"],
        ),
    ] = None,
    symbols: Annotated[bool | None, typer.Option("--symbols")] = None,
    perplexity: Annotated[float | None, typer.Option()] = None,
    neighbors: Annotated[int | None, typer.Option(metavar="N")] = None,
    title: Annotated[str | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw a map of word vectors, similar words near each other.

    Example: seqlab visualize vectors -o map.html --highlight king

    Lines of an autoencoder: seqlab visualize points -o map.html --color length
    """
    arguments = dict(locals())
    check_one_stdin(VECTORS=vectors, only=only, labels=labels)
    from seqlab.base.errors import counted
    from seqlab.config import FLAGS, MapConfig
    from seqlab.visualization import draw_map
    from seqlab.visualization.output import FORMATS, check_output

    check_output(output)
    given = {name: arguments[name] for name in MapConfig.keys() if arguments[name] is not None}  # noqa: SIM118
    given |= {} if only is None else {"only": [line for _, line in _lines_of(only)]}
    given |= {} if labels is None else {"labels": _labels(labels)}
    MapConfig.build(given, FLAGS)
    picture = draw_map(open_vectors(vectors), source=vectors.resolve().name, **given)
    if missing := picture.missing:
        shown = ", ".join(printable(word) for word in missing[:10]) + (", ..." if len(missing) > 10 else "")
        say(f"{len(missing)} of the {picture.noun}s in {only} are not in the vectors: {shown}")
    known = picture.notes
    for note in known:
        say(note)
    picture.save(output)
    report = picture.to_json()
    for note in report["notes"][len(known) :]:
        say(note)
    say(f"Wrote {output} with {counted(report['words'], picture.noun)}: {FORMATS[report['format']]}.")
    if as_json:
        print_json(report)
    else:
        print(printable(str(output)))


def _lines_of(name: str) -> list[tuple[int, str]]:
    """The lines of a file (or of standard input, for "-") that are not blank, each with its number."""
    from seqlab.base.errors import InputError
    from seqlab.base.storage.streams import parked

    try:
        content = parked(name).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()}).") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; save the list as UTF-8.") from None
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _labels(name: str) -> dict[str, str]:
    """Word -> label of a file with both on each line, a tab between them."""
    from seqlab.base.errors import InputError

    found = {}
    for number, line in _lines_of(name):
        word, tab, label = line.rpartition("\t")
        if not tab:
            raise InputError(
                f"{name}: line {number} has no tab; write a word or line, a tab and its label on each line."
            )
        found[word.strip()] = label.strip()
    return found
