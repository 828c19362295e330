"""What verbs that take an autoencoder share: opening one, and flags of how lines are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqlab.base.printing import printable

from ..console import load_torch, say
from ..flags import PANELS

if TYPE_CHECKING:
    from seqlab.autoencoders.trained import TrainedAutoencoder

AutoencoderArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a trained autoencoder.")]
Temperature = Annotated[float | None, typer.Option(help="Draw the words of a line; by default the likeliest is taken.")]
Beam = Annotated[int | None, typer.Option(metavar="B")]
Rule = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="A decoding rule such as no_repeat_ngram=2; repeatable. All of them: seqlab settings rules.",
        rich_help_panel=PANELS["recipe"],
    ),
]
SeedFlag = Annotated[int | None, typer.Option()]


def open_autoencoder(path: str | Path, device: str = "cpu") -> TrainedAutoencoder:
    """The autoencoder at `path`; what is no such run is refused before anything heavy is loaded.

    Raises:
        InputError: saying what is there instead.
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import description, kind_of

    kind = kind_of(path)
    if kind == "nothing":
        raise InputError(f"{path}: no such run folder.")
    if kind != "autoencoder":
        raise InputError(
            f"{path}: is {description(path)}, not an autoencoder's run; train one with seqlab train autoencoder."
        )
    load_torch()
    from seqlab.autoencoders.trained import TrainedAutoencoder

    return TrainedAutoencoder.load(path, device)


def say_unknown(opened: TrainedAutoencoder, lines: Sequence[str]) -> None:
    """Say which words or characters of lines the autoencoder has never seen."""
    unknown = opened.unknown(lines)
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if unknown[5:] else ""
        names = ", ".join(map(printable, unknown[:5]))
        say(f"seqlab: read as <unk>, as this autoencoder has never seen them: {names}{more}")


def writing_options(**given: Any) -> dict[str, Any]:
    """The options of generation that were given; refused where they contradict one another."""
    from seqlab.config import FLAGS, GenerationConfig
    from seqlab.config.checks import check_generation

    given["rules"] = given.pop("rule", None)
    options = {name: value for name, value in given.items() if value not in (None, [])}
    check_generation(GenerationConfig.build(options, FLAGS))
    return options
