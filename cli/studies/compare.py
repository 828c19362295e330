"""`seqlab compare`: is one model better than another, and how sure is that?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..console import JsonFlag, check_one_stdin, check_texts, load_torch, print_json, say
from ..flags import (
    FILES,
    CacheFlag,
    CountsOnlyFlag,
    EncodingOption,
    ErrorsOption,
    FieldOption,
    MethodOption,
    NetworkOnlyFlag,
    QuestionsOption,
    SimilarityOption,
    StoredAs,
    TopOption,
    member_of,
)
from ..pages import Command
from ..vectors.neighbors import open_vectors

if TYPE_CHECKING:
    from seqlab.studies.compare import Comparison, LineComparison, VectorComparison

WITH = "--with"


class CompareCommand(Command):
    """`--with B1 B2 B3` names all runs up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give every run after --with its own --with."""
        found, inside = list[str](), False
        for word in args:
            if word == WITH:
                inside = True
            elif word.startswith("-") and word != "-":
                inside = False
                found.append(word)
            else:
                found += [WITH, word] if inside else [word]
        if WITH in args and WITH not in found:
            found.append(WITH)
        return super().parse_args(ctx, found)


def compare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN|VECTORS ...", help="Language-model runs, or word vectors.")
    ],
    others: Annotated[
        list[Path] | None,
        typer.Option(
            WITH, metavar="RUN ...", help="Runs of another configuration: those before are one group, these another."
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Text to compare language models on.", rich_help_panel=FILES)
    ] = None,
    split: Annotated[
        Literal["valid", "test"] | None,
        typer.Option(help="Or a split of the corpus they were trained on.", rich_help_panel=FILES),
    ] = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Their training curves: .png, .svg, .pdf or .html.",
            rich_help_panel=FILES,
        ),
    ] = None,
    cache: CacheFlag = False,
    network_only: NetworkOnlyFlag = False,
    counts_only: CountsOnlyFlag = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    questions: QuestionsOption = None,
    similarity: SimilarityOption = None,
    top: TopOption = 30_000,
    method: MethodOption = "add",
    json: JsonFlag = False,
) -> None:  # fmt: skip
    """Compare models on one text, token by token: how much better the second is, and how sure that is.

    Example: seqlab compare runs/a runs/b --text chapter.txt

    Several seeds of each: seqlab compare runs/a1 runs/a2 --with runs/b1 runs/b2 --text chapter.txt

    Word vectors: seqlab compare vectors/a vectors/b --questions english

    Differences are losses in nats, second minus first. Intervals are by blocks, because neighbouring tokens are alike.
    Without a text: the test or validation text of the runs, if it is the same.
    """
    from seqlab.base.errors import InputError
    from seqlab.visualization.output import check_output

    check_one_stdin(RUN=[*paths, *(others or [])], text=text, questions=questions, similarity=similarity)
    if output is not None:
        check_output(output)
    if text and split:
        raise InputError("give either --text F or --split valid|test, not both.")
    reading = StoredAs(field=field, encoding=encoding, errors=errors)
    if any(reading.values()) and not text:
        raise InputError("--field, --encoding and --errors say how --text is read; give that too.")
    if len(paths) + len(others or []) < 2:
        raise InputError(f"{paths[0]}: name another model to compare it with.")
    check_texts(text)
    member = member_of(network_only, counts_only, cache)
    found: Comparison | LineComparison | VectorComparison
    if questions or similarity:
        found = _vectors(paths, others, text or split or output, questions or [], similarity or [], method, top)
    else:
        found = _models(paths, others or [], device, member, cache, text, split, reading, json)
        if output is not None:
            from seqlab.studies.compare import LineComparison

            if isinstance(found, LineComparison):
                raise InputError("-o draws the curves of language models; draw these with seqlab curves.")
            found.curves().save(output)
            say(f"seqlab: wrote {output}")
    print_json(found.to_json()) if json else print(found.text())


def _vectors(
    paths: list[Path],
    others: list[Path] | None,
    of_models: object,
    questions: list[str],
    similarity: list[Path],
    method: Literal["add", "mul"],
    top: int,
) -> VectorComparison:
    from seqlab.base.errors import InputError
    from seqlab.studies.compare import compare_vectors

    if others or of_models:
        raise InputError("--with, --text, --split and -o are of language models; leave them out for word vectors.")
    return compare_vectors([(str(path), open_vectors(path)) for path in paths], questions, similarity, method, top)


def _models(
    paths: list[Path],
    others: list[Path],
    device: str,
    member: Literal["network", "counts"] | None,
    cache: bool,
    text: str | None,
    split: str | None,
    reading: StoredAs,
    quiet: bool,
) -> Comparison | LineComparison:
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import kind_of

    from ..console import check_run

    if any(kind_of(path) == "autoencoder" for path in paths):
        load_torch()
        from seqlab.api import line_model
        from seqlab.studies.compare import compare_lines

        if others or member or cache:
            raise InputError("an autoencoder is compared run by run, as it was trained; leave the other options out.")
        models = [line_model(path).reading_as([text], **reading) for path in paths]
        return compare_lines(models, text, split, quiet=quiet)
    for path in (*paths, *others):
        if kind_of(path) == "vectors":
            raise InputError(f"{path}: holds word vectors; compare them with --questions F or --similarity F.")
        check_run(path)
    load_torch()
    from seqlab.api import load_language_model
    from seqlab.studies.compare import compare_models, grouped

    def opened(path: Path) -> Any:
        lm = load_language_model(path, device=device).reading_as([text], **reading)
        return lm.only(member) if member else lm.with_cache(quiet=quiet) if cache else lm

    first, second = [opened(path) for path in paths], [opened(path) for path in others]
    return compare_models([first, second] if second else grouped(first), text, split, quiet)
