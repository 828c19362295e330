"""`seqlab check`: a minute before a training that saves an hour."""

from __future__ import annotations

from typing import Any

from ..console import check_texts, load_torch, print_json
from ..flags import with_flags_of
from ..train import checked_layers, train_lm


@with_flags_of(train_lm, "out", "more", "sample_every", "dry_run")
def check(**arguments: Any) -> None:
    """Look at a training before it starts: is it set up to learn?

    Example: seqlab check book.txt --lr 0.01

    Takes what train lm takes, plans as it does, and tries copies of the
    model for less than a minute: its initial loss, gradients, updates and
    units in a short training, one batch to memorise, other learning rates,
    what the budget reaches, and what is odd about the text. Nothing is
    written. Each finding names what was seen, the rule that fired, the
    likely cause, and what to change. The exit code is 0 whatever is found.

    A run folder instead of a text looks at its weights.
    """
    config, settings, preset = (arguments.pop(name) for name in ("config", "settings", "preset"))
    source, valid, test = (arguments.pop(name) for name in ("source", "valid", "test"))
    as_json, quiet = arguments.pop("as_json"), arguments.pop("quiet")
    given = checked_layers(config, settings, preset, arguments)
    check_texts(*source, valid, test)

    load_torch()
    from seqlab.base.printing import printable_lines
    from seqlab.studies.check.check import check as look
    from seqlab.training.planning import Layer

    layers = [Layer(*one) for one in given]
    found = look(source, valid=valid, test=test, quiet=quiet, preset=preset, given=layers)
    if as_json:
        print_json(found.to_json())
    else:
        print(printable_lines(found.text()), flush=True)
