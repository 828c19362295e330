"""What training starts from: another run, or word vectors."""
