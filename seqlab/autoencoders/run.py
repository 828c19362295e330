"""The run folder of an autoencoder: that of a language model with another configuration and other weights."""

from __future__ import annotations

from typing import cast

import torch

from ..base.devices import nothing_drawn, resolve_device, without_weights
from ..base.errors import InputError
from ..base.files import load_tensors
from ..base.kinds import AUTOENCODER_KIND
from ..config import AutoencoderConfig
from ..diagnosis import Findings
from ..models import LanguageModel
from ..run import CONFIG, MODEL, Run
from .figures import LineScores, collapse
from .model import SequenceAutoencoder


class AutoencoderRun(Run):
    """An opened run folder of an autoencoder; see `Run`."""

    KIND = AUTOENCODER_KIND
    SETTINGS = AutoencoderConfig

    @property
    def settings(self) -> AutoencoderConfig:
        """The resolved configuration."""
        return cast(AutoencoderConfig, self.config)

    @property
    def scores(self) -> LineScores | None:
        """Of the best weights so far, as the validation that found them saw them; None before any."""
        found = [one for one in self.metrics() if "reconstruction" in one]
        if not found:
            return None
        best = min(found, key=lambda one: float(one["valid_loss"]))
        return LineScores(
            round(best["valid_lines"]),
            round(best["valid_tokens"]),
            best["reconstruction"],
            best["units"],
            kl=best.get("kl"),
            elbo=best.get("elbo"),
            mutual_information=best.get("mutual_information"),
            active_units=best.get("active_units"),
        )

    @property
    def diagnosis(self) -> Findings:
        """Whether its decoder uses the points, in plain words."""
        return collapse(self.scores) if self.scores else Findings([])

    def blueprint(self) -> LanguageModel:
        try:
            with without_weights():
                model = SequenceAutoencoder(self.settings, self.record["vocab_size"])
        except InputError as error:
            raise InputError(f"{self.path / CONFIG}: {error}") from None
        return cast(LanguageModel, model)

    def load_autoencoder(self, device: str = "cpu") -> SequenceAutoencoder:
        """The network with its best weights, in evaluation mode. Raises InputError where there are none, or they are
        damaged."""
        self.check_trained()
        self.check_shapes()
        tensors, carried = load_tensors(self.path / MODEL)
        self.check_own(MODEL, carried.get("run"))
        with nothing_drawn():
            model = SequenceAutoencoder(self.settings, len(self.tokenizer.vocab), self.config.training.seed)
        weights = {name: torch.from_numpy(array) for name, array in tensors.items()}
        model.load_state_dict({**weights, **{alias: weights[name] for alias, name in model.aliases().items()}})
        return model.to(resolve_device(device)).eval()
