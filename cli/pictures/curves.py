"""`seqlab curves`: the training curves of one or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqlab.visualization.choices import CurveAxis

from ..console import JsonFlag, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seqlab.run import AnyRun


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders that `seqlab train` wrote.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The picture: .png, .svg, .pdf or .html."),
    ],
    x: Annotated[CurveAxis, typer.Option("--x", help="What the horizontal axis shows.")] = "tokens",
    as_json: JsonFlag = False,
) -> None:
    """Draw the training curves of one or several runs: losses, learning rate, gradients, hidden units, speed.

    Example: seqlab curves run-a run-b -o curves.png

    Says in words what the curves mean, with the rule that fired and what to change. The last line of the output is
    the picture's path.
    """
    from seqlab.autoencoders.run import AutoencoderRun
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import kind_of
    from seqlab.base.printing import printable
    from seqlab.diagnosis import diagnose_vectors, passes_of, words_beneath
    from seqlab.embeddings.training.state import read_metrics
    from seqlab.run import Run
    from seqlab.visualization import draw_curves
    from seqlab.visualization.output import FORMATS, check_output

    check_output(output)
    vectors = [path for path in runs if kind_of(path) in ("vectors", "unfinished vectors")]
    if vectors and len(vectors) < len(runs):
        raise InputError(
            f"{vectors[0]}: holds word vectors, whose losses do not compare with a language model's; draw them "
            "separately."
        )
    if vectors:
        drawn = [(str(path), read_metrics(path)) for path in vectors]
        found = [diagnose_vectors(*passes_of(lines)) for _, lines in drawn]
        for sentence in _about_vectors(vectors):
            say(sentence)
    else:
        opened: list[AnyRun] = [
            AutoencoderRun.open(path) if kind_of(path) == "autoencoder" else Run.open(path) for path in runs
        ]
        drawn = [(str(run.path), run.metrics()) for run in opened]
        found = [run.diagnosis for run in opened]
        for sentence in _about(opened):
            say(sentence)
    named = [(name, findings) for (name, _), findings in zip(drawn, found, strict=True)]
    picture = draw_curves(drawn, x=x, unit="prediction" if vectors else "token", words=words_beneath(named))
    picture.save(output)
    report = picture.to_json()
    say(f"Wrote {output} with {len(runs)} run{'s' * (len(runs) > 1)}: {FORMATS[report['format']]}.")
    if as_json:
        for run, findings in zip(report["runs"], found, strict=True):
            run |= {"diagnosis": findings.to_json(), "words": findings.paragraph()}
        print_json(report)
        return
    for name, findings in named:
        if paragraph := findings.paragraph():
            print(printable(f"{name}: {paragraph}" if len(named) > 1 else paragraph), end="\n\n")
    print(printable(str(output)))


def _about(runs: Sequence[AnyRun]) -> Iterator[str]:
    """Sentences about training losses that are not the exact cross-entropy, and about losses that do not compare."""
    from seqlab.base.errors import counted

    for run in runs:
        model = run.config.model
        if not run.blueprint().output.exact:
            yield f"{run.path}: its training loss is that of the {model.softmax} softmax, its validation loss is exact."
        elif model.label_smoothing:
            yield f"{run.path}: its training loss has label smoothing in it, its validation loss has not."
    cuts = {cut.digest: cut for cut in (run.tokenizer for run in runs)}
    if len(cuts) > 1:
        names = ", ".join(f"{cut.kind} with {counted(len(cut.vocab), 'type')}" for cut in cuts.values())
        yield (
            f"these runs cut text into different tokens ({names}), so their losses per token do not compare; seqlab "
            "evaluate RUN --text F compares them per character."
        )
    saved = [state[1]["position"]["valid_tokens"] for run in runs if (state := run.load_state())]
    used = sorted({tokens for tokens in saved if tokens})
    if len(used) > 1:
        yield (
            f"these runs were validated on {used[0]:,} to {used[-1]:,} tokens of their validation texts, so the dots "
            "compare roughly at best; seqlab evaluate RUN --text F compares exactly."
        )


def _about_vectors(folders: Sequence[Path]) -> Iterator[str]:
    """A sentence about word vectors that were trained with different losses."""
    from seqlab.base.files import read_json

    found: dict[str, Path] = {}
    for folder in folders:
        if (folder / "config.json").is_file():
            settings = read_json(folder / "config.json").get("settings", {})
            loss, samples = settings.get("loss", ""), settings.get("samples", "")
            found.setdefault(f"{loss} with {samples} samples" if loss != "softmax" else loss, folder)
    if len(found) > 1:
        losses = ", ".join(f"{folder}: {loss}" for loss, folder in found.items())
        yield f"these vectors were trained with different losses, which do not compare ({losses})."
