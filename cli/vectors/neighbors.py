"""`seqlab neighbors`: the nearest words of a word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, print_json, print_table, say

if TYPE_CHECKING:
    from seqlab.embeddings import WordVectors

VectorsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="VECTORS",
        help="Embeddings folder; word2vec, GloVe, fastText, .npz or .tsv file; or language-model RUN (its embedding).",
    ),
]
Count = Annotated[int, typer.Option("-k", "--count", min=1, help="How many words.")]


def open_vectors(path: Path, mapped: bool = False) -> WordVectors:
    """Vectors from any file or folder; only a language-model run has to wait for torch. Notes go to stderr.

    mapped: leave the matrix of an embeddings folder in its file, which is opened sooner the larger it is, once it was
    verified.
    """
    from seqlab.base.kinds import kind_of
    from seqlab.opening import open_vectors as opened

    vectors = opened(path, mapped=mapped and kind_of(path) == "vectors")
    for note in vectors.meta.get("notes", []):
        say(f"{path}: {note}")
    return vectors


def neighbors(
    vectors: VectorsArgument,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="One table for each.")],
    k: Count = 10,
    as_json: JsonFlag = False,
) -> None:
    """The words nearest to a word, by cosine. Vectors with n-grams also answer for words they never saw.

    Example: seqlab neighbors vectors king queen -k 5
    """
    opened = open_vectors(vectors, mapped=True)
    found = opened.neighbors_of_each(words, k)
    for note in dict.fromkeys(note for best in found for note in best.notes):
        say(note)
    if as_json:
        queries = [{"word": word, "results": best.to_json()} for word, best in zip(words, found, strict=True)]
        print_json({"results": queries[0]["results"], "queries": queries})
        return
    for number, (word, best) in enumerate(zip(words, found, strict=True)):
        if number:
            print()
        print_table((printable(word), "cosine"), best)
