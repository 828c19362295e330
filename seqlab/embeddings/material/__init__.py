"""What word vectors are trained on: words, n-grams, phrases, noise."""
