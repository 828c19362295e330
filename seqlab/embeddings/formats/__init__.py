"""Files of word vectors, those of other programs included."""
