"""Texts that have a name: a registry, downloads that are verified, and the documentation on this machine."""
