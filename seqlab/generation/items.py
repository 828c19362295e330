"""Items of a list: whole lines, each different, and whether the training text has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from ..base.errors import InputError, option
from ..base.results import Result, Table, line
from ..config.checks import RULE_FLAGS
from ..options import GenerationOptions
from ..text.preparation.lines import item_key
from .generator import TextGenerator
from .samples import Sample

DRAWS = 20
"""Texts drawn at most for every item that is wanted: a model that knows a short list by heart writes little else."""
SPARE = 4
"""Texts drawn in a round beyond those that are missing."""
MOST_ITEMS, MOST_AT_ONCE = 10**6, 10**4
"""Items, and texts drawn in a round."""
TEMPERATURE = 0.6
"""Where no rule is given: from 2,000 headings a small model has learned few of the words that it begins. One in ten to
six of its items consists of existing words at temperature 1, three in five at 0.6 (benchmarks/LOG.md, 'Lists')."""
CLASHES = ("num", "beam", "best_of", "stop", "stop_at_eos")
"""Options that items decide themselves."""


@dataclass(frozen=True, repr=False)
class Item:
    """One generated item. `str(item)` is its text.

    Attributes:
        text: on one line, the prompt included.
        seen: whether the list that the model was trained on has it, case and white space apart; None where the run does
            not know its lines.
        sample: the generated text, with probability and rank of every token.
    """

    text: str
    seen: bool | None
    sample: Sample

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        known = {True: "in the training text", False: "new", None: ""}[self.seen]
        return line("Item", [repr(self.text), known])


class Items(list[Item], Result):
    """The items of one call: a list.

    Attributes:
        drawn: texts that were drawn for them.
        seed: repeats the call.
    """

    def __init__(self, items: Iterable[Item] = (), drawn: int = 0, seed: int = 0):
        super().__init__(items)
        self.drawn, self.seed = drawn, seed

    @property
    def seen(self) -> list[str]:
        """Those that the training text has."""
        return [item.text for item in self if item.seen]

    def __repr__(self) -> str:
        known = f"{len(self.seen):,} in the training text" if any(item.seen is not None for item in self) else ""
        return line("Items", [f"{len(self):,} item{'' if len(self) == 1 else 's'}", known, f"{self.drawn:,} drawn"])

    def text(self) -> str:
        """One item a line."""
        return "\n".join(item.text for item in self)

    def table(self) -> Table:
        """A row an item."""
        rows = [(item.text, item.seen, item.sample.log_prob, item.sample.nats_per_token) for item in self]
        return Table(("text", "seen", "log_prob", "nats_per_token"), rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        items = [{"text": item.text, "seen": item.seen, "log_prob": item.sample.log_prob} for item in self]
        return {"seed": self.seed, "drawn": self.drawn, "items": items}


def write_items(
    generator: TextGenerator,
    count: int,
    prompt: str = "",
    *,
    known: np.ndarray | None = None,
    separate: bool = True,
    new: bool = False,
    **options: Unpack[GenerationOptions],
) -> Items:
    """Draw `count` different items, side by side.

    Drawn at TEMPERATURE, unless `options` name a rule. Empty lines and texts that reached `length` without an end are
    drawn again; so are items of the training text, where only new ones are wanted. After DRAWS texts for every item
    there may be fewer than `count`.

    Args:
        generator: of the model.
        count: how many.
        prompt: how every item begins; of several lines the last, since items do not depend on those before.
        known: sorted keys of the lines that the model was trained on, None where they are not known.
        separate: whether the model was trained on a list of lines, so that a text ends where an item does; else an item
            is what stands between two line ends.
        new: leave out items that the training text has.
        **options: see `GenerationConfig`; not `num`, `beam`, `best_of`, `stop` and `stop_at_eos`.

    Raises:
        InputError: as `TextGenerator.generate`; or `new` without `known`.
    """
    if not 1 <= count <= MOST_ITEMS:
        raise InputError(f"{option('items')}: must be 1 to {MOST_ITEMS:,}, not {count:,}.")
    for name in CLASHES:
        if options.get(name):
            raise InputError(f"{name}: items are drawn as whole lines, one after the other; leave out {name}.")
    if new and known is None:
        raise InputError("new: the run does not know its training lines; one that is trained on a list (lines) does.")
    prompt = prompt.rpartition("\n")[2]
    if not options.get("rules") and all(options.get(name) is None for name in RULE_FLAGS):
        options = {**options, "temperature": TEMPERATURE}
    whole: GenerationOptions = options if separate else {**options, "stop": ["\n"], "stop_at_eos": True}
    beginning = prompt if separate or generator.tokenizer.newline_id is None else f"\n{prompt}"
    request = generator.request(beginning, **whole)
    seed, drawn, found = request.seed or 0, 0, dict[int, Item]()
    round_number = 0
    while len(found) < count and drawn < DRAWS * count:
        missing = min(count - len(found) + SPARE, DRAWS * count - drawn) if drawn or new else count
        missing = min(missing, MOST_AT_ONCE)
        one: GenerationOptions = {**whole, "num": missing, "seed": seed + round_number}
        for sample in generator.generate(beginning, **one):
            text = " ".join(str(sample).strip("\n").split("\n")).strip()
            key = item_key(text)
            seen = None if known is None else holds(known, key)
            if text and sample.finish == "stop" and key not in found and not (new and seen) and len(found) < count:
                found[key] = Item(text, seen, sample)
        drawn, round_number = drawn + missing, round_number + 1
    return Items(found.values(), drawn, seed)


def holds(keys: np.ndarray, key: int) -> bool:
    """Whether sorted keys contain one."""
    place = int(np.searchsorted(keys, np.uint64(key)))
    return place < len(keys) and int(keys[place]) == key
