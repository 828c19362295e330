"""The network: cells read a line into a point, and cells write the line again from it.

The point enters the decoder twice: it is the initial state of every layer, and every layer reads it at every step next
to its input (as in https://arxiv.org/abs/1511.06349 and https://arxiv.org/abs/1901.05534).

Shapes: B lines, T time, E embedding width, H hidden width, Z latent dimensions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ..config import AutoencoderConfig, ModelConfig
from ..models import LanguageModel, ModelState, Network
from ..models.language_model import knobs_of
from ..nn import CELLS, Cell, Dropout, LockedDropout, OutputLayer, State
from ..nn.dropout import draw_mask
from .objective import NormalisedMeans, Posterior


class ConditionedCell(Cell):
    """A cell that reads a point next to its input at every step; the point is the last part of its state.

    Args:
        kind: of the cell.
        latent_dim: Z.
        input_dim, hidden_dim, knobs: of the cell, see `Cell`.
    """

    def __init__(self, kind: type[Cell], latent_dim: int, input_dim: int, hidden_dim: int, **knobs: Any):
        super().__init__(input_dim, hidden_dim)
        self.inner, self.latent_dim = kind(input_dim + latent_dim, hidden_dim, **knobs), latent_dim
        self.output_range, self.rectified = kind.output_range, kind.rectified  # type: ignore[misc]
        self.bypassed = False
        """Whether inputs pass through unchanged, until greedy training reaches this layer."""

    def init_state(self, batch: int) -> State:
        inner = self.inner.init_state(batch)
        return (*inner, inner[0].new_zeros(batch, self.latent_dim))

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        if self.bypassed:
            return x_BTD, state
        y_BTH, after = self.inner(beside(x_BTD, state[-1]), state[:-1])
        return y_BTH, (*after, state[-1])

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        y_BH, after = self.inner.equations(torch.cat([x_BD, state[-1]], 1), state[:-1])
        return y_BH, (*after, state[-1])

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        return {} if self.bypassed else self.inner.gate_values(beside(x_BTD, state[-1]), state[:-1], y_BTH)


def beside(x_BTD: Tensor, points_BZ: Tensor) -> Tensor:
    """(B, T, D + Z): inputs with the point at every step."""
    return torch.cat([x_BTD, points_BZ[:, None].expand(-1, x_BTD.shape[1], -1)], dim=2)


class Decoder(LanguageModel):
    """A language model that begins at a point and reads it at every step.

    Args:
        config: sizes, cell and output layer.
        vocab_size: V.
        latent_dim: Z.
        word_dropout: share of the tokens that it does not see in training, each drawn by itself.
        seed: of the noise of sampled output layers.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, latent_dim: int, word_dropout: float = 0.0, seed: int = 0):
        layer = partial(ConditionedCell, CELLS[config.cell], latent_dim)
        super().__init__(config, vocab_size, seed, layer)
        self.latent_dim, self.unseen = latent_dim, word_dropout
        self.widths = [[part.shape[1] for part in cell.inner.init_state(1)] for cell in self.layers]
        self.starts = nn.ModuleList(nn.Linear(latent_dim, sum(widths)) for widths in self.widths)

    @property
    def layers(self) -> list[ConditionedCell]:
        """The cells, from the bottom."""
        return cast("list[ConditionedCell]", list(self.cells))

    def at(self, points_BZ: Tensor) -> ModelState:
        """The state before the first token of the line at each point."""
        states = []
        for start, widths in zip(self.starts, self.widths, strict=True):
            states.append((*start(points_BZ).tanh().split(widths, dim=1), points_BZ))
        return states

    def init_state(self, batch: int) -> ModelState:
        """The state at the origin, the mean of the prior."""
        return self.at(self.output.bias.new_zeros(batch, self.latent_dim))

    def vectors(self, tokens_BT: Tensor) -> Tensor:
        """Input vectors (B, T, E) of tokens that are all seen."""
        return super().embed(tokens_BT)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        vectors_BTE = self.vectors(tokens_BT)
        if not (self.training and self.unseen):
            return vectors_BTE
        seen_BT1 = draw_mask((*tokens_BT.shape, 1), self.unseen, vectors_BTE) > 0 if self.unseen < 1 else 0.0
        return vectors_BTE * seen_BT1

    def start_anew(self) -> list[nn.Parameter]:
        """Draw fresh weights but for the embedding and the output layer, which know words and nothing of points.

        Returns:
            The parameters that are fresh.
        """
        own = {name: one for name, one in self.named_parameters() if not name.startswith(("embedding", "output"))}
        fresh = dict(type(self)(self.config, self.vocab_size, self.latent_dim).named_parameters())
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(fresh[name])
        return list(own.values())


class Encoder(nn.Module):
    """Reads lines with one stack of cells, or with one for each direction.

    Args:
        config: sizes and cell; every stack has its own `layers`.
        units: of each layer.
        outputs: numbers that a line becomes.
        bidirectional: whether a second stack reads the line from its end; then a layer reads both stacks' outputs.
    """

    def __init__(self, config: ModelConfig, units: int, outputs: int, bidirectional: bool = True):
        super().__init__()
        self.directions = 2 if bidirectional else 1
        kind, width = CELLS[config.cell], self.directions * units
        knobs = knobs_of(kind, "cell", config)
        widths = [config.embed_dim, *[width] * (config.layers - 1)]
        self.cells = nn.ModuleList(kind(width, units, **knobs) for width in widths for _ in range(self.directions))
        dropout = LockedDropout if config.locked_dropout else Dropout
        self.input_dropout = dropout(config.dropout_of("input"))
        self.hidden_dropout = dropout(config.dropout_of("hidden"))
        self.head = nn.Linear(width, outputs)
        self.depth = config.layers
        """Layers in use: greedy training begins with one."""

    def forward(self, x_BTE: Tensor, lengths_B: Tensor) -> Tensor:
        """(B, outputs) of input vectors, padded behind their `lengths_B`; what stands there is never seen."""
        rows_B, last_B = torch.arange(len(x_BTE), device=x_BTE.device), lengths_B - 1
        places_T = torch.arange(x_BTE.shape[1], device=x_BTE.device)
        turned_BT = torch.where(places_T <= last_B[:, None], last_B[:, None] - places_T, places_T)
        x_BTD, ends = self.input_dropout(x_BTE), list[Tensor]()
        for layer in range(self.depth):
            outputs, ends = [], []
            for direction in range(self.directions):
                cell = cast(Cell, self.cells[layer * self.directions + direction])
                read_BTD = turned(x_BTD, turned_BT) if direction else x_BTD
                y_BTH, _ = cell(read_BTD, cell.init_state(len(x_BTE)))
                ends.append(y_BTH[rows_B, last_B])
                outputs.append(turned(y_BTH, turned_BT) if direction else y_BTH)
            x_BTD = self.hidden_dropout(torch.cat(outputs, 2))
        return cast(Tensor, self.head(torch.cat(ends, 1)))


def turned(x_BTD: Tensor, places_BT: Tensor) -> Tensor:
    """The inputs of each line in the order `places_BT`."""
    return x_BTD.gather(1, places_BT[..., None].expand(-1, -1, x_BTD.shape[2]))


def whole_lines(inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """What an encoder reads of lines, their ends included: the targets, as the inputs spell them, which may know words
    that the vocabulary lacks; targets of -1 are padding, and so are these."""
    lasts_B1 = (targets_BT >= 0).sum(1, keepdim=True) - 1
    places_T = torch.arange(targets_BT.shape[1], device=targets_BT.device)
    return torch.where(places_T < lasts_B1, inputs_BT.roll(-1, 1), targets_BT)


class Losses(NamedTuple):
    """What a batch of lines costs, in nats summed over its lines, to be differentiated."""

    reconstruction: Tensor
    """By the output layer's training loss."""
    kl: Tensor
    """KL divergence from the prior, with free bits; 0 without one."""


class SequenceAutoencoder(Network):
    """Encoder, point and decoder.

    Args:
        config: of all of it.
        vocab_size: V.
        seed: of the noise of sampled output layers.
    """

    def __init__(self, config: AutoencoderConfig, vocab_size: int, seed: int = 0):
        super().__init__()
        self.latent, self.vocab_size = config.autoencoder, vocab_size
        self.variational = self.latent.kind == "variational"
        dim = self.latent.latent_dim
        self.decoder = Decoder(config.model, vocab_size, dim, self.latent.word_dropout, seed)
        units = self.latent.encoder_dim or config.model.hidden_dim
        self.encoder = Encoder(config.model, units, dim * (1 + self.variational), self.latent.bidirectional)
        scale = self.latent.batch_norm if self.variational else 0.0
        self.norm = NormalisedMeans(dim, scale) if scale else None

    @property
    def output(self) -> OutputLayer:  # type: ignore[override]
        """The output layer of the decoder."""
        return self.decoder.output

    @property
    def layers(self) -> Sequence[Cell]:
        """All cells, those of the encoder first."""
        return [*cast("list[Cell]", list(self.encoder.cells)), *self.decoder.layers]

    def init_state(self, batch: int) -> ModelState:
        """Nothing is carried from one batch of lines to the next."""
        return []

    @property
    def reads_characters(self) -> bool:
        return self.decoder.reads_characters

    def set_words(self, words: Sequence[str]) -> None:
        self.decoder.set_words(words)

    def extra_words(self, words: Sequence[str]) -> AbstractContextManager[None]:
        return self.decoder.extra_words(words)

    def aliases(self) -> dict[str, str]:
        return {f"decoder.{alias}": f"decoder.{name}" for alias, name in self.decoder.aliases().items()}

    def sparse_parameters(self) -> list[nn.Parameter]:
        return self.decoder.sparse_parameters()

    def posterior(self, tokens_BT: Tensor, lengths_B: Tensor) -> Posterior:
        """Where lines lie: of a variational model a normal distribution, else a point.

        Args:
            tokens_BT: ids of the lines, their ends included, with any id behind.
            lengths_B: tokens of each.
        """
        made = self.encoder(self.decoder.vectors(tokens_BT), lengths_B)
        if not self.variational:
            return Posterior(made, None)
        mean_BZ, log_var_BZ = made.chunk(2, dim=1)
        return Posterior(mean_BZ if self.norm is None else self.norm(mean_BZ), log_var_BZ)

    def losses(
        self, inputs_BT: Tensor, targets_BT: Tensor, noised: tuple[Tensor, Tensor] | None = None, free: float = 0.0
    ) -> Losses:
        """Training losses of a batch.

        Args:
            inputs_BT, targets_BT: what the decoder reads and writes; targets of -1 are padding.
            noised: what the encoder reads instead of the targets, and its lengths (denoising).
            free: nats of KL divergence that each dimension has for nothing.
        """
        real_BT = targets_BT >= 0
        read_BT, lengths_B = noised or (whole_lines(inputs_BT, targets_BT).clamp(min=0), real_BT.sum(1))
        posterior = self.posterior(read_BT, lengths_B)
        reading, _ = self.decoder.read(inputs_BT, self.decoder.at(posterior.sample()))
        mean = self.output(reading.hidden_BTD[real_BT], targets_BT[real_BT])
        return Losses(mean * real_BT.sum(), posterior.kl_sum(free))

    @torch.no_grad()
    def line_nats(self, inputs_BT: Tensor, targets_BT: Tensor, points_BZ: Tensor) -> Tensor:
        """Exact -log P(line | point) in nats, (B,) float64."""
        real_BT = targets_BT >= 0
        hidden_BTD, _ = self.decoder.hidden(inputs_BT, self.decoder.at(points_BZ))
        losses_N = self.output.exact_losses(hidden_BTD[real_BT], targets_BT[real_BT]).double()
        return losses_N.new_zeros(len(targets_BT)).index_add_(0, real_BT.nonzero()[:, 0], losses_N)

    def parameter_counts(self) -> dict[str, int]:
        counts = self.decoder.parameter_counts()
        return {"encoder": sum(p.numel() for p in self.encoder.parameters()), **counts}
