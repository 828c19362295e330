"""`seqlab analogy`: A is to B as C is to what?"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from seqlab.base.printing import printable

from ..console import JsonFlag, print_json, print_table, say
from .neighbors import Count, VectorsArgument, open_vectors


def parse_expression(text: str) -> tuple[list[str], list[str]]:
    """The words added and the words subtracted in "king - man + woman"; signs need spaces around them.

    Raises InputError when a word is missing.
    """
    from seqlab.base.errors import InputError

    parts = re.split(r"(?:^|\s+)([+-])\s+", text.strip())
    if parts[0] == "":
        parts.pop(0)
    else:
        parts.insert(0, "+")
    words = [(sign, word.strip()) for sign, word in zip(parts[::2], parts[1::2], strict=True)]
    added = [word for sign, word in words if sign == "+"]
    if not added or any(not word or re.search(r"(^|\s)[+-](\s|$)", word) for _, word in words):
        raise InputError(f"{text!r}: write words with + or - between them, such as 'king - man + woman'.")
    return added, [word for sign, word in words if sign == "-"]


def analogy(
    vectors: VectorsArgument,
    words: Annotated[
        list[str],
        typer.Argument(metavar="A B C", help='A is to B as C is to ?; or an expression such as "king - man + woman".'),
    ],
    k: Count = 5,
    method: Annotated[
        Literal["add", "mul"],
        typer.Option(help="add: nearest to the sum (3CosAdd); mul: product of similarities (3CosMul)."),
    ] = "add",
    as_json: JsonFlag = False,
) -> None:
    """Answer "A is to B as C is to ?", or any sum of words; of an autoencoder, of lines.

    Example: seqlab analogy vectors man king woman

    The line at a sum of points: seqlab analogy runs/headlines "a line" "another" "a third"
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import kind_of

    if len(words) == 3 and not {"+", "-"} & set(words):
        added, subtracted = [words[1], words[2]], [words[0]]
    elif len(words) == 1 or {"+", "-"} & set(words):
        added, subtracted = parse_expression(" ".join(words))
    else:
        raise InputError(
            f"give three words A B C, or one expression such as 'king - man + woman', not {len(words)} words."
        )
    if kind_of(vectors) == "autoencoder":
        from ..autoencoders.lines import open_autoencoder, say_unknown

        lines = open_autoencoder(vectors)
        say_unknown(lines, [*added, *subtracted])
        line = lines.analogy(added, subtracted)
        print_json({"line": line}) if as_json else print(printable(line))
        return
    opened = open_vectors(vectors, mapped=True)
    best = opened.neighbors(added, k, negative=subtracted, method=method)
    for note in best.notes:
        say(note)
    if as_json:
        print_json({"method": method, "results": best.to_json()})
    else:
        print_table((opened.noun, "cosine" if method == "add" else "score"), best)
