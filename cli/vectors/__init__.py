"""Verbs that ask word vectors."""
