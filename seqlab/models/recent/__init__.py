"""What the text so far says of the next word."""

LONGEST = 8
"""Longest shared context that is told from shorter ones."""
FILL_BINS = 12
"""Caches are told apart by the binary logarithm of how many tokens they hold up to this."""
SPREAD = 1e-3
"""Share of the cache's mass that is spread over the vocabulary, so that no word is impossible."""
