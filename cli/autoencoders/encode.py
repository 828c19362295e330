"""`seqlab encode`: the lines of a text as vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.base.printing import printable

from ..console import SOURCE_HELP, JsonFlag, nothing_but, print_json, say
from ..flags import EncodingOption, ErrorsOption, FieldOption
from .lines import AutoencoderArgument, open_autoencoder, say_unknown


def encode(
    run: AutoencoderArgument,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="By its ending: .txt, .bin, .vec, .npz, .tsv ...; none: a folder of vectors."),
    ],
    source: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help=f"One line a point. {SOURCE_HELP}")] = None,
    line: Annotated[
        list[str] | None, typer.Option(metavar="LINE", help="A line itself, before those of TEXT; repeatable.")
    ] = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    format: Annotated[str | None, typer.Option(help="As of seqlab convert, whatever OUT is called.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Turn every line of a text into its point, in any format of vectors.

    Example: seqlab encode runs/headlines headlines.txt -o points

    The nearest lines: seqlab neighbors points "a line of the text"

    A map of them: seqlab visualize points -o map.html

    Neighbours of a line that is not in the text: add it with --line "my line"
    """
    from seqlab.base.errors import InputError
    from seqlab.embeddings.formats.table import format_of, save_vectors

    source, line = source or [], line or []
    if not source and not line:
        raise InputError('name a text, one item a line, or give a line itself with --line "...".')
    if len(source) == 1 and " " in source[0] and not Path(source[0]).exists():
        own = printable(source[0])
        raise InputError(f'{own}: no such file; give a line itself as --line "{own}".')
    name = format_of(out, format)
    opened = open_autoencoder(run, device).reading_as(source or [None], field=field, encoding=encoding, errors=errors)
    from seqlab.autoencoders.trained import lines_in

    text = opened.run.text_settings
    lines = [*line, *(lines_in(source, text.errors, text.field, text.encoding) if source else [])]
    say_unknown(opened, lines)
    vectors = opened.vectors(lines)
    notes = save_vectors(vectors, out, name)
    for note in notes:
        say(note)
    report = {"vectors": str(out), "lines": len(vectors), "dim": vectors.dim}
    with nothing_but(out):
        if as_json:
            print_json(report)
        else:
            print(printable(f"{out}: {len(vectors):,} different lines of {vectors.dim:,} dimensions"))
