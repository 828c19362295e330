"""Comparing language models on one text: read it with each, pair them, say how sure the difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from ...base.errors import InputError
from ...base.printing import printable
from ...text import Sources
from ...trained import TrainedLanguageModel
from .pairs import ModelPair, compare_same_tokens, compare_units
from .reading import TextReading, configuration, costs, read_model
from .results import Comparison
from .statistics import holm
from .units import documents_of, token_counts, unit_totals, units_of

Group = Sequence[TrainedLanguageModel]
"""Runs of one configuration that differ in their seed; most often a single one."""


def compare_models(
    groups: Sequence[Group], text: Sources | None = None, split: str | None = None, quiet: bool = True
) -> Comparison:
    """Compare the first model with every other one.

    Args:
        groups: two or more, see `grouped`.
        text: what to compare them on; None takes a split of the runs' own corpus, which must be the same text.
        split: "valid" or "test"; None takes "test" where there is one.
        quiet: show no progress.

    Raises:
        InputError: fewer than two models, a text that cannot be had, or models that do not read the same text.
    """
    if len(groups) < 2:
        raise InputError("compare: give two models or more.")
    if text is not None:
        check_same_way(list(chain.from_iterable(groups)))
    readings = [[read_model(one, text, split, quiet) for one in group] for group in groups]
    check_same_text(readings, text)
    first, *others = readings
    cut = Cuts(groups, text)
    pairs = [cut.pair(first, other) for other in others]
    adjusted = holm([pair.found.p for pair in pairs])
    every = list(zip(chain.from_iterable(groups), chain.from_iterable(readings), strict=True))
    return Comparison(
        text_name(text, split, first[0]),
        [replace(pair, adjusted=p) for pair, p in zip(pairs, adjusted, strict=True)],
        [costs(model, reading) for model, reading in every],
        [(reading.name, model.run.metrics()) for model, reading in every],
    )


def grouped(models: Sequence[TrainedLanguageModel]) -> list[list[TrainedLanguageModel]]:
    """Runs of one configuration together, where there is more than one configuration and not every run has its own.

    Args:
        models: in the order in which they were named.
    """
    groups: dict[object, list[TrainedLanguageModel]] = {}
    for model in models:
        groups.setdefault(configuration(model), []).append(model)
    several = list(groups.values())
    return several if 1 < len(several) < len(models) else [[model] for model in models]


def text_name(text: Sources | None, split: str | None, first: TextReading) -> str:
    """What the models were compared on, in a word."""
    if text is not None:
        return ", ".join(map(str, text)) if isinstance(text, list | tuple) else str(text)
    return f"their {split} text" if split else "their own test or validation text"


def check_same_way(models: Sequence[TrainedLanguageModel]) -> None:
    """Refuse, before anything is read, models of which some read a text as a list of lines and others do not.

    Raises:
        InputError: naming two of them.
    """
    first = models[0]
    for one in models:
        if one.run.lines != first.run.lines:
            raise InputError(
                f"{one.run.path} and {first.run.path} read a text in different ways, one as a list of lines; compare "
                "runs that read it alike."
            )


def check_same_text(readings: Sequence[Sequence[TextReading]], text: Sources | None) -> None:
    """Refuse what is not one text for all: splits of different corpora, a text of a single token.

    Args:
        readings: by group.
        text: the one that was named, None for splits.

    Raises:
        InputError: saying which model reads another text.
    """
    every = list(chain.from_iterable(readings))
    first = every[0]
    for one in every:
        if len(one.tokens) < 2:
            raise InputError(f"{one.name}: the text has a single token; nothing can be compared on it.")
        same = one.tokenizer.digest == first.tokenizer.digest
        if same and np.array_equal(one.tokens[:], first.tokens[:]):
            continue
        if text is None:
            raise InputError(
                f"{one.name} and {first.name} have no test or validation text in common; name a text that neither was "
                "trained on: --text F (in Python, text=)."
            )
        if same:
            raise InputError(f"{one.name} and {first.name} read this text in different ways; compare runs that agree.")


class Cuts:
    """Pairs readings; where tokenizers differ, by stretches of text that are cut once.

    Args:
        groups: the models, whose text settings say how the text is read.
        text: it.
    """

    def __init__(self, groups: Sequence[Group], text: Sources | None):
        self.settings, self.text = groups[0][0].run.text_settings, text
        self._documents: list[list[str]] | None = None

    def pair(self, a: Sequence[TextReading], b: Sequence[TextReading]) -> ModelPair:
        """Compare two groups of readings.

        Args:
            a, b: a reading for every run of a group.

        Raises:
            InputError: a text too short, or tokens without common borders.
        """
        if a[0].tokenizer.digest == b[0].tokenizer.digest:
            found = compare_same_tokens(a, b)
        else:
            units = [unit for document in self.documents for unit in document]
            found = compare_units(a, b, self.totals(a), self.totals(b), units)
        if found is None:
            raise InputError(f"{printable(str(self.text))}: is too short to compare models on; give a longer text.")
        return found

    @property
    def documents(self) -> list[list[str]]:
        """The text in stretches."""
        assert self.text is not None
        if self._documents is None:
            whole = documents_of(self.text, self.settings.errors, self.settings.field, self.settings.encoding)
            self._documents = [units_of(document) for document in whole]
        return self._documents

    def totals(self, group: Sequence[TextReading]) -> np.ndarray:
        """Log-probability of every stretch (U,), the mean over a group."""
        counts_U = token_counts(self.documents, group[0].tokenizer, group[0].tokens, group[0].name)
        return np.asarray(np.mean([unit_totals(one.log_p_N, counts_U) for one in group], axis=0))
