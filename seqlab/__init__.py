"""seqlab: word vectors, recurrent language models, generated text and pictures from your own text.

    import seqlab

    corpus = seqlab.prepare("book.txt")
    lm = seqlab.train_language_model(corpus, minutes=3)
    print(lm.generate("Once upon", temperature=0.8, seed=1))

    vectors = seqlab.train_embeddings(corpus, dim=100)
    vectors.neighbors("king")
    vectors.map(words=300).save("map.html")

Names are loaded on first use, so `import seqlab` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base.cores import keep_numpy_within_quota, wait_without_spinning
from .base.lazy import lazy_names

__version__ = "0.1.0"

wait_without_spinning()
keep_numpy_within_quota()

if TYPE_CHECKING:
    from .api import check as check
    from .api import compare as compare
    from .api import compare_batch_sizes as compare_batch_sizes
    from .api import compare_compressions as compare_compressions
    from .api import compress as compress
    from .api import corpora as corpora
    from .api import draw_curves as draw_curves
    from .api import draw_map as draw_map
    from .api import evaluate as evaluate
    from .api import export as export
    from .api import find_lr as find_lr
    from .api import inspect as inspect
    from .api import load as load
    from .api import load_autoencoder as load_autoencoder
    from .api import load_language_model as load_language_model
    from .api import load_vectors as load_vectors
    from .api import prepare as prepare
    from .api import train_autoencoder as train_autoencoder
    from .api import train_embeddings as train_embeddings
    from .api import train_language_model as train_language_model
    from .api import tune as tune
    from .api import tune_embeddings as tune_embeddings
    from .autoencoders.trained import TrainedAutoencoder as TrainedAutoencoder
    from .autoencoders.vectorizer import LineVectorizer as LineVectorizer
    from .base.errors import InputError as InputError
    from .base.errors import SeqlabError as SeqlabError
    from .compression.models import CompressedModel as CompressedModel
    from .compression.models import CompressionStudy as CompressionStudy
    from .compression.onnx.export import Exported as Exported
    from .compression.vectors.measure import CompressedVectors as CompressedVectors
    from .config.book import settings as settings
    from .embeddings import TextVectorizer as TextVectorizer
    from .embeddings import WordVectors as WordVectors
    from .embeddings.evaluation.results import VectorEvaluation as VectorEvaluation
    from .evaluation import Scores as Scores
    from .evaluation import TextScore as TextScore
    from .generation import Sample as Sample
    from .generation import Samples as Samples
    from .run import History as History
    from .run import Run as Run
    from .studies.check.result import Check as Check
    from .studies.compare import Comparison as Comparison
    from .studies.compare import LineComparison as LineComparison
    from .studies.compare import VectorComparison as VectorComparison
    from .studies.tune.batch_size import BatchStudy as BatchStudy
    from .studies.tune.range_test import RangeTest as RangeTest
    from .studies.tune.results import Study as Study
    from .text import Corpus as Corpus
    from .text import TokenFile as TokenFile
    from .text import Tokenizer as Tokenizer
    from .text.inspection.inspection import Inspection as Inspection
    from .trained import TrainedLanguageModel as TrainedLanguageModel
    from .visualization import Picture as Picture

_HOMES = {
    "BatchStudy": "studies.tune.batch_size",
    "Check": "studies.check.result",
    "Comparison": "studies.compare",
    "CompressedModel": "compression.models",
    "CompressedVectors": "compression.vectors.measure",
    "CompressionStudy": "compression.models",
    "Corpus": "text",
    "Exported": "compression.onnx.export",
    "History": "run",
    "InputError": "base.errors",
    "Inspection": "text.inspection.inspection",
    "LineComparison": "studies.compare",
    "LineVectorizer": "autoencoders.vectorizer",
    "Picture": "visualization",
    "RangeTest": "studies.tune.range_test",
    "Run": "run",
    "Sample": "generation",
    "Samples": "generation",
    "Scores": "evaluation",
    "SeqlabError": "base.errors",
    "Study": "studies.tune.results",
    "TextScore": "evaluation",
    "TextVectorizer": "embeddings",
    "TokenFile": "text",
    "Tokenizer": "text",
    "TrainedAutoencoder": "autoencoders.trained",
    "TrainedLanguageModel": "trained",
    "VectorComparison": "studies.compare",
    "VectorEvaluation": "embeddings.evaluation.results",
    "WordVectors": "embeddings",
    "check": "api",
    "compare": "api",
    "compare_batch_sizes": "api",
    "compare_compressions": "api",
    "compress": "api",
    "corpora": "api",
    "draw_curves": "api",
    "draw_map": "api",
    "evaluate": "api",
    "export": "api",
    "find_lr": "api",
    "inspect": "api",
    "load": "api",
    "load_autoencoder": "api",
    "load_language_model": "api",
    "load_vectors": "api",
    "prepare": "api",
    "settings": "config.book",
    "train_autoencoder": "api",
    "train_embeddings": "api",
    "train_language_model": "api",
    "tune": "api",
    "tune_embeddings": "api",
}

__all__ = ["__version__", *sorted(_HOMES)]

if not TYPE_CHECKING:  # a module-level __getattr__ would let type checkers believe in any name
    __getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
