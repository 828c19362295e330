"""Models that count: Kneser-Ney n-grams, and mixtures of models."""

UNSEEN = -1
"""Node of an n-gram that never occurred (see `trie`)."""
COUNT_BINS = 8
"""Contexts are told apart by the binary logarithm of their count up to this."""
