"""Text out of a language model.

| module | what it holds |
| --- | --- |
| rules | `RULES`: functions logits -> logits, and the order they are applied in |
| decoding | reading a prompt, drawing samples, log-probability, rank and entropy of every token |
| beam | beam search with optimal stopping |
| streaming | ids become text while they are made; stop strings |
| generator | `TextGenerator`: prompt in, `Sample`s out |
"""

from .generator import Sample, TextGenerator, Token
from .rules import RULES

__all__ = ["RULES", "Sample", "TextGenerator", "Token"]
