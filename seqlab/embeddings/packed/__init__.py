"""Matrices of word vectors in a few bits a number, which answer questions as they are stored."""
