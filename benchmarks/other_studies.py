"""What features outside the training loop bring; adds rows to benchmarks/rows/features.jsonl when --rows is given.

python -m benchmarks.other_studies decoding  every rule and search on one character model: what the texts are like
python -m benchmarks.other_studies maps  neighbours that each projection keeps, and its seconds
python -m benchmarks.other_studies vectors  losses, noise and options of word vectors on 1.5 million words
python -m benchmarks.other_studies softmax  the exact softmax over all words against the sampled one, torch engine
python -m benchmarks.other_studies accumulate  memory and loss of a batch computed in parts
python -m benchmarks.other_studies processes  torchrun with two processes against one
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import seqlab

from . import rows
from .studies import CHARS, WORK, corpus, shakespeare

Line = tuple[str, dict[str, float], str]
"""Name, metric -> value, note."""

ROUNDS = int(os.environ.get("ROUNDS", "3"))
BIG = {"hidden_dim": 256, "batch_size": 16, "steps": 700}
RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "ban": {"rules": [("ban", "\n")]},
    "no_repeat_ngram": {"rules": ["no_repeat_ngram=16"]},
    "repetition_penalty": {"rules": ["repetition_penalty=1.1"]},
    "presence_penalty": {"rules": ["presence_penalty=0.3"]},
    "frequency_penalty": {"rules": ["frequency_penalty=0.02"]},
    "temperature": {"temperature": 0.7},
    "top_k": {"top_k": 8},
    "typical": {"rules": ["typical=0.9"]},
    "top_p": {"top_p": 0.9},
    "min_p": {"min_p": 0.1},
    "epsilon": {"rules": ["epsilon=0.02"]},
    "temperature 0": {"temperature": 0.0, "num": 1},
    **{
        f"temperature 0, {rule.partition('=')[0]}": {"temperature": 0.0, "num": 1, "rules": [rule]}
        for rule in ("no_repeat_ngram=16", "repetition_penalty=1.1", "presence_penalty=0.3", "frequency_penalty=0.02")
    },
    "best_of": {"best_of": 32, "num": 8},
    "beam": {"beam": 8, "num": 1},
}
"""One usual value each."""
VECTORS: dict[str, dict[str, Any]] = {
    "skip-gram, sampled softmax": {},
    "negative-sampling": {"loss": "negative-sampling"},
    "nce": {"loss": "nce"},
    "noise log-uniform": {"noise": "log-uniform"},
    "fixed window": {"dynamic_window": False},
    "subsample 0": {"subsample": 0.0},
    "result sum": {"result": "sum"},
    "two passes of phrases": {"phrases": 2},
    "subwords": {"subwords": True},
    "cbow": {"model": "cbow"},
    "cbow, word2vec's update": {"model": "cbow", "cbow_update": "word2vec"},
}


def decoding() -> Iterator[Line]:
    """Texts of 400 characters from one model of tiny Shakespeare, each rule alone.

    Good text has words that exist and does not repeat itself; "log-probability" is the model's own for the text.
    """
    lm = seqlab.train_language_model(corpus("chars"), quiet=True, **{**CHARS, **BIG})
    known = set(re.findall(r"[a-z']+", shakespeare("train").read_text("utf-8").lower()))
    for name, options in RULES.items():
        started = time.process_time()
        samples = lm.generator.generate("", **{"num": 16, "length": 400, "seed": 1, **options})
        seconds = time.process_time() - started
        texts = [sample.text for sample in samples]
        words = [re.findall(r"[a-z']+", text.lower())[:-1] for text in texts]
        all_words = [word for text in words for word in text]
        yield (
            name,
            {
                "words of the training text [%]": 100 * statistics.fmean(word in known for word in all_words),
                "words in repeated 4-grams [%]": 100 * statistics.fmean(map(repeated, words)),
                "log-probability [nats per character]": statistics.fmean(
                    lm.log_prob(text) / len(text) for text in texts
                ),
                "line ends in a text": statistics.fmean(text.count("\n") for text in texts),
                "CPU time [s]": seconds / len(texts),
            },
            described(options),
        )
    text = shakespeare("valid").read_text("utf-8")
    cuts = [text[start : start + 400] for start in range(0, 6400, 400)]
    words = [re.findall(r"[a-z']+", cut.lower())[:-1] for cut in cuts]
    yield (
        "Shakespeare himself",
        {
            "words of the training text [%]": 100 * statistics.fmean(word in known for line in words for word in line),
            "words in repeated 4-grams [%]": 100 * statistics.fmean(map(repeated, words)),
            "log-probability [nats per character]": statistics.fmean(lm.log_prob(cut) / len(cut) for cut in cuts),
            "line ends in a text": statistics.fmean(cut.count("\n") for cut in cuts),
        },
        "text that the model has not seen",
    )


def described(options: dict[str, Any]) -> str:
    """Options as a note: "temperature 0.7", "ban '\\n'"."""
    rules = [rule if isinstance(rule, str) else f"{rule[0]}={rule[1]!r}" for rule in options.get("rules", [])]
    return ", ".join([*(f"{key}={value}" for key, value in options.items() if key != "rules"), *rules])


def repeated(words: list[str]) -> float:
    """Share of the 4-grams of words that occurred before in the same text."""
    grams = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def text8(words: int) -> Path:
    """The first words of text8like."""
    out = WORK / f"text8-{words}.txt"
    WORK.mkdir(exist_ok=True)
    if not out.exists():
        with gzip.open(rows.data("text8like", "text8like.gz"), "rt", encoding="utf-8") as file:
            text = file.read(words * 7).split()[:words]
        out.write_text("\n".join(" ".join(text[i : i + 1000]) for i in range(0, len(text), 1000)), encoding="utf-8")
    return out


def maps() -> Iterator[Line]:
    """The share of a word's ten nearest words that are among its ten nearest in the picture; 1,000 frequent words."""
    from seqlab.visualization.maps.projection import PROJECTIONS

    vectors = seqlab.train_embeddings(text8(1_000_000), quiet=True, dim=50, epochs=2, subwords=False, workers=1)
    unit_ND = vectors.matrix[:1000] / np.linalg.norm(vectors.matrix[:1000], axis=1, keepdims=True)
    for name, project in PROJECTIONS.items():
        started = time.perf_counter()
        position_N2 = project(unit_ND, 1, 30.0, True)
        seconds = time.perf_counter() - started
        before, after = nearest(unit_ND), nearest(np.asarray(position_N2))
        kept = statistics.fmean(len(set(a) & set(b)) / 10 for a, b in zip(before, after, strict=True))
        yield name, {"neighbours kept [%]": 100 * kept, "time [s]": seconds}, ""
    yield "chance", {"neighbours kept [%]": 100 * 10 / 999}, ""


def nearest(points_ND: np.ndarray) -> np.ndarray:
    """Ten nearest others of every point."""
    squares_N = (points_ND**2).sum(1)
    distance_NN = squares_N[:, None] + squares_N - 2 * points_ND @ points_ND.T
    np.fill_diagonal(distance_NN, np.inf)
    return np.argsort(distance_NN, axis=1)[:, :10]


def quality(vectors: Any) -> dict[str, float]:
    """Analogies among the 30,000 most frequent words, and the rank correlation with people's ratings."""
    from seqlab.embeddings import evaluate_vectors

    pairs = rows.data("similarity", "EN-WS-353-ALL.txt")
    scores = evaluate_vectors(vectors, [rows.data("questions", "questions-words.txt")], [pairs])
    return {"analogies [%]": scores.accuracy or 0.0, "WordSim-353 [Spearman]": scores.similarity[0].spearman or 0.0}


def vectors() -> Iterator[Line]:
    """1.5 million words of text8like, d = 100, 3 epochs, one thread; the first with two seeds more, for the noise."""
    text = text8(1_500_000)
    same = {"dim": 100, "epochs": 3, "subwords": False, "workers": 1, "engine": "cpu", "quiet": True}
    for name, options in VECTORS.items():
        found = []
        for seed in (1,) if options else (1, 2, 3):
            started = time.process_time()
            trained = seqlab.train_embeddings(text, **{**same, **options, "seed": seed})
            seconds = time.process_time() - started
            found.append({**quality(trained), "CPU time [s]": seconds})
        means = {key: statistics.fmean(one[key] for one in found) for key in found[0]}
        points, spearman, _ = (max(one[key] for one in found) - min(one[key] for one in found) for key in means)
        several = f"mean of three seeds, range {points:.1f} points and {spearman:.3f}"
        yield name, means, "one seed" if options else several


def softmax() -> Iterator[Line]:
    """300,000 words, 2,000 types: the exact softmax, which only the torch engine has."""
    same = {"dim": 50, "epochs": 2, "subwords": False, "max_vocab": 2000, "engine": "torch", "device": "cpu"}
    for loss in ("sampled-softmax", "softmax"):
        started = time.process_time()
        trained = seqlab.train_embeddings(text8(300_000), quiet=True, loss=loss, **same)
        yield loss, {**quality(trained), "CPU time [s]": time.process_time() - started}, "torch engine on the CPU"


def accumulate() -> Iterator[Line]:
    """A 2x256 model, 64 streams in windows of 128: the same updates, each process measured alone."""
    for parts in (1, 2, 8):
        yield f"in {parts}" if parts > 1 else "at once", child({"accumulate": parts}), "three steps"


def child(options: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, "child", json.dumps(options)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_child(options: dict[str, Any]) -> None:
    """Train in this process and print its peak memory, before and after."""
    import resource

    big = {**CHARS, "embed_dim": 256, "hidden_dim": 256, "layers": 2, "batch_size": 64, "bptt": 128, "steps": 3}
    text = corpus("chars")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    with tempfile.TemporaryDirectory() as folder:
        lm = seqlab.train_language_model(text, Path(folder) / "run", quiet=True, **{**big, **options})
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(
        json.dumps(
            {
                "peak memory [MB]": (after - before) / 2**20,
                "validation loss [nats per character]": lm.summary["valid"]["nats_per_token"],
            }
        )
    )


def processes() -> Iterator[Line]:
    """Two processes of one thread under torchrun, one process of two threads, one of one; the text of `chars`."""
    base = [sys.executable, "-m"]
    launch = {
        "one process, one thread": [*base, "seqlab_cli.main"],
        "one process, two threads": [*base, "seqlab_cli.main"],
        "two processes, one thread each": [*base, "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m",
                                           "seqlab_cli.main"],
    }  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {name: [] for name in launch}
    for _ in range(ROUNDS):
        for name, start in launch.items():
            threads = 2 if "two threads" in name else 1
            knobs = {**CHARS, "hidden_dim": 256, "batch_size": 32, "bptt": 128, "steps": 30, "threads": threads}
            with tempfile.TemporaryDirectory() as folder:
                command = [*start, "train", "lm", str(shakespeare("train")), "--valid", str(shakespeare("valid"))]
                command += ["--tokenizer", "char", "-o", str(Path(folder) / "run")]
                for key, value in knobs.items():
                    place = (
                        "model"
                        if key in ("embed_dim", "hidden_dim", "layers", "tie", "softmax", "dropout")
                        else "training"
                    )
                    command += ["--set", f"{place}.{key}={json.dumps(value)}"]
                environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
                done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
                said = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
                lines = (Path(folder) / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
                rates = [line["tokens_per_second"] for line in map(json.loads, lines) if "tokens_per_second" in line]
                found[name].append(
                    {
                        "validation loss [nats per character]": said["valid"]["nats_per_token"],
                        "speed [tokens/s]": statistics.median(rates[2:]),
                    }
                )
    for name, runs in found.items():
        yield (
            name,
            {key: statistics.median(run[key] for run in runs) for key in runs[0]},
            f"30 steps, medians of {ROUNDS} alternated",
        )


STUDIES: dict[str, Callable[[], Iterator[Line]]] = {
    "decoding": decoding,
    "maps": maps,
    "vectors": vectors,
    "softmax": softmax,
    "accumulate": accumulate,
    "processes": processes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help=", ".join(STUDIES))
    parser.add_argument("--rows", action="store_true", help="add the rows to benchmarks/rows/features.jsonl")
    asked = parser.parse_args()
    if asked.what[0] == "child":
        measure_child(json.loads(asked.what[1]))
        return
    for study in asked.what:
        lines: dict[str, dict[str, float | None]] = {}
        notes: dict[str, str] = {}
        for name, values, note in STUDIES[study]():
            lines[name], notes[name] = dict(values), note
            print(json.dumps({"study": study, "line": name, **values, "note": note}), flush=True)
        if asked.rows:
            command = f"python -m benchmarks.other_studies {study}"
            rows.record(f"features/{study}", lines, next(iter(lines)), notes, argv=command)


if __name__ == "__main__":
    main()
