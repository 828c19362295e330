"""How far a validation figure from a sample of a text is from that of all of it, with and without the counts' help.

    python -m benchmarks.counts.samples NAME=RUN ... [--rows counts/samples]

The runs are trained ones with counts. Samples are stretches at random places, one in each equal part of the validation
text; the standard deviation is over many of them. All have one gate, the run's own, so that only the sample varies.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import seqlab
from seqlab.evaluation import Scorer
from seqlab.evaluation.estimates import Yardstick, estimate
from seqlab.text import Corpus

from .. import rows

TOKENS, SAMPLES = (2_000, 4_000, 16_000), 300
STRETCHES, SHORTEST = 128, 64


def places(count: int, tokens: int, rng: np.random.Generator) -> np.ndarray:
    """Where the `tokens` of a sample of a text of `count` are."""
    stretches = max(1, min(STRETCHES, tokens // SHORTEST))
    length, part = tokens // stretches, count // stretches
    starts = np.arange(stretches) * part + rng.integers(0, max(1, part - length), stretches)
    return np.add.outer(starts, np.arange(length)).ravel()


def deviations(run: seqlab.TrainedLanguageModel, tokens: int) -> dict[str, float | None]:
    """Standard deviations of the estimates, in nats per token; and how often the 95 % interval has the truth."""
    corpus, members = Corpus.open(run.run.record["corpus"]["path"]), run.run.load_members()
    assert corpus.valid is not None
    assert members.counts is not None
    text, rng = corpus.valid, np.random.default_rng(1)
    shares = Scorer(members, corpus.tokenizer.start_id).read(text).shares
    assert shares is not None
    assert shares.counts_N is not None
    models = {"both": shares.mixed_with(shares.network_N), "network": shares.network_N}
    yardstick, errors = Yardstick(members.counts, text), dict[str, list[float]]()
    inside = []
    for _ in range(SAMPLES):
        chosen = places(len(text), tokens, rng)
        counts_N = shares.counts_N[chosen]
        for name, log_p_N in models.items():
            truth, sample_N = -float(log_p_N.mean()), log_p_N[chosen]
            found = yardstick.estimate(sample_N, counts_N, text)
            errors.setdefault(f"{name}, corrected [nats]", []).append(found.nats - truth)
            errors.setdefault(f"{name}, mean of the sample [nats]", []).append(estimate(sample_N, text).nats - truth)
            if name == "both":
                inside.append(abs(found.nats - truth) <= 1.96 * found.error)
    found_by: dict[str, float | None] = {name: round(float(np.std(values)), 4) for name, values in errors.items()}
    return {**found_by, "truth within the interval [%]": round(100.0 * float(np.mean(inside)), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    rows.add_option(parser)
    options = parser.parse_args()
    found: dict[str, dict[str, float | None]] = {}
    for name, _, path in (one.partition("=") for one in options.runs):
        run = seqlab.load_language_model(Path(path))
        valid = Corpus.open(run.run.record["corpus"]["path"]).valid
        for tokens in (count for count in TOKENS if valid is not None and count < 0.8 * len(valid)):
            line = f"{name}, {tokens:,} of {len(valid or ()):,} tokens"
            found[line] = deviations(run, tokens)
            print(line, found[line], flush=True)
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
