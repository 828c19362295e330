"""`seqlab info`: what a run, a corpus or vectors are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import JsonFlag, print_json, print_table


def info(
    path: Annotated[Path, typer.Argument(help="A run folder, word vectors, or a prepared corpus.")],
    json: JsonFlag = False,
) -> None:
    """Say what a folder or file holds: sizes, settings, scores.

    Example: seqlab info runs/book
    """
    from seqlab.run import is_run
    from seqlab.text import Corpus

    if is_run(path):
        facts = _run_facts(path)
    elif Corpus.is_corpus(path):
        facts = {"kind": "corpus", **Corpus.open(path).summary}
    else:
        facts = _vector_facts(path)
    if json:
        print_json(facts)
    else:
        print_table(("", ""), [(key, value) for key, value in _lines(facts)])


def _run_facts(path: Path) -> dict[str, Any]:
    from seqlab.run import Run

    run = Run.open(path)
    metrics = run.metrics()
    saved = run.load_state()
    validations = [line["valid_loss"] for line in metrics if "valid_loss" in line]
    facts: dict[str, Any] = {
        "kind": run.record["kind"],
        "finished": bool(saved and saved[1]["position"]["finished"]),
    }
    if metrics:
        last = metrics[-1]
        facts |= {"steps": last["step"], "tokens": last["tokens"], "seconds": last["seconds"]}
        facts["best_valid_loss"] = min(validations) if validations else None
        facts["tokens_per_second"] = sorted(line["tokens_per_second"] for line in metrics)[len(metrics) // 2]
    if validations:
        facts["parameters"] = run.load_model().parameter_counts()
    return facts | {
        "vocab_size": run.record["vocab_size"],
        "tokenizer": run.tokenizer.kind,
        "config": run.record["config"],
        "corpus": run.record["corpus"],
        "seqlab": run.record["seqlab"],
    }


def _vector_facts(path: Path) -> dict[str, Any]:
    from seqlab.api import load_vectors

    vectors = load_vectors(path)
    return {
        "kind": "vectors",
        "words": len(vectors),
        "dim": vectors.matrix.shape[1],
        "parameters": vectors.matrix.size,
        "most_frequent": vectors.words[:10],
        **(vectors.meta or {}),
    }


def _lines(facts: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{key}.")
        else:
            lines.append((prefix + key, " ".join(map(str, value)) if isinstance(value, list) else value))
    return lines
