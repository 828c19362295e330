"""Verbs of autoencoders over lines."""
