"""`seqlab export`: a language model for programs without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.base.printing import printable_lines

from ..console import JsonFlag, check_run, load_torch, print_json


def export(
    run: Annotated[Path, typer.Argument(help="Language-model run.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="ONNX file; NAME.tokens.json and NAME.README.md go next to it.")
    ],
    int8: Annotated[bool, typer.Option("--int8", help="Matrices in int8: a quarter of the size.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the network of a language model as an ONNX file, to run it in a page, a phone or any other language.

    Example: seqlab export runs/book book.onnx --int8

    The state is an input and an output, so that a program writes token by
    token; the page next to the file shows the loop in Python and
    JavaScript. The file appears once ONNX Runtime was seen to compute what
    the run computes. It holds the network alone: a run's counts of its
    training text stay behind. Needs pip install 'seqlab[onnx]'.
    """
    check_run(run)
    load_torch()
    from seqlab.compression.onnx.export import export as written
    from seqlab.run import Run

    done = written(Run.open(run), out, int8=int8, quiet=quiet)
    if as_json:
        print_json(done.to_json())
    else:
        print(printable_lines(done.text()), flush=True)
