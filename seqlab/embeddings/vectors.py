"""`WordVectors`: words, a matrix and the questions one asks of them; it needs no trainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from ..base.errors import InputError, counted
from ..base.results import Table, line
from ..base.storage.verified import verified_once
from ..base.storage.whole import read_whole
from ..config.arguments import checked
from .evaluation.evaluate import TOP, evaluate_vectors
from .evaluation.results import VectorEvaluation
from .folder import TENSORS, VOCAB, VectorTable, Verify, read_folder, write_folder
from .material.subwords import Subwords
from .packed.matrix import PackedMatrix, Rows
from .queries import batched, single
from .queries.all_but_the_top import shared_directions, without
from .queries.gensim_names import GensimNames
from .queries.results import ScoredWords
from .queries.terms import Method as Method
from .queries.terms import Terms, as_words

if TYPE_CHECKING:
    import pandas
    from gensim.models import KeyedVectors

    from ..options import MapOptions
    from ..visualization import MapPicture

SHOWN = 10
"""Words that a notebook shows."""


class WordVectors(GensimNames):
    """Words and their vectors, most frequent first, and the questions one asks of them.

    `vectors["king"]` is a vector, `"king" in vectors` and `len(vectors)` are about the vocabulary, and numpy, pandas
    and scikit-learn take the object as its matrix. KeyedVectors' names for the same questions work too.

    Args:
        words: V distinct strings, any Unicode.
        matrix: (V, D), stored as C-contiguous float32; or packed (`seqlab.compress`), which answers as it is stored.
        counts: (V,) occurrences in the training text, where known.
        meta: how the vectors came to be; JSON values, saved and loaded with them.
        check: look for repeated words and values that are not finite; False where that has been done.
        subwords: vectors of n-grams, which then answer for words outside the vocabulary wherever a word is asked for.
            `matrix` holds known words as they are, their n-grams included.

    Raises:
        InputError: sizes disagree, a word occurs twice or a value is not finite. All-zero vectors are allowed; their
            similarity to anything is 0.
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: Rows,
        counts: np.ndarray | None = None,
        meta: Mapping[str, Any] | None = None,
        *,
        check: bool = True,
        subwords: Subwords | None = None,
    ):
        super().__init__(words, matrix, counts, meta, check, subwords)
        self.path: Path | None = None
        """The file or folder the vectors were read from or trained into, where there is one."""

    def __repr__(self) -> str:
        facts = [counted(len(self), self.noun), counted(self.dim, "dimension")]
        if self.subwords is not None:
            facts.append(f"n-grams {self.subwords.shortest}-{self.subwords.longest}")
        if isinstance(self.stored, PackedMatrix):
            facts.append(self.stored.method)
        if self.path is not None:
            facts.append(str(self.path))
        return line(type(self).__name__, facts)

    def neighbors(self, words: Terms, k: int = 10, *, negative: Terms = (), method: Method = "add") -> ScoredWords:
        """The k words nearest to a word, or to a sum of words minus others; the words given are left out.

        Args:
            words: a word or several, each alone (weight 1) or as (word, weight). A vector (D,) may stand for a word;
                words enter with length one, vectors as long as they are.
            k: how many.
            negative: words to subtract, likewise (weight -1; a given weight is used as it is).
            method: "add": cosine with the weighted sum of unit vectors. "mul": product of similarities to
                `words` over product of those to `negative`, 3CosMul of Levy & Goldberg 2014
                (https://aclanthology.org/W14-1618), without weights.

        Returns:
            (word, score) pairs, best first. Both methods equal gensim's most_similar and most_similar_cosmul.

        Raises:
            InputError: an unknown word, with suggestions; nothing to ask about; an unknown method.
        """
        return single.neighbors(self, words, k, negative, method)

    def neighbors_of_each(self, words: str | Sequence[str], k: int = 10) -> list[ScoredWords]:
        """`neighbors(word, k)` of every word; of hundreds, by a compiled search that uses all cores."""
        return batched.neighbors_of_each(self, words, k)

    def analogy(self, a: str, b: str, c: str, k: int = 5, *, method: Method = "add") -> ScoredWords:
        """The k best answers to "a is to b as c is to ?", leaving out a, b and c; (word, score), best first.

        For example `analogy("man", "king", "woman")` asks for the queen. Methods as in `neighbors`.
        """
        return self.neighbors([b, c], k, negative=[a], method=method)

    def analogies(self, triples: Iterable[Sequence[str]], k: int = 5, *, method: Method = "add") -> list[ScoredWords]:
        """`analogy(a, b, c, k, method=method)` of every (a, b, c); of hundreds with method "add", by the compiled
        search."""
        return batched.analogies(self, triples, k, method)

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words: 1 for the same direction, 0 for unrelated ones."""
        first, second = self.look_up_unit([a, b])[1]
        self.warn_of_composed([a, b])
        return float(first @ second)

    def similarities(self, pairs: Iterable[Sequence[str]]) -> np.ndarray:
        """(Q,) float32: `similarity(a, b)` of every (a, b)."""
        return batched.similarities(self, pairs)

    def rank(self, a: str, b: str) -> int:
        """The place of `b` among the neighbors of `a`, 1 for the nearest; words as near as `b` do not count."""
        found = single.rank(self, a, b)
        self.warn_of_composed([a, b])
        return found

    def ranks(self, pairs: Iterable[Sequence[str]]) -> np.ndarray:
        """(Q,) int64: `rank(a, b)` of every (a, b)."""
        return batched.ranks(self, pairs)

    def doesnt_match(self, words: Iterable[str]) -> str:
        """The word farthest from the mean of all of them, by cosine."""
        words = as_words(words)
        if len(words) < 2:
            raise InputError("give at least two words to find the one that does not match.")
        unit_ND = self.look_up_unit(words)[1]
        self.warn_of_composed(words)
        return words[int(np.argmin(unit_ND @ unit_ND.mean(axis=0)))]

    def n_similarity(self, first: str | Iterable[str], second: str | Iterable[str]) -> float:
        """Cosine of the angle between the means of two groups of words; vectors count by their length."""
        groups = as_words(first), as_words(second)
        if not all(groups):
            raise InputError("give at least one word on each side.")
        means = [self.vectors_of(words).mean(axis=0, dtype=np.float64) for words in groups]
        self.warn_of_composed([*groups[0], *groups[1]])
        norms = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
        return float(means[0] @ means[1]) / norms if norms > 0 else 0.0

    @checked
    def evaluate(
        self,
        questions: str | Path | Sequence[str | Path] | None = None,
        *,
        similarity: str | Path | Sequence[str | Path] = (),
        method: Method = "add",
        top: int = TOP,
    ) -> VectorEvaluation:
        """Score the vectors on analogies, and on similarity judged by people.

        Compare two trainings by it, or your vectors with published ones; the protocol is part of the result.

        Args:
            questions: a set that comes with seqlab ("english", "python-docs"), a file of questions, or several. None:
                "english", unless similarity files are given.
            similarity: a file of lines "word TAB word TAB score", or several.
            method: "add" (3CosAdd) or "mul" (3CosMul), as in `analogy`.
            top: answers are sought among the so many most frequent words; 0 for all.

        Returns:
            The scores: `.accuracy`, `.sections`, `.similarity`, `.to_frame()`.

        Raises:
            InputError: no such set or file, or a malformed one, with its line.
        """
        if questions is None:
            questions = () if similarity else "english"
        return evaluate_vectors(self, questions, similarity, method=method, top=top)

    @checked
    def map(self, *, quiet: bool = False, **options: Unpack[MapOptions]) -> MapPicture:
        """Draw a map of the words, similar ones near each other.

        Args:
            quiet: show no progress.
            **options: which words are drawn and how (words, only, highlight, method, color, ...); see
                `seqlab.settings("map")`.

        Returns:
            A picture that shows itself in a notebook; `.save("map.html")` or .png, .svg, .pdf writes it.

        Raises:
            InputError: an unknown highlighted word, an unknown option or value, fewer than two words.
        """
        from ..visualization import draw_map

        return draw_map(self, source=self.path.name if self.path is not None else "", quiet=quiet, **options)

    def subset(self, words: int | str | Iterable[str]) -> WordVectors:
        """Vectors of the first so many words, or of the words given, in their order. The matrix is copied."""
        chosen = self.words[: max(0, int(words))] if isinstance(words, int | np.integer) else as_words(words)
        rows = [self.row(word) for word in chosen]
        counts = None if self.counts is None else self.counts[rows]
        return WordVectors(chosen, self.stored[rows], counts, self.meta, subwords=self.subwords)

    def normalize(self) -> WordVectors:
        """Vectors of length one; all-zero vectors stay zero. Without subwords, whose means would have other lengths."""
        return WordVectors(self.words, self.unit, self.counts, self.meta)

    def all_but_the_top(self, directions: int | None = None) -> WordVectors:
        """Vectors without their mean and without what they share along the top principal directions.

        Worth a try where frequent words crowd the neighbours (Mu & Viswanath 2018, https://arxiv.org/abs/1702.01417).

        Args:
            directions: how many; None for D / 100 as in the paper, 0 to subtract the mean only.

        Returns:
            New vectors. Subwords lose the same mean and directions, those of the words, so that a word composed from
            n-grams is what it would be if it were in the vocabulary.
        """
        count = round(self.dim / 100) if directions is None else directions
        if not 0 <= count <= self.dim:
            raise InputError(f"directions: {count} is not between 0 and the {self.dim} dimensions.")
        matrix = self.matrix
        shared = shared_directions(matrix, count)
        subwords = self.subwords and self.subwords.with_matrix(without(np.asarray(self.subwords.matrix), *shared))
        return WordVectors(self.words, without(matrix, *shared), self.counts, self.meta, subwords=subwords)

    @checked
    def save(self, folder: str | Path) -> None:
        """Write an embeddings folder, atomically.

        It holds vectors.safetensors, vocab.json, config.json, manifest.json, and ngrams.safetensors where there are
        subwords. `seqlab.embeddings.save_vectors` writes the formats of other programs.
        """
        write_folder(folder, VectorTable(self.words, self.stored, self.counts, self.meta, self.subwords))

    def to_gensim(self) -> KeyedVectors:
        """These vectors as gensim's KeyedVectors, or FastTextKeyedVectors where there are n-grams.

        Both answer every question as these vectors do. `meta` has no place there. The matrices are shared, not
        copied: gensim's must not be changed in place.

        Raises:
            InputError: gensim is not installed.
        """
        from .queries.gensim_objects import to_gensim

        return to_gensim(self)

    @classmethod
    def from_gensim(cls, keyed: KeyedVectors) -> Self:
        """Vectors of a gensim KeyedVectors or FastTextKeyedVectors, or of a model that has them as `wv`.

        Counts come along where gensim has them; vectors are copied, n-grams are shared.

        Raises:
            InputError: it is not such an object, or its keys are not words.
        """
        from .queries.gensim_objects import from_gensim

        words, matrix, counts, subwords = from_gensim(keyed)
        return cls(words, matrix, counts, {"format": "gensim"}, subwords=subwords)

    def table(self) -> Table:
        """The first words, their counts and nearest words, as a notebook shows them."""
        first = self.words[:SHOWN]
        near = [", ".join(word for word, _ in best) for best in self.neighbors_of_each(first, 5)]
        counts: Sequence[int | None] = [None] * len(first) if self.counts is None else self.counts[:SHOWN].tolist()
        rows = [(word, count, words) for word, count, words in zip(first, counts, near, strict=True)]
        return Table((self.noun, "count", f"nearest {self.noun}s"), rows, repr(self))

    def to_frame(self) -> pandas.DataFrame:
        """The matrix as a pandas data frame with the words as its index. Raises InputError without pandas."""
        try:
            import pandas
        except ImportError:
            raise InputError("to_frame() needs pandas, which is not installed here: pip install pandas.") from None
        return pandas.DataFrame(self.matrix, index=self.words)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.table().html()

    @classmethod
    @checked
    def load(cls, folder: str | Path, *, mapped: bool = False, verify: Verify | None = None) -> Self:
        """Open an embeddings folder.

        Args:
            folder: as `save` wrote it.
            mapped: leave the matrix in its file, read-only and shared between processes, rather than in memory.
                N-grams always stay in theirs, since a question needs a few dozen rows of them.
            verify: read and check everything, digests of all files, repeated words and finite values: True, or "once"
                and again when a file has changed, so that later opens take milliseconds whatever the size of the
                matrix. False: only sizes, and the digests of all but the matrices, whose numbers are taken on trust.
                None: True, or "once" if mapped.

        Raises:
            InputError: a file is missing or damaged; the message names it.
        """
        folder = Path(folder)
        return read_whole(folder, lambda: cls._load(folder, mapped, verify))

    @classmethod
    def _load(cls, folder: Path, mapped: bool, verify: Verify | None) -> Self:
        verify = verify if verify is not None else "once" if mapped else True
        table = read_folder(folder, mapped, verify)
        check = verify is True or (verify == "once" and not mapped)
        try:
            vectors = cls(table.words, table.matrix, table.counts, table.meta, check=check, subwords=table.subwords)
            if verify and not check:
                verified_once([folder / TENSORS, folder / VOCAB], "words and finite vectors", vectors.check_content)
        except (TypeError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise InputError(f"{folder}: not an embeddings folder ({reason}); it is damaged.") from None
        vectors.path = folder
        return vectors
