"""Word vectors by text, size and passes: what `data/vectors.toml` and the default number of passes are chosen by.

    python -m benchmarks.vectors.passes train -o passes.jsonl --texts wiki-1 wiki-3
    python -m benchmarks.vectors.passes epochs -o epochs.jsonl   scores after every pass of the default
    python -m benchmarks.vectors.passes buckets -o buckets.jsonl   n-grams that share fewer or more vectors
    python -m benchmarks.vectors.passes defaults -o defaults.jsonl   no options, and what that was before this study
    python -m benchmarks.vectors.passes rows -o passes.jsonl

Each cell trains for a number of passes with a learning rate that falls to zero over them, so that neither a slow nor a
busy machine changes the result; processor seconds of the training alone are kept beside. Scores: the word2vec
analogies and WordSim-353, of which small texts cover little; and two that every text covers, over the 10 nearest words
of 1,000 frequent ones: how many are among the 50 nearest in vectors of a text of 17 million words (agreement), and how
many share four letters at the start or the end (look-alikes). Results are kept in a file, so an interrupted study
continues where it stopped.

Texts: the first 1, 3 and 10 MB, and all, of text8like, 3 MB of WikiText-2, tiny Shakespeare.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.config import EmbeddingsConfig, TextConfig
from seqlab.embeddings import WordVectors, evaluate_vectors, train_embeddings
from seqlab.embeddings.training.loop import Epoch
from seqlab.text import Corpus, prepare

from .. import rows

MB = 1_000_000
SIZES: dict[str, dict[str, Any]] = {
    "n-grams, 200": {"subwords": True, "dim": 200},
    "n-grams, 100": {"subwords": True, "dim": 100},
    "words, 200": {"subwords": False, "dim": 200},
    "words, 100": {"subwords": False, "dim": 100},
    "words, 50": {"subwords": False, "dim": 50},
}
PASSES = {
    "wiki-0.1": (10.0, 20.0, 40.0, 80.0),
    "wiki-0.3": (5.0, 10.0, 20.0, 40.0),
    "wiki-1": (1.0, 3.0, 10.0, 30.0, 50.0, 100.0),
    "shakespeare": (1.0, 3.0, 10.0, 30.0, 50.0, 100.0),
    "wiki-3": (1.0, 3.0, 10.0, 30.0, 50.0),
    "wikitext-3": (1.0, 3.0, 10.0, 30.0, 50.0),
    "wiki-10": (0.3, 1.0, 3.0, 10.0, 24.0),
    "wiki-100": (0.1, 0.3, 1.0, 2.0),
}
BUCKETS = {
    "wiki-1": (6_000, 12_000, 48_000, 100_000, 400_000),
    "wiki-3": (12_000, 50_000, 100_000, 200_000),
    "wiki-10": (32_000, 100_000, 250_000),
}
FIRST, ASKED, NEAREST, AMONG, LETTERS = 100, 1000, 10, 50, 4
"""Words asked about begin at this rank; how many; neighbours of each; reference neighbours; letters that look alike."""


@cache
def content(name: str) -> bytes:
    """The text of a name."""
    if name == "shakespeare":
        return rows.data("tinyshakespeare", "input.txt").read_bytes()
    if name == "wikitext-3":
        return rows.data("wikitext-2", "train.txt").read_bytes()[: 3 * MB].rpartition(b"\n")[0]
    whole = gzip.decompress(rows.data("text8like", "text8like.gz").read_bytes())
    return whole[: int(float(name.rpartition("-")[2]) * MB)].rpartition(b" ")[0]


@cache
def corpus_of(name: str, folder: Path) -> Corpus:
    """A text, prepared; its last fiftieth is held out."""
    path = folder / f"{name}.txt"
    if not path.exists():
        path.write_bytes(content(name))
    config = TextConfig(tokenizer="word", valid_fraction=0.02, min_count=1)
    return prepare(path, folder / f"{name}.corpus", config, for_words=True, quiet=True)


@cache
def reference(folder: Path) -> WordVectors:
    """Vectors of the whole text8like without n-grams, against which neighbours are judged."""
    place = folder / "reference"
    if not place.exists():
        config = EmbeddingsConfig(subwords=False, dim=100, epochs=5)
        train_embeddings(corpus_of("wiki-100", folder), config, quiet=True, out=place)
    return WordVectors.load(place)


def scores(vectors: WordVectors, folder: Path) -> dict[str, Any]:
    """Analogies, similarity and neighbours of vectors."""
    found = evaluate_vectors(
        vectors,
        [rows.data("questions", "questions-words.txt")],
        [rows.data("similarity", "EN-WS-353-ALL.txt"), rows.data("similarity", "EN-SIMLEX-999.txt")],
    ).to_json()
    analogies, (wordsim, simlex) = found["analogies"] or {}, found["similarity"]
    return {
        "analogies": analogies.get("accuracy"),
        "semantic": analogies.get("semantic"),
        "syntactic": analogies.get("syntactic"),
        "covered": analogies.get("covered"),
        "wordsim": wordsim["spearman"],
        "simlex": simlex["spearman"],
        "pairs": wordsim["covered"],
        **neighbours(vectors, reference(folder)),
    }


def neighbours(vectors: WordVectors, judge: WordVectors) -> dict[str, float]:
    """Percent of the nearest words that are near in the judge's eyes too, and that merely look alike."""
    row_of: dict[str, int] = {}
    for row, word in enumerate(vectors.words):
        row_of.setdefault(word.lower(), row)
    common = [word for word in row_of if word in judge]
    asked = range(FIRST, min(len(common), FIRST + ASKED))
    ours = nearest(vectors.unit[[row_of[word] for word in common]], asked, NEAREST)
    theirs = nearest(judge.unit[[judge.index[word] for word in common]], asked, AMONG)
    agree = np.mean([len(np.intersect1d(a, b)) / NEAREST for a, b in zip(ours, theirs, strict=True)])
    alike = np.mean([look_alike(common[q], common[n]) for q, near in zip(asked, ours, strict=True) for n in near])
    return {"agreement": 100 * float(agree), "look_alikes": 100 * float(alike)}


def nearest(unit_CD: np.ndarray, asked: range, count: int) -> np.ndarray:
    """The `count` nearest of C words for each of those asked about."""
    scores_QC = unit_CD[asked] @ unit_CD.T
    scores_QC[np.arange(len(asked)), asked] = -np.inf
    return np.argpartition(-scores_QC, count, axis=1)[:, :count]


def look_alike(a: str, b: str) -> bool:
    """Whether two words share four letters at the start or the end."""
    return (a[:LETTERS] == b[:LETTERS] or a[-LETTERS:] == b[-LETTERS:]) and min(len(a), len(b)) >= LETTERS


def trained(text: str, size: str, passes: float, seed: int, folder: Path, **other: Any) -> dict[str, Any]:
    """One cell of the table."""
    config = EmbeddingsConfig(**SIZES[size], epochs=passes, workers=1, seed=seed, engine="cpu", **other)
    began = time.process_time()
    vectors, report = train_embeddings(corpus_of(text, folder), config, quiet=True)
    seconds = time.process_time() - began
    return {
        "text": text,
        "size": size,
        "passes": passes,
        "seed": seed,
        **other,
        **scores(vectors, folder),
        "held_out": report["held_out_loss"],
        "best_held_out": min(report["held_out_losses"]),
        "seconds": seconds,
        "words": report["words"],
    }


def defaults(text: str, folder: Path) -> list[dict[str, Any]]:
    """What no options give, and what they gave: 8 sqrt(17e6 / words) passes, at most 50, of 200 dimensions, and three
    buckets for every two words."""
    corpus, found = corpus_of(text, folder), []
    words = int(corpus.tokenizer.vocab.counts[corpus.tokenizer.words_mask()].sum())
    vocabulary = int((corpus.tokenizer.vocab.counts[corpus.tokenizer.words_mask()] >= 5).sum())
    passes = min(50, max(1, round(8 * (17e6 / words) ** 0.5)))
    before = {"epochs": passes, "dim": 200, "buckets": math.ceil(1.5 * vocabulary)}
    for name, settings in (("before", before), ("now", {})):
        began = time.process_time()
        vectors, report = train_embeddings(corpus, EmbeddingsConfig(workers=1, engine="cpu", **settings), quiet=True)
        seconds = time.process_time() - began
        line = {"text": text, "default": name, "passes": report["epochs"], "seconds": seconds}
        found.append({**line, **scores(vectors, folder), "held_out": report["held_out_loss"]})
    return found


def by_epoch(text: str, size: str, passes: float, folder: Path) -> list[dict[str, Any]]:
    """Held-out loss and scores after every pass of one training."""
    found: list[dict[str, Any]] = []

    def look(epoch: Epoch) -> None:
        if epoch.number in (1, 2, 3, 4, 6, 8) or epoch.number % 5 == 0 or epoch.number == epoch.epochs:
            line = {"text": text, "size": size, "passes": passes, "epoch": epoch.number}
            found.append({**line, "held_out": epoch.held_out, "loss": epoch.loss, **scores(epoch.vectors(), folder)})

    config = EmbeddingsConfig(**SIZES[size], epochs=passes, workers=1, engine="cpu")
    train_embeddings(corpus_of(text, folder), config, quiet=True, callback=look)
    return found


def table(lines: list[dict[str, Any]], where: str) -> None:
    """The rows of every text: a line for each size and number of passes, of buckets, or for each epoch."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for line in sorted(lines, key=lambda line: (line.get("size", ""), line["passes"], line.get("epoch", 0))):
        kind, name = "passes", f"{line.get('size')}, {line['passes']:g} passes"
        if "default" in line:
            kind, name = "defaults", f"{line['default']}, {line['passes']:g} passes"
        elif "buckets" in line:
            kind, name = "buckets", f"{line['buckets']:,} buckets"
        elif "epoch" in line:
            kind, name = "epochs", f"after epoch {line['epoch']} of {line['passes']:g}"
        elif line["seed"] != 1:
            name += f", seed {line['seed']}"
        figures = {
            "agreement [%]": line["agreement"],
            "analogies [%]": line["analogies"],
            "WordSim-353 [Spearman]": line["wordsim"],
            "look-alikes [%]": line["look_alikes"],
            "held-out loss [nats]": line["held_out"],
            "time of one core [s]": line.get("seconds"),
        }
        found.setdefault(f"vectors/{kind}-{line['text']}", {})[name] = figures
    for id, named in found.items():
        kind, _, text = id.removeprefix("vectors/").partition("-")
        what = "train" if kind == "passes" else kind
        rows.record(id, named, where=where, argv=f"python -m benchmarks.vectors.passes {what} --texts {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "epochs", "buckets", "defaults", "rows"])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--texts", nargs="*", default=list(PASSES), choices=list(PASSES))
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--passes", nargs="*", type=float, help="instead of those of each text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=Path("passes"), help="where texts and reference vectors are kept"
    )
    parser.add_argument("--where", default="", help="a note on the machine")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    done = {(line["text"], line.get("size"), line["passes"], line.get("seed"), line.get("buckets")) for line in lines}

    if asked.what == "rows":
        table(lines, asked.where)
        return

    def keep(new: list[dict[str, Any]]) -> None:
        with open(asked.out, "a") as handle:
            for line in new:
                print(json.dumps(line), flush=True)
                handle.write(json.dumps(line) + "\n")

    for text in asked.texts:
        if asked.what == "defaults":
            if not any(line["text"] == text for line in lines):
                keep(defaults(text, asked.folder))
            continue
        if asked.what == "buckets":
            for buckets in BUCKETS.get(text, ()):
                if (text, "n-grams, 100", 10.0, 1, buckets) not in done:
                    keep([trained(text, "n-grams, 100", 10.0, 1, asked.folder, buckets=buckets)])
            continue
        for passes, size in product(asked.passes or PASSES[text], asked.sizes):
            if asked.what == "epochs" and (text, size, passes, None, None) not in done:
                keep(by_epoch(text, size, passes, asked.folder))
            if asked.what == "train" and (text, size, passes, asked.seed, None) not in done:
                keep([trained(text, size, passes, asked.seed, asked.folder)])


if __name__ == "__main__":
    main()
