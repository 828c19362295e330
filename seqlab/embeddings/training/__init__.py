"""The training of word vectors: planning, loop, state, starts."""
