"""`seqlab evaluate`: a language model on a text, or word vectors on questions and human similarity scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonFlag, print_json, print_table
from .neighbors import open_vectors


def evaluate(
    path: Annotated[Path, typer.Argument(help="A language-model run, or word vectors.")],
    text: Annotated[list[str] | None, typer.Option(help="Text to score a language model on; repeatable.")] = None,
    questions: Annotated[list[Path] | None, typer.Option(help="Analogy questions; repeatable.")] = None,
    similarity: Annotated[list[Path] | None, typer.Option(help="Human similarity scores; repeatable.")] = None,
    top: Annotated[int, typer.Option(help="Vectors: keep the most frequent words only; 0 keeps all.")] = 30_000,
    method: Annotated[str, typer.Option(help="Vectors: add (3CosAdd) or mul (3CosMul).")] = "add",
    json: JsonFlag = False,
) -> None:
    """Score a language model on a text (exact softmax, every token once), or word vectors on test sets.

    Example: seqlab evaluate runs/book --text chapter.txt
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
    path: Path, questions: list[Path], similarity: list[Path], top: int, method: str, json: bool
) -> None:
    from seqlab.embeddings import evaluate_vectors

    result = evaluate_vectors(open_vectors(path), questions, similarity, method=method, top=top)
    if json:
        print_json(result)
        return
    analogies = result["analogies"]
    if analogies:
        print(
            f"analogies: {_percent(analogies['accuracy'])} of {analogies['covered']:,} questions right "
            f"(semantic {_percent(analogies['semantic'])}, syntactic {_percent(analogies['syntactic'])}); "
            f"{analogies['method']}, vocabulary {analogies['vocabulary']:,}, "
            f"{analogies['covered']:,} of {analogies['questions']:,} questions covered"
        )
        print_table(
            ("section", "questions", "covered", "accuracy %"),
            [(s["name"], s["questions"], s["covered"], s["accuracy"]) for s in analogies["sections"]],
        )
    if result["similarity"]:
        print_table(
            ("similarity", "pairs", "covered", "Spearman"),
            [(s["name"], s["pairs"], s["covered"], s["spearman"]) for s in result["similarity"]],
        )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"
