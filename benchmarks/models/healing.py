"""Prompts that end in a space or inside a word, with and without token healing. Prints JSON.

    python -m benchmarks.models.healing bpe --rows lm/healing-bpe
    python -m benchmarks.models.healing word --rows lm/healing-word

A model of a megabyte of WikiText-2 reads 200 prompts from held-out text: half end in the space after a word, half after
two letters or more of a word of five or more. How probable is the text that really follows?

- pieces: nats per character of the rest of the word and the next words. With healing that is the probability of the
  text's own tokens, divided by that of the end of the prompt written in any way; other ways to write what follows are
  not added, so the figure is too high if anything. Without, the prompt's tokens are kept as they are.
- words: without healing the beginning of a word is a word by itself, or unknown, and the rest of the word can never
  follow. So the figure is nats per word of the next words, after the whole word with healing and after its beginning
  without. With healing the beginning also says what the cut word is: its nats with the letters known, and without them.

Doubled spaces are those where a drawn continuation begins with a space and the prompt ends in one.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seqlab
from benchmarks import rows
from seqlab.generation.healing import Healing

PROMPTS, BEFORE, NEXT_WORDS = 200, 200, 6


def prompts(text: str, kind: str) -> list[tuple[str, str, str]]:
    """Of held-out text: what comes before, the rest of the cut word ("" after a space), and the words that follow."""
    draws, found = np.random.default_rng(1), list[tuple[str, str, str]]()
    words = [match.span() for match in re.finditer(r"(?<= )[a-z]{5,}(?= )", text)]
    while len(found) < PROMPTS:
        start, end = words[draws.integers(len(words))]
        follows = re.match(rf"(?: [a-z]+){{{NEXT_WORDS}}}(?= )", text[end:])
        before = text[max(0, start - BEFORE) : start].partition(" ")[2]
        if not follows or "\n" in before or not before:
            continue
        space = kind == "bpe" and len(found) % 2 == 0
        cut = start if space else int(draws.integers(start + 2, end - 1))
        found.append((before + text[start:cut], text[cut:end], follows[0]))
    return found


def log_probs(model: Any, logits_1V: torch.Tensor, state: Any, ids: list[int]) -> list[float]:
    """Of tokens one after another."""
    found = []
    for token in ids:
        found.append(float(logits_1V[0].double().log_softmax(-1)[token]))
        logits_1V, state = model.step(torch.tensor([token]), state)
    return found


def measure(lm: Any, kind: str, asked: list[tuple[str, str, str]]) -> dict[str, dict[str, float]]:
    generator, tokenizer = lm.generator, lm.tokenizer
    model, start = generator.model, tokenizer.start_id
    sums: dict[str, dict[str, float]] = {name: {} for name in ("healing", "prompt as it is")}

    def add(name: str, key: str, value: float) -> None:
        sums[name][key] = sums[name].get(key, 0.0) + value

    with torch.inference_mode():
        for prompt, rest, follows in asked:
            prefill = lambda ids: model.prefill(torch.tensor([[start, *ids]]), model.init_state(1))  # noqa: E731
            unfinished = tokenizer.unfinished(prompt)
            begun, own = tokenizer.encode(prompt).tolist(), tokenizer.encode(prompt + rest + follows).tolist()
            characters = len(rest + follows)
            if kind == "word":
                whole, begins = tokenizer.encode(prompt + rest).tolist(), tokenizer.unk_id in begun[-1:]
                next_words = tokenizer.encode(follows).tolist()
                add("healing", "next", -sum(log_probs(model, *prefill(whole), next_words)))
                add("prompt as it is", "next", -sum(log_probs(model, *prefill(begun), next_words)))
                add("prompt as it is", "unknown beginning", begins)
            if unfinished is None:
                continue
            logits_1V, state = prefill(unfinished.ids)
            end = float(Healing(unfinished, model, logits_1V, state).total_W[0])
            tail = own[len(unfinished.ids) :]
            if kind == "word":
                word = log_probs(model, logits_1V, state, tail[:1])[0]
                add("healing", "cut word", end - word)
                add("prompt as it is", "cut word", -word)
                add("healing", "healed", 1)
            else:
                add("healing", "text", (end - sum(log_probs(model, logits_1V, state, tail))) / characters)
                kept = tokenizer.encode(rest + follows).tolist()
                add("prompt as it is", "text", -sum(log_probs(model, *prefill(begun), kept)) / characters)
    return sums


def doubled(lm: Any, asked: list[tuple[str, str, str]], heal: bool) -> int:
    """Prompts that end in a space and are gone on with by another."""
    kept = type(lm.tokenizer).unfinished
    if not heal:
        type(lm.tokenizer).unfinished = lambda self, text: None
    try:
        spaced = [prompt for prompt, _, _ in asked if prompt.endswith(" ")]
        drawn = (lm.sample(prompt, length=3, seed=place)[0].text for place, prompt in enumerate(spaced))
        return sum(text.startswith(" ") for text in drawn)
    finally:
        type(lm.tokenizer).unfinished = kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("bpe", "word"))
    parser.add_argument("--steps", type=int, default=600)
    rows.add_option(parser)
    options = parser.parse_args()
    text = re.sub(" +<unk>", "", rows.data("wikitext-2", "train.txt").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text(text[:1_000_000], "utf-8")
        lm = seqlab.train_language_model(path, tokenizer=options.kind, steps=options.steps, seed=1, quiet=True)
        asked = prompts(text[2_000_000:4_000_000], options.kind)
        sums, pieces = measure(lm, options.kind, asked), options.kind == "bpe"
        spaces = {name: doubled(lm, asked, name == "healing") for name in sums} if pieces else {}
    found: dict[str, dict[str, float | None]] = {}
    for name, values in sums.items():
        if pieces:
            found[name] = {
                "text that follows [nats per character]": values["text"] / PROMPTS,
                "doubled spaces": spaces[name],
                "prompts that end in a space": PROMPTS // 2,
            }
        else:
            found[name] = {
                "next words [nats per word]": values["next"] / PROMPTS / NEXT_WORDS,
                "cut word [nats]": values["cut word"] / sums["healing"]["healed"],
                "beginnings that are no word": values.get("unknown beginning"),
            }
    rows.record(options.rows, found, peer="prompt as it is", where="shared with other work")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
