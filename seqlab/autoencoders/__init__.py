"""Autoencoders over sequences: a line becomes a point, and any point a line."""
