"""`seqlab curves`: the training curves of one or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonFlag, print_json, say


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of `seqlab train`.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The picture: .png, .svg, .pdf or .html."),
    ],
    x: Annotated[str, typer.Option("--x", help="Horizontal axis: tokens, steps or seconds.")] = "tokens",
    as_json: JsonFlag = False,
) -> None:
    """Draw the training curves of one or several runs: loss, learning rate, gradient norm, speed.

    Example: seqlab curves run-a run-b -o curves.png
    """
    from seqlab.embeddings.state import METRICS, read_metrics
    from seqlab.run import Run, is_run
    from seqlab.visualization import draw_curves
    from seqlab.visualization.output import FORMATS, check_output

    check_output(output)
    drawn = []
    for path in runs:
        if (path / METRICS).is_file() and not is_run(path):
            drawn.append((str(path), read_metrics(path)))
            say(f"{path}: its losses are those of word vectors, in nats per prediction.")
            continue
        run = Run.open(path)
        drawn.append((str(path), run.metrics()))
        if run.config.model.softmax != "full":
            say(f"{path}: its training loss is the {run.config.model.softmax} one, lower than the exact loss.")
    report = draw_curves(drawn, output, x=x)
    say(f"Wrote {output} with {len(runs)} run{'s' * (len(runs) > 1)}: {FORMATS[report['format']]}.")
    if as_json:
        print_json(report)
    else:
        print(output)
