"""`seqlab tune`: the settings that suit a text, found by trying them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seqlab.base.printing import printable, printable_lines

from ..console import SOURCE_HELP, JsonFlag, check_texts, load_torch, print_json, say
from ..flags import FILES, SEARCH
from ..train import Assignments, ConfigFile, Number, Quiet, Text, Whole, checked_layers, layers_of, merged

if TYPE_CHECKING:
    from seqlab.studies.tune.batch_size import BatchStudy
    from seqlab.studies.tune.range_test import RangeTest
    from seqlab.studies.tune.results import Study

LANGUAGE_MODEL_ONLY = (
    "find_lr",
    "study",
    "steps_per_trial",
    "train",
    "valid",
    "preset",
    "optimizer",
    "schedule",
    "dropout",
    "batch_size",
)
"""Options that word vectors do not have."""


def tune(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder of the study, to write or to resume; with --find-lr a picture: .png, .svg, .pdf or .html.",
            rich_help_panel=FILES,
        ),
    ] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Tune word vectors, not a language model.", rich_help_panel=SEARCH)
    ] = False,
    find_lr: Annotated[
        bool,
        typer.Option(
            "--find-lr",
            help="Only find a learning rate: a few hundred steps in which it rises.",
            rich_help_panel=SEARCH,
        ),
    ] = False,
    minutes: Annotated[float | None, typer.Option(help="Minutes of the whole search.", rich_help_panel=SEARCH)] = None,
    trials: Annotated[int | None, typer.Option(help="Short trainings in all.", rich_help_panel=SEARCH)] = None,
    seconds_per_trial: Annotated[
        float | None,
        typer.Option(
            help="Seconds of each short training; by default 16 of them, and four that are twice as long, take "
            "--minutes.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    steps_per_trial: Annotated[
        int | None,
        typer.Option(help="Or its steps: the same search every time.", rich_help_panel=SEARCH),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V,V",
            help="Try these values of a setting, and nothing else; repeatable for every combination.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that train side by side.", rich_help_panel=SEARCH)] = 1,
    train: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", help="Train the best settings for so long, into STUDY/run.", rich_help_panel=SEARCH
        ),
    ] = None,
    questions: Annotated[
        list[str] | None,
        typer.Option(
            help="With --vectors: analogies that decide instead of the held-out loss: 'english', 'python-docs' or a "
            "file; repeatable.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    search_seed: Annotated[int, typer.Option(min=0, help="Seed of the search.", rich_help_panel=SEARCH)] = 1,
    study: Annotated[
        Literal["batch-size"] | None,
        typer.Option(
            help="batch-size: small, large and growing batches on your text, with equal tokens.", rich_help_panel=SEARCH
        ),
    ] = None,
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
    """Find the settings that suit your text: the learning rate in seconds, several settings in minutes.

    Example: seqlab tune book.txt --find-lr -o lr.png

    Example: seqlab tune book.txt -o studies/book --minutes 10 --train 5

    Example: seqlab tune book.txt -o studies/grid --grid lr=1e-3,3e-3 --grid dropout=0,0.2 --steps-per-trial 500

    Example: seqlab tune book.txt -o studies/vectors --vectors --minutes 10 --questions english

    Example: seqlab tune book.txt --study batch-size --steps-per-trial 2000 -o batches.html

    Searched are learning rate, weight decay, dropout, layers, width and batch size, unless you set them: the first
    trial is what you would get without a search, then come points around it, then around the best. The best few are
    trained again for longer, and that decides. The best settings are in STUDY/best.toml, for seqlab train lm --config.
    With --vectors: learning rate, width, noise words and n-grams; with --questions also window and thinning.
    The same command resumes a study that was stopped; in a second terminal it takes part.
    """
    arguments = {name: value for name, value in locals().items() if name not in ("minutes", "grid")}
    from seqlab.base.errors import InputError

    check_texts(*source, valid)
    if vectors:
        _check_vectors(arguments)
        effort = {"minutes": minutes, "trials": trials, "seconds_per_trial": seconds_per_trial}
        _tune_vectors(source, out, effort, grid, arguments)
        return
    if questions:
        raise InputError("--questions: go with --vectors; a language model is judged by its held-out loss.")
    given = checked_layers(config, settings, preset, arguments)
    if find_lr:
        _find_lr(source, out, valid, preset, given, arguments)
        return
    if study is not None:
        _study_batches(source, out, valid, preset, given, steps_per_trial, as_json, quiet)
        return
    if out is None:
        raise InputError("name the folder of the study with -o, such as -o studies/book; --find-lr needs none.")
    from seqlab.studies.tune.journal import optuna_module
    from seqlab.studies.tune.tunables.effort import Effort, check_effort

    values = _values_of(grid) if grid else None
    wanted = Effort(minutes, trials, seconds_per_trial, steps_per_trial)
    check_effort(wanted, workers, values)
    optuna_module()
    load_torch()
    from seqlab.config import LanguageModelConfig
    from seqlab.studies.tune.study import train_best
    from seqlab.studies.tune.study import tune as search
    from seqlab.studies.tune.tunables.language_model import plan_language_model
    from seqlab.training.planning import Layer

    found = search(
        partial(
            plan_language_model,
            source,
            valid=valid,
            preset=preset,
            given=[Layer(*one) for one in given],
            minutes=train,
        ),
        LanguageModelConfig,
        out,
        effort=wanted,
        workers=workers,
        grid=values,
        seed=search_seed,
        quiet=quiet,
    )
    if train is not None:
        train_best(found, source, train, valid=valid, quiet=quiet)
    _show_study(found, "runs/tuned", arguments)


def _check_vectors(arguments: Mapping[str, Any]) -> None:
    """Refuse what only language models have.

    Raises:
        InputError: naming the option.
    """
    from seqlab.base.errors import InputError, option

    for name in LANGUAGE_MODEL_ONLY:
        if arguments[name]:
            raise InputError(f"{option(name)}: goes with language models; leave it out, or --vectors.")


def _tune_vectors(
    source: list[str],
    out: Path | None,
    effort: dict[str, Any],
    grid: list[str] | None,
    arguments: Mapping[str, Any],
) -> None:
    """Search the settings of word vectors, and print what was found."""
    from seqlab.base.errors import InputError
    from seqlab.config import EmbeddingsConfig

    if out is None:
        raise InputError("name the folder of the study with -o, such as -o studies/vectors.")
    flags = {"seed": arguments["seed"], "device": arguments["device"], "workers": arguments["threads"]}
    given = layers_of(EmbeddingsConfig, arguments["config"], arguments["settings"], flags)
    values = _values_of(grid) if grid else None
    from seqlab.studies.tune.tunables.effort import Effort, check_effort

    epochs = EmbeddingsConfig().updated(merged(given)).epochs
    check_effort(Effort(**effort, epochs_per_trial=epochs), arguments["workers"], values)
    from seqlab.api import tune_embeddings

    found = tune_embeddings(
        source,
        out,
        **effort,
        workers=arguments["workers"],
        grid=values,
        questions=arguments["questions"] or (),
        config=merged(given),
        seed=arguments["search_seed"],
        quiet=arguments["quiet"],
    )
    _show_study(found, "vectors/tuned", arguments)


def _show_study(found: Study, out: str, arguments: Mapping[str, Any]) -> None:
    """Print a study, and what to do with its best."""
    if arguments["as_json"]:
        print_json(found.to_json())
    else:
        print(printable_lines(found.text()))
    if not arguments["quiet"] and found.preset:
        command = found.record.kind.command
        say(f"seqlab: next: {command} {_again(arguments)} -o {out} --config {found.preset}, or open {found.report}")


def _again(arguments: Mapping[str, Any]) -> str:
    """Source and flags by which another command reads the text as this one did."""
    from seqlab.base.errors import option

    read = ("encoding", "errors", "field", "strip_ebook_header", "unwrap")
    given = {name: arguments[name] for name in read if arguments[name]}
    flags = [option(name, shlex.quote(value) if isinstance(value, str) else value) for name, value in given.items()]
    return printable(" ".join([shlex.join(arguments["source"]), *flags]))


def _values_of(assignments: list[str]) -> dict[str, list[Any]]:
    """`["lr=1e-3,3e-3", "dropout=0,0.2"]` as values by setting.

    Raises:
        InputError: no values, or a setting twice.
    """
    from seqlab.base.errors import InputError
    from seqlab.config import parse_set

    found: dict[str, list[Any]] = {}
    for assignment in assignments:
        key, equals, values = assignment.partition("=")
        parts = [part.strip() for part in values.split(",") if part.strip()]
        if not equals or not key.strip() or not parts:
            raise InputError(f"--grid {assignment!r}: write a setting and its values, such as lr=1e-3,3e-3.")
        if key.strip() in found:
            raise InputError(f"--grid {key.strip()}: is there twice; write all its values in one.")
        found[key.strip()] = [parse_set([f"value={part}"])["value"] for part in parts]
    return found


def _find_lr(
    source: list[str],
    out: Path | None,
    valid: str | None,
    preset: str | None,
    given: list[tuple[str, dict[str, Any]]],
    arguments: Mapping[str, Any],
) -> None:
    """Run the range test, print it, and draw it where a picture was named."""
    from seqlab.visualization.output import check_output

    if out:
        check_output(out)
    load_torch()
    from seqlab.studies.tune.range_test import find_lr
    from seqlab.training.planning import Layer

    found = find_lr(source, valid=valid, preset=preset, given=[Layer(*one) for one in given], quiet=arguments["quiet"])
    _show(found, out, arguments["as_json"])
    if not arguments["quiet"]:
        say(f"seqlab: next: seqlab train lm {_again(arguments)} -o runs/book --lr {found.suggestion:g}")


def _study_batches(
    source: list[str],
    out: Path | None,
    valid: str | None,
    preset: str | None,
    given: list[tuple[str, dict[str, Any]]],
    steps: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train small, large and growing batches, print what came of them, and draw it where a picture was named."""
    from seqlab.base.errors import InputError
    from seqlab.visualization.output import check_output

    if steps is None:
        raise InputError(
            "--study batch-size: say how many updates the small batch makes, such as --steps-per-trial 2000."
        )
    if out:
        check_output(out)
    load_torch()
    from seqlab.studies.tune.batch_size import compare_batch_sizes
    from seqlab.training.planning import Layer

    layers = [Layer(*one) for one in given]
    found = compare_batch_sizes(source, steps, valid=valid, preset=preset, given=layers, quiet=quiet)
    _show(found, out, as_json)


def _show(found: RangeTest | BatchStudy, out: Path | None, as_json: bool) -> None:
    """Print a result, and draw it where a picture was named."""
    picture = found.picture() if out else None
    if picture and out:
        picture.save(out)
    if as_json:
        print_json(found.to_json())
    else:
        print(found.text())
    if picture:
        from seqlab.visualization.output import FORMATS

        say(f"seqlab: wrote {out}: {FORMATS[picture.to_json()['format']]}")
