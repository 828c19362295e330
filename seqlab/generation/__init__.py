"""Text out of a language model.

| module | what it holds |
| --- | --- |
| stepping | what decoding needs of a model |
| rules | `RULES`: functions logits -> logits, and the order they are applied in |
| healing | the end of a prompt, written again by the first new tokens |
| decoding | reading a prompt, drawing samples, log-probability, rank and entropy of every token |
| kernels | the last two for large vocabularies on the CPU, compiled |
| beam | beam search with optimal stopping |
| streaming | ids become text while they are made; stop strings |
| samples | `Sample`, `Samples`: what was generated, as results |
| generator | `TextGenerator`: prompt in, `Samples` out |
| items | `write_items`: lines of a list, each different, known or new |
"""

from ..models.tokens import Token
from .generator import TextGenerator
from .items import Item, Items
from .rules import RULES
from .samples import Sample, Samples

__all__ = ["RULES", "Item", "Items", "Sample", "Samples", "TextGenerator", "Token"]
