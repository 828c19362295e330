"""Named settings, shipped in presets.toml; which of them suits a text when none is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..base.results import abbreviated
from ..config import LanguageModelConfig, TrainingConfig
from ..config.presets import preset as preset
from ..config.presets import presets as presets
from ..text.ids.token_file import Corpus

FEWEST_WINDOWS = 20
"""A text shorter than this many windows gets smaller ones."""
MOST_DECAY = 0.3
"""Weight decay that was measured to help, at most."""
DECAY = "weight_decay"
"""The training setting that the choice decides and no preset holds."""


@dataclass(frozen=True)
class CorpusFacts:
    """What of a text the choice of a preset depends on."""

    tokens: int
    """Of the training split."""
    types: int
    tokenizer: str

    @classmethod
    def of(cls, corpus: Corpus) -> CorpusFacts:
        """The facts of a prepared text."""
        return cls(len(corpus.train), len(corpus.tokenizer.vocab), corpus.tokenizer.kind)


class Suggestion(NamedTuple):
    """The settings that suit a text and what can be reached on it, each kind of them overriding the one before."""

    preset: str
    settings: dict[str, Any]
    """Of the preset: model and training."""
    fitted: dict[str, Any]
    """Of a text too short for the preset's windows: fewer streams, shorter windows."""
    by_passes: dict[str, Any]
    """Of the passes over the text that can be reached."""
    passes: float


def suggest(
    facts: CorpusFacts,
    reach: Callable[[Mapping[str, Any]], float],
    budget: tuple[str, float] | None = None,
    from_starter: bool = False,
) -> Suggestion:
    """The preset that suits a text by its tokenizer, vocabulary and size, and by the updates and passes over the text
    that its budget reaches with it.

    The first preset whose `when` fits is taken. A large model that gets few updates is worse than a small one that gets
    many; a text that is read many times needs dropout, one that is not is learned worse with it (benchmarks/LOG.md).

    Args:
        facts: of the text.
        reach: tokens that training with these nested settings reads; called only where a decision depends on it.
        budget: the kind and size of the one that was asked for; None leaves it to the preset.
        from_starter: whether training starts from the starter's weights.
    """
    for name, one in presets().items():
        when = one.get("when")
        if when is None or when.get("starter", False) != from_starter or not _fits(when, facts, budget):
            continue
        settings = {section: values for section, values in preset(name).items() if section != "text"}
        fitted = _fitted(settings["training"], facts.tokens)
        training = {**settings["training"], **fitted.get("training", {})}
        least_passes, least_updates = when.get("passes", 0.0), when.get("updates", 0)
        reached = reach({**settings, "training": training})
        passes, updates = reached / facts.tokens, reached / (training["batch_size"] * training["bptt"])
        if passes < least_passes or updates < least_updates:
            continue
        steps = [step for step in one.get("by_passes", []) if passes >= step["passes"]]
        by_passes: dict[str, Any] = {}
        for section in ("model", "training"):
            if changed := {key: value for step in steps for key, value in step.get(section, {}).items()}:
                by_passes[section] = changed
        return Suggestion(name, settings, fitted, by_passes, passes)
    raise AssertionError("the last preset of every kind of text fits always")


def _fits(when: Mapping[str, Any], facts: CorpusFacts, budget: tuple[str, float] | None) -> bool:
    kind, value = budget or ("minutes", 0.0)
    return (
        (kind != "minutes" or value >= when.get("minutes", 0.0))
        and facts.tokenizer in when.get("tokenizers", [facts.tokenizer])
        and facts.types <= when.get("types", facts.types)
        and when.get("over", 0) <= facts.tokens <= when.get("tokens", facts.tokens)
    )


def _fitted(training: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """Fewer streams and shorter windows for a text that would be only a few of the usual ones."""
    if tokens >= FEWEST_WINDOWS * training["batch_size"] * training["bptt"]:
        return {}
    batch_size = max(1, min(8, tokens // 40))
    return {"training": {"batch_size": batch_size, "bptt": max(1, min(32, tokens // (4 * batch_size)))}}


def decay_by_size(name: str, training: TrainingConfig, tokens: int) -> float | None:
    """The weight decay with which weights are a mean of the updates of about as many passes over the text as a preset
    says, 1 / (lr weight_decay) updates: the best one was measured to be that whatever the size of the text
    (Wang & Aitchison 2024, https://arxiv.org/abs/2405.13698).

    Args:
        name: of the preset.
        training: as it will be; its own weight decay does not matter.
        tokens: of the training text.

    Returns:
        None where the preset does not say, or the optimiser is another, whose weight decay is another.
    """
    passes = presets()[name].get("decay_passes")
    if passes is None or training.optimizer != TrainingConfig().optimizer:
        return None
    updates = passes * tokens / (training.batch_size * training.bptt)
    return min(MOST_DECAY, float(f"{1 / (training.lr * updates):.2g}"))


def choosable(config: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the nested settings that the choice of a preset decides, budgets included."""
    chosen = [one for one in presets().values() if "when" in one]
    return {
        section: {
            key: value
            for key, value in config[section].items()
            if key == DECAY or any(key in one.get(section, {}) for one in chosen)
        }
        for section in ("model", "training")
    }


def describe(name: str | None, config: LanguageModelConfig, corpus: Corpus, passes: float | None = None) -> str:
    """The text and what it is trained with, in a sentence.

    Args:
        name: of the preset, None for none.
        config: all settings.
        corpus: the text.
        passes: over it that can be reached, where known.
    """
    model, training = config.model, config.training
    value, kind = next(
        (value, kind) for kind in ("epochs", "steps", "minutes") if (value := getattr(training, kind)) is not None
    )
    if kind == "minutes" and value < 1:
        value, kind = float(f"{60 * value:.2g}"), "seconds"
    budget = f"{value:,g} {kind if value != 1 else kind[:-1]}"
    characters = model.input == "characters"
    untied = "; words are read by their characters, so the output layer has weights of its own" if characters else ""
    types, source = len(corpus.tokenizer.vocab), presets()[name] if name else {}
    figure = f"; with {source['data']}: {source['expected']}" if "expected" in source else ""
    tokens = abbreviated(passes * len(corpus.train)) if passes is not None else ""
    number = "" if passes is None else f"{passes:,.0f}" if passes >= 10 else f"{passes:.2g}"
    reached = f" for about {tokens} tokens, {number} passes" if passes is not None else ""
    settings = f"preset {name}" if name else "settings of the run"
    decay = f", weight decay {training.weight_decay:g}" if training.weight_decay else ""
    fewest, most = source.get("types", (types, types))
    if not fewest <= types <= most:
        meant = source["data"].partition(",")[0]
        figure = f"; a text of {types:,} types is not {meant}, so the preset's figure says nothing here"
    return (
        f"{len(corpus.train):,} training tokens of {types:,} types "
        f"({corpus.tokenizer.kind} tokenizer); {settings}: {model.layers} x {model.hidden_dim} {model.cell}, "
        f"{model.softmax} softmax, dropout {model.dropout:g}{decay}, {budget}{reached}{untied}{figure}"
    )
