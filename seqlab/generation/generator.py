"""A model and a tokenizer that write: prompt in, `Sample`s out."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

import numpy as np
import torch

from ..base.errors import InputError, did_you_mean, option
from ..base.printing import quoted
from ..config import GenerationConfig
from ..config.checks import RULE_FLAGS, check_generation, split_rule
from ..models.tokens import Token
from ..options import GenerationOptions
from ..text import Tokenizer
from ..text.tokenizers.unfinished import Unfinished
from .beam import beam_search
from .decoding import Continuation, best, sample
from .memory import check_generation_memory
from .rules import Rule, make_rule
from .samples import Sample, Samples
from .stepping import StepModel
from .streaming import TextReader

if TYPE_CHECKING:
    from ..models import LanguageModel

DEFAULT_CHARACTERS = 500
WORTH_SHARING = 1 << 25  # multiplications a step
PROBE, PROBE_STRIDE = 1000, 619  # without a common factor
Found = tuple[int, Continuation, TextReader]


class Prompt(NamedTuple):
    """A prompt, checked and encoded.

    shown: as it reads before its continuation. ids: without the start token, and without the end that the first new
    tokens write again where it is `unfinished`. spelt: as a model reads it that knows words by their characters, start
    token first, with `words` behind the vocabulary; None for other models.
    """

    shown: str
    ids: list[int]
    spelt: list[int] | None
    words: Sequence[str]
    unfinished: Unfinished | None


class Request(NamedTuple):
    """Everything that decides what is generated; whatever is wrong with it was refused when it was made.

    seed: that draws the texts, None for a search.
    """

    config: GenerationConfig
    prompt: Prompt
    rules: Sequence[Rule]
    seed: int | None


class TextGenerator:
    """Generates text from any model that keeps the contract of `StepModel`.

    Args:
        model: that writes.
        tokenizer: of its text.
        lead_ins: what the model reads before a text without a prompt, (P, L) ids; none, and it begins with the start
            token.
    """

    def __init__(self, model: StepModel, tokenizer: Tokenizer, lead_ins: Sequence[Sequence[int]] = ()):
        self.model, self.tokenizer, self.lead_ins = model, tokenizer, lead_ins
        self.reads_characters: bool = getattr(model, "reads_characters", False)

    def generate(
        self, prompt: str = "", *, stream: Callable[[str], None] | None = None, **options: Unpack[GenerationOptions]
    ) -> Samples:
        """Continue `prompt`; the options are the fields of `seqlab.config.GenerationConfig`.

        An empty prompt gives a text from its beginning: a model of running text begins it as a paragraph, behind the
        end of one of its training text, drawn with the seed; a search, or a temperature of 0, takes always the same.
        Any other text starts from the tokenizer's start token. Rules are applied in this order: bans (`ban_unknown`),
        `rules` as listed, then temperature, top_k, top_p, min_p. `best_of` and `beam` return the best `num`, best
        first.

        Args:
            prompt: text to continue.
            stream: called with the text of a single drawn sample while it is made.
            **options: see `GenerationConfig`.

        Raises:
            InputError: options that contradict each other, or a prompt with unknown characters or words, unless the
                model reads words by their characters.
        """
        return self.write(self.request(prompt, **options), stream)

    def request(self, prompt: str = "", **options: Unpack[GenerationOptions]) -> Request:
        """Check options and prompt, and encode the prompt, without generating anything yet: to show the prompt before
        its continuation, or to learn the seed.

        Raises:
            InputError: what `generate` refuses.
        """
        config = GenerationConfig.build(options, "generate")
        check_generation(config)
        seed = None if config.beam else new_seed() if config.seed is None else config.seed
        return Request(config, self.read_prompt(prompt, config.allow_unknown), self._rules(config), seed)

    def write(self, request: Request, stream: Callable[[str], None] | None = None) -> Samples:
        """Generate what was requested; `stream` as in `generate`."""
        config, prompt = request.config, request.prompt
        check_generation(config, streaming=stream is not None)
        stops = [config.stop] if isinstance(config.stop, str) else config.stop
        length, ends = config.length or self.default_length(), bool(stops) or self._eos_id(config) is not None
        read = max(map(len, self._reads(request, 1)), default=len(prompt.ids) + 1)
        check_generation_memory(self.model, config, length, read, ends)
        skip = prompt.unfinished.skip if prompt.unfinished else 0
        new_reader = partial(TextReader, self.tokenizer, prompt.ids, stops, self._eos_id(config), skip=skip)
        with _at_work(self.model, config.beam or config.best_of or config.num), self._extra_words(prompt.words):
            found = (
                self._search(request, new_reader)
                if request.seed is None
                else self._draw(request, new_reader, request.seed, stream)
            )
        samples = (_assemble(prompt.shown, *one, config.length_penalty, request.seed) for one in found)
        return Samples(samples)

    def read_prompt(self, prompt: str, allow_unknown: bool = False) -> Prompt:
        """Encode a prompt. Raises InputError naming what the model does not know, or what is no text."""
        if not isinstance(prompt, str):
            raise InputError(f"prompt: must be one text, not {type(prompt).__name__}.")
        prompt = self._spelled(prompt)
        tokenizer = self.tokenizer
        unfinished, whole = tokenizer.unfinished(prompt), tokenizer.encode(prompt).tolist()
        takes_unknown = (allow_unknown or self.reads_characters) and tokenizer.unk_id is not None
        if unfinished and takes_unknown and whole[len(unfinished.ids) :] == [tokenizer.unk_id]:
            unfinished = None  # this word is meant, and not one that begins so
        ids = unfinished.ids if unfinished else whole
        if not takes_unknown and (unknown := tokenizer.unknown(prompt, len(ids))):
            raise InputError(self._unknown_words(unknown))
        shown = _shown(prompt, tokenizer.decode(whole), unfinished is not None)
        if not self.reads_characters:
            return Prompt(shown, ids, None, (), unfinished)
        spelt, words = tokenizer.encode_spelt(prompt)
        return Prompt(shown, ids, [tokenizer.start_id, *spelt[: len(ids)].tolist()], words, unfinished)

    def _unknown_words(self, unknown: Sequence[str]) -> str:
        """What to say of a prompt with these words."""
        names = ", ".join(map(quoted, unknown[:5])) + (f" and {len(unknown) - 5} more" if unknown[5:] else "")
        mappable = self.tokenizer.unk_id is not None
        remedy = f", or allow unknown words ({option('allow_unknown')}), which are read as <unk>" if mappable else ""
        return (
            f"the prompt has {names}, which this model has never seen; leave that out{remedy}."
            f"{did_you_mean(unknown[0], self.tokenizer.vocab.itos, 2, None)}"
        )

    def _spelled(self, prompt: str) -> str:
        """The prompt in composed or decomposed Unicode, whichever of the two the model knows more of."""
        if prompt.isascii():
            return prompt
        forms = (prompt, unicodedata.normalize("NFC", prompt), unicodedata.normalize("NFD", prompt))
        return min(forms, key=lambda form: len(self.tokenizer.unknown(form)))

    def _extra_words(self, words: Sequence[str]) -> AbstractContextManager[None]:
        return cast("LanguageModel", self.model).extra_words(words) if words else nullcontext()

    def default_length(self) -> int:
        """Tokens that make about 500 characters, judging by tokens as frequent as in the training text."""
        share_V = np.cumsum(np.asarray(self.tokenizer.vocab.counts, dtype=float) + 1e-9)
        ids_N = np.searchsorted(share_V, (np.arange(PROBE) + 0.5) / PROBE * share_V[-1])
        mixed_N = ids_N[np.arange(PROBE) * PROBE_STRIDE % PROBE]
        return max(10, int(round(DEFAULT_CHARACTERS * PROBE / len(self.tokenizer.decode(mixed_N)), -1)))

    def _reads(self, request: Request, count: int) -> list[Sequence[int]]:
        """What the model reads instead of the start token and the prompt, for `count` texts: of several, text i reads
        number i mod their number; nothing where it reads those."""
        prompt = request.prompt
        if prompt.ids or not self.lead_ins or prompt.unfinished:
            return [] if prompt.spelt is None else [prompt.spelt]
        if request.seed is None or request.config.temperature == 0:
            return [self.lead_ins[0]]
        numbers = range(request.seed, request.seed + min(count, len(self.lead_ins)))
        return [self.lead_ins[number % len(self.lead_ins)] for number in numbers]

    def _draw(
        self,
        request: Request,
        new_reader: Callable[..., TextReader],
        seed: int,
        stream: Callable[[str], None] | None,
    ) -> list[Found]:
        """Sample, and keep the best where `best_of` asks for it."""
        config, prompt = request.config, request.prompt
        count = config.best_of or config.num
        readers = [new_reader(write=stream) for _ in range(count)]
        drawn = sample(
            self.model,
            [self.tokenizer.start_id, *prompt.ids],
            config.length or self.default_length(),
            count=count,
            seed=seed,
            rules=request.rules,
            ends=lambda index, token: readers[index].push(token),
            reads=self._reads(request, count),
            unfinished=prompt.unfinished,
        )
        order = best(drawn, config.num, config.length_penalty) if config.best_of else range(count)
        return [(index, drawn[index], readers[index]) for index in order]

    def _search(self, request: Request, new_reader: Callable[..., TextReader]) -> list[Found]:
        """Beam search."""
        config, prompt = request.config, request.prompt
        assert config.beam is not None
        found = beam_search(
            self.model,
            [self.tokenizer.start_id, *prompt.ids],
            config.length or self.default_length(),
            config.beam,
            count=config.num,
            rules=request.rules,
            eos_id=self._eos_id(config),
            alpha=config.length_penalty,
            complete=(lambda ids: _ends(new_reader(), ids)) if config.stop else None,
            reads=self._reads(request, 1),
            unfinished=prompt.unfinished,
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
        flags = [(name, getattr(config, name)) for name in RULE_FLAGS]
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


def _shown(prompt: str, kept: str, unfinished: bool) -> str:
    """A prompt as it reads before its continuation: white space at its end that the tokenizer drops comes with the next
    token, or is one space where that must have one before it."""
    dropped = prompt[len(prompt.rstrip()) :].rpartition("\n")[2]
    if prompt[-1:] == kept[-1:] or not dropped:
        return prompt
    return prompt.removesuffix(dropped) + " " * unfinished


def new_seed() -> int:
    """A seed by chance."""
    return secrets.randbits(32)


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
