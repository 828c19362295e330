"""How good word vectors are: analogies and similarity."""
