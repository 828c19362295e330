"""What adapting to the text gains and costs, for a run trained on WikiText-2. One JSON object on stdout.

    python -m benchmarks.models.adaptation RUN  static, dynamic (rms and sgd), mixtures: of the network alone
    python -m benchmarks.models.adaptation RUN --caches  the cache of recent tokens beside network and counts, and what
                                                         each of its three factors is worth; of any run
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
from seqlab.evaluation.tuning import CACHE_TOKENS
from seqlab.models.counts.gate import mix
from seqlab.models.counts.mixture import fit_weights, interpolate
from seqlab.models.interpolated import Members
from seqlab.models.recent.cache import Cache, CacheTrial, search
from seqlab.run import Run
from seqlab.text import TokenFile

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


FACTORS = {
    "likeness": {"decay": 1.0, "match": 1.0},
    "recency": {"theta": 0.0, "match": 1.0},
    "context": {"theta": 0.0, "decay": 1.0},
    "recency, context": {"theta": 0.0},
    "likeness, recency": {"match": 1.0},
    "likeness, recency, context": {},
}
"""Factors of a vote, and how the others are switched off."""


def caches(run: Run, most: int | None) -> dict[str, dict[str, Any]]:
    """Perplexity of held-out text with caches of some factors, fitted to the start of the validation text: of the test
    text, or where there is none of the second half of the validation text."""
    corpus, members = run_corpus(run), run.load_members()
    assert corpus.valid is not None
    scorer, half = Scorer(members, run.tokenizer.start_id), len(corpus.valid) // 2
    first = first_tokens(corpus.valid, min(CACHE_TOKENS, len(corpus.valid) if corpus.test else half))
    rest = corpus.test or TokenFile.of(corpus.valid[half:])
    valid, (test, seconds) = scorer.read(first, True), timed(scorer.read, first_tokens(rest, most))
    found = {"without": {"perplexity": perplexity(test.log_p_N), "scoring [s]": seconds, "tokens": len(test.tokens)}}
    valid_ND, test_ND = valid.hidden_ND.float(), test.hidden_ND.float()
    valid_ids_N, test_ids_N = (text.tokens[:].astype(np.int64) for text in (valid, test))
    size = members.network.vocab_size
    unit = 1.0 / float(valid_ND.double().square().sum(1).mean())
    for name, without in FACTORS.items():
        best = search(valid.log_p_N, valid_ND, valid_ids_N, size, given=without)
        reading = CacheTrial.of(best, valid_ND, valid_ids_N, size)
        gate = reading.gate(valid.log_p_N, valid_ND, np.ones(len(valid_ids_N), bool))
        (cache_N, odds_N), seconds = timed(Cache(best, gate).score, test_ND, test_ids_N, size, True)
        pair_N2 = np.stack([valid.log_p_N, reading.cache_N], axis=1)
        one_weight_N = interpolate(np.stack([test.log_p_N, cache_N], axis=1), fit_weights(pair_N2))
        found[name] = {
            "perplexity": perplexity(mix(test.log_p_N, cache_N, odds_N)),
            "change [%]": round(100 * math.expm1((test.log_p_N - mix(test.log_p_N, cache_N, odds_N)).mean()), 1),
            "one weight for all": perplexity(one_weight_N),
            "scoring [s]": seconds,
            "theta": round(best.theta / unit, 2),
            "decay": best.decay,
            "match": best.match,
        }
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--tokens", type=int, help="of the test text; default: all")
    parser.add_argument("--caches", action="store_true")
    parser.add_argument("--ensemble", type=Path, nargs="*", default=[], help="other runs of the same corpus")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these rows; default: all")
    rows.add_option(parser)
    options = parser.parse_args()
    run = Run.open(options.run)
    if options.caches:
        table = caches(run, options.tokens)
        rows.record(options.rows, table, "without")
        print(json.dumps(table))
        return
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
        ["static", *ensembles],
        ["static", "dynamic-rms", *ensembles],
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
