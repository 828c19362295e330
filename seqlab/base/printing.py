"""Text from a corpus, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with control characters escaped.

    Words and file names come from texts of unknown origin: printed as they are, one of them could move the cursor
    of a terminal or recolour what follows.

    Args:
        text: any string.

    Returns:
        `text` where every character that is not printable is written as its Python escape, such as `\\x1b` or `\\n`.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
