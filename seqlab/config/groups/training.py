"""Settings of how a language model is trained."""

from __future__ import annotations

from ..names import AverageName, OptimizerName, OutputBiasName, ResetName, ScalingName, ScheduleName
from ..settings import MEASURED, PRACTICE, PathText, Seed, Settings, knob
from .model import AWD_LSTM


class TrainingConfig(Settings):
    """How a language model is trained."""

    optimizer: OptimizerName = knob(
        "adamw",
        "The rule that turns gradients into steps.",
        tier="essential",
        usual="adamw; sgd with a large lr for recipes such as AWD-LSTM",
        effect="Adam's kinds learn fast with one rate for all models; each other needs a rate of its own.",
        source="Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101",
    )
    output_bias: OutputBiasName = knob(
        "auto",
        "Initial biases of the output layer.",
        tier="internal",
        usual="auto",
        effect="unigram saves the steps that would learn word frequencies, but stalls plain SGD for hundreds of steps.",
        source=MEASURED,
    )
    lr: float = knob(
        4e-3,
        "Peak learning rate.",
        tier="essential",
        usual="0.001 to 0.01 for adam and adamw, 1 to 30 for sgd, 0.01 to 0.1 for adagrad",
        effect="Too high and the loss jumps or diverges; too low and the time runs out first.",
        source=MEASURED,
        gt=0,
        le=1e9,
    )
    momentum: float = knob(
        0.9,
        "Share of the previous step carried into the next (momentum, nesterov).",
        tier="recipe",
        usual="0.8 to 0.99",
        effect="Higher smooths more and needs a smaller lr.",
        source="Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html",
        ge=0,
        lt=1,
    )
    beta1: float = knob(
        0.9,
        "Memory of the gradient's mean (adam, adamw).",
        tier="internal",
        usual="0 to 0.95",
        effect="Higher smooths more; 0 takes each gradient as it comes.",
        source="Kingma & Ba 2015, https://arxiv.org/abs/1412.6980",
        ge=0,
        lt=1,
    )
    beta2: float = knob(
        0.999,
        "Memory of the gradient's square (adam, adamw).",
        tier="internal",
        usual="0.95 to 0.999",
        effect="Lower adapts the steps faster and makes them noisier.",
        source="Kingma & Ba 2015, https://arxiv.org/abs/1412.6980",
        ge=0,
        lt=1,
    )
    weight_decay: float = knob(
        0.0,
        "Shrinks weights in each step: adamw matrices directly, the others all of them through the gradient (L2). Rows "
        "that got no gradient are shrunk when next used or validated, or once 1 % is due.",
        tier="recipe",
        usual="0 to 0.1 for adamw, around 1e-6 for sgd",
        effect="Higher keeps weights small and overfits less.",
        source="Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101",
        ge=0,
        le=1e3,
    )
    l1: float = knob(
        0.0,
        "Penalty added to the loss: l1 times the sum of |w| over weights, not biases.",
        tier="recipe",
        usual="0 to 1e-5",
        effect="Higher drives weights to exactly zero.",
        source="Tibshirani 1996",
        ge=0,
        le=1e6,
    )
    l2: float = knob(
        0.0,
        "Penalty added to the loss: l2 times the sum of w squared over weights, not biases.",
        tier="recipe",
        usual="0 to 1e-5",
        effect="Higher keeps weights small; together with l1 it is the elastic net.",
        source="Zou & Hastie 2005",
        ge=0,
        le=1e6,
    )
    activation_penalty: float = knob(
        0.0,
        "Times the mean square of the last layer's outputs after dropout, added to the loss.",
        tier="recipe",
        usual="0 to 2",
        effect="Keeps hidden values small and overfits less.",
        source=AWD_LSTM,
        ge=0,
        le=1e6,
    )
    temporal_penalty: float = knob(
        0.0,
        "Times the mean square of the change in the last layer's outputs from step to step, added to the loss.",
        tier="recipe",
        usual="0 to 1",
        effect="Hidden values change more slowly along the text.",
        source=AWD_LSTM,
        ge=0,
        le=1e6,
    )
    clip: float = knob(
        1.0,
        "Largest norm of all gradients together; 0 switches clipping off.",
        tier="essential",
        usual="0.25 to 5",
        effect="Lower is safer against exploding gradients and shortens every step that is clipped.",
        source="Pascanu et al. 2013, https://arxiv.org/abs/1211.5063",
        ge=0,
        le=1e12,
    )
    clip_value: float = knob(
        0.0,
        "Largest absolute value of a single element of the gradient, applied before clip; 0 switches it off.",
        tier="recipe",
        usual="0, or 0.01 to 1",
        effect="Limits single weights instead of the whole step, and so changes its direction.",
        source="Graves 2013, https://arxiv.org/abs/1308.0850",
        ge=0,
        le=1e12,
    )
    schedule: ScheduleName = knob(
        "cosine",
        "How the learning rate changes over the budget.",
        tier="essential",
        usual="linear and a higher lr for one or two passes over a text, cosine for more; plateau, constant: for SGD",
        effect="A rate that falls to almost zero gives the best weights at the end of the budget.",
        source="Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983",
    )
    warmup: float | None = knob(
        None,
        "Share of training during which the learning rate rises; default: 0.3 for one-cycle, 0.02 for the others.",
        tier="recipe",
        usual="0 to 0.1",
        effect="Longer is safer with a high lr.",
        source=PRACTICE,
        ge=0,
        lt=1,
    )
    final_lr: float = knob(
        0.02,
        "Learning rate at the end as a share of its peak (all schedules but constant and plateau).",
        tier="recipe",
        usual="0 to 0.1",
        effect="Lower converges more closely at the end.",
        source=PRACTICE,
        ge=0,
        le=1,
    )
    plateau_factor: float = knob(
        0.25,
        "What the learning rate is multiplied by when a validation is no new best (plateau).",
        tier="recipe",
        usual="0.1 to 0.5",
        effect="Lower ends training sooner.",
        source="the word-level example of the PyTorch repository",
        gt=0,
        lt=1,
    )
    batch_size: int = knob(
        32,
        "Parallel streams of text in an update, over all processes.",
        tier="essential",
        usual="16 to 128",
        effect="Larger uses the machine better and makes fewer, smoother updates: often worse in a short training.",
        source=MEASURED,
        ge=1,
        le=10**6,
    )
    batch_schedule: list[tuple[float, int]] = knob(
        [],
        "Pairs (share of training, streams from there on), such as [[0.0, 8], [0.3, 16], [0.6, 32]]; each size a "
        "multiple of the one before.",
        tier="recipe",
        usual="doubling two or three times",
        effect="Small batches learn fast at first, large ones finish better.",
        source=f"Smith et al. 2018, https://arxiv.org/abs/1711.00489; {MEASURED}",
    )
    batch_scaling: ScalingName = knob(
        "none",
        "How the learning rate follows the batch schedule; lr is that of batch_size streams.",
        tier="recipe",
        usual="linear with a growing batch",
        effect="linear reached the small batch's loss in 78 % of its time.",
        source=f"Goyal et al. 2017, https://arxiv.org/abs/1706.02677; {MEASURED}",
    )
    accumulate: int = knob(
        1,
        "Chunks a batch is computed in, one after another.",
        tier="internal",
        usual="1 to 8",
        effect="More needs less memory for the same update.",
        ge=1,
        le=10**6,
    )
    bptt: int = knob(
        64,
        "Tokens in a window: gradients flow back through at most so many.",
        tier="essential",
        usual="35 for words, 128 for characters",
        effect="Longer learns longer dependencies and makes fewer updates; the state is carried over either way.",
        source="Williams & Peng 1990, https://doi.org/10.1162/neco.1990.2.4.490",
        ge=1,
        le=10**6,
    )
    random_bptt: bool = knob(
        False,
        "Draw the window's length anew for every step, with the learning rate in proportion to it.",
        tier="recipe",
        usual="true with AWD-LSTM",
        effect="Every token is some day at every place of a window.",
        source=AWD_LSTM,
    )
    reset_state: ResetName = knob(
        "never",
        "When the hidden state starts again at zero.",
        tier="recipe",
        usual="documents for a collection of independent texts",
        effect="Documents no longer influence each other.",
    )
    average: AverageName = knob(
        "none",
        "Average of the weights, validated as well, and used where it is better.",
        tier="essential",
        usual="ema for 10 minutes or more",
        effect="Usually a few percent lower perplexity at the end of a long training.",
        source=MEASURED,
    )
    average_decay: float = knob(
        0.999,
        "Share of its value that the average keeps in a step (ema).",
        tier="recipe",
        usual="0.99 to 0.9999",
        effect="Higher averages over more steps.",
        source=PRACTICE,
        gt=0,
        lt=1,
    )
    average_start: float | None = knob(
        None,
        "Share of training after which averaging begins; default: 0.75 for swa, 0.5 for asgd.",
        tier="recipe",
        usual="0.5 to 0.9",
        effect="Earlier averages over more, and worse, weights.",
        source="Izmailov et al. 2018, https://arxiv.org/abs/1803.05407",
        ge=0,
        lt=1,
    )
    average_patience: int = knob(
        5,
        "Validations without a new best before averaging begins (nt-asgd).",
        tier="recipe",
        usual="5",
        effect="Lower begins sooner.",
        source=AWD_LSTM,
        ge=1,
        le=10**6,
    )
    epochs: float | None = knob(
        None,
        "Passes over the training text. Exactly one of epochs, steps and minutes limits training.",
        tier="essential",
        usual="1 to 40",
        effect="More learns more until it overfits.",
        gt=0,
        le=10**6,
    )
    steps: int | None = knob(
        None,
        "Updates, instead of epochs.",
        tier="essential",
        usual="500 to 100,000",
        effect="More learns more until it overfits.",
        ge=1,
        le=10**12,
    )
    minutes: float | None = knob(
        None,
        "Minutes of training, instead of epochs; the schedule follows the clock.",
        tier="essential",
        usual="1 to 60",
        effect="More learns more until it overfits; two runs differ in detail.",
        gt=0,
        le=10**7,
    )
    patience: int = knob(
        0,
        "Stop after so many validations without improvement; 0 never stops early.",
        tier="essential",
        usual="0, or 2 to 5",
        effect="Saves the time after the best weights; the schedule is then cut short.",
        source="Prechelt 1998, https://doi.org/10.1007/3-540-49430-8_3",
        ge=0,
        le=10**6,
    )
    evaluations: int = knob(
        10,
        "Validations during training, evenly spaced.",
        tier="recipe",
        usual="5 to 50",
        effect="More finds the best weights more precisely and draws a finer curve.",
        source=PRACTICE,
        ge=1,
        le=10**6,
    )
    seed: Seed = knob(
        1,
        "Seed of everything random: the same seed gives the same model on the same machine.",
        tier="essential",
        usual="any whole number",
        effect="Another seed shows how much of a difference is chance.",
    )
    device: str = knob(
        "auto",
        "Where to train: auto, cpu, cuda, cuda:1; auto takes a GPU where there is one.",
        tier="essential",
        usual="auto",
        effect="Small models are often as fast on the CPU.",
    )
    threads: int = knob(
        0,
        "CPU threads; 0 times a few steps with 1, 2, 4 and so on, takes what is fastest, and looks again when steps "
        "become slow.",
        tier="recipe",
        usual="0, or a number for the same bits every time",
        effect="One seed gives the same model for one number of threads; two trainings at once are faster with one "
        "thread each.",
        source=MEASURED,
        ge=0,
        le=1024,
    )
    cuda_graphs: bool = knob(
        False,
        "On a CUDA device: record a window's kernels once and replay them (small models, exact softmax).",
        tier="internal",
        usual="false",
        effect="Saves the time of launching kernels.",
        source="not measured on a GPU yet",
    )
    init: PathText | None = knob(
        None,
        "A run whose weights training starts from. Its sizes, type of tokenizer and lower-casing are taken over; "
        'the vocabulary comes from the new text, and known tokens keep their rows. "starter" is a small model of '
        "characters of this machine's documentation, trained when it is first asked for (./starter is a folder).",
        tier="essential",
        usual="a run trained on more text; starter for English below 100 kB",
        effect="Begins with what that run learned.",
        source=MEASURED,
    )
    embeddings: PathText | None = knob(
        None,
        "Word vectors that the embedding starts from.",
        tier="essential",
        usual="vectors trained on more text of the same kind",
        effect="Helps most when the text is small.",
        source=MEASURED,
    )
    freeze_embeddings: bool = knob(
        False,
        "Leave those vectors as they are.",
        tier="recipe",
        usual="false; true for very small texts",
        effect="Fewer weights to learn, and a worse fit to your text.",
        source=MEASURED,
    )
