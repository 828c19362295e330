"""Settings that contradict each other, refused before a text is read or a library is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..base.errors import InputError, option
from ..base.kinds import kind_of
from .groups.autoencoder import AutoencoderConfig
from .groups.embeddings import EmbeddingsConfig
from .groups.generation import GenerationConfig
from .groups.language_model import LanguageModelConfig
from .groups.training import TrainingConfig
from .names import NAMES, RESTRAINTS, STARTER

FULL_SOFTMAX = "softmax"
"""The loss of word vectors that only the torch engine has."""
NO_WORDS = ("char", "byte", "bpe")
"""Tokenizers whose tokens are not words."""
LOOPS_DEVICES = ("auto", "cpu")
"""Devices that leave the choice of an engine open."""
RULE_FLAGS = ("temperature", "top_k", "top_p", "min_p")
"""Settings of generation that are rules."""


def check_language_model(config: LanguageModelConfig) -> None:
    """Refuse settings of a language model that cannot be trained with.

    Raises:
        InputError: two budgets, or settings that do not go together.
    """
    training = config.training
    given = [name for name in ("epochs", "steps", "minutes") if getattr(training, name) is not None]
    if len(given) > 1:
        raise InputError(f"training: {' and '.join(given)} both limit training; give one of them.")
    if training.schedule in ("exponential", "step") and not training.final_lr:
        raise InputError(f"training.final_lr: must be above 0 for the {training.schedule} schedule.")
    if training.init and training.embeddings:
        raise InputError("training: init and embeddings both start the embedding; give one of them.")
    if training.init == STARTER and config.text.tokenizer not in ("auto", "char"):
        raise InputError(
            f"training.init: the starter is a model of characters; leave {option('tokenizer')} out, or start from a "
            "run of your own."
        )
    if config.model.input == "characters" and (training.embeddings or training.freeze_embeddings):
        raise InputError(
            "training.embeddings and freeze_embeddings: a model with model.input = 'characters' has no embedding; "
            "leave them out."
        )
    if training.freeze_embeddings and not training.embeddings:
        raise InputError(
            "training.freeze_embeddings: no vectors are given; give training.embeddings too, or leave it out."
        )
    check_batches(training)


UNUSED: dict[str, dict[str, str]] = {
    "text": {"lines": "an autoencoder reads whole lines"},
    "model": {
        "counts": "the decoder stands alone",
    },
    "training": {
        "bptt": "lines are read whole",
        "random_bptt": "lines are read whole",
        "reset_state": "lines are read whole",
        "batch_schedule": "a batch keeps its number of lines",
        "cuda_graphs": "batches differ in length",
        "activation_penalty": "lines are padded",
        "temporal_penalty": "lines are padded",
    },
}
"""Settings of a language model that an autoencoder does not have, and why."""


def check_autoencoder(config: AutoencoderConfig) -> None:
    """Refuse settings that an autoencoder does not have, or that do not go together.

    Raises:
        InputError: naming one.
    """
    for section, names in UNUSED.items():
        part = getattr(config, section)
        for name, why in names.items():
            allowed = {"lines": "yes", "counts": False}.get(name, type(part).model_fields[name].default)
            if getattr(part, name) != allowed:
                raise InputError(f"{section}.{name}: {why}; leave it out.")
    latent, model = config.autoencoder, config.model
    if model.softmax == "nce":
        raise InputError("model.softmax: the loss of nce is no likelihood that a line could be judged by; use sampled.")
    if latent.stacked and model.layers < 2:
        raise InputError(f"autoencoder.stacked: there is one layer only; give more with {option('layers', 2)}.")
    if latent.stacked and model.last_dim not in (None, model.hidden_dim):
        raise InputError("autoencoder.stacked: all layers must have one width; leave model.last_dim out.")
    if latent.kind == "variational" and latent.annealing != "none" and latent.anneal == 0:
        raise InputError("autoencoder.anneal: 0 leaves no time to anneal in; use annealing = 'none'.")
    if latent.anneal_passes is not None and (latent.pretrain or latent.annealing in ("none", "cyclical")):
        other = "autoencoder.pretrain" if latent.pretrain else f"annealing = {latent.annealing!r}"
        raise InputError(f"autoencoder.anneal_passes: does not go with {other}; use the share autoencoder.anneal.")


def check_more(more: float, out: str | Path | None, values: Mapping[str, Any]) -> None:
    """Refuse to continue what cannot be continued.

    Args:
        more: minutes.
        out: the run to continue.
        values: the settings given with it, nested.

    Raises:
        InputError: no minutes, no run at `out`, or a budget besides.
    """
    name = option("more")
    if not more > 0:
        raise InputError(f"{name}: must be more than 0 minutes, not {more:g}.")
    if out is None or kind_of(out) not in ("run", "autoencoder"):
        raise InputError(f"{name}: continues a finished run; {out or 'no output folder was named, which'} is none.")
    given = [key for key in ("epochs", "steps", "minutes") if values.get("training", {}).get(key) is not None]
    if given:
        raise InputError(f"{name}: says how much longer to train; leave {given[0]} out.")


def check_batches(training: TrainingConfig, processes: int = 1, tokens: int | None = None) -> None:
    """Refuse batches that cannot be.

    Args:
        training: its batch size, schedule and accumulation.
        processes: how many share every batch.
        tokens: of the training text, where they are known.

    Raises:
        InputError: a schedule out of order, a batch that the processes, or the chunks each of them computes it in, do
            not divide, or one of more streams than the text has tokens.
    """
    key, shares = "training.batch_schedule", [share for share, _ in training.batch_schedule]
    if any(not 0 <= share < 1 for share in shares) or any(a >= b for a, b in pairwise(shares)):
        raise InputError(f"{key}: the shares of training {shares} must rise and lie in [0, 1).")
    sizes = [size for _, size in batches(training)]
    if any(size < 1 for size in sizes) or any(b % a for a, b in pairwise(sizes)):
        raise InputError(f"{key}: each batch size must be a multiple of the one before, unlike {sizes}.")
    for key, size in batches(training):
        if size % processes:
            raise InputError(f"{key}: a batch of {size} streams cannot be shared by {processes} processes evenly.")
        if size // processes % training.accumulate:
            over = f" over {processes} processes" if processes > 1 else ""
            raise InputError(
                f"training.accumulate = {training.accumulate} does not divide a batch of {size} streams{over} evenly."
            )
        if tokens is not None and size > tokens:
            raise InputError(
                f"{key}: the training text has only {tokens:,} tokens for {size:,} streams; "
                "give more text or fewer streams."
            )


def batches(training: TrainingConfig) -> list[tuple[str, int]]:
    """Streams of every batch that training reaches, in order, each with the setting that says so."""
    scheduled = [("training.batch_schedule", size) for _, size in training.batch_schedule]
    if scheduled and training.batch_schedule[0][0] <= 0:
        return scheduled
    return [("training.batch_size", training.batch_size), *scheduled]


def check_vectors(config: EmbeddingsConfig) -> None:
    """Refuse settings of word vectors that cannot be trained with, so far as no device has to be asked.

    Raises:
        InputError: an engine that lacks the loss or the device, or a tokenizer that makes no words.
    """
    if config.epochs is not None and config.minutes is not None:
        raise InputError(f"{option('epochs')} and {option('minutes')} both limit training; give one of them.")
    if config.loss == FULL_SOFTMAX and config.engine == "cpu":
        raise InputError(
            f"loss: the full softmax needs {option('engine', 'torch')}; the compiled loops have sampled losses only."
        )
    if config.device not in LOOPS_DEVICES and config.engine == "cpu":
        raise InputError(
            f"device: {config.device!r} needs {option('engine', 'torch')}; the compiled loops run on the CPU only."
        )
    if config.min_ngram > config.max_ngram:
        raise InputError(
            f"n-grams of {config.min_ngram} to {config.max_ngram} characters: min_ngram must not be above max_ngram."
        )
    if config.text.tokenizer in NO_WORDS:
        raise InputError(
            f"tokenizer: {config.text.tokenizer} does not make words; use word or whitespace. For vectors of its "
            "tokens, leave the tokenizer out and give a corpus prepared with it."
        )


def split_rule(entry: Any) -> tuple[str, Any]:
    """`"top_k=40"` or `("top_k", 40)` as name and value. Raises InputError for anything else."""
    pair = entry.partition("=")[::2] if isinstance(entry, str) and "=" in entry else entry
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return str(pair[0]).strip().replace("-", "_"), pair[1]
    raise InputError(f"rule {entry!r}: write name=value, such as top_k=40; names are {', '.join(NAMES['rules'])}.")


def check_generation(config: GenerationConfig, streaming: bool = False) -> None:
    """Raises InputError, one sentence, for options that contradict each other."""
    if config.beam:
        rules = [split_rule(entry)[0] for entry in config.rules if not callable(entry)]
        drawing = [name for name in RULE_FLAGS if getattr(config, name) is not None]
        drawing += [name for name in rules if name in NAMES["rules"] and name not in RESTRAINTS]
        drawing += ["best_of"] * bool(config.best_of)
        if drawing:
            raise InputError(
                f"beam searches and draws nothing, so {drawing[0]} cannot apply; leave out one of the two."
            )
    for name in ("beam", "best_of"):
        kept = getattr(config, name)
        if kept and kept < config.num:
            raise InputError(f"num {config.num} texts cannot be had from {name} {kept}; raise {name} to {config.num}.")
    if config.temperature == 0 and max(config.num, config.best_of or 1) > 1:
        raise InputError("temperature 0 gives the same text every time; use a higher one to get several texts.")
    if config.length_penalty and not (config.beam or config.best_of):
        raise InputError("length_penalty compares texts, so it needs best_of or beam.")
    if "" in (config.stop if isinstance(config.stop, list) else [config.stop or "none"]):
        raise InputError("stop: an empty text would stop at once; give some text.")
    if streaming and (config.beam or config.best_of or config.num > 1):
        raise InputError("only a single drawn text can be streamed; leave out num, best_of and beam.")
