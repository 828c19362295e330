"""Word vectors of any origin as a folder in fewer bytes, with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...base.errors import InputError, choose
from ...base.storage.outputs import check_folder
from ...embeddings import WordVectors
from ...embeddings.folder import STATE, TENSORS, VOCAB
from ...opening import open_vectors
from .measure import CompressedVectors, compared_scores, ngram_agreement, recall
from .pack import PACKINGS, STRETCH, packed
from .reduce import fewer_buckets, fewer_dimensions, first_words

REDUCTIONS: dict[str, Callable[[WordVectors, int], WordVectors]] = {
    "words": first_words,
    "dim": fewer_dimensions,
    "buckets": fewer_buckets,
}
"""Ways to store fewer numbers; each takes how many are left."""
DEFAULT = "int8"


class VectorStep(NamedTuple):
    """One of several things to do: a name of REDUCTIONS or PACKINGS, and its number where it takes one."""

    name: str
    number: int | None

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}={self.number}"


def steps_of(method: str | Sequence[str]) -> list[VectorStep]:
    """What to do, in order: such as "words=50000,dim=100,int8", or a list of such words.

    Raises:
        InputError: an unknown name, a number missing or too many, or a packing that is not the last.
    """
    words = method.split(",") if isinstance(method, str) else list(method)
    steps = []
    for word in filter(None, map(str.strip, words)):
        name, given, number = word.partition("=")
        choose("method", name, {**REDUCTIONS, **dict.fromkeys(PACKINGS)})
        if given and not (number.isdecimal() and int(number)):
            raise InputError(f"method: {word!r} needs a whole number behind =, such as {name}=100.")
        if given and name in PACKINGS and name != "pq":
            raise InputError(f"method: {name} takes no number; write {name} alone.")
        if not given and name in REDUCTIONS:
            raise InputError(f"method: {name} needs how many are left, such as {name}=100.")
        steps.append(VectorStep(name, int(number) if given else None))
    if not steps:
        raise InputError(f"method: name at least one of {', '.join((*REDUCTIONS, *PACKINGS))}.")
    if early := next((step for step in steps[:-1] if step.name in PACKINGS), None):
        raise InputError(f"method: {early} has to come last, once, behind words, dim and buckets.")
    return steps


def compress_vectors(
    source: str | Path | WordVectors,
    out: str | Path,
    method: str | Sequence[str] = DEFAULT,
    *,
    questions: Sequence[str | Path] = (),
    similarity: Sequence[str | Path] = (),
    seed: int = 1,
    quiet: bool = False,
) -> CompressedVectors:
    """Write word vectors in fewer bytes, and measure what they lose.

    The folder opens as any other; questions are answered from the bytes as they are stored.

    Args:
        source: any file or folder that holds vectors, or open ones.
        out: the new folder; one of word vectors that is there is replaced.
        method: what to do, in order: `words=N` (most frequent ones to keep), `dim=N`, `buckets=N` (rows that n-grams
            are hashed to), and last the bits of a number: `int8`, `int4`, `2bit`, `1bit` or `pq` (product
            quantisation: a byte for every four numbers, more of them for the first rows, which are taken for the most
            frequent words; `pq=2`: for every two).
        questions: further sets or files of analogies to score.
        similarity: files of similarity to score.
        seed: of product quantisation.
        quiet: show no progress.

    Returns:
        Sizes, recall@10 and scores before and after.

    Raises:
        InputError: no vectors, an unknown method, or a number that is out of bounds; nothing is written.
    """
    steps = steps_of(method)
    check_folder(out, TENSORS, VOCAB)
    if (Path(out) / STATE).is_file():
        raise InputError(f"{out}: holds a training, which would be lost; name another folder.")
    if not isinstance(source, WordVectors) and Path(out).exists() and Path(source).resolve() == Path(out).resolve():
        raise InputError(f"{out}: is the source itself; name another folder.")
    before = source if isinstance(source, WordVectors) else open_vectors(source)
    if not len(before):
        raise InputError(f"{before.path or 'vectors'}: holds no words.")
    after = before
    for step in steps:
        if step.name in REDUCTIONS:
            assert step.number is not None
            after = REDUCTIONS[step.name](after, step.number)
        else:
            after = packed_vectors(after, step, seed, quiet)
    meta = {**after.meta, "compression": [*after.meta.get("compression", []), *map(str, steps)]}
    after = WordVectors(after.words, after.stored, after.counts, meta, check=False, subwords=after.subwords)
    found, asked = recall(before, after)
    agreement = ngram_agreement(before, after)
    scores = compared_scores(before, after, questions, similarity)
    size_before = matrix_bytes(before) if before.path is None else disk_bytes(before.path)
    after.save(out)
    return CompressedVectors(
        path=Path(out),
        method=tuple(map(str, steps)),
        words=len(after),
        dim=after.dim,
        buckets=0 if after.subwords is None else after.subwords.buckets,
        bytes=disk_bytes(Path(out)),
        bytes_before=size_before,
        matrix_bytes=matrix_bytes(after),
        matrix_bytes_before=matrix_bytes(before),
        recall_at_10=found,
        ngram_cosine=agreement,
        asked=asked,
        scores=scores,
    )


def packed_vectors(vectors: WordVectors, step: VectorStep, seed: int, quiet: bool) -> WordVectors:
    """Vectors, and their n-grams, in fewer bits."""
    stretch = min(vectors.dim, step.number or STRETCH)
    grams = vectors.subwords
    subwords = grams and grams.with_matrix(
        packed(grams.matrix, step.name, stretch=stretch, ranked=False, seed=seed, quiet=quiet)
    )
    matrix = packed(vectors.stored, step.name, stretch=stretch, seed=seed, quiet=quiet)
    return WordVectors(vectors.words, matrix, vectors.counts, vectors.meta, check=False, subwords=subwords)


def matrix_bytes(vectors: WordVectors) -> int:
    """Bytes of the matrices of words and n-grams."""
    return vectors.stored.nbytes + (0 if vectors.subwords is None else vectors.subwords.matrix.nbytes)


def disk_bytes(path: Path) -> int:
    """Bytes of a file, or of the files of a folder of vectors, the state of a training left out."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
