"""`TrainedLanguageModel`: a language model ready to use, the object that a person holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack, get_args

from .base.errors import InputError, choose
from .base.results import Table, abbreviated, line
from .base.storage.whole import read_whole
from .config.arguments import checked
from .models.interpolated import Member
from .run import Run, RunHolder

if TYPE_CHECKING:
    from .embeddings import WordVectors
    from .evaluation import Evaluator, Scores, TextScore
    from .generation import Items, Samples, TextGenerator
    from .models import LanguageModel
    from .models.interpolated import Members
    from .options import EvaluationOptions, GenerationOptions
    from .text import Sources


@checked
class TrainedLanguageModel(RunHolder):
    """A language model ready to use: it writes, scores and evaluates text, and shows how it was trained.

    Made by `seqlab.train_language_model` and `seqlab.load`. Its weights are read when they are first needed.

    Attributes:
        run: the run folder it lives in. Without `out`, training makes a temporary one that goes when this object
            does; `save` makes it permanent.
        summary: what training reported (empty for a model loaded from disk).
    """

    run: Run

    def __init__(
        self,
        run: Run,
        device: str = "cpu",
        *,
        summary: Mapping[str, Any] | None = None,
        members: Members | None = None,
    ):
        super().__init__(run, device, summary)
        if members is not None:
            self.members = members

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> TrainedLanguageModel:
        """Open a run folder and read its weights.

        Args:
            path: the folder that `seqlab train lm` or `train_language_model(out=...)` wrote.
            device: "cpu", "cuda" or "auto".

        Raises:
            InputError: no such run, a damaged file, or a device that this machine does not have.
        """

        def load() -> TrainedLanguageModel:
            loaded = cls(Run.open(path), device)
            loaded.members  # noqa: B018 - a damaged file is reported now, not at the first question
            return loaded

        return read_whole(path, load)

    @cached_property
    def members(self) -> Members:
        """What the model is made of: the network with its best weights, and the counts beside it."""
        return self.run.load_members(self.device)

    @property
    def model(self) -> LanguageModel:
        """The network, in evaluation mode: a `torch.nn.Module`."""
        return self.members.network

    def only(self, member: Member) -> Self:
        """The same run with one of its members by itself: to hear what the network alone, or counting alone, would say.

        Args:
            member: "network" or "counts".

        Raises:
            InputError: "counts" of a run that has none.
        """
        choose("only", member, dict.fromkeys(get_args(Member)))
        members = self.members._replace(only=member)
        if member == "counts":
            members.the_counts()
        return type(self)(self.run, self.device, members=members)

    def with_cache(self, valid: Sources | None = None, *, quiet: bool = True) -> Self:
        """The same model with a cache of recent tokens as one more member: what came lately in a text becomes likelier.

        Predicts real text much better (`evaluate`, `score`); generated text keeps more to its subject, and repeats
        itself more.

        Args:
            valid: the text to fit the cache to: file(s), folder or corpus name. By default the run's own cache is
                taken, or where it has none one is fitted to the validation split of its corpus.
            quiet: show no progress.

        Raises:
            InputError: a model of a list of lines, one of its members by itself, or a text that cannot be had.
        """
        from .evaluation import cached_members

        return type(self)(self.run, self.device, members=cached_members(self.run, self.members, valid, quiet))

    @cached_property
    def generator(self) -> TextGenerator:
        """What writes: model and tokenizer together."""
        from .generation import TextGenerator

        return TextGenerator(self.members.model(), self.tokenizer, self.run.lead_ins)

    def generate(
        self, prompt: str = "", *, stream: Callable[[str], None] | None = None, **options: Unpack[GenerationOptions]
    ) -> str:
        """One text that begins with `prompt`, as `seqlab generate` prints it.

        Use `sample` for several texts, or for probabilities.

        Args:
            prompt: how the text begins; empty for a text from its beginning.
            stream: called with every stretch of the continuation as soon as it is written.
            **options: see `seqlab.settings("generation")`: temperature, top_k, top_p, min_p, length, seed, beam, ...

        Raises:
            InputError: `num`, contradictory options, or a prompt with words that the model has never seen.
        """
        if options.get("num", 1) != 1:
            raise InputError("num: generate() returns one text; use sample(prompt, n=...) for several.")
        [sample] = self.generator.generate(prompt, stream=stream, **options)
        return str(sample)

    def sample(self, prompt: str = "", *, n: int = 1, **options: Unpack[GenerationOptions]) -> Samples:
        """Several texts that continue `prompt`, each with the probability, rank and entropy of every token.

        Args:
            prompt: how the texts begin.
            n: how many.
            **options: as for `generate`; with `best_of` or `beam` the n best, best first.

        Returns:
            A list of `Sample`: `.text` is the continuation, `str(sample)` begins with the prompt.

        Raises:
            InputError: as for `generate`.
        """
        if "num" in options:
            raise InputError("num: sample() takes n, such as sample(prompt, n=3).")
        several: GenerationOptions = {**options, "num": n}
        return self.generator.generate(prompt, **several)

    def items(self, n: int = 10, prompt: str = "", *, new: bool = False, **options: Unpack[GenerationOptions]) -> Items:
        """Different items of a list, such as names or headlines, one line each.

        For a model of a list of lines each item also tells whether that list has it. They are drawn at temperature 0.6
        unless an option says otherwise.

        Args:
            n: how many.
            prompt: how every item begins.
            new: leave out items that the training text has.
            **options: as for `generate`, but not num, beam, best_of, stop and stop_at_eos.

        Returns:
            A list of `Item`: `.text`, `.seen`, `.sample`; fewer than n where even many draws give no more.

        Raises:
            InputError: as for `generate`, or `new` for a model that was not trained on a list.
        """
        from .generation.items import write_items

        run = self.run
        return write_items(self.generator, n, prompt, known=run.items, separate=run.lines, new=new, **options)

    def log_prob(self, text: str) -> float:
        """Exact log-probability of a text from its beginning, in nats.

        Raises:
            InputError: the text is empty.
        """
        return self.score(text).log_prob

    def score(self, text: str) -> TextScore:
        """Log-probability, rank and entropy of every token of a text; a notebook shades them by probability.

        Raises:
            InputError: the text is empty.
        """
        from .evaluation import score_text

        return score_text(self.members, self.tokenizer, text)

    def evaluate(
        self,
        text: Sources | None = None,
        *,
        split: str | None = None,
        valid: Sources | None = None,
        train_text: Sources | None = None,
        token_scores: str | Path | None = None,
        field: str | None = None,
        encoding: str | None = None,
        errors: str | None = None,
        quiet: bool = True,
        **options: Unpack[EvaluationOptions],
    ) -> Scores:
        """Exact scores on a text: the full softmax, every token once.

        Words outside the vocabulary are predicted as <unk>; a model that reads characters reads them as they are
        spelled.

        Args:
            text: file(s), folder or corpus name to score. None takes a split of the corpus the run was trained on.
            split: "valid" or "test"; None takes the test split, else the validation split, and the result says which.
            valid: the text to tune on where something is tuned; by default that corpus's validation split.
            train_text: the text that dynamic evaluation takes the size of gradients from; by default the training
                split.
            token_scores: a JSON Lines file to write every token's log-probability, rank and entropy to.
            field: of the texts' records, or column of their table; by default that of the training text.
            encoding: of texts that are not UTF-8; by default that of the training text.
            errors: what to do with invalid bytes, "strict" or "replace"; by default as in the training text.
            quiet: show no progress.
            **options: what to add to the model: dynamic, ensemble, ...; see
                `seqlab.settings("evaluation")`. Each becomes a section of the result.

        Raises:
            InputError: a text or an addition that cannot be had.
        """
        texts = (text, valid, train_text)
        lm = self.reading_as(texts, field=field, encoding=encoding, errors=errors)
        evaluator = lm.evaluator(valid=valid, train_text=train_text, quiet=quiet, **options)
        return lm.evaluate_with(evaluator, text, split=split, token_scores=token_scores)

    def evaluator(
        self,
        *,
        valid: Sources | None = None,
        train_text: Sources | None = None,
        quiet: bool = True,
        **options: Unpack[EvaluationOptions],
    ) -> Evaluator:
        """What `evaluate` uses: tuned once, for any number of texts."""
        from .evaluation import Adaptation, evaluator_of

        return evaluator_of(self.run, self.members, Adaptation.of(options), valid, train_text, quiet)

    def evaluate_with(
        self,
        evaluator: Evaluator,
        text: Sources | None = None,
        *,
        split: str | None = None,
        token_scores: str | Path | None = None,
    ) -> Scores:
        """`evaluate` with an evaluator of this model."""
        from .evaluation import evaluate_source

        return evaluate_source(self.run, evaluator, text, split, token_scores)

    def vectors(self) -> WordVectors:
        """The input vectors of the vocabulary's words."""
        from .opening import vectors_of_model

        return vectors_of_model(self.model, self.tokenizer)

    def __repr__(self) -> str:
        return line("TrainedLanguageModel", [self._architecture(), *self._quality(), self.home])

    def _architecture(self) -> str:
        model = self.run.config.model
        softmax = "" if model.softmax == "full" else f", {model.softmax} softmax"
        return f"{model.layers}x{model.hidden_dim} {model.cell}{softmax}"

    def _quality(self) -> list[str]:
        facts = [f"{abbreviated(self.run.parameters)} parameters"]
        if "valid" in self.summary:
            facts.append(f"validation perplexity {self.summary['valid']['perplexity']:,.4g}")
        elif (best := self.history.best_perplexity) is not None:
            facts.append(f"best validation perplexity {best:,.4g} in training")
        return facts

    def table(self) -> Table:
        """What the model is, a fact a row."""
        model, training = self.run.config.model, self.run.config.training
        rows: list[tuple[str, Any]] = [
            ("cells", f"{model.layers} x {model.hidden_dim} {model.cell}"),
            ("output layer", f"{model.softmax} softmax over {len(self.tokenizer.vocab):,} types"),
            ("tokenizer", self.tokenizer.kind),
            ("parameters", self.run.parameters),
            ("optimizer", f"{training.optimizer}, learning rate {training.lr:g}"),
            ("steps", self.history.last.get("step")),
            ("tokens", self.history.last.get("tokens")),
            ("best validation perplexity", self.history.best_perplexity),
            ("folder", self.home),
        ]
        return Table(("", ""), rows, repr(self))
