"""Where texts come from: files, folders, streams, named corpora."""
