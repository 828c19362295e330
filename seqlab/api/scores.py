"""How good models are, and which is better."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from ..base.errors import InputError
from ..config.arguments import checked
from ..options import EvaluationOptions
from .loading import is_autoencoder, language_model, line_model, load_vectors

if TYPE_CHECKING:
    from ..autoencoders.trained import TrainedAutoencoder
    from ..embeddings import WordVectors
    from ..evaluation import Scores
    from ..studies.compare import Comparison, LineComparison, VectorComparison
    from ..text import Sources
    from ..trained import TrainedLanguageModel


@checked
def evaluate(
    model: str | Path | TrainedLanguageModel,
    text: Sources | None = None,
    *,
    split: str | None = None,
    field: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    **options: Unpack[EvaluationOptions],
) -> Scores:
    """Exact scores of a language model on a text.

    Args:
        model: a run folder or an open model.
        text: file(s), folder or corpus name to score; None takes a split of the corpus the run was trained on.
        split: "valid" or "test"; None takes the test split, else the validation split.
        field: of the text's records, or column of its table; by default the training text's.
        encoding: of a text that is not UTF-8; by default the training text's.
        errors: what to do with invalid bytes, "strict" or "replace"; by default what was done in the training text.
        **options: what to add to the network, as for `TrainedLanguageModel.evaluate`.

    Raises:
        InputError: no such run or text.
    """
    return language_model(model).evaluate(text, split=split, field=field, encoding=encoding, errors=errors, **options)


@checked
def compare(
    *models: str
    | Path
    | TrainedLanguageModel
    | TrainedAutoencoder
    | WordVectors
    | Sequence[str | Path | TrainedLanguageModel],
    text: Sources | None = None,
    split: Literal["valid", "test"] | None = None,
    field: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    method: Literal["add", "mul"] = "add",
    top: int = 30_000,
    quiet: bool = True,
) -> Comparison | LineComparison | VectorComparison:
    """Compare models with the first of them: how much better each is, and how sure that is.

    Language models are compared on a text, token by token (where their tokenizers differ, by stretches of text);
    differences are losses in nats, b minus a. Where one of them is a variational autoencoder, all are compared line by
    line. Word vectors are compared on questions and similarity scores.

    Args:
        *models: two or more run folders or open models, or word vectors where questions or similarity are given; a
            list of runs that differ in their seed counts as one.
        text: file(s), folder or corpus name; None takes a split of the runs' own corpus, if it is the same text.
        split: "valid" or "test"; None takes the test split, else the validation split.
        field: of the text's records, or column of its table; by default that of each run's training text.
        encoding: of a text that is not UTF-8; by default as for each run's training text.
        errors: what to do with invalid bytes, "strict" or "replace"; by default as for each run's training text.
        questions: for word vectors: question files, or names of shipped sets.
        similarity: for word vectors: files of human similarity scores.
        method: of analogies: "add" or "mul".
        top: analogies: search the so many most frequent words; 0 takes all.
        quiet: show no progress.

    Returns:
        A `Comparison`, with `.pairs`, `.difference`, `.interval` and `.curves()`, a `LineComparison`, or a
        `VectorComparison`.

    Raises:
        InputError: fewer than two models, or ones that cannot be compared.
    """
    from ..embeddings import WordVectors
    from ..studies.compare import compare_lines, compare_models, compare_vectors, grouped

    reads = methodcaller("reading_as", [text], field=field, encoding=encoding, errors=errors)
    if any(isinstance(one, WordVectors) for one in models) or questions or similarity:
        named: list[tuple[str, WordVectors]] = []
        for number, one in enumerate(models, 1):
            if isinstance(one, WordVectors):
                named.append((str(one.path or f"vectors {number}"), one))
            elif isinstance(one, str | Path):
                named.append((str(one), load_vectors(one)))
            else:
                raise InputError(f"compare: give word vectors or their paths, not {type(one).__name__}.")
        return compare_vectors(named, questions, similarity, method, top)
    if any(is_autoencoder(one) for one in models):
        return compare_lines([reads(line_model(one)) for one in models], text, split, quiet=quiet)
    groups: list[list[TrainedLanguageModel]] = []
    for given in models:
        several: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
        groups.append([reads(language_model(run)) for run in several])
    if all(len(group) == 1 for group in groups):
        groups = grouped([group[0] for group in groups])
    if not all(groups):
        raise InputError("compare: an empty list of runs; name at least one.")
    return compare_models(groups, text, split, quiet)
