"""Exact evaluation: the full softmax, every token once."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..models import LanguageModel
from ..progress import Progress
from ..text import EvaluationBatches, TokenFile

STREAM_TOKENS = 50_000
"""Tokens a parallel stream of a final evaluation holds at least: what starts without context weighs nothing."""
QUICK_STREAM_TOKENS = 1_000
"""The same for validation during training, where a fixed small bias hurts no comparison."""


def streams_for(tokens: int, stream_tokens: int = STREAM_TOKENS) -> int:
    """Parallel streams to evaluate a text in: one for a short text, up to 32 for a long one."""
    return max(1, min(32, tokens // stream_tokens))


@torch.inference_mode()
def negative_log_likelihood(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    streams: int,
    limit: int | None = None,
    window: int = 128,
    quiet: bool = True,
) -> tuple[float, int]:
    """Sum of -log P in nats over the text and the number of tokens it was summed over.

    Args:
        start_id: what the model reads before the first token.
        streams: parallel streams, each carrying its own state; their first tokens see no context.
        limit: use only this many tokens from the start.
        window: time steps a kernel call covers; has no influence on the result.
    """
    was_training = model.training
    model.eval()
    if limit is not None and limit < len(tokens):
        tokens = TokenFile.of(tokens[:limit])
    batches = EvaluationBatches(tokens, streams, window, start_id)
    total = torch.zeros((), dtype=torch.float64, device=model.device)
    state = model.init_state(streams)
    done = 0
    with Progress("evaluating", len(tokens), "tokens", quiet=quiet) as progress:
        for batch in batches:
            inputs_BT = torch.from_numpy(batch.inputs_BT).to(model.device)
            targets_BT = torch.from_numpy(batch.targets_BT).to(model.device)
            hidden_BTD, state = model.hidden(inputs_BT, state)
            total += model.output.exact_loss_sum(hidden_BTD.flatten(0, 1), targets_BT.flatten())
            done += int((batch.targets_BT >= 0).sum())
            progress.update(done)
    model.train(was_training)
    return float(total), done


def scores(nats: float, tokens: TokenFile) -> dict[str, Any]:
    """What a total of `nats` over the whole of `tokens` means: per token, character and byte, and as perplexity."""
    count = len(tokens)
    return {
        "tokens": count,
        "nats_per_token": nats / count,
        "perplexity": math.exp(min(nats / count, 700.0)),
        "nats_per_char": nats / tokens.characters,
        "bits_per_char": nats / tokens.characters / math.log(2),
        "bits_per_byte": nats / tokens.bytes / math.log(2),
        "unknown_rate": tokens.unknown / count,
    }


def evaluate_language_model(
    model: LanguageModel, tokens: TokenFile, start_id: int, quiet: bool = False
) -> dict[str, Any]:
    """Exact scores of a model on a text: tokens, nats_per_token, perplexity, nats_per_char, bits_per_char,
    bits_per_byte and unknown_rate."""
    nats, count = negative_log_likelihood(model, tokens, start_id, streams_for(len(tokens)), quiet=quiet)
    assert count == len(tokens)
    return scores(nats, tokens)
