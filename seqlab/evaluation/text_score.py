"""The probability of a short text, token by token."""

from __future__ import annotations

import numpy as np

from ..base.errors import InputError
from ..models import LanguageModel
from ..models.interpolated import Members
from ..models.tokens import Token
from ..text import TokenFile, Tokenizer
from .results import TextScore
from .scored_text import Scorer


def score_text(model: LanguageModel | Members, tokenizer: Tokenizer, text: str) -> TextScore:
    """Score a text with a model: exact log-probability, rank and entropy of every token.

    Use it to see which words a model finds surprising, or to rank several wordings. A model that reads characters reads
    words outside its vocabulary as they are spelt; it predicts them as <unk> all the same.

    Args:
        model: a network in any mode (dropout is off while it scores), or the members of a run.
        tokenizer: of the model.
        text: as it would stand at the beginning of a document.

    Raises:
        InputError: the text has no tokens, or is no text.
    """
    if not isinstance(text, str):
        raise InputError(f"text: must be one text, not {type(text).__name__}.")
    ids_N = np.asarray(tokenizer.encode(text), np.int64)
    if not len(ids_N):
        raise InputError("text: is empty; give at least one token.")
    tokens = TokenFile.of(ids_N)
    members = model if isinstance(model, Members) else Members(model)
    if members.network.reads_characters:
        tokens.spelt, tokens.extra_words = tokenizer.encode_spelt(text)
    scored, ranks = Scorer(members, tokenizer.start_id).read_ranked(tokens)
    decoder = tokenizer.decoder()
    pieces = [decoder.push(id) for id in ids_N.tolist()]
    pieces[-1] += decoder.flush()
    columns = (pieces, ids_N, scored.log_p_N, ranks.rank_N, ranks.entropy_N)
    rows = zip(*(column if isinstance(column, list) else column.tolist() for column in columns), strict=True)
    return TextScore(text, [Token(*row) for row in rows])
