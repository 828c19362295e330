"""Opening what seqlab wrote, and vectors of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..base.errors import InputError
from ..base.kinds import DESCRIPTIONS, kind_of
from ..config.arguments import checked

if TYPE_CHECKING:
    from ..autoencoders.trained import TrainedAutoencoder
    from ..embeddings import WordVectors
    from ..text import Corpus
    from ..trained import TrainedLanguageModel


@checked
def load(path: str | Path) -> Corpus | WordVectors | TrainedLanguageModel | TrainedAutoencoder:
    """Open whatever seqlab wrote, and word vectors of other programs.

    Args:
        path: a run folder, a folder of word vectors, a prepared corpus, or a vector file of any format that seqlab
            reads (word2vec text or binary, GloVe, fastText, .npz, Projector .tsv).

    Returns:
        A `TrainedLanguageModel`, `TrainedAutoencoder`, `WordVectors` or `Corpus`.

    Raises:
        InputError: nothing is there, a file is damaged, or it is none of these.
    """
    kind = kind_of(path)
    if kind == "run":
        return load_language_model(path)
    if kind == "autoencoder":
        return load_autoencoder(path)
    if kind == "corpus":
        from ..text import Corpus

        return Corpus.open(path)
    if kind in ("nothing", "folder"):
        raise InputError(f"{path}: {DESCRIPTIONS[kind]}; give a run, word vectors or a prepared corpus.")
    return load_vectors(path)


@checked
def load_language_model(path: str | Path, *, device: str = "cpu") -> TrainedLanguageModel:
    """Open a language model from its run folder.

    Args:
        path: the folder.
        device: "cpu", "cuda" or "auto".

    Raises:
        InputError: no such run, or a damaged file.
    """
    from ..trained import TrainedLanguageModel

    return TrainedLanguageModel.load(path, device)


@checked
def load_autoencoder(path: str | Path, *, device: str = "cpu") -> TrainedAutoencoder:
    """Open an autoencoder from its run folder.

    Args:
        path: the folder.
        device: "cpu", "cuda" or "auto".

    Raises:
        InputError: no such run, or a damaged file.
    """
    from ..autoencoders.trained import TrainedAutoencoder

    return TrainedAutoencoder.load(path, device)


@checked
def load_vectors(
    path: str | Path, *, mapped: bool = False, verify: bool | Literal["once"] | None = None
) -> WordVectors:
    """Open word vectors from any file or folder that seqlab reads, or the input embedding of a language-model run.

    Args:
        path: a folder or file.
        mapped: leave the matrix of an embeddings folder in its file, shared between programs; nothing else can be
            opened so.
        verify: compare the files of an embeddings folder with their digests: True always, "once" only when they are new
            or have changed, False never. None: True, or "once" if mapped. Other formats are read and checked in full.

    Raises:
        InputError: nothing there holds vectors, or a file is damaged; file and line are named.
    """
    from ..opening import open_vectors

    return open_vectors(path, mapped=mapped, verify=verify)


def language_model(model: str | Path | TrainedLanguageModel) -> TrainedLanguageModel:
    """An open language model, from its folder where a path is given. Raises InputError for anything else."""
    from ..trained import TrainedLanguageModel

    if isinstance(model, TrainedLanguageModel):
        return model
    if isinstance(model, str | Path):
        return load_language_model(model)
    raise InputError(f"give a language model or the path of its run folder, not {type(model).__name__}.")


def line_model(model: object) -> TrainedLanguageModel | TrainedAutoencoder:
    """An open model that gives lines a probability, from its folder where a path is given. Raises InputError for
    anything else."""
    from ..autoencoders.trained import TrainedAutoencoder
    from ..trained import TrainedLanguageModel

    opened = load(model) if isinstance(model, str | Path) else model
    if isinstance(opened, TrainedLanguageModel | TrainedAutoencoder):
        return opened
    raise InputError(f"compare: an autoencoder compares with language models, not with {type(opened).__name__}.")


def is_autoencoder(model: object) -> bool:
    """Whether it is an autoencoder, or the path of one."""
    if isinstance(model, str | Path):
        return kind_of(model) == "autoencoder"
    return type(model).__name__ == "TrainedAutoencoder"
