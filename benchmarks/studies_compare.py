"""What the intervals of `seqlab compare` are worth.

`coverage`: two runs read a long text, whose mean difference is then known; of 300 stretches drawn from it, and of 300
texts of 60 short stretches each as documents, how many have that mean in their interval: with blocks that drift, as
`seqlab compare` has it, with blocks without drift, and as if tokens were independent. A text of N tokens has N / n
independent stretches of n only, so figures of long stretches are rough.

`seeds`: runs that differ in nothing but their seed, dealt out to two groups again and again; how often the interval
over text, and the one over text and seeds, claims a difference between configurations that are the same.

`reading`: processor time of a text read with ranks, against the same text read without, in turn: a word model of
33,278 types with random weights, alone and with counts.

    OMP_NUM_THREADS=1 python -m benchmarks.studies_compare coverage --rows compare/coverage
    OMP_NUM_THREADS=1 python -m benchmarks.studies_compare seeds --rows compare/seeds
    OMP_NUM_THREADS=1 python -m benchmarks.studies_compare reading --rows compare/reading
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

import seqlab
from seqlab.evaluation import Scorer
from seqlab.models.counts.choice import count_text
from seqlab.models.counts.gate import Gate
from seqlab.models.interpolated import Members
from seqlab.studies.compare.pairs import of_seeds
from seqlab.studies.compare.reading import read_model
from seqlab.studies.compare.statistics import MEMORY, Estimate, estimate
from seqlab.text import TokenFile, tokenize

from .models.generating import network, seconds
from .models.together import corpus_of
from .rows import add_option, data, record

DRAWS = 300
CHARS = {"tokenizer": "char", "steps": 600, "batch_size": 16, "bptt": 64, "hidden_dim": 96, "counts": "no", "layers": 1}
WORDS = {**CHARS, "tokenizer": "word", "vocab_size": 5_000, "steps": 500, "bptt": 32, "counts": "yes"}
PAIRS = {
    "characters of articles": ("text8like", CHARS, {"hidden_dim": 128}),
    "words of articles, network and counts": ("wikitext-2", WORDS, {"hidden_dim": 128}),
    "characters of plays": ("tinyshakespeare", CHARS, {"hidden_dim": 128}),
    "characters of plays, another seed": ("tinyshakespeare", CHARS, {"seed": 2}),
}
"""Name -> text, settings of the first run, what the second has otherwise."""


def texts(name: str, folder: Path) -> tuple[Path, Path]:
    """A text to train on and a long one to read, from one source."""
    train, read = folder / f"{name}-train.txt", folder / f"{name}-read.txt"
    if name == "text8like":
        with gzip.open(data(name, "text8like.gz"), "rt", encoding="utf-8") as handle:
            train.write_text(handle.read(2_000_000), "utf-8")
            handle.read(10_000_000)
            read.write_text(handle.read(1_500_000), "utf-8")
    elif name == "wikitext-2":
        lines = data(name, "train.txt").read_text("utf-8").splitlines(keepends=True)
        train.write_text("".join(lines[: len(lines) // 3]), "utf-8")
        read.write_text("".join(lines[len(lines) // 3 : len(lines) // 3 + 9_000]), "utf-8")
    else:
        text = data(name, "input.txt").read_text("utf-8")
        train.write_text(text[:500_000], "utf-8")
        read.write_text(text[500_000:], "utf-8")
    return train, read


def differences(name: str, folder: Path) -> np.ndarray:
    """What every token of a long text costs the second run more than the first, in nats."""
    source, first, changed = PAIRS[name]
    train, read = texts(source, folder)
    log_p = []
    for settings in (first, {**first, **changed}):
        lm = seqlab.train_language_model(train, quiet=True, **settings)
        tokens = tokenize(read, lm.tokenizer, lm.run.text_settings)
        log_p.append(Scorer(lm.members, lm.tokenizer.start_id).read(tokens, keep_hidden=False).log_p_N)
    return log_p[0] - log_p[1]


def share(found: list[Estimate], truth: float, naive: bool = False) -> float:
    """In how many intervals the truth lies, in percent."""
    spans = [one.naive if naive else one.interval for one in found]
    return 100 * float(np.mean([low <= truth <= high for low, high in spans]))


def coverage(values_N: np.ndarray, length: int) -> dict[str, float | None]:
    """How often intervals of stretches of a text have its mean in them."""
    truth, starts = float(values_N.mean()), np.random.default_rng(1).integers(0, len(values_N) - length, DRAWS)
    drawn = [values_N[start : start + length] for start in starts]
    found, plain = ([estimate(one, memory=memory) for one in drawn] for memory in (MEMORY, 0.0))
    return {
        "true mean in the interval [%]": share(found, truth),
        "blocks without drift [%]": share(plain, truth),
        "tokens as if independent [%]": share(found, truth, naive=True),
        "independent tokens make it too short, times, median": float(np.median([one.too_short for one in found])),
        "independent stretches in the text": len(values_N) / length,
    }


def of_documents(values_N: np.ndarray, count: int, length: int) -> dict[str, float | None]:
    """The same of texts of stretches drawn here and there, each a document."""
    truth, rng, found = float(values_N.mean()), np.random.default_rng(2), []
    borders = np.arange(count) * length
    for _ in range(DRAWS):
        starts = rng.integers(0, len(values_N) - length, count)
        text = np.concatenate([values_N[start : start + length] for start in starts])
        found.append(estimate(text, documents=borders, memory=MEMORY))
    return {
        "true mean in the interval [%]": share(found, truth),
        "tokens as if independent [%]": share(found, truth, naive=True),
        "independent tokens make it too short, times, median": float(np.median([one.too_short for one in found])),
    }


def run_coverage(rows: str | None) -> None:
    lines: dict[str, dict[str, float | None]] = {}
    with tempfile.TemporaryDirectory() as name:
        for pair in PAIRS:
            values_N = differences(pair, Path(name))
            for length in (2_000, 8_000, 24_000):
                if len(values_N) >= 24 * length:
                    lines[f"{pair}, stretches of {length:,}"] = coverage(values_N, length)
            lines[f"{pair}, 60 documents of 1,000"] = of_documents(values_N, 60, 1_000)
            print(*list(lines.items())[-4:], sep="\n", flush=True)
    record(
        rows, lines, note=f"{DRAWS} texts drawn from one, of which every token's difference between two runs is known"
    )


SEEDS, GROUP = 8, 3
SMALL = {**CHARS, "steps": 150, "hidden_dim": 64}


def run_seeds(rows: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        train, read = texts("tinyshakespeare", Path(name))
        read.write_text(read.read_text("utf-8")[:60_000], "utf-8")
        readings = []
        for seed in range(1, SEEDS + 1):
            lm = seqlab.train_language_model(train, Path(name) / str(seed), quiet=True, **{**SMALL, "seed": seed})
            readings.append(read_model(lm, read, None, True))
            print(seed, readings[-1].nats, flush=True)
    text, both, factors = [], [], []
    for a in itertools.combinations(range(SEEDS), GROUP):
        rest = [one for one in range(SEEDS) if one not in a]
        for b in itertools.combinations(rest, GROUP):
            means = [np.mean([readings[one].log_p_N for one in group], axis=0) for group in (a, b)]
            found = estimate(means[0] - means[1], memory=MEMORY)
            assert found is not None
            seeds = of_seeds([readings[one].nats for one in a], [readings[one].nats for one in b], found)
            assert seeds is not None
            text.append(found.certain)
            both.append(not seeds.both[0] <= 0 <= seeds.both[1])
            factors.append(seeds.error / found.error)
    spread = float(np.std([one.nats for one in readings], ddof=1))
    line = f"{GROUP} runs against {GROUP} of the same configuration"
    figures: dict[str, float | None] = {
        "claims a difference, over text and seeds [%]": 100 * float(np.mean(both)),
        "claims a difference, over text alone [%]": 100 * float(np.mean(text)),
        "standard error of seeds, times that of text, median": float(np.median(factors)),
        "standard deviation between seeds [nats per token]": spread,
    }
    print(line, figures)
    note = (
        f"{SEEDS} seeds, {SMALL['steps']} steps each, every way to deal two groups; 60,000 characters; 5 % are allowed"
    )
    record(rows, {line: figures}, note=note)


READ, ROUNDS = 10_000, 5


def run_reading(rows: str | None) -> None:
    torch.set_num_threads(1)
    corpus = corpus_of("wikitext-2")
    assert corpus.valid is not None
    tokens, start_id = TokenFile.of(corpus.valid[:READ]), corpus.tokenizer.start_id
    counts = count_text(corpus.train, len(corpus.tokenizer.vocab), start_id)
    lines: dict[str, dict[str, float | None]] = {}
    alone = network(200, 2, counts.vocab_size)
    gate = Gate(np.zeros(counts.kinds, np.float32), np.zeros(alone.output.width, np.float32))
    for name, members in {"network": Members(alone), "network and counts": Members(alone, counts, gate)}.items():
        scorer = Scorer(members, start_id)
        ways = {"read": partial(scorer.read, tokens), "read with ranks": partial(scorer.read_ranked, tokens)}
        medians = seconds(ways, READ, ROUNDS)
        for way, each in medians.items():
            lines[f"{name}, {way}"] = {
                "processor time a token [us]": 1e6 * each,
                "times reading": each / medians["read"],
            }
            print(name, way, lines[f"{name}, {way}"], flush=True)
    record(rows, lines, note=f"{READ:,} tokens of WikiText-2, one thread")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["coverage", "seeds", "reading"])
    add_option(parser)
    options = parser.parse_args()
    {"coverage": run_coverage, "seeds": run_seeds, "reading": run_reading}[options.study](options.rows)
