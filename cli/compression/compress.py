"""`seqlab compress`: a smaller model from a trained one, or smaller word vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import JsonFlag, check_texts, load_torch, print_json, say
from ..flags import FILES, SEARCH, EncodingOption, ErrorsOption, FieldOption, StoredAs

if TYPE_CHECKING:
    from seqlab.compression.models import CompressionStudy

UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def compress(
    path: Annotated[
        Path, typer.Argument(metavar="RUN|VECTORS", help="A finished language-model run, or vectors of any format.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder of the result.", rich_help_panel=FILES)
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="int8 (default), int4, share, ternary, binary, prune=0.8, low-rank=0.5, prune-units=0.5, distill=0.5; "
            "several in order: prune=0.8,int8; see seqlab settings compressions. Vectors: int8, int4, 2bit, 1bit, pq, "
            "and before it words=N, dim=N, buckets=N."
        ),
    ] = None,
    retrain: Annotated[
        float | None,
        typer.Option(min=0, max=10, help="Training of methods that train, as a share of the run's steps; 0: none."),
    ] = None,
    target_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Take the first method that brings the weights to this: 800kB, 5MB.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    max_loss: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT", help="Take the smallest result that costs the network at most this: 1%.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="Try every method; OUT gets a run folder for each, a table and a picture.",
            rich_help_panel=SEARCH,
        ),
    ] = False,
    valid: Annotated[
        list[str] | None,
        typer.Option(
            help="Text to score before and after on; default: the validation text of the run.", rich_help_panel=FILES
        ),
    ] = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    questions: Annotated[
        list[str] | None,
        typer.Option(help="Vectors: further analogies to score, a file or a set.", rich_help_panel=FILES),
    ] = None,
    similarity: Annotated[
        list[str] | None, typer.Option(help="Vectors: similarity judged by people, to score.", rich_help_panel=FILES)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json: JsonFlag = False,
) -> None:  # fmt: skip
    """Make a smaller, faster model from a trained one, and say what it cost.

    Example: seqlab compress runs/book -o runs/book-int8 --method int8

    As small as possible for a price: seqlab compress runs/book -o runs/small --max-loss 1%

    Every method: seqlab compress runs/book --sweep -o studies/book

    Word vectors: seqlab compress vectors -o small --method words=50000,int8

    The result is a run folder that generate, evaluate, info and compare take, or a folder of vectors that all verbs of
    vectors take. The same command resumes a training that was stopped.
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import check_run_output, description, kind_of

    kind = kind_of(path)
    reading = StoredAs(field=field, encoding=encoding, errors=errors)
    for_models = {
        "retrain": retrain,
        "target_size": target_size,
        "max_loss": max_loss,
        "sweep": sweep,
        "valid": valid,
        **reading,
    }
    if kind in ("vectors", "file"):
        _refuse(path, "word vectors", for_models)
        _compress_vectors(path, output, method, questions or [], similarity or [], quiet, json)
        return
    if kind != "run":
        what = (
            "no such file or folder" if kind == "nothing" else f"is {description(path)}, no model and no word vectors"
        )
        raise InputError(f"{path}: {what}.")
    _refuse(path, "a language-model run", {"questions": questions, "similarity": similarity})
    goals = {"target_size": _bytes(target_size), "max_loss": _percent(max_loss)}
    if sweep and (method or any(goals.values())):
        raise InputError("--sweep tries every method; leave out --method, --target-size and --max-loss.")
    if any(reading.values()) and not valid:
        raise InputError("--field, --encoding and --errors say how --valid is read; give that too.")
    if not sweep:
        check_run_output(output)
    check_texts(*(valid or ()))
    load_torch()
    from seqlab.api import compare_compressions
    from seqlab.api import compress as compressed

    if sweep:
        study = compare_compressions(path, output, retrain=retrain, valid=valid, **reading, quiet=quiet)
        _draw(study)
        print_json(study.to_json()) if json else print(study.text())
        return
    found = compressed(
        path,
        output,
        method=method,
        retrain=retrain,
        target_size=goals["target_size"],
        max_loss=goals["max_loss"],
        valid=valid,
        **reading,
        quiet=quiet,
    )
    print_json(found.to_json()) if json else print(found.text())


def _refuse(path: Path, what: str, options: Mapping[str, object]) -> None:
    """Raise InputError for an option that is set and is for something else."""
    from seqlab.base.errors import InputError, option

    if name := next((name for name, value in options.items() if not (value is None or value is False)), None):
        raise InputError(f"{path}: is {what}, for which {option(name)} means nothing; leave it out.")


def _compress_vectors(
    path: Path, output: Path, method: str | None, questions: list[str], similarity: list[str], quiet: bool, json: bool
) -> None:
    from seqlab.base.printing import printable_lines
    from seqlab.compression.vectors.compress import DEFAULT, compress_vectors

    done = compress_vectors(path, output, method or DEFAULT, questions=questions, similarity=similarity, quiet=quiet)
    print_json(done.to_json()) if json else print(printable_lines(done.text()))


def _draw(study: CompressionStudy) -> None:
    for name in ("sweep.png", "sweep.html"):
        study.picture().save(study.path / name)
        say(f"seqlab: wrote {study.path / name}")


def _bytes(size: str | None) -> float | None:
    """Bytes of "5MB"."""
    from seqlab.base.errors import InputError

    if size is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B)?", size.strip().upper())
    if match is None or not float(match[1]):
        raise InputError(f"--target-size {size}: write a number of bytes, such as 800kB or 5MB.")
    return float(match[1]) * UNITS[match[2] or ""]


def _percent(loss: str | None) -> float | None:
    """The number of "1%"."""
    from seqlab.base.errors import InputError

    if loss is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%?", loss.strip())
    if match is None:
        raise InputError(f"--max-loss {loss}: write a percentage, such as 1%.")
    return float(match[1])
