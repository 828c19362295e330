"""Settings of the network: embedding -> cells -> output layer."""

from __future__ import annotations

from ..names import CellName, CharSize, InputName, NoiseName, PrecisionName, SoftmaxName
from ..settings import MEASURED, WIDEST, Settings, knob

AWD_LSTM = "Merity et al. 2018, https://arxiv.org/abs/1708.02182"


class ModelConfig(Settings):
    """A recurrent language model: embedding -> cells -> output layer."""

    cell: CellName = knob(
        "lstm",
        "The recurrent layer.",
        tier="essential",
        usual="lstm; rnn-... to see why gates help; mingru, minlstm, sru, qrnn for speed at a large width",
        effect="Decides how far back the model remembers, and how fast a step is.",
        source=MEASURED,
    )
    precision: PrecisionName = knob(
        "auto",
        "Numbers that matrix products use in training. Sums, gates, weights, evaluation and generation always use "
        "float32.",
        tier="internal",
        usual="auto",
        effect="bfloat16 is up to twice as fast on CPUs that have it, at the same loss.",
        source=MEASURED,
    )
    weight_drop: float = knob(
        0.0,
        "Share of the recurrent weights set to zero during a window of training (LSTM, GRU and simple RNN cells).",
        tier="recipe",
        usual="0 to 0.5",
        effect="Higher overfits less and learns more slowly.",
        source=AWD_LSTM,
        ge=0,
        lt=1,
    )
    zoneout: float = knob(
        0.0,
        "Share of the units that keep their previous value at a time step in training (LSTM cells).",
        tier="recipe",
        usual="0 to 0.2",
        effect="Higher overfits less and learns more slowly.",
        source="Krueger et al. 2017, https://arxiv.org/abs/1606.01305",
        ge=0,
        lt=1,
    )
    forget_bias: float = knob(
        0.0,
        "Initial bias of the forget gates (LSTM cells).",
        tier="internal",
        usual="0 or 1",
        effect="1 makes a new model remember, but it learned more slowly on every text tried.",
        source=f"Jozefowicz et al. 2015; {MEASURED}",
        ge=-100,
        le=100,
    )
    mogrifier_rounds: int = knob(
        5,
        "How often input and hidden state gate each other before a step (mogrifier).",
        tier="recipe",
        usual="4 to 6",
        effect="More is slower; 0 is a plain LSTM.",
        source="Melis et al. 2019, https://arxiv.org/abs/1909.01792",
        ge=0,
        le=100,
    )
    input: InputName = knob(
        "embedding",
        "Where a word's input vector comes from: a row of its own, or its characters.",
        tier="recipe",
        usual="characters for word models with many rare words",
        effect="With characters no input word is unknown, and a step is slower.",
        source="Kim et al. 2016, https://arxiv.org/abs/1508.06615",
    )
    char_size: CharSize = knob(
        "medium",
        'Size of the network that reads characters (input = "characters").',
        tier="recipe",
        usual="medium",
        effect="Larger knows more spellings and is slower.",
        source="small and large: Kim et al. 2016, https://arxiv.org/abs/1508.06615",
    )
    embed_dim: int = knob(
        256,
        "Width of the input vectors.",
        tier="essential",
        usual="64 to 400",
        effect="Wider holds more about each token and costs memory with every type.",
        source=MEASURED,
        ge=1,
        le=WIDEST,
    )
    hidden_dim: int = knob(
        256,
        "Hidden units in each layer.",
        tier="essential",
        usual="128 for 200 kB of text, 256 for a few MB, 512 and more for an hour or a GPU",
        effect="Wider learns more from a large text, overfits a small one, and a step takes longer.",
        source=MEASURED,
        ge=1,
        le=WIDEST,
    )
    layers: int = knob(
        2,
        "Recurrent layers, one on top of the other.",
        tier="essential",
        usual="1 to 4",
        effect="Deeper learns more with enough time; each layer costs as much as the first.",
        source=MEASURED,
        ge=1,
        le=1000,
    )
    last_dim: int | None = knob(
        None,
        "Hidden units of the last layer; default: hidden_dim.",
        tier="recipe",
        usual="embed_dim",
        effect="As wide as the embedding, tied weights need no projection between them.",
        source=AWD_LSTM,
        ge=1,
        le=WIDEST,
    )
    residual: bool = knob(
        False,
        "Add a layer's input to its output where the widths agree (sru already does so itself).",
        tier="recipe",
        usual="true for 4 layers or more",
        effect="Gradients reach the lower layers of a deep stack.",
        source="He et al. 2016, https://arxiv.org/abs/1512.03385",
    )
    tie: bool = knob(
        True,
        "Share the embedding with the output layer; a projection bridges different widths. Has no effect with "
        'input = "characters".',
        tier="essential",
        usual="true for words, false for characters",
        effect="Tied models have far fewer weights and generalise better on words.",
        source="Press & Wolf 2017, https://arxiv.org/abs/1608.05859",
    )
    dropout: float = knob(
        0.0,
        "Share of the units set to zero in training: after the embedding, between layers and before the output layer.",
        tier="essential",
        usual="0 to 0.2 for one or two passes over the text, 0.3 to 0.6 for many",
        effect="Higher overfits less and learns more slowly.",
        source=MEASURED,
        ge=0,
        lt=1,
    )
    locked_dropout: bool = knob(
        False,
        "Drop the same units at all time steps of a window, instead of drawing them anew at each.",
        tier="recipe",
        usual="true for long training with much dropout",
        effect="Regularises recurrent layers better at the same rate.",
        source="Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287",
    )
    input_dropout: float | None = knob(
        None,
        "Dropout after the embedding; default: dropout.",
        tier="recipe",
        usual="0.1 to 0.65",
        effect="As dropout, in one place.",
        source=AWD_LSTM,
        ge=0,
        lt=1,
    )
    hidden_dropout: float | None = knob(
        None,
        "Dropout between layers; default: dropout.",
        tier="recipe",
        usual="0.2 to 0.3",
        effect="As dropout, in one place.",
        source=AWD_LSTM,
        ge=0,
        lt=1,
    )
    output_dropout: float | None = knob(
        None,
        "Dropout before the output layer; default: dropout.",
        tier="recipe",
        usual="0.1 to 0.6",
        effect="As dropout, in one place.",
        source=AWD_LSTM,
        ge=0,
        lt=1,
    )
    embedding_dropout: float = knob(
        0.0,
        "Share of the vocabulary whose input vectors are zero throughout a window of training.",
        tier="recipe",
        usual="0 to 0.2",
        effect="The model relies less on single words.",
        source=AWD_LSTM,
        ge=0,
        lt=1,
    )
    softmax: SoftmaxName = knob(
        "full",
        "How the output layer is trained. Evaluation and generation are always exact.",
        tier="essential",
        usual="full up to 4,000 types, sampled above",
        effect="sampled and nce make a step independent of the size of the vocabulary.",
        source=MEASURED,
    )
    samples: int = knob(
        1024,
        "Noise words shared by a batch (sampled, nce).",
        tier="essential",
        usual="512 to 4,096",
        effect="2,048 reach the perplexity of the full softmax at 6 times its speed; 256 cost 10 %.",
        source=MEASURED,
        ge=1,
        le=10**7,
    )
    noise: NoiseName = knob(
        "log-uniform",
        "Distribution that noise words are drawn from (sampled, nce).",
        tier="recipe",
        usual="log-uniform",
        effect="unigram follows the counts of your text; it was slightly worse after 400 steps.",
        source=MEASURED,
    )
    label_smoothing: float = knob(
        0.0,
        "Share of the target's probability spread over the vocabulary in training (full).",
        tier="recipe",
        usual="0 to 0.1",
        effect="Less confident predictions; perplexity usually gets worse.",
        source="Szegedy et al. 2016, https://arxiv.org/abs/1512.00567",
        ge=0,
        lt=1,
    )
    cutoffs: list[int] | None = knob(
        None,
        "First id of each cluster of the adaptive softmax; default: the cheapest clusters for a vocabulary that "
        "follows Zipf's law.",
        tier="internal",
        usual="the default",
        effect="Moves words between the fast short list and the clusters.",
        source="Grave et al. 2017, https://arxiv.org/abs/1609.04309",
    )
    mixture: int = knob(
        4,
        "Number of softmaxes in the mixture.",
        tier="recipe",
        usual="2 to 15",
        effect="More can model more contexts; a step takes that many times longer.",
        source="Yang et al. 2018, https://arxiv.org/abs/1711.03953",
        ge=1,
        le=1000,
    )

    counts: bool = knob(
        True,
        "Mix the network with Kneser-Ney counts of the training text, where that helps.",
        tier="recipe",
        usual="true",
        effect="Better from the first second on: counts know every phrase of your text, the network what is alike.",
        source=f"Chen & Goodman 1999, https://doi.org/10.1006/csla.1999.0128; {MEASURED}",
    )

    @property
    def tied(self) -> bool:
        """Whether the output layer shares the embedding: `tie`, where there is an embedding."""
        return self.tie and self.input == "embedding"

    def dropout_of(self, place: str) -> float:
        """Dropout at a place: input, hidden or output."""
        given: float | None = getattr(self, f"{place}_dropout")
        return self.dropout if given is None else given
