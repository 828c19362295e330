"""`seqlab info`: what a run, a corpus or vectors are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqlab.base.printing import printable

from .console import JsonFlag, load_torch, print_json, print_table, say

if TYPE_CHECKING:
    from seqlab.diagnosis import Findings
    from seqlab.run import AnyRun

UNITS = {"memory": "B", "flops_per_token": "FLOP", "flops_per_second": "FLOP/s", "product_rate": "FLOP/s"}
"""Group of figures, or single figure, that is shown with this unit."""
SHARES = ("shares", "of_product_rate", "of_product_rate_by_part")
"""Shown in percent."""


def info(
    path: Annotated[Path, typer.Argument(help="A run folder, word vectors, a prepared corpus, or a folder of them.")],
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Time a few training steps of a run, and this machine's matrix products; 2 seconds."
        ),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Describe a folder or file: sizes, costs, scores, settings. Of a folder of runs, vectors and corpora, list them.

    Example: seqlab info runs/book --measure

    All runs: seqlab info runs

    --measure: where the time of a training step is spent on this machine, by part.
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import DESCRIPTIONS, kind_of
    from seqlab.embeddings.folder import NOT_FINISHED
    from seqlab.text import Corpus

    kind = kind_of(path)
    if measure and kind != "run":
        raise InputError(f"{path}: {DESCRIPTIONS[kind]}, not a language-model run; only those can be measured.")
    if kind == "folder" and (entries := _entries(path)):
        if json:
            print_json({"kind": "folder", "entries": entries})
        else:
            print_table(("name", "kind", "what", "best"), [tuple(entry.values())[:4] for entry in entries])
        return
    if kind == "run":
        facts = _run_facts(path, measure)
    elif kind == "autoencoder":
        facts = _autoencoder_facts(path)
    elif kind == "corpus":
        facts = {"kind": "corpus", **Corpus.open(path).summary}
    elif kind == "unfinished vectors":
        facts = _unfinished_facts(path)
        say(f"{path}: {NOT_FINISHED} to continue.")
    else:
        facts = _vector_facts(path, json)
    found: Findings | None = facts.pop("diagnosis", None)
    if json:
        print_json(facts if found is None else {**facts, "diagnosis": found.to_json()})
        return
    print_table(("", ""), list(_lines(facts)))
    if found is not None and (paragraph := found.paragraph()):
        print(f"\n{printable(paragraph)}")


def _entries(path: Path) -> list[dict[str, Any]]:
    """What seqlab wrote into a folder, each with what it is and how good, as far as a list has room."""
    from seqlab.base.errors import SeqlabError
    from seqlab.base.kinds import DESCRIPTIONS, kind_of
    from seqlab.text import Corpus

    found: list[dict[str, Any]] = []
    kind: str
    for place in sorted(path.iterdir()):
        try:
            kind = kind_of(place)
            if kind == "run":
                what, best = _run_in_short(place)
            elif kind == "autoencoder":
                what, best = _autoencoder_in_short(place)
            elif kind == "corpus":
                summary = Corpus.open(place).summary
                what, best = f"{summary['tokenizer']}, {summary['tokens']:,} tokens, {summary['types']:,} types", ""
            elif kind in ("vectors", "unfinished vectors"):
                what, best = DESCRIPTIONS[kind].removeprefix("a folder of "), ""
            else:
                continue
        except (SeqlabError, LookupError, TypeError) as error:
            kind, what, best = "damaged", str(error), ""
        found.append({"name": place.name, "kind": kind, "what": what, "best": best})
    return found


def _diagnosis_of_vectors(path: Path) -> Findings | None:
    """What the losses of their training mean, None where it wrote none."""
    from seqlab.diagnosis import diagnose_vectors, passes_of
    from seqlab.embeddings.training.state import read_metrics

    return diagnose_vectors(*passes_of(lines)) if (lines := read_metrics(path)) else None


def _run_in_short(path: Path) -> tuple[str, str]:
    """Cells and steps of a run, and its best validation perplexity."""
    load_torch()
    from seqlab.run import Run

    run = Run.open(path)
    model, best = run.config.model, run.history.best_perplexity
    steps = run.history.last.get("step", 0)
    what = f"{model.layers}x{model.hidden_dim} {model.cell}, {run.tokenizer.kind}, {steps:,} steps"
    return what, "" if best is None else f"perplexity {best:,.4g}"


def _autoencoder_in_short(path: Path) -> tuple[str, str]:
    """Kind and size of an autoencoder, and its best validation."""
    facts = _autoencoder_facts(path)
    settings = facts["config"]["autoencoder"]
    best = facts.get("valid", {})
    nats = best["reconstruction"] + best.get("kl", 0.0) if best else None
    return (
        f"{settings['kind']}, {settings['latent_dim']} dimensions",
        "" if nats is None else f"{nats:,.4g} nats a line",
    )


def _autoencoder_facts(path: Path) -> dict[str, Any]:
    load_torch()
    from seqlab.autoencoders.run import AutoencoderRun

    run = AutoencoderRun.open(path)
    values = (run.load_state() or ({}, {}))[1]
    scores = run.scores
    return {
        "kind": run.record["kind"],
        "finished": bool(values and values["position"]["finished"]),
        **_progress(run, values),
        "parameters": run.parameters,
        **({} if scores is None else {"valid": scores.to_json(), "diagnosis": run.diagnosis}),
        "config": run.config.model_dump(),
    }


def _run_facts(path: Path, measure: bool) -> dict[str, Any]:
    load_torch()
    from seqlab.run import Run
    from seqlab.training.watch import costs

    run = Run.open(path)
    arrays, values = run.load_state() or ({}, {})
    model = run.blueprint()
    parts, flops = costs.flops_by_part(model), costs.flops_per_token(model)
    parameters = model.parameter_counts()
    facts: dict[str, Any] = {
        "kind": run.record["kind"],
        "finished": bool(run.compressed or (values and values["position"]["finished"])),
        **({"compressed": run.compressed} if run.compressed else {}),
        **_progress(run, values),
        "parameters": {**parameters, "total": sum(parameters.values())},
        "memory": costs.memory(run, arrays),
        "flops_per_token": {
            "training": {**{name: part.training for name, part in parts.items()}, "total": flops.training},
            "evaluation": {**{name: part.evaluation for name, part in parts.items()}, "total": flops.evaluation},
        },
    }
    if measure:
        from seqlab.training.watch.profile import measure as measured

        facts["measured"] = measured(run, values.get("threads"))
    return facts | {
        "diagnosis": run.diagnosis if run.metrics() else None,
        "vocab_size": run.record["vocab_size"],
        "tokenizer": run.tokenizer.kind,
        "config": run.record["config"],
        "corpus": {name: value for name, value in run.record["corpus"].items() if name != "lead_ins"},
        "seqlab": run.record["seqlab"],
    }


def _progress(run: AnyRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """How far training came, from its last line of metrics, and how well and how fast it went."""
    from statistics import median

    metrics = run.metrics()
    if not metrics:
        return {}
    validations = [line["valid_loss"] for line in metrics if "valid_loss" in line]
    last = metrics[-1]
    return {
        "steps": last["step"],
        "tokens": last["tokens"],
        "seconds": last["seconds"],
        "threads": values.get("threads"),
        "processes": values.get("processes"),
        "best_valid_loss": min(validations, default=None),
        "tokens_per_second": median(line["tokens_per_second"] for line in metrics),
    }


def _vector_facts(path: Path, json: bool) -> dict[str, Any]:
    from seqlab.opening import open_vectors

    vectors = open_vectors(path)
    words = "words" if json else f"{vectors.noun}s"
    facts: dict[str, Any] = {
        "kind": "vectors",
        "diagnosis": _diagnosis_of_vectors(path) if path.is_dir() else None,
        words: len(vectors),
        "dim": vectors.dim,
        "parameters": vectors.stored.size,
        "matrix_bytes": vectors.stored.nbytes,
        "most_frequent": vectors.words[:10],
    }
    if vectors.subwords is not None:
        grams = vectors.subwords
        facts["parameters"] += grams.matrix.size
        facts["matrix_bytes"] += grams.matrix.nbytes
        facts["ngrams"] = {"buckets": grams.buckets, "shortest": grams.shortest, "longest": grams.longest}
    return facts | {key: value for key, value in (vectors.meta or {}).items() if key != "kind"}


def _unfinished_facts(path: Path) -> dict[str, Any]:
    from seqlab.embeddings.training.state import load_state

    state = load_state(path)
    assert state is not None
    arrays, position, origin = state
    held_out = [loss for loss in position.held_out if loss is not None]
    last = position.lines[-1] if position.lines else {}
    return {
        "kind": "vectors",
        "finished": False,
        "diagnosis": _diagnosis_of_vectors(path),
        "epochs_begun": len(position.losses),
        "tokens": last.get("tokens"),
        "seconds": position.seconds,
        "loss": position.means[-1] if position.losses else None,
        "held_out_loss": held_out[-1] if held_out else None,
        "matrices": {name: list(array.shape) for name, array in arrays.items() if array.ndim == 2},
        "settings": origin.settings,
    }


def _lines(facts: Mapping[str, Any], prefix: str = "", unit: str = "") -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{key}.", _unit(key, unit))
        else:
            lines.append((prefix + key, _shown(value, _unit(key, unit))))
    return lines


def _unit(key: str, inherited: str) -> str:
    return "%" if key in SHARES else UNITS.get(key, inherited)


def _shown(value: Any, unit: str) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if unit == "%":
        return f"{value:.1%}"
    return quantity(value, unit) if unit else value


def quantity(value: float, unit: str) -> str:
    """`value` with three digits and a decimal prefix: 1.23 MB."""
    for prefix in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000
    return f"{value:,.3g} T{unit}"
