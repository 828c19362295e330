"""Smaller models, and models for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import InputError
from ..base.kinds import kind_of
from ..config.arguments import checked
from .loading import language_model

if TYPE_CHECKING:
    from ..compression.models import CompressedModel, CompressionStudy
    from ..compression.onnx.export import Exported
    from ..compression.vectors.measure import CompressedVectors
    from ..embeddings import WordVectors
    from ..run import Run
    from ..text import Sources
    from ..trained import TrainedLanguageModel


@checked
def compress(
    source: str | Path | TrainedLanguageModel | WordVectors,
    out: str | Path,
    *,
    method: str | Sequence[str] | None = None,
    retrain: float | None = None,
    target_size: float | None = None,
    max_loss: float | None = None,
    valid: Sources | None = None,
    field: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    quiet: bool = False,
) -> CompressedModel | CompressedVectors:
    """Make a smaller, faster model from a trained one, or smaller word vectors, and measure what it costs.

    Args:
        source: a language model whose training is finished, or its run folder; or word vectors, or the path of some.
        out: folder of the compressed run, complete or not at all; `load` opens it as any run.
        method: one, or several in order such as "prune=0.8,int8", see `seqlab settings compressions`; None is "int8",
            or with a goal whatever reaches it. Of vectors: `int8`, `int4`, `2bit`, `1bit` or `pq`, and before it
            `words=N`, `dim=N` and `buckets=N`.
        retrain: steps of training of methods that train, as a share of those that trained the run; None takes the
            usual share of each, 0 none. A training that was stopped is resumed by the same call.
        target_size: bytes of the weights at most.
        max_loss: percent by which the network's perplexity may rise; the smallest result within it is taken.
        valid: the text to score before and after on; None takes the validation text of the run.
        field: of the records of `valid`, or column of its table; None takes that of the training text.
        encoding: of `valid`, where that is not UTF-8; None takes that of the training text.
        errors: what to do with invalid bytes there, "strict" or "replace"; None does as in the training text.
        questions: of vectors: further sets or files of analogies to score before and after.
        similarity: of vectors: files of similarity to score.
        quiet: show no progress.

    Returns:
        Sizes and exact scores before and after; `.model()` opens the result. Of vectors also `.recall_at_10`.

    Raises:
        InputError: no such run, a method that is unknown or out of order, or no text to score on.
        SeqlabError: nothing costs as little as `max_loss`.
    """
    from ..compression.models import LADDER, compress_model, compress_to
    from ..embeddings import WordVectors

    if isinstance(source, WordVectors) or (isinstance(source, str | Path) and kind_of(source) in ("vectors", "file")):
        from ..compression.vectors.compress import DEFAULT, compress_vectors

        if any(value is not None for value in (retrain, target_size, max_loss, valid, field, encoding, errors)):
            raise InputError(
                "retrain, target_size, max_loss, valid and how it is read are for language models, not for vectors."
            )
        sets, files = ([one] if isinstance(one, str | Path) else one for one in (questions, similarity))
        return compress_vectors(source, out, method or DEFAULT, questions=sets, similarity=files, quiet=quiet)
    if questions or similarity:
        raise InputError("questions and similarity are for word vectors, not for a language model.")
    run = _reading(source, valid, field, encoding, errors)
    if target_size is None and max_loss is None:
        return compress_model(run, out, method or "int8", retrain=retrain, valid=valid, quiet=quiet)
    asked = LADDER if method is None else [method if isinstance(method, str) else ",".join(method)]
    return compress_to(
        run, out, asked, target_size=target_size, max_loss=max_loss, retrain=retrain, valid=valid, quiet=quiet
    )


@checked
def compare_compressions(
    source: str | Path | TrainedLanguageModel,
    out: str | Path,
    *,
    methods: Sequence[str] | None = None,
    retrain: float | None = None,
    valid: Sources | None = None,
    field: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    quiet: bool = False,
) -> CompressionStudy:
    """Compress a model by many methods: size, speed and perplexity of each, and which none of the others beats.

    Args:
        source: a language model whose training is finished, or its run folder.
        out: the study's folder, with a run folder for each method; the same call resumes it.
        methods: each as `compress` takes it; None tries all.
        retrain: see `compress`.
        valid: see `compress`.
        field: see `compress`.
        encoding: see `compress`.
        errors: see `compress`.
        quiet: see `compress`.

    Returns:
        A row a method; `.picture()` draws them.

    Raises:
        InputError: as `compress`, or the folder holds something else.
    """
    from ..compression.models import SWEEP, sweep_model

    run = _reading(source, valid, field, encoding, errors)
    return sweep_model(run, out, methods or SWEEP, retrain=retrain, valid=valid, quiet=quiet)


def _reading(
    source: str | Path | TrainedLanguageModel,
    valid: Sources | None,
    field: str | None,
    encoding: str | None,
    errors: str | None,
) -> Run:
    """The run of a language model, which reads `valid` as it is stored."""
    from ..run import Run
    from ..trained import TrainedLanguageModel

    lm = source if isinstance(source, TrainedLanguageModel) else TrainedLanguageModel(Run.open(source))
    return lm.reading_as([valid], field=field, encoding=encoding, errors=errors).run


@checked
def export(
    model: str | Path | TrainedLanguageModel, out: str | Path, *, int8: bool = False, quiet: bool = False
) -> Exported:
    """Write a language model's network as an ONNX file, for programs without Python or torch.

    The file's inputs and outputs are tokens and the state; `NAME.tokens.json` and `NAME.README.md` go next to it, with
    the loop in Python and JavaScript. Counts of a run are left out.

    Args:
        model: a run folder or an open model.
        out: the file, such as "model.onnx".
        int8: matrices in int8, a quarter of the size; otherwise float32.
        quiet: show no progress.

    Returns:
        An `Exported`, with `.path`, `.bytes` and `.difference` from the run.

    Raises:
        InputError: no such run, a place that cannot be written to, or onnx and onnxruntime are not installed.
        SeqlabError: ONNX Runtime computes something else than the run; nothing is written.
    """
    from ..compression.onnx.export import export as written

    return written(language_model(model).run, out, int8=int8, quiet=quiet)
