"""Where the texts of an evaluation come from: given ones, or the splits of the corpus that a run was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import InputError, option
from ..run import AnyRun
from ..text import Corpus, Sources, TokenFile, resolve_sources, tokenize
from ..text.sources.readers import check_field


class Text(NamedTuple):
    """Tokens, and where they are from: in words, and as a split of the run's own corpus."""

    tokens: TokenFile
    name: str
    split: str | None = None


def run_corpus(run: AnyRun) -> Corpus:
    """The prepared corpus that a run was trained on.

    Raises:
        InputError: it is gone, or no longer the same.
    """
    recorded: dict[str, Any] = run.record["corpus"]
    path = Path(recorded.get("path", ""))
    if not Corpus.is_corpus(path):
        raise InputError(
            f"{run.path}: the prepared corpus it was trained on is no longer there; name the texts themselves: "
            "the one to score, the one to tune on (valid) and the one to count (train_text)."
        )
    corpus = Corpus.open(path)
    if corpus.digest != recorded["digest"]:
        raise InputError(
            f"{path}: is not the corpus that {run.path} was trained on any more (their digests differ); name the "
            "texts themselves: the one to score, the one to tune on (valid) and the one to count (train_text)."
        )
    return corpus


class ReadAs(NamedTuple):
    """How a text is read that is not stored as the training text was.

    field: of its records, or column of its table. encoding: of files that are not UTF-8.
    """

    field: str | None = None
    encoding: str | None = None


def read_source(
    run: AnyRun, sources: Sources | None, split: str | None, spelt: bool = False, reading: ReadAs | None = None
) -> Text:
    """The ids of a text given, else of a split of the run's own corpus.

    Args:
        run: whose tokenizer and corpus are used.
        sources: text file(s), folder or corpus name; None takes the split.
        split: "train", "valid" or "test"; None takes "test" where there is one, else "valid".
        spelt: keep the spelling of words outside the vocabulary, for a model that reads characters; where the corpus
            does not have it a line on stderr says so, because the scores depend on it.
        reading: what differs from how the training text was read.

    Raises:
        InputError: neither can be had, or a split is to be read in another way.
    """
    changes = {name: value for name, value in (reading or ReadAs())._asdict().items() if value is not None}
    if changes and sources is None:
        raise InputError(f"{option(next(iter(changes)))} says how to read a text; name the text too.")
    if sources is not None:
        if "field" in changes:
            check_field(resolve_sources(sources), changes["field"])
        name = str(sources) if isinstance(sources, str | Path) else ", ".join(map(str, sources))
        return Text(tokenize(sources, run.tokenizer, run.text_settings.model_copy(update=changes), spelt=spelt), name)
    corpus = run_corpus(run)
    if split is None:
        split = "test" if "test" in corpus.splits else "valid"
    if split not in corpus.splits:
        raise InputError(f"{run.path}: the corpus it was trained on has no {split} split; name a text instead.")
    if spelt:
        corpus = corpus.with_spelling(split)
    return Text(corpus.splits[split], f"the run's own {split} split", split)
