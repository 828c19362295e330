"""Word vectors of very small texts: is the nearest neighbour the right one? Prints JSON.

    python -m benchmarks.vectors.small pairs [--rows vectors/small-pairs]
    python -m benchmarks.vectors.small slices [--rows vectors/small-slices]

pairs: texts of 24 words in 12 pairs. A chain goes from pair to pair, from each to two others, and writes one word of
the pair, so that partners have the same contexts and no others have. Names are drawn letter by letter, so that n-grams
know nothing. Every figure is the mean over texts of how many first words of a pair have the second nearest.

slices: of tiny Shakespeare and WikiText-2, the last tenth held out, with the default and other numbers of passes. How
many of the 5 nearest words of the 200 most frequent ones are in the nearest twentieth in vectors of 20 MB of text8like.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.config import EmbeddingsConfig, TextConfig
from seqlab.embeddings import WordVectors, train_embeddings
from seqlab.text import Corpus, prepare

from .. import rows
from .passes import content, nearest

PAIRS, FOLLOWERS, LINE = 12, 2, 12
WORDS = {"pairs": (600, 3_000, 12_000), "slices": (2_000, 5_000, 20_000)}
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "pairs": {"default": {}, "subsample 1e-4": {"subsample": 1e-4}, "subsample 0": {"subsample": 0.0}},
    "slices": {
        "default": {},
        "subsample 1e-4": {"subsample": 1e-4},
        "subsample 0": {"subsample": 0.0},
        "5 passes": {"epochs": 5.0},
        "10 passes": {"epochs": 10.0},
        "20 passes": {"epochs": 20.0},
    },
}
NEAREST, AMONG, ASKED = 5, 20, 200


def chain_text(words: int, seed: int) -> tuple[str, list[tuple[str, str]]]:
    """A text of so many words, and the pairs in it."""
    draws = np.random.default_rng(seed)
    names: list[str] = []
    while len(names) < 2 * PAIRS:
        name = "".join(draws.choice(list("abcdefghijklmnopqrstuvwxyz"), 5))
        names += [name] * (name not in names)
    follow = np.stack([draws.permutation(PAIRS) for _ in range(FOLLOWERS)], 1)
    written, place = [], 0
    for _ in range(words):
        written.append(names[2 * place + draws.integers(2)])
        place = int(draws.choice(follow[place])) if draws.random() < 0.95 else int(draws.integers(PAIRS))
    lines = (" ".join(written[start : start + LINE]) for start in range(0, words, LINE))
    return "\n".join(lines) + "\n", list(zip(names[::2], names[1::2], strict=True))


def slices(words: int, seed: int) -> str:
    """So many words of a real text, from somewhere: by seed of one text or the other."""
    names = (("tinyshakespeare", "input.txt"), ("wikitext-2", "train.txt"))
    text = rows.data(*names[seed % len(names)]).read_text("utf-8")[:4_000_000].replace("<unk>", "")
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    start = int(np.random.default_rng(seed).integers(len(ends) - words))
    return text[ends[start] : ends[start + words]]


def corpus_of(text: str, folder: Path, valid_fraction: float) -> Corpus:
    path = folder / "text.txt"
    path.write_text(text, "utf-8")
    config = TextConfig(tokenizer="word", valid_fraction=valid_fraction, min_count=1)
    return prepare(path, None, config, for_words=True, quiet=True)


def right(vectors: WordVectors, pairs: list[tuple[str, str]]) -> int:
    """Pairs whose first word has the second nearest."""
    return sum(a in vectors and vectors.neighbors(a, 1)[0][0] == b for a, b in pairs)


def agreement(vectors: WordVectors, judge: WordVectors) -> float:
    """Percent of the nearest words that are near in the judge's eyes; 100 / AMONG by chance."""
    row_of: dict[str, int] = {}
    for row, word in enumerate(vectors.words):
        row_of.setdefault(word.lower(), row)
    common = [word for word in row_of if word in judge and word.isalpha()]
    asked = range(min(len(common), ASKED))
    ours = nearest(vectors.unit[[row_of[word] for word in common]], asked, NEAREST)
    theirs = nearest(judge.unit[[judge.index[word] for word in common]], asked, max(NEAREST, len(common) // AMONG))
    return 100 * float(np.mean([len(np.intersect1d(a, b)) / NEAREST for a, b in zip(ours, theirs, strict=True)]))


def judge_vectors(folder: Path) -> WordVectors:
    """Of 20 MB of text8like."""
    corpus = corpus_of(content("wiki-20").decode(), folder, 0.0)
    return train_embeddings(corpus, EmbeddingsConfig(subwords=False, dim=100, epochs=3.0), quiet=True)[0]


def measure(study: str, words: int, texts: int, judge: WordVectors | None) -> dict[str, dict[str, float]]:
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in SETTINGS[study]}
    for seed in range(texts):
        text, pairs = (slices(words, seed), []) if judge else chain_text(words, seed)
        with tempfile.TemporaryDirectory() as folder:
            corpus = corpus_of(text, Path(folder), 0.1 if judge else 0.0)
            for name, settings in SETTINGS[study].items():
                config = EmbeddingsConfig(min_count=2, workers=1, **settings)
                vectors, report = train_embeddings(corpus, config, quiet=True)
                found = (agreement(vectors, judge), report["held_out_loss"]) if judge else (right(vectors, pairs),)
                scores[name].append(found)
    table = {}
    for name, values in scores.items():
        means = np.mean(np.array(values, float), axis=0).round(3).tolist()
        worst = min(value[0] for value in values)
        names = ("agreement [%]", "held-out loss [nats]") if judge else ("partner nearest, of 12",)
        worst_too = {} if judge else {"in the worst text": worst}
        table[f"{words:,} words, {name}"] = {**dict(zip(names, means, strict=True)), **worst_too}
        print(f"{words:,} words, {name}", table[f"{words:,} words, {name}"], flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=SETTINGS)
    parser.add_argument("--texts", type=int, default=8)
    rows.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judge = judge_vectors(Path(folder)) if options.study == "slices" else None
    found: dict[str, dict[str, float]] = {}
    for words in WORDS[options.study]:
        found |= measure(options.study, words, options.texts, judge)
    rows.record(options.rows, found, where="one thread, shared with other work")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
