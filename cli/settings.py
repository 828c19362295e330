"""`seqlab settings`: the book of settings."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import JsonFlag, print_json


def settings(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A setting (lr, training.clip), a section (text, model, training, embeddings, generation, ...), a "
            "table (cells, optimizers, rules, ...), one of its names (lstm), or any word; default: every setting.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Look up settings: meaning, type, default, usual range, effect when turned, and source of each.

    Example: seqlab settings lr

    Example: seqlab settings lstm
    """
    from seqlab.config.book import settings as look_up

    found = look_up(name)
    if as_json:
        print_json(found.to_json())
    else:
        print(found.text())
