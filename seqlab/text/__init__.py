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

from typing import TYPE_CHECKING

from ..base.lazy import lazy_names

if TYPE_CHECKING:
    from .ids.batches import Batch as Batch
    from .ids.batches import Batches as Batches
    from .ids.batches import EvaluationBatches as EvaluationBatches
    from .ids.token_file import Corpus as Corpus
    from .ids.token_file import TokenFile as TokenFile
    from .preparation.encoding import tokenize as tokenize
    from .preparation.prepare import prepare as prepare
    from .sources.readers import ReadReport as ReadReport
    from .sources.readers import Sources as Sources
    from .sources.readers import read_documents as read_documents
    from .sources.readers import resolve_sources as resolve_sources
    from .tokenizers.base import IncrementalDecoder as IncrementalDecoder
    from .tokenizers.base import Tokenizer as Tokenizer
    from .tokenizers.table import TOKENIZERS as TOKENIZERS
    from .tokenizers.table import choose_tokenizer as choose_tokenizer
    from .tokenizers.table import load_tokenizer as load_tokenizer
    from .tokenizers.vocab import Vocab as Vocab

_HOMES = {
    "Batch": "ids.batches",
    "Batches": "ids.batches",
    "Corpus": "ids.token_file",
    "EvaluationBatches": "ids.batches",
    "IncrementalDecoder": "tokenizers.base",
    "ReadReport": "sources.readers",
    "Sources": "sources.readers",
    "TOKENIZERS": "tokenizers.table",
    "TokenFile": "ids.token_file",
    "Tokenizer": "tokenizers.base",
    "Vocab": "tokenizers.vocab",
    "choose_tokenizer": "tokenizers.table",
    "load_tokenizer": "tokenizers.table",
    "prepare": "preparation.prepare",
    "read_documents": "sources.readers",
    "resolve_sources": "sources.readers",
    "tokenize": "preparation.encoding",
}

__all__ = sorted(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
