"""`seqlab demo`: the whole story on the embedded corpus, in two to three minutes on two cores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqlab.base.printing import printable

from .console import load_torch, say

if TYPE_CHECKING:
    from seqlab.embeddings import WordVectors
    from seqlab.text import Corpus
    from seqlab.trained import TrainedLanguageModel

NEIGHBOURS_OF = ("red", "minimum", "file", "string", "three")
ANALOGIES = (
    ("min", "max", "minimum"),
    ("row", "rows", "column"),
    ("left", "right", "upper"),
    ("sin", "cos", "sinh"),
    ("one", "two", "first"),
)
PROMPTS = ("The function returns", "This method is", "If the file")
PICTURES = ("map.html", "map.png", "curves.png")
EPOCHS = 8
"""Of the vectors: a third of what the text would get by itself, for the sake of the clock."""


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for everything the demo makes.")] = Path(
        "seqlab-demo"
    ),
    minutes: Annotated[float, typer.Option(help="Training time of the language model.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
) -> None:
    """Text in; vectors, a language model, generated text and a map out: the whole story on python-docs.

    Example: seqlab demo -o my-demo

    Once more in the same folder, it uses the corpus and the vectors that
    are there, and trains the model anew.
    """
    started = time.monotonic()
    check_output(out)
    load_torch()
    from seqlab.api import load_vectors, prepare, train_embeddings, train_language_model

    heading(
        "1. Text becomes ids", f"seqlab data prepare python-docs -o {out / 'corpus'} --tokenizer word --min-count 5"
    )
    corpus = prepare("python-docs", out / "corpus", tokenizer="word", min_count=5)
    describe(corpus)

    heading(
        "2. Ids become word vectors", f"seqlab train embeddings {out / 'corpus'} -o {out / 'vectors'} --epochs {EPOCHS}"
    )
    train_embeddings(corpus, out / "vectors", epochs=EPOCHS, seed=seed)
    vectors = load_vectors(out / "vectors")
    show_vectors(vectors)

    heading(
        "3. Vectors feed a language model",
        f"seqlab train lm {out / 'corpus'} -o {out / 'model'} --embeddings {out / 'vectors'} --minutes {minutes:g}",
    )
    model = train_language_model(
        corpus, fresh(out / "model"), embeddings=str(out / "vectors"), minutes=minutes, seed=seed
    )
    show_scores(model, corpus)

    heading(
        "4. The model writes", f'seqlab generate {out / "model"} --prompt "{PROMPTS[0]}" --temperature 0.8 --top-p 0.95'
    )
    show_samples(model, seed)

    heading(
        "5. Pictures",
        f"seqlab visualize {out / 'vectors'} -o {out / 'map.html'}",
        f"seqlab curves {out / 'model'} -o {out / 'curves.png'}",
    )
    for path in draw(out, vectors, model):
        print(f"  {printable(str(path))}")

    print(f"\nDone in {time.monotonic() - started:.0f} seconds. Now your own text:\n")
    print("  seqlab train lm YOUR.txt -o runs/yours       then   seqlab generate runs/yours")
    print("  seqlab train embeddings YOUR.txt -o vectors  then   seqlab neighbors vectors WORD")
    print(f"  seqlab generate {out / 'model'} --prompt 'To read a file' --num 3")
    print(f"  seqlab analogy {out / 'vectors'} min max minimum")


def check_output(out: Path) -> None:
    """Make sure that everything can be written. Raises InputError naming what cannot."""
    from seqlab.base.kinds import check_run_output
    from seqlab.base.storage.outputs import check_file, check_folder
    from seqlab.embeddings.folder import STATE
    from seqlab.text.ids.token_file import HEADER

    check_folder(out / "corpus", HEADER)
    check_folder(out / "vectors", STATE)
    check_run_output(out / "model")
    for name in PICTURES:
        check_file(out / name)


def heading(title: str, *commands: str) -> None:
    print(f"\n{title}", *(f"  $ {command}" for command in commands), "", sep="\n", flush=True)


def fresh(path: Path) -> Path:
    """`path`, removed if an earlier demo left a run there: the demo always tells the story from the start."""
    import shutil

    from seqlab.base.kinds import kind_of

    if kind_of(path) == "run":
        say(f"seqlab: {path} is of an earlier demo; it is trained anew")
        shutil.rmtree(path)
    return path


def describe(corpus: Corpus) -> None:
    train = corpus.train
    print(
        f"  {train.words:,} words of documentation found on this machine, {train.characters / 1e6:.1f} million "
        f"characters;\n  {len(corpus.tokenizer.vocab):,} types seen five times or more"
    )


def show_vectors(vectors: WordVectors) -> None:
    for word in NEIGHBOURS_OF:
        if word in vectors:
            print(f"  {word:>8}  is near  {', '.join(w for w, _ in vectors.neighbors(word, k=6))}")
    print()
    for a, b, c in ANALOGIES:
        if all(word in vectors for word in (a, b, c)):
            answers = ", ".join(word for word, _ in vectors.analogy(a, b, c, k=3))
            print(f"  {a} is to {b} as {c} is to: {answers}")


def show_scores(model: TrainedLanguageModel, corpus: Corpus) -> None:
    valid, found = model.summary["valid"], model.summary["baselines"]
    print(f"\n  perplexity on held-out text  {valid['perplexity']:8.1f}")
    if "network" in valid:
        print(f"  of the network alone         {valid['network']['perplexity']:8.1f}")
    if "kneser_ney" in found:
        print(f"  of counting {found['order']} words alone    {found['kneser_ney']:8.1f}")
    print(f"  of word frequencies alone    {found['unigram']:8.1f}")
    print(f"  of knowing nothing           {found['uniform']:8,.0f}")


def show_samples(model: TrainedLanguageModel, seed: int) -> None:
    for prompt in PROMPTS:
        text = model.generate(prompt, length=60, temperature=0.8, top_p=0.95, seed=seed)
        print(indented(text), end="\n\n")
    text = model.generate(PROMPTS[0], length=30, best_of=8, temperature=0.8, seed=seed)
    print(indented(f"[best of 8] {text}"), end="\n\n")
    text = model.generate(PROMPTS[0], length=30, beam=8)
    print(indented(f"[beam of 8] {text}"))


def indented(text: str) -> str:
    import textwrap

    lines = [textwrap.fill(line, 96, initial_indent="  ", subsequent_indent="  ") for line in text.splitlines()]
    return "\n".join(line for line in lines if line.strip())


def draw(out: Path, vectors: WordVectors, model: TrainedLanguageModel) -> list[Path]:
    from seqlab.visualization import draw_map

    pictures = [out / name for name in PICTURES]
    words = draw_map(vectors, words=600, source="python-docs", quiet=True)
    for path in pictures[:2]:
        words.save(path)
    model.curves().save(pictures[2])
    return pictures
