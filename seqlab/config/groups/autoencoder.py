"""Settings of autoencoders over sequences."""

from __future__ import annotations

from ..names import AnnealingName, AutoencoderName
from ..settings import MEASURED, PRACTICE, WIDEST, Settings, knob
from .language_model import LanguageModelConfig

BOWMAN = "Bowman et al. 2016, https://arxiv.org/abs/1511.06349"
SDAE = "Hill et al. 2016, https://arxiv.org/abs/1602.03483"
LI = "Li et al. 2019, https://arxiv.org/abs/1909.00868"


class LatentConfig(Settings):
    """The point that a line becomes, and how it is learned."""

    kind: AutoencoderName = knob(
        "variational",
        "What the autoencoder learns besides writing a line again.",
        tier="essential",
        usual="variational for new lines and interpolation; denoising or plain for features and reconstruction",
        effect="Variational makes every point a line; plain remembers most of a line.",
        source=f"{BOWMAN}; {SDAE}",
    )
    latent_dim: int = knob(
        32,
        "Dimensions of the point that stands for a line.",
        tier="essential",
        usual="16 to 64; up to hidden_dim for plain autoencoders",
        effect="More dimensions remember more of a line; a variational model leaves those it does not need unused.",
        source=LI,
        ge=1,
        le=WIDEST,
    )
    encoder_dim: int | None = knob(
        None,
        "Hidden units of a layer of the encoder, in each direction. Default: the decoder's, divided by the directions.",
        tier="recipe",
        usual="half of hidden_dim with two directions, else hidden_dim",
        effect="Fewer make a step faster: two directions as wide as the decoder take twice its time.",
        source=MEASURED,
        ge=1,
        le=WIDEST,
    )
    bidirectional: bool = knob(
        True,
        "Read the line in both directions, with a stack of cells for each.",
        tier="recipe",
        usual="true",
        effect="The point knows the beginning of a line as well as its end.",
        source="Schuster & Paliwal 1997, https://doi.org/10.1109/78.650093",
    )
    max_length: int | None = knob(
        None,
        "Longest line in tokens, its end included; longer ones are left out. Default: as long as 19 of 20 lines, "
        "100 at most.",
        tier="essential",
        usual="20 to 100",
        effect="Longer lines are harder to remember in one point.",
        ge=2,
        le=10**6,
    )
    word_dropout: float = knob(
        0.0,
        "Share of the tokens that the decoder does not see while it learns to write the next one.",
        tier="recipe",
        usual="0 to 0.5",
        effect="Higher makes the decoder ask the point instead of the words before, and costs likelihood.",
        source=BOWMAN,
        ge=0,
        le=1,
    )
    delete: float = knob(
        0.1,
        "Share of a line's tokens that are deleted before the encoder reads it (denoising).",
        tier="recipe",
        usual="0.1 to 0.3",
        effect="Lines that share most of their words come closer together.",
        source=SDAE,
        ge=0,
        lt=1,
    )
    swap: float = knob(
        0.1,
        "Share of neighbouring pairs of tokens that change places before the encoder reads the line (denoising).",
        tier="recipe",
        usual="0 to 0.2",
        effect="The order of the words counts less.",
        source=SDAE,
        ge=0,
        le=1,
    )
    stacked: bool = knob(
        False,
        "Train greedily layer by layer, then all layers together; each gets an equal share of the budget.",
        tier="recipe",
        usual="false",
        effect="A deep stack begins from layers that work; there is less time for them together.",
        source="Bengio et al. 2007, https://papers.nips.cc/paper/3048",
    )
    annealing: AnnealingName = knob(
        "linear",
        "How the weight of the KL divergence rises to `beta` (variational).",
        tier="essential",
        usual="linear, or cyclical",
        effect="Without it the decoder learns to do without the point before the point means anything.",
        source=f"{BOWMAN}; Fu et al. 2019, https://arxiv.org/abs/1903.10145",
    )
    anneal: float = knob(
        0.5,
        "Share of training over which that weight rises; with cyclical the cycles fill all of it.",
        tier="recipe",
        usual="0.2 to 0.8",
        effect="Longer gives the point more time to become useful.",
        source=PRACTICE,
        ge=0,
        le=1,
    )
    anneal_passes: float | None = knob(
        None,
        "Passes over the lines during which that weight rises, instead of the share `anneal`.",
        tier="recipe",
        usual="10 of 40 passes in the published protocols",
        effect="The weight no longer depends on how long training lasts, so two budgets compare.",
        source=LI,
        gt=0,
        le=10**6,
    )
    beta: float = knob(
        1.0,
        "Final weight of the KL divergence (variational).",
        tier="recipe",
        usual="0.1 to 1",
        effect="Below 1 more is remembered of a line, and fewer points of the prior are good lines.",
        source="Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl",
        ge=0,
        le=1e3,
    )
    free_bits: float = knob(
        0.25,
        "Nats of KL divergence that each dimension has for nothing, the mean over a batch (variational); 0: none.",
        tier="essential",
        usual="0.1 to 0.5: times latent_dim, 4 to 10 nats a line",
        effect="Higher makes the point carry more; likelihood falls when it is more than the text is worth.",
        source=f"Kingma et al. 2016, https://arxiv.org/abs/1606.04934; {LI}",
        ge=0,
        le=1e3,
    )
    batch_norm: float = knob(
        0.0,
        "Fixed scale of a batch normalisation of the means (variational); 0: none.",
        tier="recipe",
        usual="0.3 to 0.7",
        effect="Keeps the KL divergence above latent_dim x its square / 2 without changing the objective.",
        source="Zhu et al. 2020, https://arxiv.org/abs/2004.12585",
        ge=0,
        le=1e3,
    )
    pretrain: float = knob(
        0.0,
        "Share of training as a plain autoencoder; then the decoder starts anew and the KL divergence counts "
        "(variational).",
        tier="recipe",
        usual="0, or 0.2 to 0.5",
        effect="The encoder means something before the decoder can do without it.",
        source=LI,
        ge=0,
        lt=1,
    )
    inner_steps: int = knob(
        0,
        "Updates of the encoder alone before each update of both, until the mutual information of point and line no "
        "longer rises (variational).",
        tier="recipe",
        usual="0, or 5 to 20",
        effect="The encoder keeps up with the decoder; that part of training takes as many times longer.",
        source="He et al. 2019, https://arxiv.org/abs/1901.05534",
        ge=0,
        le=1000,
    )


class AutoencoderConfig(LanguageModelConfig):
    """Settings of text, model, point and training of an autoencoder. `model` is the decoder's; the encoder has the same
    cells."""

    autoencoder: LatentConfig = LatentConfig()
