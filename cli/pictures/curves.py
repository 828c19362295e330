"""`seqlab curves`: the training curves of one or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqlab.visualization.choices import CurveAxis

from ..console import JsonFlag, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seqlab.run import Run


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of `seqlab train`.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The picture: .png, .svg, .pdf or .html."),
    ],
    x: Annotated[CurveAxis, typer.Option("--x", help="What the horizontal axis shows.")] = "tokens",
    as_json: JsonFlag = False,
) -> None:
    """Draw the training curves of one or several runs: losses, learning rate, gradients, hidden units, speed.

    Example: seqlab curves run-a run-b -o curves.png
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import kind_of
    from seqlab.embeddings.training.state import read_metrics
    from seqlab.run import Run
    from seqlab.visualization import draw_curves
    from seqlab.visualization.output import FORMATS, check_output

    check_output(output)
    vectors = [path for path in runs if kind_of(path) in ("vectors", "unfinished vectors")]
    if vectors and len(vectors) < len(runs):
        raise InputError(
            f"{vectors[0]}: word vectors, whose losses do not compare with a language model's; draw them apart."
        )
    if vectors:
        drawn = [(str(path), read_metrics(path)) for path in vectors]
    else:
        opened = [Run.open(path) for path in runs]
        drawn = [(str(run.path), run.metrics()) for run in opened]
        for sentence in _about(opened):
            say(sentence)
    picture = draw_curves(drawn, x=x, unit="prediction" if vectors else "token")
    picture.save(output)
    report = picture.to_json()
    say(f"Wrote {output} with {len(runs)} run{'s' * (len(runs) > 1)}: {FORMATS[report['format']]}.")
    if as_json:
        print_json(report)
    else:
        print(output)


def _about(runs: Sequence[Run]) -> Iterator[str]:
    """What is to be known about training losses that are not the exact cross-entropy, and validation losses that do not
    compare."""
    from seqlab.training.watch.costs import blueprint

    for run in runs:
        model = run.config.model
        if not blueprint(run).output.exact:
            yield f"{run.path}: its training loss is that of the {model.softmax} softmax, its validation loss is exact."
        elif model.label_smoothing:
            yield f"{run.path}: its training loss has label smoothing in it, its validation loss has not."
    saved = [state[1]["position"]["valid_tokens"] for run in runs if (state := run.load_state())]
    used = sorted({tokens for tokens in saved if tokens})
    if len(used) > 1:
        yield (
            f"these runs were validated on {used[0]:,} to {used[-1]:,} tokens of their validation texts, so the dots "
            "compare roughly at best; seqlab evaluate RUN --text F compares exactly."
        )
