"""Evaluating a language model: exactly, and with what may be added to it afterwards.

| module | what it holds |
| --- | --- |
| exact | log-probability of every token by the full softmax; scores |
| scored_text | a text as a model reads it, network and counts; `Addition`: what is added to them |
| tuning | how much the counts and the cache are to say beside a network |
| additions | dynamic evaluation, ensembles |
| sources | texts, or the splits of the run's own corpus |
| evaluator, runs | the story; a run with options |
| results | `Scores` of a text, `TextScore` of its tokens |
| text_score, token_scores | a short text token by token; tokens of a long one as JSON Lines |
"""

from .additions.dynamic import RULES, DynamicSettings, dynamic_log_probs
from .evaluator import Evaluation, Evaluator
from .exact import evaluate_language_model, negative_log_likelihood, read_sample, read_text, scores
from .results import Scores, TextScore
from .runs import Adaptation, cached_members, evaluate_source, evaluator_of
from .scored_text import Addition, ScoredText, Scorer, Shares
from .sources import read_source, run_corpus
from .text_score import score_text
from .token_scores import write_token_scores
from .tuning import Together, tune_together

__all__ = [
    "RULES",
    "Adaptation",
    "Addition",
    "DynamicSettings",
    "Evaluation",
    "Evaluator",
    "ScoredText",
    "Scorer",
    "Scores",
    "Shares",
    "TextScore",
    "Together",
    "cached_members",
    "dynamic_log_probs",
    "evaluate_language_model",
    "evaluate_source",
    "evaluator_of",
    "negative_log_likelihood",
    "read_sample",
    "read_source",
    "read_text",
    "run_corpus",
    "score_text",
    "scores",
    "tune_together",
    "write_token_scores",
]
