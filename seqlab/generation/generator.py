"""A model and a tokenizer that write: prompt in, `Sample`s out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ..base.errors import InputError, did_you_mean
from ..config import GenerationConfig
from ..text import Tokenizer
from .beam import beam_search
from .decoding import Continuation, StepModel, best, sample
from .rules import RESTRAINTS, RULES, Rule, make_rule
from .streaming import TextReader

if TYPE_CHECKING:
    from ..models import LanguageModel

DEFAULT_CHARACTERS = 500
WORTH_SHARING = 1 << 25  # multiplications a step
PROBE, PROBE_STRIDE = 1000, 619  # without a common factor
FLAGS = ("temperature", "top_k", "top_p", "min_p")
Found = tuple[int, Continuation, TextReader]


@dataclass(frozen=True)
class Token:
    """One generated token. `log_prob` and `entropy` (nats) and `rank` (1: the favourite) are the model's own,
    whatever rules shaped the choice."""

    text: str
    id: int
    log_prob: float
    rank: int
    entropy: float


@dataclass(frozen=True)
class Sample:
    """One generated text.

    Attributes:
        prompt: as it reads before the text.
        text: what was generated, without the prompt; the tokens' texts joined.
        tokens: all that were generated, those of a stop string or an end of text (with text "") included.
        log_prob: total log-probability of the tokens in nats.
        score: `log_prob` over the length penalty.
        finish: "stop" (end of text or stop string) or "length".
        seed, index: `generate` with this seed draws it again as candidate `index`; seed is None for a search.
    """

    prompt: str
    text: str
    tokens: list[Token]
    log_prob: float
    score: float
    finish: str
    seed: int | None
    index: int

    def __str__(self) -> str:
        return self.prompt + self.text

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "text": self.text,
            "log_prob": self.log_prob,
            "score": self.score,
            "finish": self.finish,
            "tokens": [vars(token) for token in self.tokens],
        }


class TextGenerator:
    """Generates text from any model that keeps the contract of `StepModel`."""

    def __init__(self, model: StepModel, tokenizer: Tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.reads_characters: bool = getattr(model, "reads_characters", False)

    def generate(
        self, prompt: str = "", *, stream: Callable[[str], None] | None = None, **options: Any
    ) -> list[Sample]:
        """Continue `prompt`; the options are the fields of `seqlab.config.GenerationConfig`.

        Every text starts from the tokenizer's start token, so an empty prompt gives a text from its
        beginning. Rules are applied in this order: bans (`ban_unknown`), `rules` as listed, then temperature,
        top_k, top_p, min_p. `best_of` and `beam` return the best `num`, best first. `stream` is called with
        the text of a single drawn sample while it is made.

        Raises InputError for options that contradict each other and for a prompt with unknown characters or
        words, unless the model reads words by their characters.
        """
        shown = self.check(prompt, **options)
        config = GenerationConfig.build(options)
        check_options(config, streaming=stream is not None)
        prompt_ids = self.encode_prompt(prompt, config.allow_unknown)
        stops = [config.stop] if isinstance(config.stop, str) else config.stop
        new_reader = partial(TextReader, self.tokenizer, prompt_ids, stops, self._eos_id(config))
        start = [self.tokenizer.start_id, *prompt_ids]
        seed = None
        with _at_work(self.model, config.beam or config.best_of or config.num), self._spelling(prompt) as spelt:
            if config.beam:
                found = self._search(config, start, spelt, new_reader)
            else:
                seed = new_seed() if config.seed is None else config.seed
                found = self._draw(config, start, spelt, new_reader, seed, stream)
        return [_assemble(shown, *one, config.length_penalty, seed) for one in found]

    def check(self, prompt: str = "", **options: Any) -> str:
        """Raises InputError for what `generate` would refuse. Returns the prompt as it reads before its
        continuation: white space that the tokenizer drops comes with the next word."""
        config = GenerationConfig.build(options, "generate")
        check_options(config)
        self._rules(config)
        kept = self.tokenizer.decode(self.encode_prompt(prompt, config.allow_unknown))
        return prompt if prompt[-1:] == kept[-1:] else prompt.rstrip()

    def encode_prompt(self, prompt: str, allow_unknown: bool = False) -> list[int]:
        """Ids of `prompt`. Raises InputError naming what the model does not know."""
        unknown = self.tokenizer.unknown(prompt)
        mappable = self.tokenizer.unk_id is not None
        if unknown and not ((allow_unknown or self.reads_characters) and mappable):
            names = ", ".join(map(repr, unknown[:5])) + (f" and {len(unknown) - 5} more" if unknown[5:] else "")
            remedy = " or allow unknown ones (--allow-unknown), which are read as <unk>" if mappable else ""
            raise InputError(
                f"the prompt holds {names}, which this model has never seen; leave that out{remedy}."
                f"{did_you_mean(unknown[0], self.tokenizer.vocab.itos)}"
            )
        return self.tokenizer.encode(prompt).tolist()

    @contextmanager
    def _spelling(self, prompt: str) -> Iterator[list[int] | None]:
        """The prompt, start token first, as a model reads it that knows words by their characters; None for others."""
        if not self.reads_characters:
            yield None
            return
        ids, words = self.tokenizer.encode_spelt(prompt)
        with cast("LanguageModel", self.model).extra_words(words):
            yield [self.tokenizer.start_id, *ids.tolist()]

    def default_length(self) -> int:
        """Tokens that make about 500 characters, judging by tokens as frequent as in the training text."""
        share_V = np.cumsum(np.asarray(self.tokenizer.vocab.counts, dtype=float) + 1e-9)
        ids_N = np.searchsorted(share_V, (np.arange(PROBE) + 0.5) / PROBE * share_V[-1])
        mixed_N = ids_N[np.arange(PROBE) * PROBE_STRIDE % PROBE]
        return max(10, int(round(DEFAULT_CHARACTERS * PROBE / len(self.tokenizer.decode(mixed_N)), -1)))

    def _draw(
        self,
        config: GenerationConfig,
        start: Sequence[int],
        spelt: Sequence[int] | None,
        new_reader: Callable[..., TextReader],
        seed: int,
        stream: Callable[[str], None] | None,
    ) -> list[Found]:
        """Sample, and keep the best where `best_of` asks for it."""
        count = config.best_of or config.num
        readers = [new_reader(write=stream) for _ in range(count)]
        drawn = sample(
            self.model,
            start,
            config.length or self.default_length(),
            count=count,
            seed=seed,
            rules=self._rules(config),
            ends=lambda index, token: readers[index].push(token),
            spelt=spelt,
        )
        order = best(drawn, config.num, config.length_penalty) if config.best_of else range(count)
        return [(index, drawn[index], readers[index]) for index in order]

    def _search(
        self,
        config: GenerationConfig,
        start: Sequence[int],
        spelt: Sequence[int] | None,
        new_reader: Callable[..., TextReader],
    ) -> list[Found]:
        """Beam search."""
        assert config.beam is not None
        found = beam_search(
            self.model,
            start,
            config.length or self.default_length(),
            config.beam,
            count=config.num,
            rules=self._rules(config),
            eos_id=self._eos_id(config),
            alpha=config.length_penalty,
            complete=(lambda ids: _ends(new_reader(), ids)) if config.stop else None,
            spelt=spelt,
        )
        readers = [new_reader() for _ in found]
        for reader, continuation in zip(readers, found, strict=True):
            _ends(reader, continuation.ids)
        return list(zip(range(len(found)), found, readers, strict=True))

    def _eos_id(self, config: GenerationConfig) -> int | None:
        """The token that ends a text, if one does."""
        tokenizer = self.tokenizer
        wanted = config.stop_at_eos
        if wanted is None:
            wanted = tokenizer.eos_id != tokenizer.newline_id
        return tokenizer.eos_id if wanted else None

    def _rules(self, config: GenerationConfig) -> list[Rule]:
        """The rules in the order of application."""
        unk_id = self.tokenizer.unk_id
        bans = [make_rule("ban", unk_id)] if config.ban_unknown and unk_id is not None else []
        flags = [(name, getattr(config, name)) for name in FLAGS]
        return [
            *bans,
            *(self._rule(entry) for entry in config.rules),
            *(make_rule(name, value) for name, value in flags if value is not None),
        ]

    def _rule(self, entry: Any) -> Rule:
        if callable(entry):
            return entry
        name, value = split_rule(entry)
        if name == "ban" and isinstance(value, str):
            value = self._token_id(value)
        return make_rule(name, value)

    def _token_id(self, text: str) -> int:
        """The id of one token given by its text."""
        stoi = self.tokenizer.vocab.stoi
        ids = [stoi[text]] if text in stoi else self.tokenizer.encode(text).tolist()
        if len(ids) != 1 or self.tokenizer.unknown(text):
            raise InputError(f"ban={text} is not one token of this model.{did_you_mean(text, stoi)}")
        return ids[0]


def new_seed() -> int:
    """A seed by chance."""
    return secrets.randbits(32)


def split_rule(entry: Any) -> tuple[str, Any]:
    """`"top_k=40"` or `("top_k", 40)` as name and value. Raises InputError for anything else."""
    pair = entry.partition("=")[::2] if isinstance(entry, str) and "=" in entry else entry
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return str(pair[0]).strip().replace("-", "_"), pair[1]
    raise InputError(f"rule {entry!r}: write name=value, such as top_k=40; names are {', '.join(RULES)}.")


def check_options(config: GenerationConfig, streaming: bool = False) -> None:
    """Raises InputError, one sentence, for options that contradict each other."""
    if config.beam:
        rules = [split_rule(entry)[0] for entry in config.rules if not callable(entry)]
        drawing = [name for name in FLAGS if getattr(config, name) is not None]
        drawing += [name for name in rules if name in RULES and name not in RESTRAINTS]
        drawing += ["best_of"] * bool(config.best_of)
        if drawing:
            raise InputError(
                f"beam searches and draws nothing, so {drawing[0]} cannot apply; leave out one of the two."
            )
    for name in ("beam", "best_of"):
        kept = getattr(config, name)
        if kept and kept < config.num:
            raise InputError(f"num {config.num} texts cannot be had from {name} {kept}; raise {name} to {config.num}.")
    if config.temperature == 0 and max(config.num, config.best_of or 1) > 1:
        raise InputError("temperature 0 gives the same text every time; use a higher one to get several texts.")
    if config.length_penalty and not (config.beam or config.best_of):
        raise InputError("length_penalty compares texts, so it needs best_of or beam.")
    if "" in (config.stop if isinstance(config.stop, list) else [config.stop or "none"]):
        raise InputError("stop: an empty text would stop at once; give some text.")
    if streaming and (config.beam or config.best_of or config.num > 1):
        raise InputError("only a single drawn text can be streamed; leave out num, best_of and beam.")


def _ends(reader: TextReader, ids: Sequence[int]) -> bool:
    """Whether the text is over once `ids` are read."""
    return any([reader.push(token) for token in ids])  # noqa: C419 - every id must be read


def _assemble(
    shown: str, index: int, continuation: Continuation, reader: TextReader, alpha: float, seed: int | None
) -> Sample:
    text, parts = reader.close()
    columns = (parts, continuation.ids, continuation.log_probs, continuation.ranks, continuation.entropies)
    return Sample(
        prompt=shown,
        text=text,
        tokens=[Token(*row) for row in zip(*columns, strict=True)],
        log_prob=continuation.log_prob,
        score=continuation.score(alpha),
        finish=continuation.finish,
        seed=seed,
        index=index,
    )


@contextmanager
def _at_work(model: Any, rows: int) -> Iterator[None]:
    """The model without dropout, and one thread where a step is too little work to share; then all as it was."""
    training, threads = getattr(model, "training", False), torch.get_num_threads()
    weights = sum(part.numel() for part in model.parameters()) if isinstance(model, torch.nn.Module) else 0
    if training:
        model.eval()
    if rows * weights < WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if training:
            model.train()
