"""seqlab: word vectors, recurrent language models, generated text and pictures from your own text.

    import seqlab
    corpus  = seqlab.prepare("book.txt", tokenizer="bpe", vocab_size=8000)
    vectors = seqlab.train_embeddings(corpus, dim=100)
    lm      = seqlab.train_language_model(corpus, minutes=5)
    print(lm.generate("Once upon", temperature=0.8, seed=1))

Names are loaded on first use, so that `import seqlab` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import TrainedLanguageModel as TrainedLanguageModel
    from .api import evaluate as evaluate
    from .api import load_language_model as load_language_model
    from .api import load_vectors as load_vectors
    from .api import prepare as prepare
    from .api import train_embeddings as train_embeddings
    from .api import train_language_model as train_language_model
    from .base.errors import InputError as InputError
    from .base.errors import SeqlabError as SeqlabError
    from .embeddings import WordVectors as WordVectors
    from .text import Corpus as Corpus
    from .text import Tokenizer as Tokenizer
    from .visualization import draw_curves as draw_curves
    from .visualization import draw_map as draw_map

_HOMES = {
    "Corpus": "text",
    "InputError": "base.errors",
    "SeqlabError": "base.errors",
    "Tokenizer": "text",
    "TrainedLanguageModel": "api",
    "WordVectors": "embeddings",
    "draw_curves": "visualization",
    "draw_map": "visualization",
    "evaluate": "api",
    "load_language_model": "api",
    "load_vectors": "api",
    "prepare": "api",
    "train_embeddings": "api",
    "train_language_model": "api",
}

__all__ = ["__version__", *sorted(_HOMES)]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
