"""`seqlab compare`: is one model better than another, and by how much?

| module | what it holds |
| --- | --- |
| statistics | intervals by blocks, power, several comparisons, seeds |
| reading | what a model makes of a text, and what it costs |
| units | borders that texts cut by different tokenizers have in common |
| pairs, words | two models, and what was found in words |
| results, compare | `Comparison`; the story |
| vectors | word vectors on questions and similarity |
"""

from .compare import compare_models, grouped
from .results import Comparison
from .vectors import VectorComparison, compare_vectors

__all__ = ["Comparison", "VectorComparison", "compare_models", "compare_vectors", "grouped"]
