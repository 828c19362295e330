"""`seqlab data`: list, inspect, fetch and prepare texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from seqlab.base.printing import printable

from .console import SOURCE_HELP, JsonFlag, print_json, print_table, say, yes_or_no
from .pages import Program

if TYPE_CHECKING:
    from seqlab.config import TextConfig

app = Program(help="List, inspect, fetch and prepare texts.", no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Source = Annotated[list[str], typer.Argument(help=SOURCE_HELP)]
ENCODING = "Encoding of files that are not UTF-8, such as cp1252."
Field = Annotated[str, typer.Option(help="Field of a .jsonl record, or column of a table, that contains the text.")]


@app.command("list")
def list_corpora(json: JsonFlag = False) -> None:
    """List the named corpora: what they are, under which licence, and whether they are on this machine.

    Example: seqlab data list

    A registry of your own, named in the environment variable SEQLAB_CORPORA, adds to the list.
    """
    from seqlab.catalogue import corpora

    found = corpora.listing()
    if json:
        print_json(found.to_json())
    else:
        print_table(found.table().headers, found.table().rows)


@app.command("inspect")
def inspect_text(
    source: Source,
    valid: Annotated[list[str] | None, typer.Option(help="Validation text to compare with; repeatable.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Test text to compare with; repeatable.")] = None,
    field: Field = "text",
    encoding: Annotated[str | None, typer.Option(help=ENCODING)] = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Look at a text before training on it: figures, oddities, and what to mend.

    Example: seqlab data inspect book.txt --valid other.txt
    """
    from seqlab.text.inspection.inspect import inspect

    found = inspect(_one_or_more(source), valid=valid, test=test, field=field, encoding=encoding, quiet=quiet)
    if json:
        print_json(found.to_json())
    else:
        print(found.text())


def _one_or_more(sources: list[str]) -> str | list[str]:
    return sources[0] if len(sources) == 1 else sources


@app.command("fetch")
def fetch_corpus(
    name: Annotated[str, typer.Argument(help="A name of 'seqlab data list'.")],
    force: Annotated[bool, typer.Option("--force", help="Download again, even what has changed since.")] = False,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Download a named corpus, verify it and unpack it into the cache; afterwards its name is a SOURCE.

    Example: seqlab data fetch wikitext-2
    """
    from seqlab.catalogue.fetch import fetch

    found = fetch(name, force, quiet)
    files = {split: [str(path) for path in paths] for split, paths in found.splits.items()}
    for address, digest in found.trusted.items():
        say(f"seqlab: {address}: no digest is registered; remembered sha256 {digest} for next time")
    if json:
        print_json({"name": name, "fetched": found.fresh, "splits": files})
        return
    for split, paths in files.items():
        for path in paths:
            print(f"{split:<5}  {printable(path)}")
    say(f"seqlab: {name} is here; next: seqlab data inspect {name}, or seqlab train lm {name} -o runs/{name}")


@app.command("prepare")
def prepare_text(
    source: Source,
    out: Annotated[Path, typer.Option("-o", "--out", help="Corpus folder to write.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="char, byte, word, whitespace or bpe; default: from the text.")
    ] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Largest vocabulary.")] = None,
    min_count: Annotated[int | None, typer.Option(help="Rarer types become <unk>.")] = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase", help="Lower-case the text (word).")] = None,
    lines: Annotated[
        bool | None,
        typer.Option(
            "--lines/--no-lines",
            help="One item a line (names, headlines): shuffle them, read each from its own beginning; default: from "
            "the text.",
        ),
    ] = None,
    valid: Annotated[list[str] | None, typer.Option(help="Validation text; repeatable.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Test text; repeatable.")] = None,
    valid_fraction: Annotated[
        float | None,
        typer.Option(
            help="Share set apart for validation when there is no --valid: the end, or lines drawn at random."
        ),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help=ENCODING)] = None,
    errors: Annotated[str | None, typer.Option(help="Invalid bytes: strict or replace.")] = None,
    field: Annotated[
        str | None, typer.Option(help="Field of a .jsonl record, or column of a table, that contains the text.")
    ] = None,
    strip_ebook_header: Annotated[
        bool | None,
        typer.Option("--strip-ebook-header", help="Leave out header and licence of a Project Gutenberg e-book."),
    ] = None,
    unwrap: Annotated[
        bool | None, typer.Option("--unwrap", help="Join the lines of paragraphs wrapped at one width.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=1024, help="Processes; default: all cores.")] = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Turn text into ids once; the corpus folder is a SOURCE like any text.

    Example: seqlab data prepare book.txt -o corpora/book --tokenizer bpe --vocab-size 8000
    """
    arguments = dict(locals())
    from seqlab.text import prepare

    config = _text_config({**arguments, "lines": yes_or_no(lines)})
    corpus = prepare(_one_or_more(source), out, config, valid=valid, test=test, quiet=quiet, workers=workers)
    if json:
        print_json(corpus.to_json())
        return
    print(corpus.text())
    say(f"seqlab: {out} is ready ({corpus.tokenizer.kind}, {len(corpus.tokenizer.vocab):,} types)")


def _text_config(arguments: Mapping[str, Any]) -> TextConfig:
    """The settings among `arguments`. A value that is no choice is answered with the choices."""
    from seqlab.base.errors import InputError, did_you_mean
    from seqlab.config import FLAGS, TextConfig

    values = {name: arguments[name] for name in TextConfig.model_fields if arguments.get(name) is not None}
    for name in ("tokenizer", "errors"):
        choices: Sequence[str] = get_args(TextConfig.model_fields[name].annotation)
        if name in values and values[name] not in choices:
            raise InputError(
                f"--{name}: must be {', '.join(choices[:-1])} or {choices[-1]}, not {values[name]!r}."
                f"{did_you_mean(values[name], choices)}"
            )
    return TextConfig.build(values, FLAGS)
