"""What figures of a training mean: findings in plain words, each with the rule that fired."""

from .curves import diagnose
from .findings import Finding, Findings, words_beneath
from .history import CurveFacts
from .vectors import diagnose_vectors, passes_of

__all__ = ["CurveFacts", "Finding", "Findings", "diagnose", "diagnose_vectors", "passes_of", "words_beneath"]
