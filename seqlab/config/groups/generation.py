"""Settings of how text is generated."""

from __future__ import annotations

from typing import Any

from ..settings import PRACTICE, Seed, Settings, knob


class GenerationConfig(Settings):
    """How text is generated."""

    length: int | None = knob(
        None,
        "Tokens to generate at most; default: about 500 characters.",
        tier="essential",
        usual="50 to 2,000",
        effect="Longer texts drift further from the prompt.",
        ge=1,
        le=10**6,
    )
    num: int = knob(
        1,
        "How many texts.",
        tier="essential",
        usual="1 to 20",
        effect="Several texts are generated side by side, much faster than one after the other.",
        ge=1,
        le=10**5,
    )
    temperature: float | None = knob(
        None,
        "Divides the logits: below 1 safer, above 1 more varied, 0 always the likeliest token. By default the model "
        "is left as it is.",
        tier="essential",
        usual="0.5 to 1.1",
        effect="Lower repeats itself, higher makes mistakes.",
        source="Ackley et al. 1985",
        ge=0,
        le=1e9,
    )
    top_k: int | None = knob(
        None,
        "Draw from the K likeliest tokens.",
        tier="essential",
        usual="5 to 100",
        effect="Lower is safer and more repetitive.",
        source="Fan et al. 2018, https://arxiv.org/abs/1805.04833",
        ge=1,
        le=10**9,
    )
    top_p: float | None = knob(
        None,
        "Draw from the likeliest tokens that together have probability P.",
        tier="essential",
        usual="0.8 to 0.98",
        effect="Lower is safer and more repetitive.",
        source="Holtzman et al. 2020, https://arxiv.org/abs/1904.09751",
        gt=0,
        le=1,
    )
    min_p: float | None = knob(
        None,
        "Draw from the tokens at least P times as likely as the best one.",
        tier="essential",
        usual="0.02 to 0.2",
        effect="Higher is safer; it adapts to how sure the model is.",
        source="Nguyen et al. 2024, https://arxiv.org/abs/2407.01082",
        ge=0,
        le=1,
    )
    rules: list[Any] = knob(
        [],
        'Decoding rules applied in this order, before the four above: "name=value", (name, value) or a function.',
        tier="recipe",
        usual="repetition_penalty=1.1 to 1.3, no_repeat_ngram=3 to 6",
        effect="See `seqlab settings rules`.",
        source=PRACTICE,
    )
    best_of: int | None = knob(
        None,
        "Draw so many texts and keep the num most probable.",
        tier="recipe",
        usual="2 to 32",
        effect="Higher gives safer texts, at the cost of that many drawn.",
        source=PRACTICE,
        ge=1,
        le=10**5,
    )
    beam: int | None = knob(
        None,
        "Search for the most probable text with so many hypotheses, instead of drawing.",
        tier="recipe",
        usual="2 to 16",
        effect="More probable texts, which often repeat themselves.",
        source="Huang et al. 2017, https://aclanthology.org/D17-1227",
        ge=1,
        le=10**5,
    )
    length_penalty: float = knob(
        0.0,
        "Exponent by which best_of and beam make up for length; 0 compares plain log-probabilities.",
        tier="internal",
        usual="0 to 1",
        effect="Higher prefers longer texts.",
        source="Wu et al. 2016, https://arxiv.org/abs/1609.08144",
        ge=-10,
        le=10,
    )
    seed: Seed | None = knob(
        None,
        "Repeats a result; by default a seed is drawn and reported.",
        tier="essential",
        usual="any whole number",
        effect="The same model, settings and seed give the same text.",
    )
    stop: str | list[str] = knob(
        [],
        "Texts before which to stop.",
        tier="essential",
        usual="a newline for one item a line",
        effect="Generation ends early.",
    )
    stop_at_eos: bool | None = knob(
        None,
        "Stop at the end of a document; default: where the end-of-text token is not also the newline.",
        tier="internal",
        usual="the default",
        effect="False continues with the next document.",
    )
    allow_unknown: bool = knob(
        False,
        "Read unknown words of the prompt as <unk> instead of refusing them.",
        tier="recipe",
        usual="false",
        effect="Any prompt is accepted; the model does not see those words.",
    )
    ban_unknown: bool = knob(
        True,
        "Never generate <unk>.",
        tier="internal",
        usual="true",
        effect="False shows where the model would use an unknown word.",
    )
