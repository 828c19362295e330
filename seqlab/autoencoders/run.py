"""The run folder of an autoencoder: that of a language model with another configuration and other weights."""

from __future__ import annotations

from statistics import fmean

from ..base.devices import resolve_device
from ..base.kinds import AUTOENCODER_KIND
from ..config import AutoencoderConfig
from ..diagnosis import Findings
from ..run import RunFolder
from .figures import LineScores, diagnose_lines
from .model import SequenceAutoencoder


class AutoencoderRun(RunFolder[SequenceAutoencoder]):
    """An opened run folder of an autoencoder; see `RunFolder`."""

    KIND = AUTOENCODER_KIND
    SETTINGS = AutoencoderConfig
    config: AutoencoderConfig

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
        """Whether its decoder uses the points, and whether it knows its lines by heart, in plain words."""
        return diagnose_lines(self.scores, self.training_loss) if self.scores else Findings([])

    @property
    def training_loss(self) -> float | None:
        """Mean loss of the last tenth of the lines of metrics, nats per token; None where the output layer's training
        loss is not exact, or nothing was measured."""
        losses = [one["loss"] for one in self.metrics() if "loss" in one]
        if not losses or not self.blueprint().output.exact:
            return None
        return fmean(losses[-max(1, len(losses) // 10) :])

    def new_network(self) -> SequenceAutoencoder:
        return SequenceAutoencoder(self.config, self.record["vocab_size"])

    def load_autoencoder(self, device: str = "cpu") -> SequenceAutoencoder:
        """The network with its best weights, in evaluation mode. Raises InputError where there are none, or they are
        damaged."""
        network = self.load_network()[0]
        network.set_words(self.tokenizer.vocab.itos)
        return network.to(resolve_device(device))
