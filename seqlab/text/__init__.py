"""Text becomes ids: readers, tokenizers, memory-mapped token files and batches.

| folder | what it is for |
| --- | --- |
| sources | a file's bytes become clean text, SOURCE arguments become documents |
| tokenizers | the five kinds, the table `TOKENIZERS`, where text may be cut, segmenters that cut it fast |
| ids | `TokenFile` and `Corpus`, the spelling of unknown words, batches |
| preparation | from sources to a corpus folder, streamed, on all cores |
| inspection | what a text is like, and what to mend |

Names are loaded on first use: a worker process imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_names

if TYPE_CHECKING:
    from .ids.batches import Batch, Batches, EvaluationBatches, SpreadBatches
    from .ids.token_file import Corpus, TokenFile
    from .inspection.inspection import Inspection
    from .preparation.encoding import tokenize
    from .preparation.prepare import prepare
    from .sources.readers import ReadReport, Sources, read_documents, resolve_sources
    from .tokenizers.base import IncrementalDecoder, Tokenizer
    from .tokenizers.table import TOKENIZERS, choose_tokenizer, load_tokenizer
    from .tokenizers.vocab import Vocab

__all__ = [
    "TOKENIZERS", "Batch", "Batches", "Corpus", "EvaluationBatches", "IncrementalDecoder", "Inspection", "ReadReport",
    "Sources", "SpreadBatches", "TokenFile", "Tokenizer", "Vocab", "choose_tokenizer", "load_tokenizer", "prepare",
    "read_documents", "resolve_sources", "tokenize",
]  # fmt: skip

_NAMES = {
    "ids.batches": "Batch Batches EvaluationBatches SpreadBatches",
    "ids.token_file": "Corpus TokenFile",
    "inspection.inspection": "Inspection",
    "preparation.encoding": "tokenize",
    "preparation.prepare": "prepare",
    "sources.readers": "ReadReport Sources read_documents resolve_sources",
    "tokenizers.base": "IncrementalDecoder Tokenizer",
    "tokenizers.table": "TOKENIZERS choose_tokenizer load_tokenizer",
    "tokenizers.vocab": "Vocab",
}

if not TYPE_CHECKING:  # a module-level __getattr__ would let type checkers believe in any name
    __getattr__ = lazy_names(__name__, {name: home for home, names in _NAMES.items() for name in names.split()})
