"""`seqlab evaluate`: a language model on a text, or word vectors on questions and human similarity scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seqlab.base.printing import printable

from .console import JsonFlag, check_one_stdin, check_run, check_texts, load_torch, print_json, print_table, say
from .flags import (
    FILES,
    PANELS,
    CacheFlag,
    CountsOnlyFlag,
    EncodingOption,
    ErrorsOption,
    FieldOption,
    MethodOption,
    NetworkOnlyFlag,
    QuestionsOption,
    SimilarityOption,
    StoredAs,
    TopOption,
    member_of,
)
from .vectors.neighbors import open_vectors

if TYPE_CHECKING:
    from seqlab.evaluation import Scores

METHODS = {"add": "3CosAdd", "mul": "3CosMul"}


def evaluate(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN|VECTORS ...", help="Language-model runs, or vectors.")],
    text: Annotated[
        list[str] | None,
        typer.Option(help="Text to score a language model on; repeatable.", rich_help_panel=FILES),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Or: valid or test, a split of the corpus the run was trained on.", rich_help_panel=FILES),
    ] = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic",
            help="Keep learning from the text as it is scored. Usual with models that were trained for long.",
        ),
    ] = False,
    dynamic_rule: Annotated[
        str | None,
        typer.Option(
            help="How --dynamic learns: rms or sgd steps.", show_default="rms", rich_help_panel=PANELS["recipe"]
        ),
    ] = None,
    cache: CacheFlag = False,
    network_only: NetworkOnlyFlag = False,
    counts_only: CountsOnlyFlag = False,
    ensemble: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="Average with this run, of the same tokenizer; repeatable."),
    ] = None,
    valid: Annotated[
        str | None,
        typer.Option(help="Text to tune on; default: the run's validation split.", rich_help_panel=FILES),
    ] = None,
    train_text: Annotated[
        str | None,
        typer.Option(help="Training text of --dynamic; default: the run's.", rich_help_panel=FILES),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Write every token's log-probability, rank and entropy.", rich_help_panel=FILES
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    questions: QuestionsOption = None,
    similarity: SimilarityOption = None,
    top: TopOption = 30_000,
    method: MethodOption = "add",
    json: JsonFlag = False,
) -> None:
    """Score language models on a text (exact softmax, every token once), or word vectors on test sets.

    Example: seqlab evaluate runs/book --text chapter.txt

    Example: seqlab evaluate runs/book --split test --dynamic --cache

    Example: seqlab evaluate vectors --questions english

    Whatever is tuned (rates, weights) is tuned on validation text only; the output says on which, and the
    values found.
    """
    from seqlab.base.errors import InputError, option
    from seqlab.base.kinds import kind_of
    from seqlab.base.storage.outputs import check_file

    check_one_stdin(
        VECTORS=paths, text=text, valid=valid, train_text=train_text, questions=questions, similarity=similarity
    )
    if text and split:
        raise InputError("give either --text F or --split valid|test, not both.")
    if bool(text or split) == bool(questions or similarity):
        raise InputError(
            "give --text F for a language model, or --questions F and --similarity F for word vectors; "
            "--split test takes the text of a run's own corpus."
        )
    reading = StoredAs(field=field, encoding=encoding, errors=errors)
    if any(reading.values()) and not (text or valid or train_text):
        raise InputError("--field, --encoding and --errors say how --text is read; give that too.")
    if questions or similarity:
        if len(paths) > 1:
            raise InputError(f"{paths[1]}: one set of word vectors at a time.")
        _evaluate_vectors(paths[0], questions or [], similarity or [], top, method, json)
        return
    if split not in (None, "valid", "test"):
        raise InputError(f"--split {split}: is valid or test.")
    if tokens and len(paths) * len(text or [split]) > 1:
        raise InputError("--tokens writes the scores of one run on one text; give one of each.")
    if train_text and not (dynamic and dynamic_rule != "sgd"):
        raise InputError(
            "--train-text is the text that --dynamic takes the size of gradients from; give that too, or leave it out."
        )
    if any(kind_of(path) == "autoencoder" for path in paths):
        for_networks = {
            "dynamic": dynamic, "cache": cache, "network_only": network_only, "counts_only": counts_only,
            "ensemble": ensemble, "valid": valid, "train_text": train_text, "tokens": tokens,
        }  # fmt: skip
        if meaningless := next((name for name, value in for_networks.items() if value), None):
            raise InputError(f"{option(meaningless)}: means nothing for an autoencoder; leave it out.")
        _evaluate_lines(paths, text, split, reading, device, json)
        return
    check_texts(*(text or ()), valid, train_text)
    member = member_of(network_only, counts_only, cache)
    _check_rule(dynamic, dynamic_rule)
    for path in (*paths, *(ensemble or ())):
        check_run(path)
    if tokens:
        check_file(tokens)
    adaptation = {
        "dynamic": dynamic_rule or dynamic,
        "ensemble": ensemble or [],
        "seed": seed,
    }
    sources = {"valid": valid, "train_text": train_text}
    results = {
        str(path): _evaluate_run(
            path, device, text, split or "test", sources, adaptation, tokens, json, member, cache, reading
        )
        for path in paths
    }
    _warn_of_few_tuning_tokens(results)
    if json:
        every = {run: {text: one.to_json() for text, one in scores.items()} for run, scores in results.items()}
        plain = {run: next(iter(found.values())) if len(found) == 1 else found for run, found in every.items()}
        print_json(next(iter(plain.values())) if len(plain) == 1 else plain)
        return
    for number, (run, by_text) in enumerate(results.items()):
        for name, scores in by_text.items():
            if len(results) * len(by_text) > 1:
                print(("\n" if number else "") + f"{printable(run)} on {printable(name)}:")
            print(scores.text())
            if scores.caveat:
                say(f"seqlab: {scores.caveat}")
    if tokens:
        say(f"seqlab: wrote {tokens}")


def _check_rule(dynamic: bool, rule: str | None) -> None:
    """Raises InputError for a rule that there is not, or that nothing follows."""
    if rule is None:
        return
    from seqlab.base.errors import InputError, choose
    from seqlab.config import NAMES

    choose("--dynamic-rule", rule, NAMES["dynamic_rules"])
    if not dynamic:
        raise InputError("--dynamic-rule says how --dynamic learns; give --dynamic too, or leave it out.")


def _evaluate_run(
    path: Path,
    device: str,
    texts: list[str] | None,
    split: str,
    sources: dict[str, Any],
    adaptation: dict[str, Any],
    tokens: Path | None,
    quiet: bool,
    member: Literal["network", "counts"] | None,
    cache: bool,
    reading: StoredAs,
) -> dict[str, Scores]:
    """Scores of one run by the name of the text."""
    load_torch()
    from seqlab.api import load_language_model
    from seqlab.evaluation import evaluate_source

    lm = load_language_model(path, device=device)
    lm = lm.reading_as([*(texts or ()), *sources.values()], **reading)
    if member:
        lm = lm.only(member)
    elif cache:
        lm = lm.with_cache(sources["valid"], quiet=quiet)
    evaluator = lm.evaluator(quiet=quiet, **sources, **adaptation)
    if not texts:
        return {split: evaluate_source(lm.run, evaluator, None, split, tokens)}
    return {text: evaluate_source(lm.run, evaluator, text, token_scores=tokens) for text in texts}


def _warn_of_few_tuning_tokens(results: dict[str, dict[str, Scores]]) -> None:
    from seqlab.evaluation.evaluator import FEW_TUNING_TOKENS

    every = [scores.values for by_text in results.values() for scores in by_text.values()]
    tuned_on = [values["tuned_on"] for values in every if "tuned_on" in values]
    for name, tokens in dict.fromkeys((one["text"], one["tokens"]) for one in tuned_on):
        if tokens < FEW_TUNING_TOKENS:
            say(
                f"seqlab: only {tokens:,} tokens were tuned on ({printable(name)}); what they favour may not suit "
                f"other texts, give {FEW_TUNING_TOKENS:,} or more (--valid F)"
            )


def _evaluate_lines(
    paths: list[Path],
    text: list[str] | None,
    split: str | None,
    reading: StoredAs,
    device: str,
    json: bool,
) -> None:
    """Print the scores of autoencoders, which have no per-token scores and nothing to add."""
    from .autoencoders.lines import open_autoencoder

    results = {}
    for path in paths:
        results[str(path)] = open_autoencoder(path, device).evaluate(text or None, split=split, **reading)
    if json:
        every = {name: scores.to_json() for name, scores in results.items()}
        print_json(next(iter(every.values())) if len(every) == 1 else every)
        return
    for name, scores in results.items():
        print_table((printable(name), ""), scores.table().rows)


def _evaluate_vectors(
    path: Path, questions: list[str], similarity: list[Path], top: int, method: Literal["add", "mul"], json: bool
) -> None:
    from seqlab.embeddings import evaluate_vectors

    result = evaluate_vectors(open_vectors(path), questions, similarity, method=method, top=top).to_json()
    if json:
        print_json(result)
        return
    if result["analogies"]:
        _print_analogies(result["analogies"], top)
    if result["analogies"] and result["similarity"]:
        print()
    if result["similarity"]:
        _print_similarity(result["similarity"])


def _print_analogies(found: dict[str, Any], top: int) -> None:
    asked = f" ({top:,} asked)" if top not in (0, found["vocabulary"]) else ""
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
        f"protocol: {', '.join(map(printable, found['sets']))}; {name} among {words}{asked}, case folded; "
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
