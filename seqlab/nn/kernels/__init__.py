"""Compiled recurrences and their gradients."""
