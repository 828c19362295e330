"""Settings of what is added to a language model while it is evaluated."""

from __future__ import annotations

from pathlib import Path

from ..settings import MEASURED, Seed, Settings, knob


class EvaluationConfig(Settings):
    """What to add to a language model while it is evaluated; each addition is one more section of the result."""

    dynamic: bool | str = knob(
        False,
        "Keep learning from the text as it is scored: true or rms, or sgd for plain steps.",
        tier="recipe",
        usual="true",
        effect="A quarter lower perplexity on WikiText-2, at three times the time.",
        source=f"Krause et al. 2018, https://arxiv.org/abs/1709.07432; {MEASURED}",
    )
    ensemble: list[str | Path] = knob(
        [],
        "Average with other runs of the same tokenizer.",
        tier="recipe",
        usual="1 to 4 runs",
        effect="Runs of different cells or seeds help each other.",
        source=MEASURED,
    )
    seed: Seed = knob(
        1,
        "Seed of dynamic.",
        tier="internal",
        usual="any whole number",
        effect="Another seed shows how much of a difference is chance.",
    )
