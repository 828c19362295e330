"""Training an autoencoder: the loop of a language model with whole lines for windows, and phases of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base.progress import Progress
from ..config import AutoencoderConfig
from ..evaluation.estimates import estimate_of_lines
from ..evaluation.exact import readable
from ..models import ModelState, Reading
from ..schedules import kl_weight
from ..text import Corpus
from ..text.ids.batches import StreamReader
from ..text.ids.lines import chosen_lines
from ..training.loop import Trainer
from ..training.state import Numbered, Stateful
from ..training.step import WindowLoss, WindowReader
from ..training.watch.validation import Judged, Validator
from .figures import LineScores, measure
from .lines import BatchReader, noised
from .model import SequenceAutoencoder, whole_lines
from .run import AutoencoderRun

EVALUATION_COST = 0.5
"""Arithmetic of a validation token, in training tokens: forward only, by the exact loss."""

FIGURES = ("reconstruction", "kl", "elbo", "mutual_information", "active_units", "units")
"""Of a validation, that a line of metrics has."""


class LineLoss(WindowReader):
    """The loss of a batch of lines, in nats per token.

    Attributes:
        weight: of the KL divergence.
        step: number of the step, which with `chunk` decides the noise of a denoising autoencoder.
        chunk: of the batch, to be read next.
    """

    def __init__(self, model: SequenceAutoencoder, seed: int):
        self.autoencoder, self.seed = model, seed
        self.weight, self.step, self.chunk = 0.0, 0, 0

    def begin(self, step: int, weight: float) -> None:
        """What is read next is the batch of this step; the KL divergence has this weight."""
        self.step, self.weight, self.chunk = step, weight, 0

    def share(self, targets_BT: np.ndarray, streams: slice) -> float:
        return float((targets_BT[streams] >= 0).sum() / (targets_BT >= 0).sum())

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        latent, noise = self.autoencoder.latent, None
        if latent.kind == "denoising":
            rng = np.random.default_rng([self.seed, self.step, self.chunk])
            lines_BT = whole_lines(inputs_BT, targets_BT).cpu().numpy()
            ids_BT, lengths_B = noised(lines_BT, latent.delete, latent.swap, rng)
            noise = torch.from_numpy(ids_BT).to(targets_BT), torch.from_numpy(lengths_B).to(targets_BT)
        self.chunk += 1
        losses = self.autoencoder.losses(inputs_BT, targets_BT, noise, latent.free_bits)
        total = losses.reconstruction if not self.weight else losses.reconstruction + self.weight * losses.kl
        nothing = total.new_zeros(0)
        return WindowLoss(total / (targets_BT >= 0).sum(), Reading(nothing, nothing, nothing), [])


class LineValidator(Validator[SequenceAutoencoder]):
    """Validates an autoencoder; its loss is -ELBO, or the reconstruction where there is no prior, in nats per token."""

    margins = True

    def relative_cost(self) -> float:
        return EVALUATION_COST * self.weight_sets

    @torch.no_grad()
    def judge(self, tokens: int) -> Judged:
        valid, model = self.corpus.valid, self.model
        assert valid is not None
        model.eval()
        with readable(model, valid) as lines:
            measured = measure(model, lines, self.start_id, chosen_lines(valid, tokens), self.safe_point)
        model.train()
        scores = LineScores.of(measured)
        found = estimate_of_lines(measured.nats_L, measured.tokens_L, len(valid.documents))
        figures = {name: value for name, value in scores.to_json().items() if name in FIGURES}
        counted = {"valid_lines": scores.lines, "valid_tokens": scores.tokens}
        return Judged(found.nats, found.nats, {"valid_loss": found.nats, **found.margin(), **counted, **figures})


class Phases:
    """What is trained when: layers one after another (stacked), a plain autoencoder first (pretrain), the encoder more
    often than the decoder (inner steps). All follow from step and share of training, but for what is noted here.

    Attributes:
        stage: of stacked training: 0 trains the lowest layer, the last one all of them; -1 before the first step.
        renewed: whether the decoder was started anew after pretraining.
        lagging: whether the encoder still takes steps of its own.
        information: largest mutual information at a validation so far.
    """

    def __init__(self, model: SequenceAutoencoder, config: AutoencoderConfig):
        self.model, self.latent, self.layers = model, config.autoencoder, config.model.layers
        self.stage, self.renewed = -1, False
        self.lagging = model.variational and self.latent.inner_steps > 0
        self.information = 0.0

    def numbers(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {
            "stage": self.stage, "renewed": self.renewed, "lagging": self.lagging, "information": self.information
        }  # fmt: skip

    def load_numbers(self, numbers: dict[str, Any]) -> None:
        """Resume from `numbers()`."""
        self.stage, self.renewed = int(numbers["stage"]), bool(numbers["renewed"])
        self.lagging, self.information = bool(numbers["lagging"]), float(numbers["information"])

    def pretraining(self, used: float) -> bool:
        """Whether the KL divergence counts nothing yet."""
        return self.model.variational and used < self.latent.pretrain

    def renewal_due(self, used: float) -> bool:
        """Whether pretraining is over and the decoder still that of the plain autoencoder; asked once a step."""
        due = bool(self.model.variational and self.latent.pretrain and not self.renewed and not self.pretraining(used))
        self.renewed = self.renewed or due
        return due

    def weight(self, used: float, passes: float) -> float:
        """Of the KL divergence, when a share `used` of training and so many passes over the lines are over."""
        if not self.model.variational or self.pretraining(used):
            return 0.0
        latent, begin = self.latent, self.latent.pretrain
        if latent.anneal_passes is not None:
            return kl_weight(latent.annealing, passes, latent.anneal_passes, latent.beta)
        return kl_weight(latent.annealing, (used - begin) / (1.0 - begin), latent.anneal, latent.beta)

    def enter(self, used: float, step: int) -> bool:
        """Set the model up for a step: which layers are in use, and which weights learn.

        Returns:
            Whether another model is trained from now on, so that earlier validations no longer compare.
        """
        before, self.stage = self.stage, self.layers
        if self.latent.stacked:
            self.stage = min(int(used * (self.layers + 1)), self.layers)
        level = min(self.stage + 1, self.layers)
        self.use_layers(level)
        encoder, decoder = self.model.encoder, self.model.decoder
        own = self.lagging and step % (self.latent.inner_steps + 1) < self.latent.inner_steps
        for parameter in decoder.parameters():
            parameter.requires_grad_(not own)
        for parameter in encoder.parameters():
            parameter.requires_grad_(True)
        if self.stage < self.layers:
            below = [*encoder.cells[: (level - 1) * encoder.directions]]
            below += [*decoder.cells[: level - 1], *decoder.starts[: level - 1]]
            for parameter in (one for part in below for one in part.parameters()):
                parameter.requires_grad_(False)
        return self.stage != before

    def use_layers(self, level: int) -> None:
        """Run the lower layers only."""
        self.model.encoder.depth = level
        for number, cell in enumerate(self.model.decoder.layers):
            cell.bypassed = number >= level

    def observe(self, validation: dict[str, Any]) -> None:
        """The encoder takes no more steps of its own once the mutual information has stopped rising."""
        information = validation.get("mutual_information", 0.0)
        self.lagging = self.lagging and information > self.information
        self.information = max(self.information, information)


class AutoencoderTrainer(Trainer[SequenceAutoencoder]):
    """Trains the autoencoder of a run to the end of its budget, from its start or from its last saved state.

    Args:
        run: a created or opened run.
        model: freshly initialised; a saved state replaces its weights.
        corpus: of lines, with a validation split to choose the best weights by.
        quiet: show no progress.
    """

    def __init__(self, run: AutoencoderRun, model: SequenceAutoencoder, corpus: Corpus, quiet: bool = False):
        self.phases = Phases(model, run.config)
        super().__init__(run, model, corpus, quiet)
        assert isinstance(self.step.windows, LineLoss)
        self.line_loss = self.step.windows

    def new_reader(self) -> StreamReader:
        config = self.config
        return BatchReader(self.corpus.train, config.batch_size, self.corpus.tokenizer.start_id, config.seed)

    def new_windows(self, model: SequenceAutoencoder) -> WindowReader:
        return LineLoss(model, self.config.seed)

    def new_validator(self) -> LineValidator:
        return LineValidator(self.model, self.corpus, self.step.average)

    def more_parts(self) -> dict[str, Stateful | Numbered]:
        return {"phases": self.phases}

    def window_width(self) -> int:
        return self.reader.remaining

    def grow_batch(self) -> None:
        """Batches of lines keep their size."""

    def train_step(self, rate: float | None = None) -> Tensor:
        phases, used, position = self.phases, self.grown(), self.position
        if phases.renewal_due(used):
            self.renew_decoder()
            position.best = float("inf")
        if phases.enter(used, position.step):
            position.best = float("inf")
        self.line_loss.begin(position.step, phases.weight(used, self.passes()))
        return super().train_step(rate)

    def passes(self) -> float:
        """Over the training lines so far."""
        return self.reader.consumed / len(self.corpus.train)

    def renew_decoder(self) -> None:
        """Start the decoder anew, and the optimiser with it."""
        fresh = {id(one) for one in self.model.decoder.start_anew()}
        for part in self.step.optimizer.parts:
            for parameter in [one for one in part.state if id(one) in fresh]:
                del part.state[parameter]

    def validate_if_due(self) -> dict[str, Any]:
        validation = super().validate_if_due()
        if validation:
            self.phases.observe(validation)
        return validation

    def write_line(self, progress: Progress, validation: dict[str, Any]) -> None:
        weight = {"kl_weight": self.line_loss.weight} if self.model.variational else {}
        super().write_line(progress, {**weight, **validation})

    def validation_fields(self) -> dict[str, Any]:
        found = self.last_validation
        if "kl" not in found:
            return {}
        active = int(found["active_units"])
        return {"valid kl": found["kl"], "active": active, "kl weight": self.line_loss.weight}
