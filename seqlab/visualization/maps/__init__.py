"""Maps of word vectors."""
