"""How far the gate of counts and network may follow the hidden states when it is fitted on so much validation text.

    python -m benchmarks.counts.ridge NAME=RUN ... [--rows counts/ridge]

The runs are trained ones with counts. Each half of a sample of the validation text is scored with the gate of the other
half, as in the report at the end of training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import seqlab
from seqlab.evaluation.exact import evaluating, read_sample
from seqlab.evaluation.tuning import crossed
from seqlab.models.counts import gate
from seqlab.text import Corpus

from .. import rows

TOKENS = (2_500, 5_000, 20_000)
RIDGES = (3.0, 10.0, 30.0, 100.0, 300.0)


def losses(run: seqlab.TrainedLanguageModel, tokens: int) -> dict[str, float]:
    """Nats per token by ridge."""
    corpus, members = Corpus.open(run.run.record["corpus"]["path"]), run.run.load_members()
    assert corpus.valid is not None
    assert members.counts is not None
    with evaluating(members.network):
        places_N, read = read_sample(members.network, corpus.valid, corpus.tokenizer.start_id, tokens, keep_hidden=True)
    counts_N, known_N = members.counts.score_places(corpus.valid, places_N)
    hidden_ND, found = read.hidden_ND.float().numpy(), {}
    for ridge in RIDGES:
        gate.HIDDEN_RIDGE = ridge
        odds_N = crossed(read.log_p_N, counts_N, known_N, hidden_ND, members.counts.kinds)
        found[f"ridge {ridge:g} [nats]"] = round(-float(gate.mix(read.log_p_N, counts_N, odds_N).mean()), 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    rows.add_option(parser)
    options = parser.parse_args()
    found: dict[str, dict[str, float | None]] = {}
    for name, _, path in (one.partition("=") for one in options.runs):
        run = seqlab.load_language_model(Path(path))
        valid = Corpus.open(run.run.record["corpus"]["path"]).valid
        for tokens in (count for count in TOKENS if valid is not None and count <= len(valid)):
            found[f"{name}, {tokens:,} tokens"] = dict(losses(run, tokens))
            print(name, tokens, found[f"{name}, {tokens:,} tokens"], flush=True)
    rows.record(options.rows, found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
