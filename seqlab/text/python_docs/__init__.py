"""The embedded corpus: the documentation on this machine as English prose."""
