"""`seqlab evaluate`: a language model on a text, or word vectors on questions and human similarity scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import JsonFlag, print_json, print_table, printable
from .neighbors import open_vectors

METHODS = {"add": "3CosAdd", "mul": "3CosMul"}


def evaluate(
    path: Annotated[Path, typer.Argument(help="A language-model run, or word vectors.")],
    text: Annotated[list[str] | None, typer.Option(help="Text to score a language model on; repeatable.")] = None,
    questions: Annotated[
        list[str] | None,
        typer.Option(help="Analogies: 'english', 'python-docs', or a file of questions or word pairs; repeatable."),
    ] = None,
    similarity: Annotated[list[Path] | None, typer.Option(help="Human similarity scores; repeatable.")] = None,
    top: Annotated[
        int, typer.Option(min=0, help="Analogies: sought among the so many most frequent words; 0 takes all.")
    ] = 30_000,
    method: Annotated[str, typer.Option(help="Analogies: add (3CosAdd) or mul (3CosMul).")] = "add",
    json: JsonFlag = False,
) -> None:
    """Score a language model on a text (exact softmax, every token once), or word vectors on test sets.

    Example: seqlab evaluate runs/book --text chapter.txt

    Example: seqlab evaluate vectors --questions english
    """
    from seqlab.errors import InputError

    if bool(text) == bool(questions or similarity):
        raise InputError("give --text F for a language model, or --questions F and --similarity F for word vectors.")
    if text:
        _evaluate_run(path, text, json)
    else:
        _evaluate_vectors(path, questions or [], similarity or [], top, method, json)


def _evaluate_run(path: Path, texts: list[str], json: bool) -> None:
    from seqlab.api import load_language_model

    model = load_language_model(path)
    results = {text: model.evaluate(text, quiet=json) for text in texts}
    if json:
        print_json(results[texts[0]] if len(texts) == 1 else results)
        return
    for text, scores in results.items():
        if len(results) > 1:
            print(f"{text}:")
        print_table(("", ""), [(name.replace("_", " "), value) for name, value in scores.items()])


def _evaluate_vectors(
    path: Path, questions: list[str], similarity: list[Path], top: int, method: str, json: bool
) -> None:
    from seqlab.embeddings import evaluate_vectors

    result = evaluate_vectors(open_vectors(path), questions, similarity, method=method, top=top)
    if json:
        print_json(result)
        return
    if result["analogies"]:
        _print_analogies(result["analogies"])
    if result["analogies"] and result["similarity"]:
        print()
    if result["similarity"]:
        _print_similarity(result["similarity"])


def _print_analogies(found: dict[str, Any]) -> None:
    name, words = METHODS[found["method"]], f"the {found['vocabulary']:,} most frequent words"
    if found["covered"]:
        print(
            f"analogies: {_percent(found['accuracy'])} of {found['covered']:,} questions right "
            f"(95 % interval {_span(found['interval'], '.1f')}), "
            f"semantic {_percent(found['semantic'])}, syntactic {_percent(found['syntactic'])}"
        )
    else:
        print(f"analogies: none of the {found['questions']:,} questions has its four words among {words}.")
    print(
        f"protocol: {', '.join(map(printable, found['sets']))}; {name} among {words}, case folded; "
        f"{found['covered']:,} of {found['questions']:,} questions have all their words there; "
        "intervals are Wilson's, questions taken as independent"
    )
    print_table(
        ("section", "kind", "questions", "covered", "accuracy %", "95 % interval"),
        [
            (s["name"], s["kind"], s["questions"], s["covered"], s["accuracy"], _span(s["interval"], ".1f"))
            for s in found["sections"]
        ],
    )


def _print_similarity(found: list[dict[str, Any]]) -> None:
    for scores in found:
        if scores["spearman"] is None:
            print(
                f"similarity: {printable(scores['name'])}: {scores['covered']:,} of {scores['pairs']:,} pairs "
                "have both words here, and no correlation can be computed from them."
            )
    print(
        f"protocol: cosine against human scores among all {found[0]['vocabulary']:,} words, case folded; intervals by "
        f"bootstrap, {found[0]['resamples']:,} draws of the pairs, seed {found[0]['seed']}"
    )
    print_table(
        ("similarity", "pairs", "covered", "Spearman", "95 % interval"),
        [(s["name"], s["pairs"], s["covered"], s["spearman"], _span(s["interval"], ".3f")) for s in found],
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _span(interval: list[float] | None, form: str) -> str:
    return "-" if interval is None else f"{interval[0]:{form}} to {interval[1]:{form}}"
