"""Evaluation of word vectors: analogy questions (Mikolov et al. 2013, https://arxiv.org/abs/1301.3781) and similarity
judged by people.

The protocol is part of every result: how many words the answer is sought among, how many questions have all their
words there (the others are left out), and the method. Words are compared without regard to case; of words that
differ in case only, the most frequent counts. On the same vectors the answers are gensim's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .vectors import Method, WordVectors, check_method

TOP = 30_000
"""Most frequent words among which answers to analogies are sought."""
BLOCK = 1 << 23
"""Scores held at once: 32 MB of float32."""
SYNTACTIC = "gram"
"""What the names of syntactic sections start with."""


class Section(NamedTuple):
    name: str
    questions: list[tuple[str, str, str, str]]


class Pair(NamedTuple):
    first: str
    second: str
    score: float


def _read_lines(path: Path) -> list[str]:
    """Lines split at line feeds only. Raises InputError when the file is missing or not UTF-8."""
    try:
        return path.read_text("utf-8-sig").split("\n")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}.") from None


def read_questions(path: str | Path) -> list[Section]:
    """Sections of a questions-words file: lines ": name", then four words a line.

    Raises InputError naming file and line of what is malformed.
    """
    path = Path(path)
    sections: list[Section] = []
    for number, line in enumerate(_read_lines(path), 1):
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
        elif line.strip():
            words = line.split()
            if not sections:
                raise InputError(f"{path}:{number}: a question before the first section; start with ': name'.")
            if len(words) != 4:
                raise InputError(f"{path}:{number}: {len(words)} words; a question has four.")
            sections[-1].questions.append((words[0], words[1], words[2], words[3]))
    if not any(section.questions for section in sections):
        raise InputError(f"{path}: holds no questions.")
    return sections


def read_pairs(path: str | Path) -> list[Pair]:
    """Pairs of a similarity file: word, word and score a line, separated by tabs (or spaces, where no tab is).

    Lines that start with # and a first line that names the columns are passed over. Raises InputError naming file
    and line of what is malformed.
    """
    path = Path(path)
    pairs = []
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        try:
            first, second, score = fields
            pair = Pair(first, second, float(score))
        except ValueError:
            if number == 1:
                continue
            raise InputError(f"{path}:{number}: not 'word TAB word TAB score'.") from None
        if not np.isfinite(pair.score):
            raise InputError(f"{path}:{number}: the score is not a finite number.")
        pairs.append(pair)
    if not pairs:
        raise InputError(f"{path}: holds no pairs 'word TAB word TAB score'.")
    return pairs


class _Folded:
    """The `size` most frequent words without regard to case; words that differ in case only form one class."""

    def __init__(self, vectors: WordVectors, size: int):
        self.words: dict[str, int] = {}
        classes = [self.words.setdefault(word.upper(), len(self.words)) for word in vectors.words[:size]]
        self.class_of_row = np.asarray(classes, np.int64)
        order = np.argsort(self.class_of_row, kind="stable")
        ends = np.searchsorted(self.class_of_row[order], np.arange(len(self.words) + 1))
        self.first_row = order[ends[:-1]]
        self.twins = (
            [order[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)] if len(classes) > len(self.words) else None
        )

    def find(self, words: Sequence[str]) -> list[int] | None:
        """Classes of `words`, or None when one is missing."""
        found = [self.words.get(word.upper(), -1) for word in words]
        return None if -1 in found else found

    def rows(self, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every row of every class in `classes` (Q, C), as indices (question, row)."""
        if self.twins is None:
            return np.repeat(np.arange(len(classes)), classes.shape[1]), self.first_row[classes].ravel()
        per_question = [np.concatenate([self.twins[c] for c in question]) for question in classes]
        lengths = [len(rows) for rows in per_question]
        return np.repeat(np.arange(len(classes)), lengths), np.concatenate(per_question)


def answer(unit_VD: np.ndarray, abc_Q3: np.ndarray, method: Method) -> np.ndarray:
    """Scores (Q, V) of every word as the answer to "a is to b as c is to ?", for rows abc (Q, 3) of unit vectors."""
    a_QD, b_QD, c_QD = (unit_VD[abc_Q3[:, place]] for place in range(3))
    if method == "add":
        return (b_QD - a_QD + c_QD) @ unit_VD.T
    scores_QV = 1 + b_QD @ unit_VD.T
    scores_QV *= 1 + c_QD @ unit_VD.T
    scores_QV /= 2 * (1 + a_QD @ unit_VD.T) + np.float32(4e-6)  # (1 + cos) / 2 each, and 1e-6 below
    return scores_QV


def answered(vectors: WordVectors, classes_Q4: np.ndarray, folded: _Folded, method: Method) -> np.ndarray:
    """Which questions (Q, 4) of word classes are answered by their fourth; the first three are no answers."""
    unit_VD = vectors.unit[: len(folded.class_of_row)]
    correct = np.zeros(len(classes_Q4), bool)
    step = max(1, BLOCK // max(1, len(unit_VD)))
    for start in range(0, len(classes_Q4), step):
        block = classes_Q4[start : start + step]
        scores_QV = answer(unit_VD, folded.first_row[block[:, :3]], method)
        scores_QV[folded.rows(block[:, :3])] = -np.inf
        best = folded.class_of_row[scores_QV.argmax(axis=1)]
        correct[start : start + step] = best == block[:, 3]
    return correct


def evaluate_analogies(
    vectors: WordVectors,
    questions: str | Path | Sequence[str | Path],
    method: Method = "add",
    top: int = TOP,
) -> dict[str, Any]:
    """Accuracy, in percent, on one or more questions-words files.

    Args:
        method: "add" (3CosAdd) or "mul" (3CosMul), as in `WordVectors.analogy`.
        top: only the so many most frequent words are asked about and sought among; 0 takes all.

    Returns {"method", "vocabulary", "questions", "covered", "accuracy", "semantic", "syntactic", "sections"}; a
    section is {"name", "questions", "covered", "correct", "accuracy"}. Accuracies of nothing are None.
    """
    check_method(method)
    paths = [questions] if isinstance(questions, str | Path) else questions
    sections = [section for path in paths for section in read_questions(path)]
    folded = _Folded(vectors, top or len(vectors))
    found = [[classes for q in section.questions if (classes := folded.find(q))] for section in sections]
    everything = np.array([classes for section in found for classes in section], np.int64).reshape(-1, 4)
    correct = answered(vectors, everything, folded, method)
    per_section = np.split(correct, np.cumsum([len(section) for section in found])[:-1])
    table = [
        {
            "name": section.name,
            "questions": len(section.questions),
            "covered": len(right),
            "correct": int(right.sum()),
            "accuracy": _percent(right),
        }
        for section, right in zip(sections, per_section, strict=True)
    ]
    groups: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for section, right in zip(sections, per_section, strict=True):
        groups[section.name.startswith(SYNTACTIC)].append(right)
    return {
        "method": method,
        "vocabulary": len(folded.class_of_row),
        "questions": sum(len(section.questions) for section in sections),
        "covered": len(correct),
        "accuracy": _percent(correct),
        "semantic": _percent(np.concatenate([*groups[False], correct[:0]])),
        "syntactic": _percent(np.concatenate([*groups[True], correct[:0]])),
        "sections": table,
    }


def _percent(correct: np.ndarray) -> float | None:
    return 100.0 * float(correct.mean()) if len(correct) else None


def evaluate_similarity(vectors: WordVectors, path: str | Path) -> dict[str, Any]:
    """Spearman's rank correlation between cosines and human scores of a similarity file.

    Returns {"name", "pairs", "covered", "spearman"}; pairs with an unknown word are left out, and the correlation is
    None where fewer than two remain or one side does not vary.
    """
    pairs = read_pairs(path)
    folded = _Folded(vectors, len(vectors))
    found = [(classes, pair.score) for pair in pairs if (classes := folded.find(pair[:2]))]
    spearman = None
    if len(found) > 1:
        rows = folded.first_row[np.array([classes for classes, _ in found])]
        cosines = np.einsum("nd,nd->n", vectors.unit[rows[:, 0]], vectors.unit[rows[:, 1]])
        spearman = rank_correlation(cosines, np.array([score for _, score in found]))
    return {"name": Path(path).stem, "pairs": len(pairs), "covered": len(found), "spearman": spearman}


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's coefficient (ties share their mean rank), or None where one side does not vary."""
    from scipy.stats import rankdata

    x, y = rankdata(x) - (len(x) + 1) / 2, rankdata(y) - (len(y) + 1) / 2
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else None


def evaluate_vectors(
    vectors: WordVectors,
    questions: Sequence[str | Path] = (),
    similarity: Sequence[str | Path] = (),
    method: Method = "add",
    top: int = TOP,
) -> dict[str, Any]:
    """Everything `seqlab evaluate VECTORS` reports: {"analogies": {...} or None, "similarity": [{...}, ...]}."""
    return {
        "analogies": evaluate_analogies(vectors, questions, method, top) if questions else None,
        "similarity": [evaluate_similarity(vectors, path) for path in similarity],
    }
