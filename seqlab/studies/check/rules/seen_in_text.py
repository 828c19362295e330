"""What rules see in a text and in the settings by which it is read: a sentence where they fire, None elsewhere."""

from __future__ import annotations

from ....text.inspection.findings import OVERLAP, SMALL
from ....training.watch.baselines import UNLIKE
from ..measure.figures import CheckFigures

NO_ORDER, NO_ORDER_TOKENS = 0.01, 1_000
REPEATED = 0.2
UNKNOWN, UNKNOWN_VALID = 0.15, 0.3
WHITE_SPACE, LONG_TOKENS = 0.06, 5.0
RARE_TYPES, FEW_TYPES = 3.0, 200
SMALL_VALID = 1_000
SHORT_WINDOW = 8

WORDS = ("word", "whitespace")
"""Kinds of tokenizers whose tokens are words."""


def no_order(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.tokens < NO_ORDER_TOKENS or text.order >= NO_ORDER * text.unigram:
        return None
    return (
        f"The token before tells {text.order:.3f} nats of the next one, of the {text.unigram:.2f} nats that token "
        "frequencies leave open; the same text with its tokens shuffled tells as much."
    )


def leak(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.overlap is None or text.overlap <= OVERLAP:
        return None
    what = f"runs of {text.run} tokens" if text.run else "lines"
    return f"{text.overlap:.0%} of the validation text's {what} occur in the training text too."


def repeated(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.repeated <= REPEATED:
        return None
    what = f"runs of {text.run} tokens" if text.run else "lines"
    return f"{text.repeated:.0%} of the training text's {what} occur earlier in it."


def unknown(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.unknown <= UNKNOWN and (text.valid_unknown or 0.0) <= UNKNOWN_VALID:
        return None
    valid = "" if text.valid_unknown is None else f" and {text.valid_unknown:.0%} of the validation text's"
    return (
        f"{text.unknown:.0%} of the training text's tokens{valid} are <unk>; the vocabulary has {text.types:,} types."
    )


def wrong_tokenizer(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.tokenizer not in WORDS:
        return None
    if text.white_space < WHITE_SPACE and (text.characters_per_token or 0.0) > LONG_TOKENS:
        return (
            f"White space is {text.white_space:.1%} of the characters, and a {text.tokenizer} token is "
            f"{text.characters_per_token:.1f} characters long on average."
        )
    if text.types > FEW_TYPES and text.tokens_per_type < RARE_TYPES:
        return (
            f"{text.types:,} types share {text.tokens:,} {text.tokenizer} tokens: each occurs "
            f"{text.tokens_per_type:.1f} times on average."
        )
    return None


def no_validation(figures: CheckFigures) -> str | None:
    return None if figures.text.valid_tokens else "There is no validation text."


def small_validation(figures: CheckFigures) -> str | None:
    text = figures.text
    if not 0 < text.valid_tokens < SMALL_VALID:
        return None
    error = "" if text.valid_error is None else f", which leaves a standard error of about {text.valid_error:.2f} nats"
    return f"The validation text has {text.valid_tokens:,} tokens{error}."


def unlike_validation(figures: CheckFigures) -> str | None:
    text = figures.text
    if text.valid_unigram is None or text.valid_tokens < SMALL_VALID:
        return None
    if text.valid_unigram <= (1.0 + UNLIKE) * text.unigram:
        return None
    return (
        f"By the training text's token frequencies, the validation text costs {text.valid_unigram:.2f} nats per token "
        f"and the training text {text.unigram:.2f}."
    )


def little_text(figures: CheckFigures) -> str | None:
    text = figures.text
    characters = text.tokens * (text.characters_per_token or 1.0)
    return f"The training text has about {characters:,.0f} characters." if characters < SMALL else None


def short_windows(figures: CheckFigures) -> str | None:
    bptt, line = figures.config.training.bptt, figures.text.line_tokens
    if bptt >= min(SHORT_WINDOW, line or SHORT_WINDOW):
        return None
    return f"A window has {bptt} token{'s' * (bptt != 1)}: no gradient reaches farther back."


def batch_of_one(figures: CheckFigures) -> str | None:
    training = figures.config.training
    return "Every step reads one stream of the text." if training.batch_size == 1 else None
