"""`seqlab doesnt-match`: the word that does not belong with the others."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, print_json, say
from .neighbors import VectorsArgument, open_vectors


def doesnt_match(
    vectors: VectorsArgument,
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="Three or more, of which one is unlike the others.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """The word that does not belong with the others: the farthest from their mean, by cosine.

    Example: seqlab doesnt-match vectors breakfast cereal dinner car
    """
    opened = open_vectors(vectors, mapped=True)
    for note in opened.composed(words):
        say(note)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # these notes once more, in the words of Python
        word = opened.doesnt_match(words)
    if as_json:
        print_json({"word": word, "words": words})
    else:
        print(printable(word))
