"""Settings of a map of word vectors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..names import MapColorName, MapMethodName
from ..settings import MEASURED, PRACTICE, Settings, knob


class MapConfig(Settings):
    """How a map of word vectors is drawn."""

    words: int = knob(
        500,
        "How many of the most frequent words are drawn; not used with only.",
        tier="essential",
        usual="100 to 2,000",
        effect="More words show more groups and leave less room for each label.",
        ge=2,
        le=10**6,
    )
    skip: int | None = knob(
        None,
        "How many of the most frequent words are left out. Default: up to 150 that are near no others (the, of, and), "
        "which say little of a subject; 0 draws all.",
        tier="essential",
        usual="0, or 100 to 200 for a novel",
        effect="The map shows more names and subjects, and less grammar.",
        source=MEASURED,
        ge=0,
        le=10**6,
    )
    only: str | list[str] | None = knob(
        None,
        "The words to draw instead of the most frequent ones.",
        tier="essential",
        usual="the words of a topic",
        effect="The map shows these words alone; those that the vectors lack are reported.",
    )
    highlight: str | list[str] = knob(
        [],
        "Words that are always drawn, labelled and set off, with their neighbours.",
        tier="essential",
        usual="1 to 5 words",
        effect="Their neighbourhoods stand out.",
    )
    method: MapMethodName = knob(
        "tsne",
        "How the words are laid out in the plane.",
        tier="essential",
        usual="tsne; pca for a quick look",
        effect="tsne keeps neighbours together, pca shows the directions of largest variance.",
        source=MEASURED,
    )
    color: MapColorName = knob(
        "cluster",
        "What the colour of a word shows.",
        tier="essential",
        usual="cluster; length for lines",
        effect="Groups of the high-dimensional vectors are seen, how frequent a word is, or how long.",
    )
    labels: dict[str, str] | None = knob(
        None,
        "A label for each word or line, by which the dots are coloured instead; words without one are grey.",
        tier="essential",
        usual="the class of each line, for vectors of an autoencoder",
        effect="Whether the vectors tell the labels apart is seen.",
    )
    symbols: bool = knob(
        False,
        "Draw tokens without a letter or digit too, and control tokens such as <unk>.",
        tier="recipe",
        usual="true for models of characters",
        effect="Punctuation takes room on the map.",
    )
    perplexity: float = knob(
        30.0,
        "About how many neighbours tsne keeps together; lowered where there are few words.",
        tier="recipe",
        usual="5 to 50",
        effect="Higher shows larger groups, lower smaller ones.",
        source="van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html",
        gt=0,
        le=10**6,
    )
    neighbors: int = knob(
        8,
        "How many of the nearest words are listed for each word, and drawn around a highlighted one.",
        tier="recipe",
        usual="5 to 20",
        effect="More neighbours crowd the map around highlighted words.",
        source=PRACTICE,
        ge=0,
        le=10**4,
    )
    title: str | None = knob(
        None,
        "Title of the picture; default: the number of words and the name of the vectors.",
        tier="recipe",
        usual="a few words",
        effect="It stands above the map.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = knob(
        1,
        "Seed of the layout and of the groups.",
        tier="internal",
        usual="any whole number",
        effect="The same seed draws the same map.",
    )
