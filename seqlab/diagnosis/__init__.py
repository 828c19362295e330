"""What figures of a training mean: findings in plain words, each with the rule that fired."""

from .findings import Finding, Findings

__all__ = ["Finding", "Findings"]
