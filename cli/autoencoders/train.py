"""`seqlab train autoencoder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import SOURCE_HELP, JsonFlag, check_texts, load_torch, print_json, print_summary, print_table, say
from ..flags import FILES, settings_of
from ..train import Assignments, ConfigFile, More, Number, Quiet, RunOut, Text, Whole, YesNo, app, layers_of, merged


@app.command("autoencoder", cls=settings_of("autoencoder", "text", "model", "training"))
def train_autoencoder(
    source: Annotated[list[str], typer.Argument(help=f"One item a line. {SOURCE_HELP}")],
    out: RunOut = None,
    valid: Annotated[
        str | None, typer.Option(help="Validation lines; default: some drawn at random.", rich_help_panel=FILES)
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Test lines, evaluated once at the end.", rich_help_panel=FILES)
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Also train a language model of the decoder's size on the same lines for as long, into this folder: "
            "seqlab compare shows what the point is worth.",
            rich_help_panel=FILES,
        ),
    ] = None,
    kind: Text = None,
    latent_dim: Whole = None,
    max_length: Whole = None,
    word_dropout: Number = None,
    annealing: Text = None,
    free_bits: Number = None,
    stacked: Annotated[bool | None, typer.Option("--stacked")] = None,
    tokenizer: Text = None,
    vocab_size: Whole = None,
    min_count: Whole = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase")] = None,
    encoding: Text = None,
    errors: Text = None,
    field: Text = None,
    strip_ebook_header: Annotated[bool | None, typer.Option("--strip-ebook-header")] = None,
    unwrap: Annotated[bool | None, typer.Option("--unwrap")] = None,
    cell: Text = None,
    embed_dim: Whole = None,
    hidden_dim: Whole = None,
    layers: Whole = None,
    tie: YesNo = None,
    dropout: Number = None,
    softmax: Text = None,
    samples: Whole = None,
    embeddings: Text = None,
    init: Annotated[str | None, typer.Option(metavar="RUN")] = None,
    optimizer: Text = None,
    lr: Number = None,
    clip: Number = None,
    average: Text = None,
    batch_size: Whole = None,
    epochs: Number = None,
    steps: Whole = None,
    minutes: Number = None,
    more: More = None,
    patience: Whole = None,
    seed: Whole = None,
    device: Text = None,
    threads: Whole = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named settings (words, penn-treebank, ...); default: those that suit the text. A wrong name lists "
            "them all.",
            rich_help_panel=FILES,
        ),
    ] = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and stop.")] = False,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Train an autoencoder on lines: each becomes a point, and points become lines.

    Example: seqlab train autoencoder headlines.txt -o runs/headlines

    With no flags it is variational, and trains for three minutes, or for
    forty passes over a short list, which it would know by heart. The same
    command on an unfinished run resumes it; with a larger budget, or --more 2,
    a finished run goes on. Where stdout is not a terminal, its last line is a
    JSON summary.

    Every setting, with its usual range and effect: seqlab settings autoencoder.
    """
    arguments = dict(locals())
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import check_run_output
    from seqlab.config import AutoencoderConfig
    from seqlab.config.checks import check_more
    from seqlab.config.presets import AUTOENCODERS
    from seqlab.config.presets import preset as preset_settings

    given = merged(layers_of(AutoencoderConfig, config, settings, arguments))
    if out is None and not dry_run:
        raise InputError("name the run folder to write with -o, such as -o runs/headlines.")
    if out is not None:
        check_run_output(out, "autoencoder")
    if more is not None:
        check_more(more, out, given)
    if preset is not None:
        preset_settings(preset, AUTOENCODERS)
    check_texts(*source, valid, test)
    load_torch()
    if dry_run:
        from seqlab.autoencoders.planning import plan
        from seqlab.run import flat

        planned = plan(source, valid, test, quiet, given, preset)
        say(f"seqlab: {planned.sentence}")
        values = planned.config.model_dump()
        if as_json:
            print_json(values)
        else:
            print_table(
                ("setting", "value"),
                [(key, "-" if value is None else str(value)) for key, value in flat(values).items()],
            )
        return
    from seqlab.autoencoders.train import train_autoencoder as train

    trained = train(
        source, out, valid=valid, test=test, quiet=quiet, given=given, baseline=baseline, more=more, preset=preset
    )
    if not quiet:
        variational = trained.model.variational
        verb = f"generate {out} --from-prior --num 10" if variational else f'reconstruct {out} "a line of yours"'
        say(f"seqlab: wrote {out}; next: seqlab {verb}")
        if baseline is not None:
            say(f"seqlab: wrote {baseline}; next: seqlab compare {baseline} {out}")
    print_summary(trained.summary, as_json)
