"""Evaluating a language model: exactly, and with what may be added to it afterwards.

| module | what it holds |
| --- | --- |
| exact | log-probability of every token by the full softmax; scores |
| text | a text as the network reads it; `Addition`: what is added to the network |
| dynamic, cache, calibration, counts, ensembles | the parts |
| sources | given texts, or the splits of the run's own corpus |
| evaluator, runs | the story; a run with options |
| token_scores | scores of single tokens as JSON Lines |
"""

from .additions.dynamic import RULES, DynamicSettings, dynamic_log_probs
from .evaluator import Evaluation, Evaluator
from .exact import evaluate_language_model, negative_log_likelihood, read_text, scores
from .runs import Adaptation, evaluator_of
from .scored_text import Addition, Network, ScoredText
from .sources import read_source, run_corpus
from .token_scores import write_token_scores

__all__ = [
    "RULES",
    "Adaptation",
    "Addition",
    "DynamicSettings",
    "Evaluation",
    "Evaluator",
    "Network",
    "ScoredText",
    "dynamic_log_probs",
    "evaluate_language_model",
    "evaluator_of",
    "negative_log_likelihood",
    "read_source",
    "read_text",
    "run_corpus",
    "scores",
    "write_token_scores",
]
