"""`seqlab tune`: the learning rate, and other settings, for a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqlab.base.printing import printable

from ..console import SOURCE_HELP, JsonFlag, load_torch, print_json, say
from ..flags import FILES
from ..train import Assignments, ConfigFile, Number, Quiet, Text, Whole, checked_layers


def tune(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Picture of the curve: .png, .svg, .pdf or .html.", rich_help_panel=FILES),
    ] = None,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Find a learning rate: a few hundred steps in which it rises.")
    ] = False,
    valid: Annotated[
        str | None, typer.Option(help="Validation text; default: the end of the text.", rich_help_panel=FILES)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Named settings to start from; default: those that suit the text.", rich_help_panel=FILES),
    ] = None,
    optimizer: Text = None,
    schedule: Text = None,
    dropout: Number = None,
    batch_size: Whole = None,
    seed: Whole = None,
    device: Text = None,
    threads: Whole = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Find the learning rate for your text.

    Example: seqlab tune book.txt --find-lr -o lr.png

    The suggestion is the peak rate for the optimiser and the schedule you train with; use it with --lr.
    """
    arguments = dict(locals())
    from seqlab.base.errors import InputError

    given = checked_layers(config, settings, preset, arguments)
    if not find_lr:
        raise InputError("say what to find: --find-lr suggests a learning rate.")
    _find_lr(source, out, valid, preset, given, as_json, quiet)


def _find_lr(
    source: list[str],
    out: Path | None,
    valid: str | None,
    preset: str | None,
    given: list[tuple[str, dict[str, Any]]],
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the range test, print it, and draw it where a picture was named."""
    from seqlab.visualization.output import FORMATS, check_output

    kind = check_output(out) if out else ""
    load_torch()
    from seqlab.studies.tune.range_test import find_lr
    from seqlab.training.planning import Layer

    found = find_lr(source, valid=valid, preset=preset, given=[Layer(*one) for one in given], quiet=quiet)
    if out:
        found.picture().save(out)
    if as_json:
        print_json(found.to_json())
    else:
        print(found.text())
    if out:
        say(f"seqlab: wrote {out}: {FORMATS[kind]}")
    if not quiet:
        say(f"seqlab: next: seqlab train lm {printable(' '.join(source))} -o runs/book --lr {found.suggestion:g}")
