"""`seqlab compare`: is one model better than another, and by how much?

| module | what it holds |
| --- | --- |
| statistics | intervals by blocks, power, several comparisons, seeds |
| reading | what a model makes of a text, and what it costs |
| units | borders that texts cut by different tokenizers have in common |
| pairs, words | two models, and what was found in words |
| results, compare | `Comparison`; the story |
| lines | autoencoders and language models on the same lines |
| vectors | word vectors on questions and similarity |
"""

from .compare import compare_models, grouped
from .lines import LineComparison, compare_lines
from .results import Comparison
from .vectors import VectorComparison, compare_vectors

__all__ = [
    "Comparison",
    "LineComparison",
    "VectorComparison",
    "compare_lines",
    "compare_models",
    "compare_vectors",
    "grouped",
]
