"""`seqlab train lm` and `seqlab train embeddings`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import (
    SOURCE_HELP,
    JsonFlag,
    check_run,
    check_texts,
    load_torch,
    print_json,
    print_summary,
    print_table,
    say,
    yes_or_no,
)
from .flags import FILES, settings_of
from .pages import Program

if TYPE_CHECKING:
    from seqlab.config import Settings

app = Program(help="Train a language model, word vectors or an autoencoder on your text.", no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML or JSON file of settings.")]
RunOut = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Run folder to write, or to resume; required to train.", rich_help_panel=FILES),
]
More = Annotated[
    float | None,
    typer.Option(metavar="MINUTES", help="Continue a finished run for so many minutes.", rich_help_panel=FILES),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Any setting, such as warmup=0.1; repeatable. See seqlab settings."
    ),
]
Text = Annotated[str | None, typer.Option()]
Whole = Annotated[int | None, typer.Option()]
Number = Annotated[float | None, typer.Option()]
YesNo = Annotated[bool | None, typer.Option()]
"""Flags that are settings: help and panel come from the configuration."""


def layers_of(
    kind: type[Settings], config: Path | None, settings: list[str] | None, arguments: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """What the person set, and where: configuration file, then flags, then --set.

    Args:
        kind: the configuration these are settings of.
        config: a file of settings.
        settings: assignments such as "training.lr=0.01".
        arguments: those of the verb; one that has the name of a setting is a flag.

    Raises:
        InputError: naming file, flag or key.
    """
    from seqlab.config import FLAGS, parse_set, read_config

    names = {key.rpartition(".")[2] for key in kind.keys()}  # noqa: SIM118
    flags = {name: value for name, value in arguments.items() if name in names and value is not None}
    flags |= {"lines": yes_or_no(flags["lines"])} if "lines" in flags else {}
    layers = []
    for origin, values in (
        (str(config), read_config(config) if config else {}),
        (FLAGS, flags),
        ("--set", parse_set(settings or [])),
    ):
        layers.append((origin, kind.checked(values, origin)))
    return layers


def merged(layers: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """All layers as nested values; a later one overrides an earlier one."""
    from seqlab.config import merge

    values: dict[str, Any] = {}
    for _, layer in layers:
        values = merge(values, layer)
    return values


def checked_layers(
    config: Path | None, settings: list[str] | None, preset: str | None, arguments: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """What the person set for a language model, refused before anything heavy is loaded where it cannot be.

    Args:
        config, settings, arguments: see `layers_of`.
        preset: its name.

    Raises:
        InputError: naming file, flag or key.
    """
    from seqlab.base.errors import InputError
    from seqlab.config import LanguageModelConfig
    from seqlab.config.checks import check_language_model
    from seqlab.config.names import STARTER
    from seqlab.config.presets import preset as preset_settings

    given = layers_of(LanguageModelConfig, config, settings, arguments)
    chosen = LanguageModelConfig.build(merged(given))
    check_language_model(chosen)
    if preset:
        preset_settings(preset)
    if chosen.training.init not in (None, STARTER):
        check_run(chosen.training.init)
    if chosen.training.embeddings and not Path(chosen.training.embeddings).exists():
        raise InputError(f"{chosen.training.embeddings}: no such file or folder of word vectors.")
    return given


@app.command("lm", cls=settings_of("text", "model", "training"))
def train_lm(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: RunOut = None,
    valid: Annotated[
        str | None, typer.Option(help="Validation text; default: the end of the text.", rich_help_panel=FILES)
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Test text, evaluated once at the end.", rich_help_panel=FILES)
    ] = None,
    tokenizer: Text = None,
    vocab_size: Whole = None,
    min_count: Whole = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase")] = None,
    lines: YesNo = None,
    cell: Text = None,
    embed_dim: Whole = None,
    hidden_dim: Whole = None,
    layers: Whole = None,
    tie: YesNo = None,
    dropout: Number = None,
    softmax: Text = None,
    samples: Whole = None,
    embeddings: Text = None,
    freeze_embeddings: Annotated[bool | None, typer.Option("--freeze-embeddings")] = None,
    init: Annotated[str | None, typer.Option(metavar="RUN")] = None,
    optimizer: Text = None,
    lr: Number = None,
    schedule: Text = None,
    clip: Number = None,
    average: Text = None,
    batch_size: Whole = None,
    bptt: Whole = None,
    epochs: Number = None,
    steps: Whole = None,
    minutes: Number = None,
    more: More = None,
    sample_every: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", help="Show a short sample so often.", rich_help_panel=FILES),
    ] = None,
    patience: Whole = None,
    seed: Whole = None,
    device: Text = None,
    threads: Whole = None,
    precision: Text = None,
    encoding: Text = None,
    errors: Text = None,
    field: Text = None,
    strip_ebook_header: Annotated[bool | None, typer.Option("--strip-ebook-header")] = None,
    unwrap: Annotated[bool | None, typer.Option("--unwrap")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named settings (char, word, awd-lstm-wt2, ...); default: those that suit the text. A wrong name "
            "lists them all.",
            rich_help_panel=FILES,
        ),
    ] = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and stop.")] = False,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Train a recurrent language model on a text.

    Example: seqlab train lm book.txt -o runs/book --minutes 5

    With no flags the tokenizer, sizes and time are chosen from the text.
    The same command on an unfinished run resumes it; with a larger budget,
    or --more 2, a finished run goes on. Where stdout is not a terminal, its
    last line is a JSON summary.

    Every setting, with its usual range and effect: seqlab settings.
    Costs of a run: seqlab info RUN --measure.

    Several processes share each batch:
    torchrun --nproc-per-node=2 -m seqlab_cli.main train lm book.txt -o runs/book
    """
    arguments = dict(locals())
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import check_run_output
    from seqlab.config.checks import check_more

    given = checked_layers(config, settings, preset, arguments)
    values = merged(given)
    if out is None and not dry_run:
        raise InputError("name the run folder to write with -o, such as -o runs/book.")
    if out is not None and os.environ.get("RANK", "0") == "0":  # beside a first process, which may be creating it now
        check_run_output(out)
    if more is not None:
        check_more(more, out, values)
    if sample_every is not None and not sample_every > 0:
        raise InputError(f"--sample-every: must be more than 0 minutes, not {sample_every:g}.")

    check_texts(*source, valid, test)
    load_torch()
    if dry_run:
        from seqlab.training.planning import Layer, begun_at, plan, with_more

        begun, overrides = begun_at(out), [Layer(*one) for one in given]
        if more is not None:
            overrides = with_more(begun, out, overrides, more)
        planned = plan(source, valid, test, quiet, preset, overrides, begun)
        say(f"seqlab: {planned.sentence}")
        if as_json or not sys.stdout.isatty():
            print_json(planned.to_json())
        else:
            print_table(planned.table().headers, planned.table().rows)
        return
    from seqlab.training.train import train_language_model

    before = _written(out)
    trained = train_language_model(
        source,
        out,
        valid=valid,
        test=test,
        quiet=quiet,
        preset=preset,
        given=values,
        more=more,
        sample_every=sample_every,
    )
    if not trained.summary:  # another of the processes that trained together reports
        return
    if not quiet:
        what = f"{out} is as it was" if _written(out) == before else f"wrote {out}"
        items = " --items 10" * trained.run.lines
        say(f"seqlab: {what}; next: seqlab generate {out}{items}")
    print_summary(trained.summary, as_json)


def _written(out: Path | None) -> float | None:
    """When the run's metrics were last written, None where there are none."""
    metrics = out and out / "metrics.jsonl"
    return metrics.stat().st_mtime if metrics and metrics.exists() else None


@app.command("embeddings", cls=settings_of("embeddings", "text"))
def train_embeddings(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="Folder to write the vectors to, or to resume.", rich_help_panel=FILES),
    ],
    model: Text = None,
    loss: Text = None,
    dim: Whole = None,
    window: Whole = None,
    samples: Whole = None,
    epochs: Number = None,
    minutes: Number = None,
    min_count: Whole = None,
    max_vocab: Whole = None,
    subsample: Number = None,
    subwords: YesNo = None,
    phrases: Whole = None,
    lr: Number = None,
    init: Annotated[str | None, typer.Option(metavar="VECTORS")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="VECTORS",
            help="Continue from vectors trained here, on this text, with their settings; new words are added.",
            rich_help_panel=FILES,
        ),
    ] = None,
    engine: Text = None,
    device: Text = None,
    workers: Whole = None,
    tokenizer: Text = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase")] = None,
    seed: Whole = None,
    encoding: Text = None,
    errors: Text = None,
    field: Text = None,
    strip_ebook_header: Annotated[bool | None, typer.Option("--strip-ebook-header")] = None,
    unwrap: Annotated[bool | None, typer.Option("--unwrap")] = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Train word vectors on a text.

    Example: seqlab train embeddings book.txt -o vectors/book

    The same command on an unfinished folder resumes it. Where stdout is
    not a terminal, its last line is a JSON summary.

    Every setting, with its usual range and effect: seqlab settings embeddings.
    """
    arguments = dict(locals())
    from seqlab.base.errors import SeqlabError
    from seqlab.config import EmbeddingsConfig
    from seqlab.config.checks import check_vectors

    values = merged(layers_of(EmbeddingsConfig, config, settings, arguments))
    check_vectors(EmbeddingsConfig().updated(values))
    check_texts(*source)
    from seqlab.api import train_embeddings_with_report

    _, report = train_embeddings_with_report(source, out, quiet, values, resume)
    if not report["predictions"]:
        raise SeqlabError(
            f"{out}: nothing was predicted, so its vectors mean nothing; use more text, or keep more of its words with "
            "--min-count 1 and --subsample 0."
        )
    if not quiet:
        say(f"seqlab: vectors are in {out}; next: seqlab neighbors {out} WORD, or seqlab visualize {out} -o map.html")
    print_summary({"vectors": str(out), **report}, as_json)
