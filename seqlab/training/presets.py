"""Named settings, shipped in presets.toml; which of them suits a text when none is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import LanguageModelConfig
from ..config.presets import preset as preset
from ..config.presets import presets as presets
from ..text.ids.token_file import Corpus

FEWEST_WINDOWS = 20
"""A text shorter than this many windows gets smaller ones."""


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


def suggest(facts: CorpusFacts, minutes: float | None = None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The preset that suits a text, by its tokenizer, the size of its vocabulary and training split and the training
    time requested.

    Returns:
        The preset's name, its settings of model and training, and what overrides them for this text: one too short for
        the preset's windows gets fewer streams and shorter windows.
    """
    tokens = facts.tokens

    def suits(when: dict[str, Any]) -> bool:
        return (
            facts.tokenizer in when.get("tokenizers", [facts.tokenizer])
            and facts.types <= when.get("types", facts.types)
            and tokens <= when.get("tokens", tokens)
            and (minutes or 0.0) >= when.get("minutes", 0.0)
        )

    name = next(name for name, one in presets().items() if "when" in one and suits(one["when"]))
    settings = {section: values for section, values in preset(name).items() if section != "text"}
    training = settings["training"]
    if tokens >= FEWEST_WINDOWS * training["batch_size"] * training["bptt"]:
        return name, settings, {}
    batch_size = max(1, min(8, tokens // 40))
    bptt = max(1, min(32, tokens // (4 * batch_size)))
    return name, settings, {"training": {"batch_size": batch_size, "bptt": bptt}}


def choosable(config: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the nested settings that the choice of a preset decides, budgets included."""
    chosen = [one for one in presets().values() if "when" in one]
    return {
        section: {
            key: value for key, value in config[section].items() if any(key in one.get(section, {}) for one in chosen)
        }
        for section in ("model", "training")
    }


def describe(name: str | None, config: LanguageModelConfig, corpus: Corpus) -> str:
    """The text and what it is trained with, in a sentence."""
    model, training = config.model, config.training
    budget = next(
        f"{value:,g} {kind}"
        for kind in ("epochs", "steps", "minutes")
        if (value := getattr(training, kind)) is not None
    )
    characters = model.input == "characters"
    untied = "; words are read by their characters, so the output layer has weights of its own" if characters else ""
    types, source = len(corpus.tokenizer.vocab), presets()[name] if name else {}
    figure = f"; with {source['data']}: {source['expected']}" if "expected" in source else ""
    settings = f"preset {name}" if name else "settings of the run"
    fewest, most = source.get("types", (types, types))
    if not fewest <= types <= most:
        meant = source["data"].partition(",")[0]
        figure = f"; a text of {types:,} types is not {meant}, so the preset's figure says nothing here"
    return (
        f"{len(corpus.train):,} training tokens of {types:,} types "
        f"({corpus.tokenizer.kind} tokenizer); {settings}: {model.layers} x {model.hidden_dim} {model.cell}, "
        f"{model.softmax} softmax, dropout {model.dropout:g}, {budget}{untied}{figure}"
    )
