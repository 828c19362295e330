"""Pictures of vectors and of trainings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..base.errors import InputError
from ..config import MapConfig
from ..config.arguments import checked
from ..config.explicit import explicit
from ..options import MapOptions
from .loading import load_vectors

if TYPE_CHECKING:
    from ..embeddings import WordVectors
    from ..trained import TrainedLanguageModel
    from ..visualization import CurveAxis, Picture


@explicit(MapConfig)
@checked
def draw_map(
    vectors: str | Path | WordVectors | TrainedLanguageModel, *, quiet: bool = False, **options: Unpack[MapOptions]
) -> Picture:
    """Draw a map of word vectors, similar words near each other.

    Args:
        vectors: word vectors, a language model, or the path of either.
        quiet: show no progress.
        **options: which words are drawn and how, listed below.

    Returns:
        A picture: a notebook shows it, `.save("map.html")` or `.save("map.png")` writes it.

    Raises:
        InputError: not word vectors, or a word that they lack.
    """
    from ..embeddings import WordVectors
    from ..trained import TrainedLanguageModel

    if isinstance(vectors, TrainedLanguageModel):
        opened = vectors.vectors()
    elif isinstance(vectors, str | Path):
        opened = load_vectors(vectors)
    elif isinstance(vectors, WordVectors):
        opened = vectors
    else:
        raise InputError(f"vectors: give word vectors or the path of some, not {type(vectors).__name__}.")
    return opened.map(quiet=quiet, **options)


@checked
def draw_curves(
    runs: str | Path | TrainedLanguageModel | Iterable[str | Path | TrainedLanguageModel], *, x: CurveAxis = "tokens"
) -> Picture:
    """Draw the training curves of one or several language models: losses, learning rate, gradients, speed.

    Args:
        runs: a run folder or an open model, or several.
        x: the horizontal axis: "tokens", "steps" or "seconds".

    Returns:
        A picture: a notebook shows it, `.save("curves.png")` writes it.

    Raises:
        InputError: not a run, or one that has no metrics yet.
    """
    from ..diagnosis import words_beneath
    from ..run import Run
    from ..trained import TrainedLanguageModel
    from ..visualization import draw_curves as draw

    several = [runs] if isinstance(runs, str | Path | TrainedLanguageModel) else list(runs)
    opened = []
    for one in several:
        if not isinstance(one, str | Path | TrainedLanguageModel):
            raise InputError(f"runs: give run folders or open models, not {type(one).__name__}.")
        opened.append(one.run if isinstance(one, TrainedLanguageModel) else Run.open(one))
    words = words_beneath([(str(run.path), run.diagnosis) for run in opened])
    return draw([(str(run.path), run.history.lines) for run in opened], x=x, words=words)
