"""What a text is like, and what to mend before training on it."""
