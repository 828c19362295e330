"""What adapting to the text gains and costs on WikiText-2, for a run trained on it. One JSON object on stdout.

    python -m benchmarks.models.adaptation RUN  static, dynamic (rms and sgd), cache, counts, mixtures
    python -m benchmarks.models.adaptation RUN --tokens 50000  on the start of the test text only
    python -m benchmarks.models.adaptation RUN --ensemble OTHER --only ensemble

Perplexities are of the test split; all that is tuned is tuned on the start of the validation split. Seconds are wall
time with the threads torch has, of tuning and of scoring apart. Set OMP_NUM_THREADS=1 beside other work.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqlab.evaluation import Adaptation, Addition, ScoredText, Scorer, run_corpus
from seqlab.evaluation.evaluator import TUNING_TOKENS
from seqlab.evaluation.exact import first_tokens
from seqlab.models.counts.mixture import fit_weights, interpolate
from seqlab.models.interpolated import Members
from seqlab.run import Run

from .. import rows


def perplexity(log_p_N: np.ndarray) -> float:
    return round(math.exp(-log_p_N.mean()), 2)


def timed(work: Any, *arguments: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work(*arguments)
    return result, round(time.perf_counter() - started, 1)


def measure(part: Addition, valid: ScoredText, test: ScoredText) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Log-probabilities of both texts by a part alone, and its row."""
    tuned, tuning = timed(part.tune, valid)
    test_N, scoring = timed(part.log_probs, test)
    valid_N = part.log_probs(valid)
    row = {"tuned": tuned, "seconds": {"tuning": tuning, "scoring": scoring}}
    found_N = test_N
    if not part.alone:
        weights = fit_weights(np.stack([valid.log_p_N, valid_N], axis=1))
        found_N = interpolate(np.stack([test.log_p_N, test_N], axis=1), weights)
        row["weight"] = round(float(weights[1]), 4)
    change = 100 * (perplexity(found_N) / perplexity(test.log_p_N) - 1)
    return valid_N, test_N, {"perplexity": perplexity(found_N), "change": round(change, 1), **row}


def mixed(columns: dict[str, tuple[np.ndarray, np.ndarray]], names: list[str]) -> dict[str, Any]:
    """A mixture of some rows, with the weights of the validation text."""
    valid_NP, test_NP = (np.stack([columns[name][text] for name in names], axis=1) for text in (0, 1))
    weights = fit_weights(valid_NP)
    return {
        "perplexity": perplexity(interpolate(test_NP, weights)),
        "weights": {name: round(weight, 4) for name, weight in zip(names, weights.tolist(), strict=True)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--tokens", type=int, help="of the test text; default: all")
    parser.add_argument("--cache", type=int, default=2000)
    parser.add_argument("--ensemble", type=Path, nargs="*", default=[], help="other runs of the same corpus")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these rows; default: all")
    rows.add_option(parser)
    options = parser.parse_args()
    run = Run.open(options.run)
    corpus, network = run_corpus(run), Scorer(Members(run.load_model()), run.tokenizer.start_id)
    if corpus.valid is None or corpus.test is None:
        parser.error("the corpus of the run has no validation and test splits")
    valid = network.read(first_tokens(corpus.valid, TUNING_TOKENS))
    test, seconds = timed(network.read, first_tokens(corpus.test, options.tokens))
    result: dict[str, Any] = {
        "benchmark": "adaptation",
        "threads": torch.get_num_threads(),
        "tokens": {"valid": len(valid.tokens), "test": len(test.tokens)},
        "static": {"perplexity": perplexity(test.log_p_N), "seconds": {"scoring": seconds}},
    }
    columns = {"static": (valid.log_p_N, test.log_p_N)}
    chosen = {
        "dynamic-rms": Adaptation(dynamic="rms"),
        "dynamic-sgd": Adaptation(dynamic="sgd"),
        "cache": Adaptation(cache=options.cache),
        **{f"ensemble {path}": Adaptation(ensemble=[path]) for path in options.ensemble},
    }
    if options.only is not None:
        chosen = {name: adaptation for name, adaptation in chosen.items() if name.split()[0] in options.only}
    for name, adaptation in chosen.items():
        (part,) = adaptation.additions(run, network)
        valid_N, test_N, result[name] = measure(part, valid, test)
        columns[name] = (valid_N, test_N)
        print(f"{name}: {result[name]}", file=sys.stderr, flush=True)
    ensembles = [name for name in columns if name.startswith("ensemble ")]
    for names in (
        ["dynamic-rms", "cache"],
        ["static", *ensembles],
        ["static", "dynamic-rms", "cache"],
        ["static", "dynamic-rms", "cache", *ensembles],
        list(columns),
    ):
        if len(names) > 1 and columns.keys() >= set(names):
            result[" + ".join(names)] = mixed(columns, names)
    lines = {
        name: {"test perplexity": one["perplexity"], "change [%]": one.get("change")}
        for name, one in result.items()
        if isinstance(one, dict) and "perplexity" in one
    }
    rows.record(options.rows, lines, "static")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
