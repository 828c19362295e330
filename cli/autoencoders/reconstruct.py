"""`seqlab reconstruct`: a line, turned into its point and written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, print_json, say
from .lines import (
    AutoencoderArgument,
    Beam,
    Rule,
    SeedFlag,
    Temperature,
    open_autoencoder,
    say_unknown,
    writing_options,
)


def reconstruct(
    run: AutoencoderArgument,
    lines: Annotated[list[str], typer.Argument(metavar="LINE", help="One or more; '-' reads lines from stdin.")],
    temperature: Temperature = None,
    beam: Beam = None,
    rule: Rule = None,
    seed: SeedFlag = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Write lines again from their points: what a point remembers.

    Example: seqlab reconstruct runs/headlines "markets fall as banks wait" --beam 5
    """
    options = writing_options(temperature=temperature, beam=beam, rule=rule, seed=seed)
    opened = open_autoencoder(run, device)
    if lines == ["-"]:
        from seqlab.autoencoders.trained import lines_in

        lines = lines_in("-")
    elif len(lines) == 1 and Path(lines[0]).is_file():
        file = printable(lines[0])
        say(f"seqlab: {file} is read as a line itself; for the lines of the file: seqlab reconstruct {run} - < {file}")
    say_unknown(opened, lines)
    written = opened.reconstruct(lines, **options)
    if as_json:
        print_json({"lines": [{"line": a, "written": b} for a, b in zip(lines, written, strict=True)]})
    else:
        print("\n".join(map(printable, written)))
