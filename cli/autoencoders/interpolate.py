"""`seqlab interpolate`: the lines on the way from one line to another."""

from __future__ import annotations

from typing import Annotated

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, print_json
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


def interpolate(
    run: AutoencoderArgument,
    first: Annotated[str, typer.Argument(metavar="A", help="The line to begin with.")],
    last: Annotated[str, typer.Argument(metavar="B", help="The line to end with.")],
    steps: Annotated[int, typer.Option(min=2, help="Lines to write, both ends included.")] = 8,
    temperature: Temperature = None,
    beam: Beam = None,
    rule: Rule = None,
    seed: SeedFlag = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Write the lines on the straight line between the points of two lines.

    Example: seqlab interpolate runs/names Johanna Theodore --steps 8
    """
    options = writing_options(temperature=temperature, beam=beam, rule=rule, seed=seed)
    opened = open_autoencoder(run, device)
    say_unknown(opened, [first, last])
    found = opened.interpolate(first, last, steps, **options)
    if as_json:
        print_json(found.to_json())
    else:
        print("\n".join(map(printable, found.texts)))
