"""Words per second and quality of word vector training, seqlab and gensim alternated in one run; prints JSON.

    python -m benchmarks.vectors.word_vectors text8like.gz
    python -m benchmarks.vectors.word_vectors text8like.gz --epochs 5 --rounds 1 --words 0 \
        --questions questions-words.txt --similarity EN-WS-353-ALL.txt
    python -m benchmarks.vectors.word_vectors text8like.gz --words 1_000_000 --subwords
    python -m benchmarks.vectors.word_vectors text8like.gz --scaling

Both train skip-gram with d=100, window 5, subsampling 1e-4 and min-count 5 on the same words, with two threads unless
told otherwise; gensim reads a corpus file, its fastest way. The training itself is timed, without vocabulary scan and
compilation; words per CPU second count these too, and stay comparable on a machine that is busy with other things.
With --subwords both learn n-grams of 3 to 6 characters as well. --scaling has no peer: it takes seqlab alone through
threads, sizes of text and widths. "share_of_product_rate" is the floating-point work of the three products of every
window over what numpy's float32 matrix product reaches on the same threads.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import FastText, Word2Vec
from threadpoolctl import threadpool_limits

from seqlab.config import EmbeddingsConfig, TextConfig
from seqlab.embeddings import WordVectors, evaluate_vectors, train_embeddings
from seqlab.embeddings.material.words import TrainingText, choose_words
from seqlab.embeddings.training.loop import VectorTrainer
from seqlab.text import Corpus, prepare

from .. import rows

SENTENCE = 1000
"""Words a line of gensim's corpus file: it cuts longer ones off at 10,000."""
PEERS: dict[str, Any] = {"dim": 100, "subwords": False, "min_ngram": 3}
"""What gensim does by default; seqlab's defaults are others."""
SEQLAB = {
    "seqlab skip-gram, negative sampling, K=5": {"loss": "negative-sampling", "samples": 5, "lr": 0.025},
    "seqlab skip-gram, sampled softmax, K=5": {"samples": 5, "lr": 0.025},
    "seqlab skip-gram, sampled softmax, K=15": {},
    "seqlab CBOW, sampled softmax, K=12": {"model": "cbow"},
}
SUBWORDS = {
    "seqlab subwords, negative sampling, K=5": {"subwords": True, "loss": "negative-sampling", "samples": 5},
    "seqlab subwords, sampled softmax, K=5": {"subwords": True, "samples": 5},
    "seqlab subwords, sampled softmax, K=15": {"subwords": True},
    "seqlab subwords, negative sampling, K=5, 2M buckets": {
        "subwords": True,
        "loss": "negative-sampling",
        "samples": 5,
        "buckets": 2_000_000,
    },
    "seqlab subwords, sampled softmax, K=15, 2M buckets": {"subwords": True, "buckets": 2_000_000},
}
SCALES: dict[str, tuple[str, list[Any]]] = {
    "threads": ("workers", [1, 2]),
    "words": ("words", [2_000_000, 4_000_000, 8_000_000, 16_000_000]),
    "width": ("dim", [50, 100, 200, 400]),
}
Contestant = Callable[[], tuple[float, WordVectors]]


def corpus_of(text: Path, folder: Path) -> Corpus:
    config = TextConfig(tokenizer="word", valid_fraction=0.0, min_count=1)
    return prepare(text, folder / f"{text.stem}.corpus", config, for_words=True, quiet=True)


def contestants(text: Path, folder: Path, epochs: int, workers: int, subwords: bool) -> dict[str, Contestant]:
    """Name -> a training that returns words per second and the vectors."""
    peer = "gensim FastText, negative sampling, K=5" if subwords else "gensim skip-gram, negative sampling, K=5"
    found: dict[str, Contestant] = {peer: gensim_of(text, epochs, workers, subwords)}
    corpus = corpus_of(text, folder)

    def seqlab_of(knobs: dict[str, Any]) -> Contestant:
        settings = EmbeddingsConfig(epochs=epochs, workers=workers, engine="cpu", **(PEERS | knobs))

        def train() -> tuple[float, WordVectors]:
            vectors, report = train_embeddings(corpus, settings, quiet=True)
            return report["words_per_second"], vectors

        return train

    return found | {name: seqlab_of(knobs) for name, knobs in (SUBWORDS if subwords else SEQLAB).items()}


def gensim_of(text: Path, epochs: int, workers: int, subwords: bool) -> Contestant:
    kind = FastText if subwords else Word2Vec

    def train() -> tuple[float, WordVectors]:
        model = kind(vector_size=100, window=5, min_count=5, negative=5, sg=1, sample=1e-4, alpha=0.05, workers=workers)
        model.build_vocab(corpus_file=str(text))
        started = time.perf_counter()
        model.train(
            corpus_file=str(text),
            total_words=model.corpus_total_words,
            total_examples=model.corpus_count,
            epochs=epochs,
        )
        seconds = time.perf_counter() - started
        vectors = WordVectors(model.wv.index_to_key, model.wv.vectors)
        return epochs * model.corpus_total_words / seconds, vectors

    return train


def product_rate(threads: int, size: int = 2048) -> float:
    """Floating-point operations a second of a large float32 matrix product, the best of five."""
    a, b = np.random.default_rng(1).random((2, size, size), np.float32)
    best = 0.0
    with threadpool_limits(threads):
        for _ in range(5):
            started = time.perf_counter()
            a @ b
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def scaling(source: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds per pass over threads, sizes of text and widths, with the share of the product rate reached."""
    found: dict[str, Any] = {name: [] for name in SCALES}
    base = {"workers": 2, "words": 4_000_000, "dim": 100}
    corpora: dict[int, Corpus] = {}
    for _ in range(rounds):
        for name, (knob, values) in SCALES.items():
            for value in values:
                setting = {**base, knob: value}
                words = setting.pop("words")
                if words not in corpora:
                    text = folder / f"{words}.txt"
                    first_words(source, words, text)
                    corpora[words] = corpus_of(text, folder)
                config = EmbeddingsConfig(epochs=1, engine="cpu", **(PEERS | setting))
                found[name].append((value, *timed(corpora[words], config)))
                print(f"{name} {value}: {found[name][-1]}", file=sys.stderr)
    rates = {threads: product_rate(threads) for threads in (1, 2)}
    table: dict[str, Any] = {}
    for name, entries in found.items():
        for value in dict.fromkeys(entry[0] for entry in entries):
            mine = [entry for entry in entries if entry[0] == value]
            threads = value if name == "threads" else base["workers"]
            seconds, operations = (statistics.median(entry[place] for entry in mine) for place in (1, 2))
            share = operations / seconds / rates[threads]
            table.setdefault(name, {})[value] = {
                "seconds": round(seconds, 3),
                "gflops": round(operations / seconds / 1e9, 1),
                "share_of_product_rate": round(share, 2),
            }
    return {"scaling": table, "product_gflops": {threads: round(rate / 1e9) for threads, rate in rates.items()}}


def timed(corpus: Corpus, config: EmbeddingsConfig) -> tuple[float, float]:
    """Seconds of one training and the floating-point operations of its products."""
    text = TrainingText.of(corpus)
    trainer = VectorTrainer(text, choose_words(text, config.min_count), config)
    trainer.engine.compile()
    trainer.fit(quiet=True)
    predictions = sum(trainer.position.predictions)
    return trainer.position.seconds, 6.0 * predictions * (trainer.config.samples + 1) * config.dim


def first_words(source: Path, words: int, out: Path) -> int:
    """Write the first `words` words of a text (0: all) to `out`, SENTENCE a line; returns how many."""
    content = source.read_bytes()
    text = gzip.decompress(content) if source.suffix == ".gz" else content
    found = text.decode().split()[: words or None]
    with out.open("w") as handle:
        for start in range(0, len(found), SENTENCE):
            handle.write(" ".join(found[start : start + SENTENCE]) + "\n")
    return len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a text of words, plain or .gz")
    parser.add_argument("--words", type=int, default=5_000_000, help="0 takes all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="contestants whose name holds this")
    parser.add_argument("--questions", type=Path, nargs="*", default=[])
    parser.add_argument("--similarity", type=Path, nargs="*", default=[])
    parser.add_argument("--subwords", action="store_true", help="against gensim's FastText")
    parser.add_argument("--scaling", action="store_true", help="threads, sizes and widths, without a peer")
    rows.add_option(parser)
    asked = parser.parse_args()
    if asked.scaling:
        with tempfile.TemporaryDirectory() as temporary:
            print(json.dumps(scaling(asked.source, Path(temporary), asked.rounds), indent=1))
        return
    rates: dict[str, list[float]] = {}
    per_cpu: dict[str, list[float]] = {}
    quality: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        text = Path(temporary) / "text.txt"
        words = first_words(asked.source, asked.words, text)
        entered = contestants(text, Path(temporary), asked.epochs, asked.workers, asked.subwords)
        for number in range(asked.rounds):
            for name, train in entered.items():
                if asked.only not in name:
                    continue
                started = time.process_time()
                rate, vectors = train()
                rates.setdefault(name, []).append(rate)
                per_cpu.setdefault(name, []).append(asked.epochs * words / (time.process_time() - started))
                print(f"round {number + 1}: {name}: {rate / 1e6:.2f}M words/s", file=sys.stderr)
                if name not in quality and (asked.questions or asked.similarity):
                    quality[name] = summary(evaluate_vectors(vectors, asked.questions, asked.similarity).to_json())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    cpu_medians = {name: statistics.median(values) for name, values in per_cpu.items()}
    base, cpu_base = next(iter(medians.values())), next(iter(cpu_medians.values()))
    result = {
        "words": words,
        "epochs": asked.epochs,
        "workers": asked.workers,
        "words_per_second": {name: round(rate) for name, rate in medians.items()},
        "times_the_first": {name: round(rate / base, 2) for name, rate in medians.items()},
        "words_per_cpu_second": {name: round(rate) for name, rate in cpu_medians.items()},
        "times_the_first_per_cpu_second": {name: round(r / cpu_base, 2) for name, r in cpu_medians.items()},
        "spread": {name: round(float(np.ptp(values)) / medians[name], 2) for name, values in rates.items()},
        "quality": quality,
        "machine": {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()},
    }
    lines: dict[str, dict[str, float | None]] = {
        name: {
            "speed [words/s]": medians[name],
            "speed per CPU second [words/s]": cpu_medians[name],
            "analogies [%]": quality.get(name, {}).get("analogies", {}).get("accuracy"),
        }
        for name in medians
    }
    rows.record(asked.rows, lines, next(iter(medians)))
    print(json.dumps(result, indent=1))


def summary(scores: dict[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation without its sections."""
    analogies = {key: value for key, value in (scores["analogies"] or {}).items() if key != "sections"}
    return {"analogies": analogies, **{one["name"]: one["spearman"] for one in scores["similarity"]}}


if __name__ == "__main__":
    main()
