"""Word vectors by text, size and passes: what `data/vectors.toml` and the default number of passes are chosen by.

    python -m benchmarks.vectors.passes train -o passes.jsonl --texts wiki-1 wiki-3
    python -m benchmarks.vectors.passes epochs -o epochs.jsonl   scores after every pass of the default
    python -m benchmarks.vectors.passes buckets -o buckets.jsonl   n-grams that share fewer or more vectors
    python -m benchmarks.vectors.passes rates -o rates.jsonl     learning rates for few passes, words of 50 dimensions
    python -m benchmarks.vectors.passes ngrams -o ngrams.jsonl   lengths of n-grams
    python -m benchmarks.vectors.passes defaults -o defaults.jsonl   no options, and what that was before this study
    python -m benchmarks.vectors.passes minutes -o minutes.jsonl     a few seconds: what is chosen, and n-grams of 200
    python -m benchmarks.vectors.passes rows -o passes.jsonl

Each cell trains for a number of passes with a learning rate that falls to zero over them, so that neither a slow nor a
busy machine changes the result; processor seconds of the training alone are kept beside. Scores: the word2vec
analogies and WordSim-353, of which small texts cover little; and two that every text covers, over the 10 nearest words
of 1,000 frequent ones: how many are among the 50 nearest in vectors of a text of 17 million words (agreement), and how
many share four letters at the start or the end (look-alikes). Results are kept in a file, so an interrupted study
continues where it stopped.

Texts: the first 0.1 to 30 MB of text8like, 3 MB of WikiText-2, tiny Shakespeare.
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
    "wiki-30": (1.0, 2.0, 3.0, 5.0),
}
BUCKETS = {
    "wiki-1": (6_000, 12_000, 48_000, 100_000, 400_000),
    "wiki-3": (12_000, 50_000, 100_000, 200_000),
    "wiki-10": (32_000, 100_000, 250_000),
}
RATES = {"wiki-1": (1.5, 5.0), "wiki-3": (1.5, 5.0, 10.0)}
LENGTHS = ((3, 6), (4, 6), (5, 6), (6, 6))
SECONDS = (1.0, 3.0, 10.0)
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


def in_seconds(text: str, folder: Path) -> list[dict[str, Any]]:
    """What a few seconds of training give with what they choose, and with n-grams and 200 dimensions all the same."""
    found = []
    for seconds, (name, settings) in product(SECONDS, (("chosen", {}), ("n-grams, 200", SIZES["n-grams, 200"]))):
        config = EmbeddingsConfig(minutes=seconds / 60, workers=1, engine="cpu", **settings)
        vectors, report = train_embeddings(corpus_of(text, folder), config, quiet=True)
        chosen = vectors.meta["settings"]
        size = f"{'n-grams' if chosen['subwords'] else 'words'}, {chosen['dim']}"
        line = {"text": text, "asked": seconds, "choice": name, "size": size, "passes": report["epochs"]}
        found.append(
            {**line, "seconds": report["seconds"], **scores(vectors, folder), "held_out": report["held_out_loss"]}
        )
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


WHOLE = {"defaults": defaults, "minutes": in_seconds}
"""Studies that are measured for a text as a whole."""


def table(lines: list[dict[str, Any]], where: str) -> None:
    """The rows of every text: a line for each size and number of passes, of buckets, or for each epoch."""
    found: dict[tuple[str, str], dict[str, dict[str, float | None]]] = {}
    notes: dict[str, str] = {}
    places = ("passes", "epoch", "lr", "min_ngram", "buckets")
    for line in sorted(
        lines, key=lambda line: [line.get("asked", 0), line.get("size", ""), *(line.get(one, 0) for one in places)]
    ):
        kind, name = "passes", f"{line.get('size')}, {line['passes']:g} passes"
        if "choice" in line:
            kind, name = "minutes", f"{line['asked']:g} s, {line['choice']}"
            notes[name] = f"{line['size']}, {line['passes']:.2g} passes"
        elif "default" in line:
            kind, name = "defaults", f"{line['default']}, {line['passes']:g} passes"
        elif "lr" in line:
            kind, name = "few-passes", f"{line['passes']:g} passes, rate {line['lr']:g}"
        elif "min_ngram" in line:
            kind, name = "n-grams", f"n-grams of {line['min_ngram']} to {line['max_ngram']}"
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
            "SimLex-999 [Spearman]": line["simlex"],
            "look-alikes [%]": line["look_alikes"],
            "held-out loss [nats]": line["held_out"],
            ("time [s]" if "choice" in line else "time of one core [s]"): line.get("seconds"),
        }
        found.setdefault((kind, line["text"]), {})[name] = figures
    for (kind, text), named in found.items():
        what = {"passes": "train", "few-passes": "rates", "n-grams": "ngrams"}.get(kind, kind)
        rows.record(
            f"vectors/{kind}-{text}",
            named,
            note=notes if kind == "minutes" else "",
            where=where,
            argv=f"python -m benchmarks.vectors.passes {what} --texts {text}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=["train", "epochs", "buckets", "rates", "ngrams", "defaults", "minutes", "rows"]
    )
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
        if asked.what in WHOLE:
            if not any(line["text"] == text for line in lines):
                keep(WHOLE[asked.what](text, asked.folder))
            continue
        if asked.what == "buckets":
            for buckets in BUCKETS.get(text, ()):
                if (text, "n-grams, 100", 10.0, 1, buckets) not in done:
                    keep([trained(text, "n-grams, 100", 10.0, 1, asked.folder, buckets=buckets)])
            continue
        if asked.what == "rates" and not any(line["text"] == text for line in lines):
            for passes, lr in product(RATES.get(text, ()), (0.05, 0.1, 0.2)):
                keep([trained(text, "words, 50", passes, 1, asked.folder, lr=lr)])
        if asked.what == "ngrams" and not any(line["text"] == text for line in lines):
            for shortest, longest in LENGTHS:
                lengths = {"min_ngram": shortest, "max_ngram": longest}
                keep([trained(text, "n-grams, 100", 10.0, 1, asked.folder, **lengths)])
        for passes, size in product(asked.passes or PASSES[text], asked.sizes):
            if asked.what == "epochs" and (text, size, passes, None, None) not in done:
                keep(by_epoch(text, size, passes, asked.folder))
            if asked.what == "train" and (text, size, passes, asked.seed, None) not in done:
                keep([trained(text, size, passes, asked.seed, asked.folder)])


if __name__ == "__main__":
    main()
