"""Texts as ids: memory-mapped token files, spellings of unknown words, batches."""
