"""What ships about texts: the registry of named corpora, question sets and small tables; no text itself."""
