"""What of a prepared text decides whether a model can learn from it: figures of its ids, no model needed.

Shapes: N tokens, V types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....evaluation.exact import first_tokens
from ....nn import unigram_log_probs
from ....text import Corpus, TokenFile
from ....text.ids.lines import line_lengths
from ....text.inspection.repeats import Repeats
from ....text.tokenizers.vocab import EOS

READ, READ_VALID, READ_PAIRS = 4_000_000, 400_000, 400_000
"""Tokens looked at, at most: of the training text for repeats, of the validation text, and of pairs of tokens."""
SAMPLE = 4_000
"""Tokens whose characters are looked at."""
RUN_CHARACTERS, FEWEST_IN_A_RUN = 60, 8
"""A run of tokens that occurs twice is a copy: it is about as long as a line of print, and so many tokens at least."""
HELD_OUT = 0.2
"""Share of the pairs that the others are judged on."""
SMOOTHING = tuple(4.0**power for power in range(-1, 9))
"""Weights of the token frequencies in those of pairs, of which the best is taken."""


@dataclass(frozen=True)
class TextFigures:
    """What is known of a text.

    Attributes:
        tokenizer: its kind.
        tokens, types: of the training text.
        characters_per_token: of the training text; None where it was not counted.
        white_space: share of it in the characters of the training text's beginning.
        unknown, valid_unknown: shares of <unk>; the second None without a validation text.
        unigram: entropy of the token frequencies in nats.
        order: nats that the token before tells of the next one, on pairs that were not counted.
        repeated: share of the runs of `run` tokens that occur earlier in the training text.
        overlap: share of the validation text's runs (of a list: lines) that occur in the training text, None
            without one.
        run: tokens of a run; 0 where lines are compared.
        valid_tokens: 0 without a validation text.
        valid_unigram: cross-entropy of the training text's frequencies on the validation text.
        valid_error: standard error of the mean loss that such a validation text leaves, in nats.
        line_tokens: median length of a list's lines; None for a text.
    """

    tokenizer: str
    tokens: int
    types: int
    characters_per_token: float | None
    white_space: float
    unknown: float
    valid_unknown: float | None
    unigram: float
    order: float
    repeated: float
    overlap: float | None
    run: int
    valid_tokens: int
    valid_unigram: float | None
    valid_error: float | None
    line_tokens: float | None

    @property
    def tokens_per_type(self) -> float:
        """How often a type occurs on average."""
        return self.tokens / max(1, self.types)


def text_figures(corpus: Corpus) -> TextFigures:
    """Look at a prepared text; memory and time do not grow with texts beyond a few million tokens.

    Args:
        corpus: the text.
    """
    train, valid, vocab = corpus.train, corpus.valid, corpus.tokenizer.vocab
    log_probs_V = unigram_log_probs(vocab.counts)
    characters = train.characters / len(train) if train.characters else None
    run = max(FEWEST_IN_A_RUN, round(RUN_CHARACTERS / (characters or 1.0)))
    repeats = Repeats(len(vocab), vocab.stoi.get(EOS, -1), run)
    read, sample = first_tokens(train, READ), corpus.decode(0, min(SAMPLE, len(train)))
    losses_N = None if valid is None else -log_probs_V[first_tokens(valid, READ_VALID)[:]]
    counts = vocab.counts / max(1, vocab.counts.sum())
    return TextFigures(
        tokenizer=corpus.tokenizer.kind,
        tokens=len(train),
        types=len(vocab),
        characters_per_token=characters,
        white_space=sum(map(str.isspace, sample)) / max(1, len(sample)),
        unknown=train.unknown / len(train),
        valid_unknown=None if valid is None else valid.unknown / len(valid),
        unigram=float(-(counts * log_probs_V).sum()),
        order=order_of(first_tokens(train, READ_PAIRS)[:].astype(np.int64), len(vocab)),
        repeated=_repeated(repeats, read),
        overlap=None if valid is None else _overlap(repeats, first_tokens(valid, READ_VALID), read),
        run=0 if train.lines else run,
        valid_tokens=0 if valid is None else len(valid),
        valid_unigram=None if losses_N is None else float(losses_N.mean()),
        valid_error=None if losses_N is None or valid is None else float(losses_N.std() / len(valid) ** 0.5),
        line_tokens=float(np.median(line_lengths(train))) if train.lines else None,
    )


def order_of(ids_N: np.ndarray, types: int) -> float:
    """Nats that the token before tells of a token: cross-entropy of token frequencies less that of smoothed pairs, both
    counted on the first part of the text and judged on the rest. About 0 for tokens in an order of chance.

    Args:
        ids_N: the tokens.
        types: V.
    """
    cut = round(len(ids_N) * (1.0 - HELD_OUT))
    fitted, judged = ids_N[:cut], ids_N[cut:]
    if len(fitted) < 2 or len(judged) < 2:
        return 0.0
    counts_V = np.bincount(fitted, minlength=types)
    shares_V = np.exp(unigram_log_probs(counts_V))
    pairs, times = np.unique(fitted[:-1] * types + fitted[1:], return_counts=True)
    before, after = judged[:-1], judged[1:]
    wanted = before * types + after
    places = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    together = np.where(pairs[places] == wanted, times[places], 0)
    plain = -np.log(shares_V[after]).mean()
    smoothed = (-np.log((together + m * shares_V[after]) / (counts_V[before] + m)).mean() for m in SMOOTHING)
    return max(0.0, float(plain - min(smoothed)))


def _repeated(repeats: Repeats, tokens: TokenFile) -> float:
    """Share of a text's runs, of a list's lines, that occur earlier."""
    found = repeats.lines(tokens, len(tokens.documents)) if tokens.lines else repeats.runs(tokens, len(tokens))
    return 1.0 - len(found.values) / found.counts.sum() if len(found.values) else 0.0


def _overlap(repeats: Repeats, valid: TokenFile, train: TokenFile) -> float | None:
    """Share of the validation text's runs, of a list's lines, that the training text has too."""
    lines, runs = repeats.lines(valid, len(valid.documents)), repeats.runs(valid, len(valid))
    same_lines, same_runs = repeats.found((lines, runs), train)
    return lines.share_of(same_lines) if train.lines else runs.share_of(same_runs)
