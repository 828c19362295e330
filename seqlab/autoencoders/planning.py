"""What is to be trained, decided before anything is written: the lines, the settings, and the run folder last."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..base.errors import InputError, option
from ..base.kinds import kind_of
from ..base.printing import printable
from ..base.progress import notify
from ..base.storage.streams import read_once
from ..config import AutoencoderConfig, merge
from ..config.checks import check_autoencoder, check_language_model
from ..config.presets import AUTOENCODERS, presets
from ..config.presets import preset as preset_settings
from ..opening import open_vectors
from ..text import Corpus, prepare
from ..training.planning import BUDGETS, Source, budget_of, reopen, with_more, without_budgets
from ..training.starts.from_run import start_output
from ..training.starts.from_vectors import start_from_vectors
from .lines import longest_line, short_corpus
from .model import SequenceAutoencoder
from .run import AutoencoderRun

BASIS: dict[str, Any] = {"text": {"lines": "yes"}, "model": {"layers": 1, "counts": False}}
"""What is different from a language model, whatever the preset."""
PIECES: dict[str, Any] = {"text": {"tokenizer": "bpe", "vocab_size": 1_000}}
"""How lines of several words are read where nothing else is asked for and the text is too short for words."""
SEVERAL = 1.5
"""Words of a line on average from which on that is so."""
MANY_TYPES = 8_000
"""Types from which on the output layer is trained by sampling."""
MINUTES = 3.0
"""Of training, where nothing limits it."""
SHORT, PASSES = 40_000, 40
"""Training tokens that about MINUTES go through so often, and passes over fewer, where nothing limits training: with
more a short list is known by heart, and unseen lines become less likely."""


class AutoencoderPlan(NamedTuple):
    """What is to be trained. corpus: the lines, without long ones. sentence: all of it in words."""

    corpus: Corpus
    config: AutoencoderConfig
    sentence: str


def suited(corpus: Corpus) -> str:
    """The name of the first preset whose limits the text keeps."""
    for name, one in presets(AUTOENCODERS).items():
        when, kind = one.get("when"), corpus.tokenizer.kind
        if when is None or kind not in when.get("tokenizers", [kind]):
            continue
        if len(corpus.train.documents) <= when.get("lines", math.inf):
            return name
    raise AssertionError("the last preset with limits has none")


def settle(given: Mapping[str, Any], preset: str | None = None, corpus: Corpus | None = None) -> AutoencoderConfig:
    """All settings: defaults, overridden by what suits the text, and that by what was given.

    Args:
        given: nested.
        preset: its name; None takes the one that suits the text, once it is known.
        corpus: the text; before it is known, settings can be checked all the same.

    Raises:
        InputError: an unknown preset, or a value that is not allowed.
    """
    values = merge(AutoencoderConfig().model_dump(), BASIS)
    if corpus is not None and len(corpus.tokenizer.vocab) > MANY_TYPES:
        values = merge(values, {"model": {"softmax": "sampled"}})
    name = preset if preset is not None or corpus is None else suited(corpus)
    chosen = {} if name is None else preset_settings(name, AUTOENCODERS)
    if any(given.get("training", {}).get(budget) is not None for budget in BUDGETS):
        chosen = without_budgets(chosen)
    values = merge(merge(values, chosen), given)
    if all(values["training"][kind] is None for kind in BUDGETS):
        short = corpus is not None and len(corpus.train) < SHORT
        values["training"] |= {"epochs": PASSES} if short else {"minutes": MINUTES}
    config = AutoencoderConfig.build(values)
    if config.autoencoder.encoder_dim is None:
        directions = 2 if config.autoencoder.bidirectional else 1
        config = config.updated({"autoencoder.encoder_dim": max(1, config.model.hidden_dim // directions)})
    if corpus is not None and config.autoencoder.max_length is None:
        config = config.updated({"autoencoder.max_length": longest_line(corpus.train, None)})
    return config


def plan(
    source: Source,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    given: Mapping[str, Any] | None = None,
    preset: str | None = None,
) -> AutoencoderPlan:
    """Decide what is to be trained, without writing anything but the cached text.

    Args:
        source, valid, test: texts, one item a line or a record.
        quiet: show no progress.
        given: settings, nested.
        preset: its name; None takes the one that suits the text.

    Raises:
        InputError: settings or a text that cannot be used; settings are checked before the text is read.
    """
    given = given or {}
    early = settle(given, preset)
    check(early)
    if isinstance(source, Corpus):
        corpus = source
    else:
        with read_once():
            corpus = prepare(source, None, early.text, valid=valid, test=test, quiet=quiet)
            if early.text.tokenizer == "auto" and pieces_suit(corpus):
                given = merge(PIECES, given)
                corpus = prepare(source, None, settle(given, preset).text, valid=valid, test=test, quiet=quiet)
    name = printable(str(source[0] if isinstance(source, list | tuple) else source))
    if not corpus.train.lines:
        raise InputError(f"{name}: was prepared as running text; prepare it again as a list ({option('lines')}).")
    if corpus.valid is None:
        raise InputError(f"{name}: has no validation lines, by which the best weights are chosen; give some.")
    config = settle(given, preset, corpus)
    check(config)
    if config.model.input == "characters":
        corpus = corpus.with_spelling(quiet=quiet)
    longest = config.autoencoder.max_length
    assert longest is not None
    short = short_corpus(corpus, longest, name)
    return AutoencoderPlan(
        short, config, describe(config, short, len(corpus.train.documents), preset or suited(corpus))
    )


def pieces_suit(corpus: Corpus) -> bool:
    """Whether a list that was read by characters has several words a line: pieces of words spell them better."""
    counts = corpus.train.counts
    several = counts.words > SEVERAL * len(corpus.train.documents)
    return corpus.train.lines and corpus.tokenizer.kind == "char" and several


def check(config: AutoencoderConfig) -> None:
    """Refuse settings that an autoencoder cannot be trained with. Raises InputError naming one."""
    check_language_model(config)
    check_autoencoder(config)


def describe(config: AutoencoderConfig, corpus: Corpus, lines: int, preset: str) -> str:
    """The lines and what they are trained with, in a sentence.

    Args:
        config: all settings.
        corpus: without the lines that are left out.
        lines: with them.
        preset: its name.
    """
    model, latent, train = config.model, config.autoencoder, corpus.train
    kind, value = budget_of(config.training)
    directions = " in both directions" if latent.bidirectional else ""
    left_out = lines - len(train.documents)
    long = f" ({left_out:,} longer than {latent.max_length:,} tokens or empty are left out)" if left_out else ""
    return (
        f"{len(train.documents):,} lines{long}, {len(train):,} tokens of {len(corpus.tokenizer.vocab):,} types "
        f"({corpus.tokenizer.kind} tokenizer); preset {preset}: {latent.kind} autoencoder of {latent.latent_dim} "
        f"dimensions, {model.layers} x {model.hidden_dim} {model.cell}{directions}, {model.softmax} softmax, "
        f"{value:,g} {kind if value != 1 else kind[:-1]}"
    )


def start(
    source: Source,
    out: str | Path | None,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    given: Mapping[str, Any] | None = None,
    more: float | None = None,
    preset: str | None = None,
) -> tuple[AutoencoderRun, SequenceAutoencoder, Corpus]:
    """The run to train, new or the unfinished one at `out`, its model as training starts from it, and the lines.

    A new run is written last, when nothing is left to refuse.

    Args:
        source, out, valid, test, quiet, given, more, preset: see `train_autoencoder`.

    Raises:
        InputError: a bad text or setting, or a run made with another text or configuration.
    """
    run = AutoencoderRun.open(out) if out is not None and kind_of(out) == "autoencoder" else None
    if more is not None:
        given = merge(*(layer.values for layer in with_more(run, out, given or {}, more)))
    corpus, config, sentence = plan(source, valid, test, quiet, given, preset)
    if run is not None and (words := reopen(run, config, corpus, more is not None)) and not quiet:
        notify(words)
    if not quiet:
        notify(sentence)
    model = fresh_autoencoder(config, corpus, quiet)
    if run is None:
        about = {"digest": corpus.digest, **corpus.summary}
        run = AutoencoderRun.begin(out, config, corpus.tokenizer, about, corpus.items)
    return run, model, corpus


def fresh_autoencoder(config: AutoencoderConfig, corpus: Corpus, quiet: bool = True) -> SequenceAutoencoder:
    """The model that training starts from: random, or with word vectors or the weights of another autoencoder in it.

    It seeds torch's generators and sets its threads, which training then uses: call it inside
    `torch_globals_restored`.

    Raises:
        InputError: vectors or a run that it cannot start from.
    """
    training, tokenizer = config.training, corpus.tokenizer
    torch.set_num_threads(training.threads or torch.get_num_threads())
    torch.manual_seed(training.seed)
    model = SequenceAutoencoder(config, len(tokenizer.vocab), training.seed)
    model.set_words(tokenizer.vocab.itos)
    start_output(model.decoder, tokenizer.vocab.counts, training)
    if training.embeddings:
        vectors = open_vectors(training.embeddings)
        found = start_from_vectors(model.decoder, tokenizer, vectors, training.freeze_embeddings, training.seed)
        if not quiet:
            notify(found.sentence())
    if training.init:
        start_from(model, AutoencoderRun.open(training.init), tokenizer.digest)
    return model


def start_from(model: SequenceAutoencoder, origin: AutoencoderRun, digest: str) -> None:
    """Carry over the weights of another autoencoder, whatever its kind: a plain one is a start for a variational one.

    Weights of another shape stay as they are: the head of the encoder, where one of the two is variational.

    Raises:
        InputError: it has another vocabulary, or cells of another kind or size.
    """
    if origin.tokenizer.digest != digest:
        raise InputError(f"{origin.path}: has another vocabulary; start from an autoencoder of this text.")
    stored, own = origin.load_autoencoder().state_dict(), model.state_dict()
    fitting = {name: value for name, value in stored.items() if name in own and own[name].shape == value.shape}
    if any(name.startswith(("encoder.cells", "decoder.cells")) and name not in fitting for name in own):
        raise InputError(f"{origin.path}: has layers of another kind or size; give the same cell and sizes.")
    model.load_state_dict(fitting, strict=False)
