"""Where the texts of an evaluation come from: given ones, or the splits of the corpus that a run was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import InputError
from ..run import AnyRun
from ..text import Corpus, Sources, TokenFile, resolve_sources, tokenize
from ..text.sources.readers import check_field, listed


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


def read_source(run: AnyRun, sources: Sources | None, split: str | None, spelt: bool = False) -> Text:
    """The ids of a text given, else of a split of the run's own corpus.

    Args:
        run: whose tokenizer and corpus are used; see `RunFolder.reading_as` for a text that is not stored as its
            training text was.
        sources: text file(s), folder or corpus name; None takes the split.
        split: "train", "valid" or "test"; None takes "test" where there is one, else "valid".
        spelt: keep the spelling of words outside the vocabulary, for a model that reads characters; where the corpus
            does not have it a line on stderr says so, because the scores depend on it.

    Raises:
        InputError: neither can be had.
    """
    if sources is not None:
        if "field" in run.reading:
            check_field(resolve_sources(sources), run.reading["field"])
        name = ", ".join(map(str, listed(sources)))
        return Text(tokenize(sources, run.tokenizer, run.text_settings, spelt=spelt), name)
    corpus = run_corpus(run)
    if split is None:
        split = "test" if "test" in corpus.splits else "valid"
    if split not in corpus.splits:
        raise InputError(f"{run.path}: the corpus it was trained on has no {split} split; name a text instead.")
    if spelt:
        corpus = corpus.with_spelling(split)
    return Text(corpus.splits[split], f"the run's own {split} split", split)
