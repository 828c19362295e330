"""`TrainedAutoencoder`: an autoencoder ready to use, the object that a person holds.

Shapes: L lines, P points, Z latent dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from ..base.errors import InputError, counted, option
from ..base.printing import quoted
from ..base.results import Result, Table, abbreviated, line
from ..base.storage.whole import read_whole
from ..config.arguments import checked
from ..embeddings import WordVectors
from ..evaluation.sources import read_source
from ..generation.generator import new_seed
from ..generation.items import Item, Items, holds
from ..options import GenerationOptions
from ..run import RunHolder
from ..text import Sources, read_documents, resolve_sources
from ..text.ids.batches import IGNORE
from ..text.preparation.lines import item_key
from .decoding import write_lines
from .figures import LineScores
from .lines import AT_ONCE, short_lines
from .model import SequenceAutoencoder
from .run import AutoencoderRun
from .train import LIKELIHOOD_SECONDS, score_lines

MOST_POINTS = 10**6


@dataclass(frozen=True, repr=False)
class Interpolation(Result):
    """The lines on the way from one point to another.

    Attributes:
        texts: from the first line to the last.
        shares: how far each is on the way, 0 to 1.
    """

    texts: list[str]
    shares: list[float]

    def __repr__(self) -> str:
        return line("Interpolation", [counted(len(self.texts), "line"), *map(repr, self.texts[:1] + self.texts[-1:])])

    def text(self) -> str:
        """A line a step."""
        return "\n".join(self.texts)

    def table(self) -> Table:
        """A row a step."""
        return Table(("share", "text"), list(zip(self.shares, self.texts, strict=True)), repr(self))

    def to_json(self) -> dict[str, Any]:
        """{"steps": [{"share", "text"}]}."""
        return {"steps": [{"share": s, "text": t} for s, t in zip(self.shares, self.texts, strict=True)]}


@checked
class TrainedAutoencoder(RunHolder):
    """An autoencoder ready to use: lines become points, and points lines.

    Made by `seqlab.train_autoencoder` and `seqlab.load`. Its weights are read when they are first needed.

    Attributes:
        run: the run folder it lives in. Without `out`, training makes a temporary one that goes when this object
            does; `save` makes it permanent.
        summary: what training reported (empty for one loaded from disk).
    """

    run: AutoencoderRun

    def __init__(
        self,
        run: AutoencoderRun,
        device: str = "cpu",
        *,
        summary: Mapping[str, Any] | None = None,
        model: SequenceAutoencoder | None = None,
    ):
        super().__init__(run, device, summary)
        if model is not None:
            self.model = model

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> TrainedAutoencoder:
        """Open a run folder and read its weights.

        Args:
            path: the folder that `seqlab train autoencoder` or `train_autoencoder(out=...)` wrote.
            device: "cpu", "cuda" or "auto".

        Raises:
            InputError: no such run, a damaged file, or a device that this machine does not have.
        """

        def load() -> TrainedAutoencoder:
            run = AutoencoderRun.open(path)
            return cls(run, device, model=run.load_autoencoder(device))

        return read_whole(path, load)

    @cached_property
    def model(self) -> SequenceAutoencoder:
        """The network, in evaluation mode: a `torch.nn.Module`."""
        return self.run.load_autoencoder(self.device)

    @property
    def dim(self) -> int:
        """Z."""
        return self.run.config.autoencoder.latent_dim

    @torch.inference_mode()
    def encode(self, texts: Sequence[str] | str) -> np.ndarray:
        """The points of lines; of a variational autoencoder the means.

        Words outside the vocabulary are read as <unk>, by a model with `input` = "characters" as they are spelt.

        Args:
            texts: L lines, or a single one.

        Returns:
            (L, Z) float32.

        Raises:
            InputError: a line without a token, or with characters that the vocabulary lacks.
        """
        extra: dict[str, int] = {}
        lines = [self._ids(text, extra) for text in ([texts] if isinstance(texts, str) else texts)]
        lengths_L = np.array([len(ids) for ids in lines], np.int64)
        points_LZ, order = np.empty((len(lines), self.dim), np.float32), np.argsort(-lengths_L, kind="stable")
        with self.model.extra_words(list(extra)):
            while len(order):
                width = int(lengths_L[order[0]])
                rows, order = np.split(order, [max(1, AT_ONCE // width)])
                tokens_BT = np.zeros((len(rows), width), np.int64)
                for row, number in enumerate(rows.tolist()):
                    tokens_BT[row, : lengths_L[number]] = lines[number]
                tensors = (torch.from_numpy(array).to(self.model.device) for array in (tokens_BT, lengths_L[rows]))
                points_LZ[rows] = self.model.posterior(*tensors).mean_BZ.cpu().numpy()
        return points_LZ

    def _ids(self, text: str, extra: dict[str, int]) -> np.ndarray:
        """The ids of a line, its end included; words that only a model reading characters knows are added to `extra`,
        and have the ids after the vocabulary's."""
        tokenizer = self.tokenizer
        types, indices = tokenizer.segment(text.strip("\n"))
        ids_W, known = tokenizer.ids_of(types), tokenizer.vocab.stoi
        if self.model.reads_characters:
            for place in [place for place, word in enumerate(types) if word not in known]:
                ids_W[place] = extra.setdefault(types[place], len(known) + len(extra))
        ids = ids_W[indices]
        if not len(ids):
            raise InputError(f"{text!r}: holds no token; give a line of text.")
        if (ids == IGNORE).any():
            unknown = ", ".join(map(quoted, tokenizer.unknown(text)[:5]))
            raise InputError(f"{quoted(text)}: has {unknown}, which this model has never seen; leave that out.")
        return ids if tokenizer.eos_id is None else np.append(ids[ids != tokenizer.eos_id], tokenizer.eos_id)

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Different words or characters of lines that the vocabulary lacks, which are read as <unk>, in order."""
        if self.model.reads_characters:
            return []
        return [token for token in self.tokenizer.unknown("\n".join(texts)) if token.strip()]

    def samples(self, points: np.ndarray, prompt: str = "", **options: Unpack[GenerationOptions]) -> list[Any]:
        """`decode` with probability, rank and entropy of every token: a `Sample` for each point."""
        points_PZ = np.atleast_2d(np.asarray(points, np.float32))
        if points_PZ.ndim != 2 or points_PZ.shape[1] != self.dim or not np.isfinite(points_PZ).all():
            raise InputError(f"points: must be finite numbers of the shape (n, {self.dim}), not {points_PZ.shape}.")
        if "num" in options:
            raise InputError("num: every point is one line; give a point several times for several lines.")
        return list(write_lines(self.model, self.tokenizer, points_PZ, prompt, **options))

    def decode(self, points: np.ndarray, prompt: str = "", **options: Unpack[GenerationOptions]) -> list[str]:
        """The lines at points.

        Args:
            points: (P, Z), or a single one (Z,).
            prompt: how every line begins.
            **options: see `seqlab.settings("generation")`; by default the likeliest token is taken every time. With
                `temperature` lines are drawn, with `beam` searched.

        Raises:
            InputError: points of another width, or options that contradict one another.
        """
        return [one_line(str(sample)) for sample in self.samples(points, prompt, **options)]

    def reconstruct(self, texts: Sequence[str] | str, **options: Unpack[GenerationOptions]) -> list[str]:
        """What becomes of lines that are turned into points and written again; see `encode` and `decode`."""
        return self.decode(self.encode(texts), **options)

    def sample(
        self, n: int = 10, *, prompt: str = "", spread: float = 1.0, **options: Unpack[GenerationOptions]
    ) -> Items:
        """New lines: those at points drawn from the prior.

        Args:
            n: how many.
            prompt: how every line begins.
            spread: standard deviation of the points; below 1 the lines are more usual.
            **options: see `decode`; `seed` decides the points as well.

        Returns:
            A list of `Item`: `.text`, `.seen` (whether the training text has the line), `.sample`.

        Raises:
            InputError: an autoencoder without a prior.
        """
        if not self.model.variational:
            kind = self.run.config.autoencoder.kind
            raise InputError(
                f"{self.run.path}: is a {kind} autoencoder, whose points follow no distribution that could be drawn "
                f"from; train one with {option('kind', 'variational')}."
            )
        if not 1 <= n <= MOST_POINTS:
            raise InputError(f"{option('num')}: must be 1 to {MOST_POINTS:,}, not {n:,}.")
        given = options.get("seed")
        seed = new_seed() if given is None else given
        points = np.random.default_rng(seed).standard_normal((n, self.dim), np.float32) * np.float32(spread)
        known, found = self.run.items, list[Item]()
        own: GenerationOptions = {**options, "seed": seed}
        for sample in self.samples(points, prompt, **own):
            text = one_line(str(sample))
            found.append(Item(text, None if known is None else holds(known, item_key(text)), sample))
        return Items(found, n, seed)

    def interpolate(self, a: str, b: str, steps: int = 8, **options: Unpack[GenerationOptions]) -> Interpolation:
        """The lines on the straight line between the points of two lines.

        Args:
            a: the line to begin with.
            b: the line to end with.
            steps: lines to write, both ends included; 2 or more.
            **options: see `decode`.
        """
        if not 2 <= steps <= MOST_POINTS:
            raise InputError(f"{option('steps')}: must be 2 to {MOST_POINTS:,}, not {steps:,}.")
        first, last = self.encode([a, b])
        shares = np.linspace(0.0, 1.0, steps)
        points = first + shares[:, None].astype(np.float32) * (last - first)
        return Interpolation(self.decode(points, **options), shares.tolist())

    def analogy(self, added: Sequence[str], subtracted: Sequence[str], **options: Unpack[GenerationOptions]) -> str:
        """The line at a sum of points: analogy(["b", "c"], ["a"]) answers "a is to b as c is to ?".

        Args:
            added: lines.
            subtracted: lines.
            **options: see `decode`.
        """
        if not added:
            raise InputError("analogy: give a line to begin from.")
        point = self.encode(added).sum(0) - (self.encode(subtracted).sum(0) if subtracted else 0.0)
        return self.decode(point, **options)[0]

    def vectors(self, texts: Sequence[str]) -> WordVectors:
        """The points of lines as vectors under the lines' own text, for `neighbors`, `map` and every file format. A
        line that comes several times is counted, and has one vector."""
        counts: dict[str, int] = {}
        for text in texts:
            counts[text] = counts.get(text, 0) + 1
        lines = list(counts)
        meta = {"autoencoder": str(self.run.path), "of": "lines"}
        return WordVectors(lines, self.encode(lines), np.array(list(counts.values()), np.int64), meta)

    def evaluate(
        self,
        text: Sources | None = None,
        *,
        split: str | None = None,
        field: str | None = None,
        encoding: str | None = None,
        errors: str | None = None,
        seconds: float = LIKELIHOOD_SECONDS,
    ) -> LineScores:
        """Exact scores on lines that the autoencoder was not trained on; those longer than its `max_length` are left
        out.

        Args:
            text: file(s), folder or corpus name. None takes a split of the corpus the run was trained on.
            split: "valid" or "test"; None takes the test split, else the validation split.
            field: of the texts' records, or column of their table; by default that of the training text.
            encoding: of texts that are not UTF-8; by default that of the training text.
            errors: what to do with invalid bytes, "strict" or "replace"; by default as in the training text.
            seconds: that estimating likelihoods may take.

        Raises:
            InputError: a text that cannot be had, or without a line that is short enough.
        """
        run = self.reading_as([text], field=field, encoding=encoding, errors=errors).run
        tokens = read_source(run, text, split, self.model.reads_characters).tokens
        longest = self.run.config.autoencoder.max_length
        short = short_lines(tokens, longest or int(1e9))
        if not len(short):
            raise InputError(f"{text}: has no line of at most {longest:,} tokens.")
        return score_lines(self.model, short, self.tokenizer.start_id, seconds)

    def __repr__(self) -> str:
        latent, model = self.run.config.autoencoder, self.run.config.model
        facts = [
            f"{latent.kind}, {latent.latent_dim} dimensions",
            f"{model.layers}x{model.hidden_dim} {model.cell}",
            f"{abbreviated(self.run.parameters)} parameters",
            *([f"validation: {self.nats:.2f} nats per line"] if math.isfinite(self.nats) else []),
            self.home,
        ]
        return line("TrainedAutoencoder", facts)

    @property
    def nats(self) -> float:
        """-ELBO (or the reconstruction, where there is no prior) of a validation line in nats, by the best weights
        of training; infinite before any validation."""
        found = [one["reconstruction"] + one.get("kl", 0.0) for one in self.history.validations]
        return min(found, default=math.inf)

    def table(self) -> Table:
        """What the autoencoder is, a fact a row."""
        latent, model = self.run.config.autoencoder, self.run.config.model
        rows: list[tuple[str, Any]] = [
            ("kind", latent.kind),
            ("dimensions", latent.latent_dim),
            ("cells", f"{model.layers} x {model.hidden_dim} {model.cell}"),
            ("tokenizer", self.tokenizer.kind),
            ("longest line", latent.max_length),
            ("parameters", self.run.parameters),
            ("steps", self.history.last.get("step")),
            ("folder", self.home),
        ]
        return Table(("", ""), rows, repr(self))


def one_line(text: str) -> str:
    """A written line without the white space around it."""
    return " ".join(text.strip("\n").split("\n")).strip()


def lines_in(sources: Sources, errors: str = "strict", field: str = "text", encoding: str | None = None) -> list[str]:
    """The items of a text as training reads them: the lines that are not blank, or its records, each on one line.

    Args:
        sources: text file(s), folder, "-" or corpus name.
        errors, field, encoding: see `TextConfig`.

    Raises:
        InputError: it cannot be read, or has none.
    """
    found = list[str]()
    for file in resolve_sources(sources):
        documents = list[str]()
        for begins, part in read_documents([file], errors, field, encoding=encoding):
            if begins:
                documents.append("")
            documents[-1] += part
        items = documents if file.is_records else [line for text in documents for line in text.split("\n")]
        found += [one for item in items if (one := one_line(item))]
    if not found:
        raise InputError(f"{sources}: has no line of text.")
    return found
