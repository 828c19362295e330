"""Exact evaluation: the full softmax, every token once.

Shapes: B parallel streams, M positions of a window, N tokens of the text in their order, D width of the hidden states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..base.progress import Progress
from ..models import LanguageModel, forget
from ..models.counts.gate import Gate
from ..models.interpolated import projected
from ..models.network import Network
from ..text import EvaluationBatches, SpreadBatches, TokenFile
from ..text.ids.lines import chosen_lines, line_windows, places_of_lines, some_lines

STREAM_TOKENS = 50_000
"""Tokens a parallel stream of a final evaluation holds at least: what starts without context weighs nothing."""
STRETCHES, FEWEST_IN_A_STRETCH = 128, 64
"""A sample of a text is read in so many stretches at most, of so many tokens at least."""
STRETCHES_OF_ALL = 32
"""The same where the sample is the whole text."""
WARM_UP = (64, 256)
"""Tokens read before each stretch: a quarter of its length, within these bounds."""
WINDOW, SHORTEST = 128, 8
"""Time steps that a kernel call covers, and how few it does where the model is large."""
WORK = 2e10
"""Multiplications that a window takes, so that Ctrl-C is answered within a second."""
LINE_ROWS = 16
"""Lines as long as a window that are read side by side; of shorter lines as many more."""
CHUNK = 1 << 21
"""Logits in memory at once."""


class ReadWindow(NamedTuple):
    """Some tokens of a text and what the output layer reads before each.

    places_M: where in the text they are. hidden_MD, targets_M: on the model's device.
    """

    places_M: np.ndarray
    hidden_MD: Tensor
    targets_M: Tensor


class Scored(NamedTuple):
    """What a model makes of a text.

    log_p_N: natural logarithm of every token's probability, float64; empty where the output layer was left out.
    hidden_ND: what the output layer read before each, on the CPU; empty unless requested. projected_GN: that times the
    weights of each gate.
    """

    log_p_N: np.ndarray
    hidden_ND: Tensor
    projected_GN: np.ndarray


def streams_for(tokens: int, stream_tokens: int = STREAM_TOKENS) -> int:
    """Parallel streams to evaluate a text in: one for a short text, up to 32 for a long one."""
    return max(1, min(32, tokens // stream_tokens))


@contextmanager
def evaluating(model: LanguageModel) -> Iterator[None]:
    """The model in evaluation mode inside, as it was after."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def first_tokens(tokens: TokenFile, limit: int | None) -> TokenFile:
    """The first `limit` tokens of a text; all of it for None."""
    if limit is None or limit >= len(tokens):
        return tokens
    if tokens.lines:
        return some_lines(tokens, limit)
    first = TokenFile.of(tokens[:limit])
    if tokens.spelt is not None:
        first.spelt, first.extra_words = tokens.spelt[:limit], tokens.extra_words
    return first


@contextmanager
def readable(model: Network, tokens: TokenFile) -> Iterator[TokenFile]:
    """The text as a model can read it: words outside the vocabulary spelt for one that reads characters, else <unk>."""
    if tokens.spelt is None or not model.reads_characters:
        yield tokens.replica()
    else:
        with model.extra_words(tokens.extra_words):
            yield tokens


def read_windows(model: LanguageModel, batches: EvaluationBatches | SpreadBatches) -> Iterator[ReadWindow]:
    """Read stretches of a text side by side, each with its own state.

    Every token comes exactly once. Memory does not depend on the length of the text. The model is used in the mode it
    is in; gradients are the caller's choice.

    Args:
        batches: which tokens. Those of `EvaluationBatches` begin without context but for what was read in the stretch.
    """
    state = model.init_state(len(batches.starts))
    if isinstance(batches, SpreadBatches) and batches.warm_up is not None:
        for inputs_BT in torch.from_numpy(batches.warm_up.inputs_BT).split(batches.bptt, 1):
            _, state = model.hidden(inputs_BT.to(model.device), state)
        state = forget(state, batches.fresh_B)
    for number, batch in enumerate(batches):
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
        hidden_BTD, state = model.hidden(inputs_BT, state)
        first = number * batches.bptt
        places_BT = batches.starts[:, None] + np.arange(first, first + inputs_BT.shape[1])
        real_BT = batch.targets_BT >= 0
        if real_BT.all():
            yield ReadWindow(places_BT.ravel(), hidden_BTD.flatten(0, 1), targets_BT.flatten())
        else:
            kept = torch.from_numpy(real_BT).to(model.device)
            yield ReadWindow(places_BT[real_BT], hidden_BTD[kept], targets_BT[kept])


def window_steps(model: LanguageModel, streams: int) -> int:
    """Time steps to read at once of so many streams: WINDOW, fewer where they would take long."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return max(SHORTEST, min(WINDOW, int(WORK / (parameters * streams))))


def whole_windows(
    model: LanguageModel, tokens: TokenFile, start_id: int, streams: int, window: int = WINDOW
) -> Iterator[ReadWindow]:
    """Read all of a text in stretches, whose first tokens see no context; a list line by line.

    Args:
        model: in the mode it is in.
        tokens: the text.
        start_id: what the model reads before the first token.
        streams: stretches read side by side.
        window: time steps of a window; it does not change the result.
    """
    if tokens.lines:
        return read_lines(model, tokens, start_id)
    return read_windows(model, EvaluationBatches(tokens, streams, window, start_id))


def read_lines(model: LanguageModel, tokens: TokenFile, start_id: int) -> Iterator[ReadWindow]:
    """`read_windows` for a list: every line from its own beginning, lines of one length side by side."""
    state = model.init_state(1)
    for window in line_windows(tokens, LINE_ROWS, WINDOW, start_id):
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in window.batch)
        hidden_BTD, state = model.hidden(inputs_BT, model.init_state(len(inputs_BT)) if window.begins else state)
        real_BT = window.batch.targets_BT >= 0
        kept = torch.from_numpy(real_BT).to(model.device)
        yield ReadWindow(window.places_BT[real_BT], hidden_BTD[kept], targets_BT[kept])


@torch.no_grad()
def read_text(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    streams: int | None = None,
    keep_hidden: bool = False,
    quiet: bool = True,
    gates: Sequence[Gate] = (),
    judged: bool = True,
) -> Scored:
    """Exact log-probability of every token, in the order of the text, by the model in the mode it is in.

    Args:
        start_id: what the model reads before the first token.
        streams: parallel streams; by default `streams_for` the text.
        keep_hidden: also return the hidden states, N x D numbers.
        gates: also return the hidden states times the weights of each.
        judged: False leaves the output layer out, for those who go through the hidden states themselves.
    """
    with readable(model, tokens) as text:
        windows = whole_windows(model, text, start_id, streams or streams_for(len(tokens)))
        return _read(model, windows, np.arange(len(tokens)), keep_hidden, quiet, gates, judged=judged)


@torch.no_grad()
def read_sample(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    count: int,
    keep_hidden: bool = False,
    quiet: bool = True,
    gates: Sequence[Gate] = (),
    after_window: Callable[[], None] | None = None,
) -> tuple[np.ndarray, Scored]:
    """`read_text` for tokens spread evenly over the text, to judge a long text by a part of it.

    Args:
        model: in the mode it is in.
        tokens: the text.
        start_id: what the model reads before the first token.
        count: tokens to read at most; of a list, whole lines of about so many tokens.
        keep_hidden, quiet, gates: see `read_text`.
        after_window: called after every window, of which none takes long; it may raise to end the work.

    Returns:
        Where the tokens are (N,), ascending, and what the model makes of them.
    """
    with readable(model, tokens) as text:
        if tokens.lines:
            places_N = places_of_lines(tokens, chosen_lines(tokens, count))
            windows = read_lines(model, some_lines(text, count), start_id)
            rows_N = np.arange(len(places_N))
            return places_N, _read(model, windows, rows_N, keep_hidden, quiet, gates, after_window)
        batches = _stretches(model, text, start_id, count)
        places_N = batches.places_N
        windows = read_windows(model, batches)
        return places_N, _read(model, windows, places_N, keep_hidden, quiet, gates, after_window)


def sample_places(model: LanguageModel, tokens: TokenFile, start_id: int, count: int) -> np.ndarray:
    """Where the tokens are that `read_sample` reads.

    Args:
        model, tokens, start_id, count: see `read_sample`.

    Returns:
        (N,), ascending.
    """
    if tokens.lines:
        return places_of_lines(tokens, chosen_lines(tokens, count))
    return _stretches(model, tokens, start_id, count).places_N


def _stretches(model: LanguageModel, tokens: TokenFile, start_id: int, count: int) -> SpreadBatches:
    """A sample of a running text: stretches that are read side by side, each after a warm-up."""
    count = min(count, len(tokens))
    most = STRETCHES if count < len(tokens) else STRETCHES_OF_ALL
    stretches = max(1, min(most, count // FEWEST_IN_A_STRETCH))
    warm_up = min(max(count // stretches // 4, WARM_UP[0]), WARM_UP[1])
    return SpreadBatches(tokens, count, window_steps(model, stretches), start_id, stretches, warm_up)


def _read(
    model: LanguageModel,
    windows: Iterator[ReadWindow],
    places_N: np.ndarray,
    keep_hidden: bool,
    quiet: bool,
    gates: Sequence[Gate],
    after_window: Callable[[], None] | None = None,
    judged: bool = True,
) -> Scored:
    count = len(places_N)
    log_p_N, projected_GN = np.empty(count if judged else 0), np.empty((len(gates), count))
    hidden_ND = torch.empty(count if keep_hidden else 0, model.output.width, dtype=model.output.bias.dtype)
    done = 0
    with Progress("evaluating", count, "tokens", quiet=quiet) as progress:
        for places_M, hidden_MD, targets_M in windows:
            rows_M = np.searchsorted(places_N, places_M)
            if judged:
                log_p_N[rows_M] = -model.output.exact_losses(hidden_MD, targets_M).double().cpu().numpy()
            for row, gate in enumerate(gates):
                projected_GN[row, rows_M] = projected(gate, hidden_MD)
            if keep_hidden:
                hidden_ND[torch.from_numpy(rows_M)] = hidden_MD.cpu()
            done += len(places_M)
            progress.update(done)
            if after_window is not None:
                after_window()
    return Scored(log_p_N, hidden_ND, projected_GN)


class TokenRanks(NamedTuple):
    """Where every token is in the distribution that it was predicted by.

    rank_N: 1 for the model's favourite. entropy_N: of the distribution, in nats, float64.
    """

    rank_N: np.ndarray
    entropy_N: np.ndarray


@torch.inference_mode()
def token_ranks(log_probs: Callable[[slice], Tensor], ids_N: Tensor, vocab_size: int, quiet: bool = True) -> TokenRanks:
    """Rank of every token and entropy of its distribution.

    Args:
        log_probs: (M, V) of a few positions; they are asked for in order.
        ids_N: the tokens.
        vocab_size: V.
    """
    rank_N, entropy_N = np.empty(len(ids_N), np.int64), np.empty(len(ids_N))
    rows = max(1, CHUNK // vocab_size)
    with Progress("ranking", len(ids_N), "tokens", quiet=quiet) as progress:
        for start in range(0, len(ids_N), rows):
            part = slice(start, start + rows)
            log_p_MV = log_probs(part)
            own_M1 = log_p_MV.gather(1, ids_N[part, None].to(log_p_MV.device))
            rank_N[part] = (log_p_MV > own_M1).sum(1).add_(1).cpu().numpy()
            entropy_N[part] = -torch.linalg.vecdot(log_p_MV.exp(), log_p_MV).double().cpu().numpy()
            progress.update(min(part.stop, len(ids_N)))
    return TokenRanks(rank_N, entropy_N)


@torch.inference_mode()
def negative_log_likelihood(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    streams: int,
    limit: int | None = None,
    window: int = WINDOW,
    quiet: bool = True,
) -> tuple[float, int]:
    """Sum of -log P in nats over the text and the number of tokens it was summed over.

    Args:
        start_id: what the model reads before the first token.
        streams: parallel streams, each carrying its own state; their first tokens see no context.
        limit: use only this many tokens from the start.
    """
    tokens = first_tokens(tokens, limit)
    total = torch.zeros((), dtype=torch.float64, device=model.device)
    done, progress = 0, Progress("evaluating", len(tokens), "tokens", quiet=quiet)
    with evaluating(model), readable(model, tokens) as text, progress:
        for places_M, hidden_MD, targets_M in whole_windows(model, text, start_id, streams, window):
            total += model.output.exact_loss_sum(hidden_MD, targets_M)
            done += len(places_M)
            progress.update(done)
    return float(total), done


def scores(nats: float, tokens: TokenFile, count: int | None = None) -> dict[str, Any]:
    """What a total of `nats` means per token, character and byte, and as perplexity: over the whole of `tokens`, or
    over a sample of `count` of them, whose characters are taken to be as many as elsewhere."""
    share = 1.0 if count is None else count / len(tokens)
    count = len(tokens) if count is None else count
    return {
        "tokens": count,
        "nats_per_token": nats / count,
        "perplexity": math.exp(min(nats / count, 700.0)),
        "nats_per_char": nats / (share * tokens.characters),
        "bits_per_char": nats / (share * tokens.characters) / math.log(2),
        "bits_per_byte": nats / (share * tokens.bytes) / math.log(2),
        "unknown_rate": tokens.unknown / len(tokens),
    }


def evaluate_language_model(
    model: LanguageModel, tokens: TokenFile, start_id: int, quiet: bool = False
) -> dict[str, Any]:
    """Exact scores of a model on a text: tokens, nats_per_token, perplexity, nats_per_char, bits_per_char,
    bits_per_byte and unknown_rate.

    Args:
        model: a network by itself.
        tokens: the text.
        start_id: what the model reads before the first token.
        quiet: show no progress.
    """
    nats, count = negative_log_likelihood(model, tokens, start_id, streams_for(len(tokens)), quiet=quiet)
    assert count == len(tokens)
    return scores(nats, tokens)
