"""What is to be trained, decided before anything is written: the text, the settings and where each comes from, the
model that training starts from, and the run folder last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..base.devices import resolve_device
from ..base.errors import InputError, check_same_settings
from ..base.kinds import kind_of
from ..base.progress import notify
from ..base.results import Result, Table, line
from ..config import LanguageModelConfig, TrainingConfig, merge
from ..config.checks import check_batches, check_language_model, check_more
from ..config.names import STARTER
from ..config.presets import preset as preset_settings
from ..embeddings import WordVectors
from ..models import LanguageModel
from ..opening import open_vectors
from ..run import AnyRun, Run, flat
from ..text.ids.lead_ins import find_lead_ins
from ..text.ids.token_file import Corpus
from ..text.preparation.prepare import prepare
from ..text.sources.readers import Sources
from ..text.tokenizers.words import WordTokenizer
from .machine.graphs import check_graphs
from .machine.memory import check_fits
from .machine.rate import tokens_per_second
from .presets import DECAY, CorpusFacts, choosable, decay_by_size, describe, suggest
from .starter import starter
from .starts.fresh import fresh_model
from .starts.from_run import architecture_of

Source = Sources | Corpus
BUDGETS = ("epochs", "steps", "minutes")
"""Settings of how long training lasts, of which one is enough."""
DEFAULT, GIVEN = "default", "given"


class Layer(NamedTuple):
    """Settings from one place; a later layer overrides an earlier one."""

    where: str
    """Such as "preset word", "settings.toml" or "flag"."""
    values: Mapping[str, Any]
    """Nested."""


class Resolved(NamedTuple):
    """A configuration, and by dotted key where each value came from: "default", "preset NAME", "text", "passes",
    "vectors", "run PATH", or the `where` of a given layer."""

    config: LanguageModelConfig
    sources: dict[str, str]
    preset: str | None
    passes: float | None = None
    """Over the text, as far as they were estimated to choose a preset."""


def resolve(
    given: Mapping[str, Any] | Sequence[Layer],
    preset: str | None = None,
    origin: Run | None = None,
    facts: CorpusFacts | None = None,
    width: int | None = None,
    begun: Run | None = None,
    rate: Callable[[LanguageModelConfig], float] | None = None,
) -> Resolved:
    """Settle every setting; reads and writes nothing.

    Defaults are overridden by the preset, that by what the text, word vectors or another run demand, and all of them by
    what was given. A given budget (epochs, steps or minutes) replaces the preset's.

    Args:
        given: what the person set, as nested values, or as layers in ascending precedence.
        preset: its name; None takes the one that suits the text, once `facts` are known.
        origin: the run whose weights training starts from.
        facts: of the prepared text.
        width: of the word vectors that training starts from.
        begun: the run that is resumed or continued: it keeps what was chosen for it.
        rate: tokens a second that a configuration trains on; needed with `facts`.

    Raises:
        InputError: an unknown preset or setting, a value that is not allowed, or one that the origin cannot have.
    """
    layers = [Layer(GIVEN, given)] if isinstance(given, Mapping) else list(given)
    asked: dict[str, Any] = {}
    for layer in layers:
        asked = merge(asked, layer.values)
    training = asked.get("training", {})
    from_starter = preset is None and training.get("init") == STARTER
    chosen: list[Layer] = []
    passes = None
    if preset is not None:
        chosen.append(Layer(f"preset {preset}", preset_settings(preset)))
    elif begun is not None:
        chosen.append(Layer(f"run {begun.path}", choosable(begun.config.model_dump())))
    elif facts is not None:
        read = partial(reach, asked=asked, tokens=facts.tokens, rate=rate)
        found = suggest(facts, read, asked_budget(training), from_starter)
        preset, passes = found.preset, found.passes
        chosen += [Layer(f"preset {preset}", found.settings), Layer("text", found.fitted)]
        chosen.append(Layer("passes", found.by_passes))
    start: list[Layer] = []
    if width is not None:
        start.append(Layer("vectors", {"model": {"embed_dim": width}}))
    if origin is not None:
        taken = {"model": architecture_of(origin, asked.get("model", {})), "text": text_settings_of(origin, asked)}
        start.append(Layer(f"run {origin.path}", taken))
    below = [*start, *chosen] if from_starter else [*chosen, *start]  # the starter's preset has its sizes, not dropout
    if any(training.get(budget) is not None for budget in BUDGETS):
        below = [Layer(where, without_budgets(values)) for where, values in below]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(LanguageModelConfig.keys(), DEFAULT)
    for layer in [*below, *layers]:
        values = merge(values, layer.values)
        sources |= dict.fromkeys(flat(layer.values), layer.where)
    config = LanguageModelConfig.build(values)
    if preset is not None and facts is not None and DECAY not in training:
        decay = decay_by_size(preset, config.training, facts.tokens)
        if decay is not None:
            config, sources[f"training.{DECAY}"] = config.updated({f"training.{DECAY}": decay}), "text"
    return Resolved(config, sources, preset, passes)


def reach(
    settings: Mapping[str, Any],
    asked: Mapping[str, Any],
    tokens: int,
    rate: Callable[[LanguageModelConfig], float] | None,
) -> float:
    """Tokens that training reads within its budget.

    Args:
        settings: of a preset, nested.
        asked: what the person set, which overrides them.
        tokens: of the text.
        rate: tokens a second of a configuration; not called where steps or passes limit the training.
    """
    if any(asked.get("training", {}).get(budget) is not None for budget in BUDGETS):
        settings = without_budgets(settings)
    config = LanguageModelConfig.build(merge(merge({}, settings), asked))
    kind, value = budget_of(config.training)
    if kind == "epochs":
        return value * tokens
    if kind == "steps":
        return value * config.training.batch_size * config.training.bptt
    assert rate is not None
    return 60 * value * rate(config)


def without_budgets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings without those of how long training lasts."""
    training = {key: value for key, value in values.get("training", {}).items() if key not in BUDGETS}
    return {**values, "training": training}


def text_settings_of(run: Run, given: Mapping[str, Any]) -> dict[str, Any]:
    """The text settings that give types the look of those of a run, so far as `given` names no other tokenizer."""
    kind = run.tokenizer.kind
    if isinstance(run.tokenizer, WordTokenizer) and given.get("text", {}).get("tokenizer", kind) == kind:
        return {"tokenizer": kind, "lowercase": run.tokenizer.lowercase}
    return {"tokenizer": kind}


@dataclass(repr=False)
class Plan(Result):
    """What is to be trained.

    Attributes:
        corpus: the prepared text.
        vectors: word vectors that start the embedding, or None.
        origin: the opened run whose weights training starts from, or None.
        config: every setting.
        sources: by dotted key, where the setting came from, see `Resolved`.
        sentence: the text and what it is trained with.
    """

    corpus: Corpus
    vectors: WordVectors | None
    origin: Run | None
    config: LanguageModelConfig
    sources: dict[str, str]
    sentence: str

    def __repr__(self) -> str:
        return line("Plan", [self.sentence])

    def table(self) -> Table:
        """Every setting, its value and where it came from."""
        rows = [(key, _shown(value), self.sources[key]) for key, value in flat(self.config.model_dump()).items()]
        return Table(("setting", "value", "from"), rows, self.sentence)

    def to_json(self) -> dict[str, Any]:
        """The nested settings, as a configuration file holds them."""
        return self.config.model_dump()


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def plan(
    source: Source,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    begun: Run | None = None,
    processes: int = 1,
) -> Plan:
    """Decide what is to be trained, without writing anything but the cached text.

    Args:
        source, valid, test: texts, see `train_language_model`.
        quiet: show no progress.
        preset: its name; None takes the one that suits the text.
        given: what the person set, as nested values, or as layers in ascending precedence.
        begun: the run that is resumed or continued.
        processes: that will train together.

    Raises:
        InputError: settings, a text, vectors or a run that cannot be used; settings are checked before the text is
            read, as far as they can be.
    """
    early = resolve(given, preset)
    check_language_model(early.config)
    device = resolve_device(early.config.training.device)
    init, embeddings = early.config.training.init, early.config.training.embeddings
    origin = starter(quiet) if init == STARTER else Run.open(init) if init else None
    if isinstance(source, Corpus):
        corpus = source
    else:
        text = resolve(given, preset, origin).config.text
        corpus = prepare(source, None, text, valid=valid, test=test, quiet=quiet)
    vectors = open_vectors(embeddings) if embeddings else None
    if vectors is not None and not quiet:
        notify(*(f"{embeddings}: {note}" for note in vectors.meta.get("notes", [])))
    width = None if vectors is None else vectors.dim
    rates: dict[str, float] = {}

    def check_sizes(config: LanguageModelConfig) -> None:
        check_batches(config.training, processes, len(corpus.train))
        check_fits(config, len(corpus.tokenizer.vocab), processes)

    def rate(config: LanguageModelConfig) -> float:
        key = config.model_dump_json()
        if key not in rates:
            check_sizes(config)
            rates[key] = tokens_per_second(config, corpus.tokenizer.vocab)
        return rates[key]

    config, sources, name, passes = resolve(given, preset, origin, CorpusFacts.of(corpus), width, begun, rate)
    check_language_model(config)
    check_graphs(config, device)
    check_sizes(config)
    return Plan(corpus, vectors, origin, config, sources, describe(name, config, corpus, passes))


def start(
    source: Source,
    out: str | Path | None,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    processes: int = 1,
    more: float | None = None,
) -> tuple[Run, LanguageModel, Corpus]:
    """The run to train, new or the unfinished one at `out`, its model as training starts from it, and the text.

    A new run is written last, when nothing is left to refuse: the corrected command finds the folder free.

    Args:
        source, out, valid, test, quiet, preset, given, more: see `train_language_model`. Without `out` the run is a
            temporary folder, removed when the `Run` is garbage-collected.
        processes: that will train together.

    Raises:
        InputError: a bad text or setting, or a run made with another text or configuration.
    """
    run = begun_at(out)
    if run is not None and run.compressed:
        raise InputError(
            f"{run.path}: is compressed ({run.compressed['method']}), and such weights cannot be trained on; train "
            f"{run.compressed['from']}, which it was made from, and compress that again."
        )
    if more is not None:
        given = with_more(run, out, given, more)
    planned = plan(source, valid, test, quiet, preset, given, run, processes)
    config, corpus = planned.config, planned.corpus
    if run is not None and (sentence := reopen(run, config, corpus, more is not None)) and not quiet:
        notify(sentence)
    if config.model.input == "characters":
        corpus = corpus.with_spelling(quiet=quiet)
    if not quiet:
        notify(planned.sentence)
    model = fresh_model(config, corpus, planned.vectors, planned.origin, quiet)
    if run is None:
        lead_ins = find_lead_ins(corpus.train, corpus.tokenizer)
        about = {"digest": corpus.digest, **corpus.summary, "lead_ins": lead_ins}
        run = Run.begin(out, config, corpus.tokenizer, about, corpus.items)
    return run, model, corpus


def begun_at(out: str | Path | None) -> Run | None:
    """The run at `out`, None where there is none."""
    return Run.open(out) if out is not None and kind_of(out) == "run" else None


def reopen(run: AnyRun, config: LanguageModelConfig, corpus: Corpus, continued: bool = False) -> str:
    """Make sure that a run can be resumed with these settings; one with a larger budget than it has gets that.

    Args:
        run: to be resumed.
        config: of the new command.
        corpus: of the new command.
        continued: whether a finished run is to be trained for some more minutes, whatever limited it before.

    Returns:
        What the person should know; empty where the run is merely resumed.

    Raises:
        InputError: it was made with another text or other settings.
    """
    if run.record["corpus"]["digest"] != corpus.digest:
        raise InputError(
            f"{run.path}: was trained on another text (its corpus digest differs); "
            "use the same text to resume, or another output folder."
        )
    (kind, value), (wanted_kind, wanted) = budget_of(run.config.training), budget_of(config.training)
    extended = (continued and (kind, value) != (wanted_kind, wanted)) or (kind == wanted_kind and wanted > value)
    budgets = {f"training.{kind}" for kind in BUDGETS}
    check_same_settings(
        run.path,
        *(
            {key: value for key, value in flat(one.model_dump()).items() if not (extended and key in budgets)}
            for one in (run.config, config)
        ),
    )
    if not extended:
        return ""
    run.extend(config)
    return f"{run.path}: training goes on to {wanted:,.4g} {wanted_kind}; the learning rate rises and falls once more"


def budget_of(training: TrainingConfig) -> tuple[str, float]:
    """The kind of budget, and how much of it."""
    budget = asked_budget(training.model_dump())
    assert budget is not None
    return budget


def asked_budget(training: Mapping[str, Any]) -> tuple[str, float] | None:
    """The kind and size of the budget among settings of training, None where there is none."""
    return next(((kind, value) for kind in BUDGETS if (value := training.get(kind)) is not None), None)


def with_more(
    run: AnyRun | None, out: str | Path | None, given: Mapping[str, Any] | Sequence[Layer], more: float
) -> list[Layer]:
    """The settings that train a finished run for so many minutes more; an unfinished one keeps its budget.

    Args:
        run: at `out`, None where there is none.
        out: its folder, for the error's sentence.
        given: settings, see `plan`.
        more: minutes.

    Raises:
        InputError: there is no run, or a budget is given as well.
    """
    layers = [Layer(GIVEN, given)] if isinstance(given, Mapping) else list(given)
    for layer in layers:
        check_more(more, out, merge({}, layer.values))
    assert run is not None
    saved = run.load_state()
    position = saved[1]["position"] if saved else {"finished": False}
    own = run.config.model_dump()
    if position["finished"]:
        minutes = position["seconds"] / 60 + more
        own["training"] |= {"epochs": None, "steps": None, "minutes": minutes}
    return [Layer(f"run {run.path}", own), *layers]
