"""`seqlab train lm` and `seqlab train embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import SOURCE_HELP, print_json, say

if TYPE_CHECKING:
    from seqlab.config import Settings

app = typer.Typer(help="Train a language model or word vectors.", no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML or JSON file of settings.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as training.warmup=0.1; repeatable."),
]


def asked(
    kind: type[Settings], config: Path | None, settings: list[str] | None, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """What the person set, as nested values: configuration file, then flags, then --set.

    A flag is an argument of the verb that has the name of a setting. Raises InputError naming file, flag or key.
    """
    from seqlab.config import merge, parse_set, read_config

    names = {key.rpartition(".")[2] for key in kind.keys()}  # noqa: SIM118
    flags = {name: value for name, value in arguments.items() if name in names and value is not None}
    values: dict[str, Any] = {}
    for origin, layer in (
        (str(config), read_config(config) if config else {}),
        ("flags", flags),
        ("--set", parse_set(settings or [])),
    ):
        qualified = kind.qualified(layer)
        kind().updated(qualified, origin)
        values = merge(values, qualified)
    return values


@app.command("lm")
def train_lm(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Run folder to write (or to go on with); required to train.")
    ] = None,
    valid: Annotated[str | None, typer.Option(help="Validation text; default: the end of the text.")] = None,
    test: Annotated[str | None, typer.Option(help="Test text, evaluated once at the end.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="char, byte, word, whitespace or bpe; default: from the text.")
    ] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Largest vocabulary.")] = None,
    min_count: Annotated[int | None, typer.Option(help="Rarer types become <unk>.")] = None,
    cell: Annotated[
        str | None, typer.Option(help="lstm, gru, mogrifier, mingru, rnn-tanh, ...; the README lists all.")
    ] = None,
    embed_dim: Annotated[int | None, typer.Option(help="Embedding width.")] = None,
    hidden_dim: Annotated[int | None, typer.Option(help="Hidden units a layer.")] = None,
    layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    tie: Annotated[bool | None, typer.Option(help="Share the embedding with the output layer.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout.")] = None,
    softmax: Annotated[str | None, typer.Option(help="full, sampled, nce, adaptive or mixture.")] = None,
    samples: Annotated[int | None, typer.Option(help="Noise words a batch shares (sampled, nce).")] = None,
    embeddings: Annotated[str | None, typer.Option(help="Word vectors that start the embedding.")] = None,
    freeze_embeddings: Annotated[
        bool | None, typer.Option("--freeze-embeddings", help="Leave those vectors as they are.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="A run whose weights to start from; its sizes, tokenizer and lower-casing are kept "
            "(bpe learns its pieces anew).",
        ),
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="constant, linear, step, exponential, cosine, one-cycle, plateau.")
    ] = None,
    clip: Annotated[float | None, typer.Option(help="Largest gradient norm; 0: no clipping.")] = None,
    average: Annotated[str | None, typer.Option(help="Average of the weights: none, ema, swa, asgd, nt-asgd.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Parallel streams of text an update sees.")] = None,
    bptt: Annotated[int | None, typer.Option(help="Tokens back-propagated through.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the text.")] = None,
    steps: Annotated[int | None, typer.Option(help="Or: updates.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Or: minutes; the learning rate follows.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many validations without gain.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda.")] = None,
    precision: Annotated[str | None, typer.Option(help="Of products: auto, float32, bfloat16.")] = None,
    errors: Annotated[str | None, typer.Option(help="Invalid bytes: strict or replace.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Named settings of data/presets.toml (char, word, ...); default: those that suit the text."),
    ] = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and stop.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a recurrent language model on a text.

    Example: seqlab train lm book.txt -o runs/book --minutes 5

    With no flags the tokenizer, sizes and time are chosen from the text, and said. The same command on an
    unfinished run goes on where it stopped. The last line on stdout is a JSON summary.

    Rarer knobs: --set key=value; the README lists them. Costs: seqlab info RUN --measure.

    Several processes share each batch: torchrun --nproc-per-node=2 -m seqlab_cli.main train lm book.txt -o runs/book
    """
    arguments = dict(locals())
    from seqlab.api import train_language_model
    from seqlab.base.errors import InputError
    from seqlab.config import LanguageModelConfig
    from seqlab.training.planning import plan

    values = asked(LanguageModelConfig, config, settings, arguments)
    if dry_run:
        planned = plan(source, valid, test, quiet, preset, values)
        say(f"seqlab: {planned.sentence}")
        print_json(planned.config.model_dump())
        return
    if out is None:
        raise InputError("-o/--out: is missing; name the run folder to write, such as -o runs/book.")
    trained = train_language_model(source, out, valid=valid, test=test, quiet=quiet, preset=preset, values=values)
    if not trained.summary:  # another of the processes that trained together reports
        return
    if not quiet:
        say(f"seqlab: wrote {out}; next: seqlab generate {out}")
    print_json(trained.summary)


@app.command("embeddings")
def train_embeddings(
    source: Annotated[list[str], typer.Argument(help=SOURCE_HELP)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write the vectors to (or to go on with).")],
    model: Annotated[str | None, typer.Option(help="skipgram or cbow.")] = None,
    loss: Annotated[
        str | None, typer.Option(help="sampled-softmax, negative-sampling, nce, or softmax (all words).")
    ] = None,
    dim: Annotated[int | None, typer.Option(help="Width of a vector.")] = None,
    window: Annotated[int | None, typer.Option(help="Largest distance of a context word.")] = None,
    samples: Annotated[int | None, typer.Option(help="Noise words a window shares.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the text; default: from its size.")] = None,
    min_count: Annotated[int | None, typer.Option(help="Rarer words are dropped.")] = None,
    max_vocab: Annotated[int | None, typer.Option(help="Only so many words, the most frequent.")] = None,
    subsample: Annotated[float | None, typer.Option(help="Thin out words more frequent than this.")] = None,
    subwords: Annotated[
        bool | None, typer.Option(help="Learn n-grams too, and answer unknown words; default with skipgram.")
    ] = None,
    phrases: Annotated[int | None, typer.Option(help="Passes that join phrases: new york -> new_york.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate at the start.")] = None,
    init: Annotated[str | None, typer.Option(help="Start from these word vectors.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue from vectors trained here, on this text, with their settings; new words are added."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="cpu, torch or auto (torch on a GPU).")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, or cuda, which takes the torch engine.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads; 1 is bit-reproducible.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="word or whitespace; default: from the text.")] = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase", help="Lower-case the text.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    errors: Annotated[str | None, typer.Option(help="Invalid bytes: strict or replace.")] = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    quiet: Quiet = False,
) -> None:
    """Train word vectors on a text.

    Example: seqlab train embeddings book.txt -o vectors/book

    The same command on an unfinished folder goes on where it stopped. The last line on stdout is a JSON summary.
    """
    arguments = dict(locals())
    from seqlab.api import train_embeddings_with_report
    from seqlab.config import EmbeddingsConfig

    values = asked(EmbeddingsConfig, config, settings, arguments)
    _, report = train_embeddings_with_report(source, out, quiet, values, resume)
    if not quiet:
        say(f"seqlab: vectors are in {out}; next: seqlab neighbors {out} WORD, or seqlab visualize {out} -o map.html")
    print_json({"vectors": str(out), **report})
