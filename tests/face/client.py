"""A program that uses seqlab, as type checkers see it: checked by mypy --strict and by pyright, never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import seqlab

corpus = seqlab.prepare("book.txt", tokenizer="bpe", vocab_size=4000, quiet=True)
assert_type(corpus, seqlab.Corpus)
assert_type(corpus.train, seqlab.TokenFile)
assert_type(corpus.tokenizer, seqlab.Tokenizer)
assert_type(corpus.decode(0, 20), str)
assert_type(seqlab.check(corpus, lr=0.01), seqlab.Check)
assert_type(seqlab.inspect("book.txt").findings, list[str])

lm = seqlab.train_language_model(corpus, Path("runs/book"), cell="gru", hidden_dim=128, minutes=3, dropout=0.2)
assert_type(lm, seqlab.TrainedLanguageModel)
assert_type(lm.generate("Once upon", temperature=0.8, seed=1), str)
assert_type(lm.sample("Once", n=3, top_p=0.9), seqlab.Samples)
assert_type(lm.sample("Once")[0], seqlab.Sample)
assert_type(lm.sample("Once")[0].text, str)
assert_type(lm.evaluate(), seqlab.Scores)
assert_type(lm.with_cache().evaluate("chapter.txt", dynamic=True).perplexity, float)
assert_type(lm.score("a text"), seqlab.TextScore)
assert_type(lm.log_prob("a text"), float)
assert_type(lm.history, seqlab.History)
assert_type(lm.curves(x="steps"), seqlab.Picture)
assert_type(lm.save("runs/copy"), Path)
assert_type(lm.vectors(), seqlab.WordVectors)

vectors = seqlab.train_embeddings(corpus, dim=100, model="cbow", min_count=3)
assert_type(vectors, seqlab.WordVectors)
best = vectors.neighbors("king", k=5)
word, score = best[0]
assert_type(word, str)
assert_type(score, float)
assert_type(vectors.similarity("a", "b"), float)
vectors.map(words=300, highlight="king").save("map.html")
assert_type(vectors.evaluate("english"), seqlab.VectorEvaluation)
assert_type(vectors.evaluate("english").to_json(), dict[str, Any])
assert_type(seqlab.TextVectorizer(vectors, weighting="idf"), seqlab.TextVectorizer)

opened = seqlab.load("runs/book")
if isinstance(opened, seqlab.TrainedLanguageModel):
    print(opened.generate())
assert_type(seqlab.load_language_model("runs/book"), seqlab.TrainedLanguageModel)
assert_type(seqlab.load_vectors("vectors"), seqlab.WordVectors)
seqlab.draw_curves(["runs/book", lm]).save("curves.png")

try:
    seqlab.prepare("missing.txt")
except seqlab.InputError as error:
    print(error)

# What type checkers must refuse; an ignore that is not needed is an error, too.
seqlab.train_language_model(corpus, cel="gru")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
seqlab.train_language_model(corpus, minutes="three")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
seqlab.prepare("book.txt", None, "valid.txt")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
lm.generate("Once", temprature=1.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
print(seqlab.nothing_of_the_kind)  # type: ignore[attr-defined]  # pyright: ignore
