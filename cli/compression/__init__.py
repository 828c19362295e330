"""Verbs that make models smaller, or carry them elsewhere."""
