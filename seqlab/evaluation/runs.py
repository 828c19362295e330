"""Evaluating a run: from options to an evaluator, and from a text to its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..base.storage.outputs import check_not_read
from ..config import EvaluationConfig
from ..models.interpolated import Members
from ..run import Run
from ..text import Sources, TokenFile
from ..text.ids.lines import line_lengths
from ..text.sources.readers import listed
from .additions.dynamic import Dynamic
from .additions.ensembles import Member
from .evaluator import Evaluator, shared_stretches, stretch_hashes
from .results import SEEN, Scores
from .scored_text import Addition, Scorer
from .sources import Text, read_source, run_corpus
from .token_scores import write_token_scores
from .tuning import tune_cache

MUCH_SEEN = 0.2
"""Share of a text in the training text from which on its score needs a word; texts of one kind share phrases."""
MOST_SEARCHED = 20_000_000
"""Tokens of a training text that is looked through for the text to score: a few seconds."""
FEWEST_TUNING_TOKENS = 50
"""With fewer, what is tuned says nothing about any other text."""


class Adaptation(EvaluationConfig):
    """What to add to a network as trained, and how to make it for a run."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Adaptation:
        """From options by name.

        Raises:
            InputError: an unknown one, or a value that is not allowed.
        """
        return cls.build(options, "evaluate")

    def additions(self, run: Run, scorer: Scorer, train_text: Sources | None = None) -> list[Addition]:
        """The requested additions.

        Args:
            run: that is evaluated.
            scorer: with its members.
            train_text: for what looks at the training text; None takes the run's own.

        Raises:
            InputError: one that this run cannot have.
        """
        network, found = scorer.network, list[Addition]()
        if scorer.members.only == "counts" and (self.dynamic or self.ensemble):
            raise InputError("dynamic and ensemble need the network; leave them out, or evaluate both members.")
        if self.dynamic:
            rule = self.dynamic if isinstance(self.dynamic, str) else "rms"
            training = None if rule == "sgd" else available_text(run, train_text, network.reads_characters)
            found.append(Dynamic(scorer, rule, self.seed, training))
        return found + self._members(run, str(network.device))

    def _members(self, run: Run, device: str) -> list[Member]:
        """The other runs, each once. Raises InputError for the run itself."""
        others = {Path(path).resolve(): Path(path) for path in self.ensemble}
        for folder, path in others.items():
            if folder == run.path.resolve():
                raise InputError(f"ensemble: {path} is the run itself; name another.")
        return [Member(path, run.tokenizer.digest, device) for path in others.values()]


def evaluator_of(
    run: Run,
    members: Members,
    adaptation: Adaptation | None = None,
    valid: Sources | None = None,
    train_text: Sources | None = None,
    quiet: bool = True,
) -> Evaluator:
    """The evaluator of a run.

    Args:
        members: the run's network and counts, and which of them are used.
        valid: the text to tune on; by default the validation split of the run's own corpus.
        train_text: the text to take the size of gradients from; by default the training split.

    Raises:
        InputError: an addition or a text that cannot be had.
    """
    scorer = Scorer(members, run.tokenizer.start_id)
    additions = (adaptation or Adaptation()).additions(run, scorer, train_text)
    text = None
    tuned = any(one.needs_tuning or not one.alone for one in additions)
    if len(additions) > 1 or tuned or members.used_cache:
        try:
            text = tuning_text(run, valid, members.network.reads_characters)
        except InputError:
            if valid is not None or any(one.needs_tuning for one in additions):
                raise
    return Evaluator(scorer, additions, text, quiet)


def cached_members(run: Run, members: Members, valid: Sources | None = None, quiet: bool = True) -> Members:
    """Members of a run together with a cache of recent tokens.

    Args:
        run: whose members they are.
        members: network and counts.
        valid: the text to fit the cache to; by default the run's own cache is taken, or where there is none one is
            fitted to the validation split of its corpus.
        quiet: show no progress.

    Raises:
        InputError: a run of a list of lines, one member by itself, or a text that cannot be had.
    """
    if members.only:
        raise InputError(f"a cache goes with the whole model, not with its {members.only} alone; use one or the other.")
    if run.lines:
        raise InputError("a cache remembers what came before; the lines of a list have nothing before them.")
    if valid is not None or members.cache is None:
        text = tuning_text(run, valid, members.network.reads_characters)
        cache, _ = tune_cache(Scorer(members, run.tokenizer.start_id), text.tokens, quiet=quiet)
        members = members._replace(cache=cache)
    return members._replace(cached=True)


def evaluate_source(
    run: Run,
    evaluator: Evaluator,
    text: Sources | None = None,
    split: str | None = None,
    token_scores: str | Path | None = None,
) -> Scores:
    """Score a text, or a split of the corpus that the run was trained on.

    Args:
        run: that the evaluator was made for.
        evaluator: see `evaluator_of`; tuned once for any number of texts.
        text: text file(s), folder or corpus name; None takes the split.
        split: "valid" or "test"; None takes "test" where there is one, else "valid": the result says which.
        token_scores: a JSON Lines file to write every token's log-probability, rank and entropy to.

    Raises:
        InputError: the text cannot be had, is the one that was tuned on, or would be replaced by its scores.
    """
    if token_scores is not None and text is not None:
        check_not_read(token_scores, listed(text))
    source = read_source(run, text, split, evaluator.scorer.network.reads_characters)
    name, fitted = source.split or source.name, source.split == "valid"
    seen = {} if source.split or (share := seen_share(run, source.tokens)) < MUCH_SEEN else {SEEN: share}
    if token_scores is None:
        return Scores({**evaluator.evaluate(source.tokens, fitted), **seen}, name, source.split)
    evaluation = evaluator.evaluate_tokens(source.tokens, ranked=True, fitted=fitted)
    write_token_scores(token_scores, source.tokens, run.tokenizer, evaluation)
    return Scores({**evaluation.report, **seen}, name, source.split)


def seen_share(run: Run, tokens: TokenFile) -> float:
    """Share of a text that is in the training text too: of a list, of its lines, else of the runs of STRETCH tokens
    from every place; 0 where the training text is gone, or one of them too long to look through."""
    try:
        train = run_corpus(run).train
    except InputError:
        return 0.0
    if max(len(train), len(tokens)) > MOST_SEARCHED:
        return 0.0
    if tokens.lines and train.lines:
        known, lines = set(ids_of_lines(train)), list(ids_of_lines(tokens))
        return sum(line in known for line in lines) / max(1, len(lines))
    stretches = len(np.unique(stretch_hashes(tokens[:])))
    return shared_stretches(tokens, train) / stretches if stretches else 0.0


def ids_of_lines(tokens: TokenFile) -> Iterator[bytes]:
    """The tokens of every line of a list."""
    for start, length in zip(tokens.documents.tolist(), line_lengths(tokens).tolist(), strict=True):
        yield tokens[start : start + length].astype(np.int64).tobytes()


def available_text(run: Run, train_text: Sources | None, spelt: bool) -> TokenFile | None:
    """The training text.

    Args:
        run: whose own text is taken by default.
        train_text: another one.
        spelt: tell unknown words apart, for a model that reads characters.

    Returns:
        None where the run's own is gone.

    Raises:
        InputError: `train_text` cannot be read.
    """
    try:
        return read_source(run, train_text, "train", spelt).tokens
    except InputError:
        if train_text is not None:
            raise
        return None


def tuning_text(run: Run, valid: Sources | None, spelt: bool) -> Text:
    """The text to tune on, as `read_source` finds it.

    Args:
        run: whose own validation text is taken by default.
        valid: another one.
        spelt: tell unknown words apart, for a model that reads characters.

    Raises:
        InputError: it has hardly any tokens, or cannot be read.
    """
    text = read_source(run, valid, "valid", spelt)
    if len(text.tokens) < FEWEST_TUNING_TOKENS:
        raise InputError(
            f"the text to tune on ({text.name}) has only {len(text.tokens)} tokens, fewer than {FEWEST_TUNING_TOKENS}; "
            "give a longer one (valid)."
        )
    return text
