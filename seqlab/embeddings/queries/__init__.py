"""Questions asked of word vectors, one at a time or by the thousand."""
