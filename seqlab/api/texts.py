"""From texts to corpora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..config import TextConfig
from ..config.arguments import checked
from ..config.explicit import explicit
from ..options import TextOptions

if TYPE_CHECKING:
    from ..catalogue.corpora import NamedCorpora
    from ..text import Corpus, Sources
    from ..text.inspection.inspection import Inspection


@explicit(TextConfig)
@checked
def prepare(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    workers: int | None = None,
    quiet: bool = False,
    **options: Unpack[TextOptions],
) -> Corpus:
    """Turn text into ids once; every training takes the result.

    Args:
        source: text file(s), a folder, a compressed or .jsonl file, or a name from `seqlab.corpora()`. A corpus is
            returned as it is.
        out: a folder for the corpus; None keeps it in the cache, where the same text is found again.
        valid: a validation text; None sets aside the end of the text.
        test: a test text.
        workers: processes; None uses all cores.
        quiet: show no progress.
        **options: how text becomes ids, listed below.

    Returns:
        The corpus: tokenizer and memory-mapped ids of its splits.

    Raises:
        InputError: a text that cannot be read, with file and line, or an unknown option.
    """
    from ..text import prepare as prepare_corpus

    config = TextConfig().updated(options)
    return prepare_corpus(
        source, Path(out) if out else None, config, valid=valid, test=test, quiet=quiet, workers=workers
    )


@checked
def inspect(
    source: Sources,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    field: str = "text",
    encoding: str | None = None,
    quiet: bool = False,
) -> Inspection:
    """Report what a text is like before training on it: figures, oddities, and what to mend.

    Args:
        source: what `prepare` reads.
        valid: a validation text to compare with the first: unknown words, and overlap.
        test: a test text to compare in the same way.
        field: the field of a JSON Lines record that holds its text.
        encoding: of files that are not UTF-8.
        quiet: show no progress.

    Returns:
        The figures, and `findings`: plain sentences on what to mend.

    Raises:
        InputError: a source does not exist, is empty, or is not what its name says.
    """
    from ..text.inspection.inspect import inspect as inspect_text

    return inspect_text(source, valid=valid, test=test, field=field, encoding=encoding, quiet=quiet)


def corpora() -> NamedCorpora:
    """List the named corpora: what they are, under which licence, and whether they are on this machine.

    A registry of your own, named in the environment variable SEQLAB_CORPORA, adds to the list.
    """
    from ..catalogue.corpora import listing

    return listing()
