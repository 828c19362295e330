"""Text becomes ids: readers, tokenizers, memory-mapped token files and batches.

| module | what it holds |
| --- | --- |
| plain_text | a file's bytes become clean text: decompression, decoding, newlines |
| readers | SOURCE arguments become documents: files, folders, stdin, JSON Lines, named corpora |
| cuts | where text may be cut so that ids do not depend on how it was chunked |
| vocab, tokenizer | `Vocab`, `Tokenizer`, `IncrementalDecoder` |
| segmenters | text cut into tokens by look-up, before there is a vocabulary |
| characters, words, bpe | the five kinds of tokenizer |
| tokenizers | the table `TOKENIZERS` and the choice among them |
| spool, workers, jobs, numbering, preparation | the streamed, parallel path from sources to a corpus folder |
| token_file | `TokenFile` and `Corpus` |
| spelling | how a split's unknown words are spelt, for models that read characters |
| encoding | a text into ids with a tokenizer that exists already |
| corpora, fetch | named corpora: the registry, download with verification, where they lie |
| python_docs, docstrings | the embedded corpus: documentation on this machine as English prose |
| inspect, survey, hash_counts, findings | what a text is like, in one pass, and what to mend |
| batches | a token file as parallel streams for truncated back-propagation |

Names are loaded on first use: a worker process imports only what it needs.
"""

from __future__ import annotations

from ..lazy import lazy_names

_HOMES = {
    "Batch": "batches",
    "Batches": "batches",
    "Corpus": "token_file",
    "EvaluationBatches": "batches",
    "IncrementalDecoder": "tokenizer",
    "ReadReport": "readers",
    "Sources": "readers",
    "TOKENIZERS": "tokenizers",
    "TokenFile": "token_file",
    "Tokenizer": "tokenizer",
    "Vocab": "vocab",
    "choose_tokenizer": "tokenizers",
    "prepare": "preparation",
    "read_documents": "readers",
    "resolve_sources": "readers",
    "tokenize": "encoding",
}

__all__ = sorted(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
