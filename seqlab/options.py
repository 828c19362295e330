"""Options of the Python functions by name, typed for editors and type checkers.

Made from `seqlab.config` by `SEQLAB_WRITE=1 python -m pytest tests/config/test_options.py`; do not edit by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypedDict

from .config.names import (
    AnnealingName,
    AutoencoderName,
    AverageName,
    CellName,
    CharSize,
    EngineName,
    InputName,
    MapColorName,
    MapMethodName,
    NoiseName,
    OptimizerName,
    OutputBiasName,
    PrecisionName,
    ResetName,
    ScalingName,
    ScheduleName,
    SoftmaxName,
    TokenizerName,
    VectorLossName,
    VectorModelName,
)


class TextOptions(TypedDict, total=False):
    """How text becomes ids."""

    tokenizer: TokenizerName
    """What a token is; auto chooses from the text. Default: "auto". Usual: char below a few MB, bpe or word above;
    word or whitespace for word vectors. Characters learn spelling first and need long windows; words read well but know
    no new word."""
    vocab_size: int | None
    """Largest vocabulary. By default every type is kept (bpe: chosen from the size of the text). Default: None. Usual:
    2,000 to 50,000. Smaller trains faster; with words, rarer ones become <unk>."""
    min_count: int | None
    """Types seen less often in the training split become <unk> (word, whitespace, char). Default: 2 for word, else 1.
    Default: None. Usual: 1 to 5. Higher gives a smaller vocabulary and more unknown words."""
    lowercase: bool
    """Convert the text to lower case first (word tokenizer only). Default: False. Usual: true for small texts where
    case does not matter. Fewer types and more examples of each; generated text has no capitals."""
    lines: Literal["auto", "yes", "no"]
    """One item a line (names, headlines, titles): lines are shuffled for every pass, each is read from its own
    beginning and ended by <eos>; auto recognises such lists. Default: "auto". Usual: yes for lists, no for prose,
    verse, code and dialogue. The model writes one item after another, each independent of the one before."""
    valid_fraction: float
    """Share of the text set aside for validation when no validation text is given: its end, or of a list lines drawn
    at random. Default: 0.1. Usual: 0.005 to 0.1. More makes validation steadier and leaves less to learn from."""
    strip_ebook_header: bool
    """Leave out the header and the licence around an e-book of Project Gutenberg. Default: False. Usual: true for such
    books; `seqlab data inspect` tells. The model does not learn to write licences."""
    unwrap: bool
    """Join the lines of paragraphs that are wrapped at one width; verse and lists keep theirs. Default: False. Usual:
    true for books with hard line breaks; `seqlab data inspect` tells. Line ends mean something again, and no word is
    spent on them."""
    encoding: str | None
    """Encoding of files that are not UTF-8; those that are need none. Default: None. Usual: cp1252 (Western Europe,
    Windows), latin-1, cp1251, shift-jis, gb18030. Old files are read as they were meant."""
    errors: Literal["strict", "replace"]
    """Bytes that are not UTF-8: refuse them with file, line and offset, or replace them by U+FFFD and count them.
    Default: "strict". Usual: replace for texts scanned or collected from the web. replace reads damaged files instead
    of stopping."""
    field: str
    """Field of a JSON Lines record (message.content: one inside another), or column of a table (its name, or its
    number from 1), that holds the text. Default: "text". Usual: text, title, headline, 2. Another field or column of
    the same file is read."""


class LanguageModelOptions(TypedDict, total=False):
    """How a language model is built and trained, and its text read."""

    tokenizer: TokenizerName
    """What a token is; auto chooses from the text. Default: "auto". Usual: char below a few MB, bpe or word above;
    word or whitespace for word vectors. Characters learn spelling first and need long windows; words read well but know
    no new word."""
    vocab_size: int | None
    """Largest vocabulary. By default every type is kept (bpe: chosen from the size of the text). Default: None. Usual:
    2,000 to 50,000. Smaller trains faster; with words, rarer ones become <unk>."""
    min_count: int | None
    """Types seen less often in the training split become <unk> (word, whitespace, char). Default: 2 for word, else 1.
    Default: None. Usual: 1 to 5. Higher gives a smaller vocabulary and more unknown words."""
    lowercase: bool
    """Convert the text to lower case first (word tokenizer only). Default: False. Usual: true for small texts where
    case does not matter. Fewer types and more examples of each; generated text has no capitals."""
    lines: Literal["auto", "yes", "no"]
    """One item a line (names, headlines, titles): lines are shuffled for every pass, each is read from its own
    beginning and ended by <eos>; auto recognises such lists. Default: "auto". Usual: yes for lists, no for prose,
    verse, code and dialogue. The model writes one item after another, each independent of the one before."""
    valid_fraction: float
    """Share of the text set aside for validation when no validation text is given: its end, or of a list lines drawn
    at random. Default: 0.1. Usual: 0.005 to 0.1. More makes validation steadier and leaves less to learn from."""
    strip_ebook_header: bool
    """Leave out the header and the licence around an e-book of Project Gutenberg. Default: False. Usual: true for such
    books; `seqlab data inspect` tells. The model does not learn to write licences."""
    unwrap: bool
    """Join the lines of paragraphs that are wrapped at one width; verse and lists keep theirs. Default: False. Usual:
    true for books with hard line breaks; `seqlab data inspect` tells. Line ends mean something again, and no word is
    spent on them."""
    encoding: str | None
    """Encoding of files that are not UTF-8; those that are need none. Default: None. Usual: cp1252 (Western Europe,
    Windows), latin-1, cp1251, shift-jis, gb18030. Old files are read as they were meant."""
    errors: Literal["strict", "replace"]
    """Bytes that are not UTF-8: refuse them with file, line and offset, or replace them by U+FFFD and count them.
    Default: "strict". Usual: replace for texts scanned or collected from the web. replace reads damaged files instead
    of stopping."""
    field: str
    """Field of a JSON Lines record (message.content: one inside another), or column of a table (its name, or its
    number from 1), that holds the text. Default: "text". Usual: text, title, headline, 2. Another field or column of
    the same file is read."""
    cell: CellName
    """The recurrent layer. Default: "lstm". Usual: lstm; rnn-... to see why gates help; mingru, minlstm, sru, qrnn for
    speed at a large width. Decides how far back the model remembers, and how fast a step is."""
    precision: PrecisionName
    """Numbers that matrix products use in training. Sums, gates, weights, evaluation and generation always use
    float32. Default: "auto". Usual: auto. bfloat16 is up to twice as fast on CPUs that have it, at the same loss."""
    weight_drop: float
    """Share of the recurrent weights set to zero during a window of training (LSTM, GRU and simple RNN cells).
    Default: 0.0. Usual: 0 to 0.5. Higher overfits less and learns more slowly."""
    zoneout: float
    """Share of the units that keep their previous value at a time step in training (LSTM cells). Default: 0.0. Usual:
    0 to 0.2. Higher overfits less and learns more slowly."""
    forget_bias: float
    """Initial bias of the forget gates (LSTM cells). Default: 0.0. Usual: 0 or 1. 1 makes a new model remember, but it
    learned more slowly on every text tried."""
    mogrifier_rounds: int
    """How often input and hidden state gate each other before a step (mogrifier). Default: 5. Usual: 4 to 6. More is
    slower; 0 is a plain LSTM."""
    input: InputName
    """Where a word's input vector comes from: a row of its own, or its characters. Default: "embedding". Usual:
    characters for word models with many rare words. With characters no input word is unknown, and a step is slower."""
    char_size: CharSize
    """Size of the network that reads characters (input = "characters"). Default: "medium". Usual: medium. Larger knows
    more spellings and is slower."""
    embed_dim: int
    """Width of the input vectors. Default: 256. Usual: 64 to 400. Wider holds more about each token and costs memory
    with every type."""
    hidden_dim: int
    """Hidden units in each layer. Default: 256. Usual: 128 for 200 kB of text, 256 for a few MB, 512 and more for an
    hour or a GPU. Wider learns more from a large text, overfits a small one, and a step takes longer."""
    layers: int
    """Recurrent layers, one on top of the other. Default: 2. Usual: 1 to 4. Deeper learns more with enough time; each
    layer costs as much as the first."""
    last_dim: int | None
    """Hidden units of the last layer; default: hidden_dim. Default: None. Usual: embed_dim. As wide as the embedding,
    tied weights need no projection between them."""
    residual: bool
    """Add a layer's input to its output where the widths agree (sru already does so itself). Default: False. Usual:
    true for 4 layers or more. Gradients reach the lower layers of a deep stack."""
    tie: bool
    """Share the embedding with the output layer; a projection bridges different widths. Has no effect with input =
    "characters". Default: True. Usual: true for words, false for characters. Tied models have far fewer weights and
    generalise better on words."""
    dropout: float
    """Share of the units set to zero in training: after the embedding, between layers and before the output layer.
    Default: 0.0. Usual: 0 to 0.2 for one or two passes over the text, 0.3 to 0.6 for many. Higher overfits less and
    learns more slowly."""
    locked_dropout: bool
    """Drop the same units at all time steps of a window, instead of drawing them anew at each. Default: False. Usual:
    true for long training with much dropout. Regularises recurrent layers better at the same rate."""
    input_dropout: float | None
    """Dropout after the embedding; default: dropout. Default: None. Usual: 0.1 to 0.65. As dropout, in one place."""
    hidden_dropout: float | None
    """Dropout between layers; default: dropout. Default: None. Usual: 0.2 to 0.3. As dropout, in one place."""
    output_dropout: float | None
    """Dropout before the output layer; default: dropout. Default: None. Usual: 0.1 to 0.6. As dropout, in one place.
    """
    embedding_dropout: float
    """Share of the vocabulary whose input vectors are zero throughout a window of training. Default: 0.0. Usual: 0 to
    0.2. The model relies less on single words."""
    softmax: SoftmaxName
    """How the output layer is trained. Evaluation and generation are always exact. Default: "full". Usual: full up to
    4,000 types, sampled above. sampled and nce make a step independent of the size of the vocabulary."""
    samples: int
    """Noise words shared by a batch (sampled, nce). Default: 1024. Usual: 512 to 4,096. 2,048 reach the perplexity of
    the full softmax at 6 times its speed; 256 cost 10 %."""
    noise: NoiseName
    """Distribution that noise words are drawn from (sampled, nce). Default: "log-uniform". Usual: log-uniform. unigram
    follows the counts of your text; it was slightly worse after 400 steps."""
    label_smoothing: float
    """Share of the target's probability spread over the vocabulary in training (full). Default: 0.0. Usual: 0 to 0.1.
    Less confident predictions; perplexity usually gets worse."""
    cutoffs: list[int] | None
    """First id of each cluster of the adaptive softmax; default: the cheapest clusters for a vocabulary that follows
    Zipf's law. Default: None. Usual: the default. Moves words between the fast short list and the clusters."""
    mixture: int
    """Number of softmaxes in the mixture. Default: 4. Usual: 2 to 15. More can model more contexts; a step takes that
    many times longer."""
    counts: bool
    """Mix the network with Kneser-Ney counts of the training text, where that helps. Default: True. Usual: true.
    Better from the first second on: counts know every phrase of your text, the network what is alike."""
    optimizer: OptimizerName
    """The rule that turns gradients into steps. Default: "adamw". Usual: adamw; sgd with a large lr for recipes such
    as AWD-LSTM. Adam's kinds learn fast with one rate for all models; each other needs a rate of its own."""
    output_bias: OutputBiasName
    """Initial biases of the output layer. Default: "auto". Usual: auto. unigram saves the steps that would learn word
    frequencies, but stalls plain SGD for hundreds of steps."""
    lr: float
    """Peak learning rate. Default: 0.004. Usual: 0.001 to 0.01 for adam and adamw, 1 to 30 for sgd, 0.01 to 0.1 for
    adagrad. Too high and the loss jumps or diverges; too low and the time runs out first."""
    momentum: float
    """Share of the previous step carried into the next (momentum, nesterov). Default: 0.9. Usual: 0.8 to 0.99. Higher
    smooths more and needs a smaller lr."""
    beta1: float
    """Memory of the gradient's mean (adam, adamw). Default: 0.9. Usual: 0 to 0.95. Higher smooths more; 0 takes each
    gradient as it comes."""
    beta2: float
    """Memory of the gradient's square (adam, adamw). Default: 0.999. Usual: 0.95 to 0.999. Lower adapts the steps
    faster and makes them noisier."""
    weight_decay: float
    """Shrinks weights in each step: adamw matrices directly, the others all of them through the gradient (L2). Rows
    that got no gradient are shrunk when next used or validated, or once 1 % is due. Default: 0.0. Usual: 0 to 0.1 for
    adamw, around 1e-6 for sgd. Higher keeps weights small and overfits less."""
    l1: float
    """Penalty added to the loss: l1 times the sum of |w| over weights, not biases. Default: 0.0. Usual: 0 to 1e-5.
    Higher drives weights to exactly zero."""
    l2: float
    """Penalty added to the loss: l2 times the sum of w squared over weights, not biases. Default: 0.0. Usual: 0 to
    1e-5. Higher keeps weights small; together with l1 it is the elastic net."""
    activation_penalty: float
    """Times the mean square of the last layer's outputs after dropout, added to the loss. Default: 0.0. Usual: 0 to 2.
    Keeps hidden values small and overfits less."""
    temporal_penalty: float
    """Times the mean square of the change in the last layer's outputs from step to step, added to the loss. Default:
    0.0. Usual: 0 to 1. Hidden values change more slowly along the text."""
    clip: float
    """Largest norm of all gradients together; 0 switches clipping off. Default: 1.0. Usual: 0.25 to 5. Lower is safer
    against exploding gradients and shortens every step that is clipped."""
    clip_value: float
    """Largest absolute value of a single element of the gradient, applied before clip; 0 switches it off. Default:
    0.0. Usual: 0, or 0.01 to 1. Limits single weights instead of the whole step, and so changes its direction."""
    schedule: ScheduleName
    """How the learning rate changes over the budget. Default: "cosine". Usual: linear and a higher lr for one or two
    passes over a text, cosine for more; plateau, constant: for SGD. A rate that falls to almost zero gives the best
    weights at the end of the budget."""
    warmup: float | None
    """Share of training during which the learning rate rises; default: 0.3 for one-cycle, 0.02 for the others.
    Default: None. Usual: 0 to 0.1. Longer is safer with a high lr."""
    final_lr: float
    """Learning rate at the end as a share of its peak (all schedules but constant and plateau). Default: 0.02. Usual:
    0 to 0.1. Lower converges more closely at the end."""
    plateau_factor: float
    """What the learning rate is multiplied by when a validation is no new best (plateau). Default: 0.25. Usual: 0.1 to
    0.5. Lower ends training sooner."""
    batch_size: int
    """Parallel streams of text in an update, over all processes. Default: 32. Usual: 16 to 128. Larger uses the
    machine better and makes fewer, smoother updates: often worse in a short training."""
    batch_schedule: list[tuple[float, int]]
    """Pairs (share of training, streams from there on), such as [[0.0, 8], [0.3, 16], [0.6, 32]]; each size a multiple
    of the one before. Default: []. Usual: doubling two or three times. Small batches learn fast at first, large ones
    finish better."""
    batch_scaling: ScalingName
    """How the learning rate follows the batch schedule; lr is that of batch_size streams. Default: "none". Usual:
    linear with a growing batch. linear reached the small batch's loss in 78 % of its time."""
    accumulate: int
    """Chunks a batch is computed in, one after another. Default: 1. Usual: 1 to 8. More needs less memory for the same
    update."""
    bptt: int
    """Tokens in a window: gradients flow back through at most so many. Default: 64. Usual: 35 for words, 128 for
    characters. Longer learns longer dependencies and makes fewer updates; the state is carried over either way."""
    random_bptt: bool
    """Draw the window's length anew for every step, with the learning rate in proportion to it. Default: False. Usual:
    true with AWD-LSTM. Every token is some day at every place of a window."""
    reset_state: ResetName
    """When the hidden state starts again at zero. Default: "never". Usual: documents for a collection of independent
    texts. Documents no longer influence each other."""
    average: AverageName
    """Average of the weights, validated as well, and used where it is better. Default: "none". Usual: ema for 10
    minutes or more. Usually a few percent lower perplexity at the end of a long training."""
    average_decay: float
    """Share of its value that the average keeps in a step (ema). Default: 0.999. Usual: 0.99 to 0.9999. Higher
    averages over more steps."""
    average_start: float | None
    """Share of training after which averaging begins; default: 0.75 for swa, 0.5 for asgd. Default: None. Usual: 0.5
    to 0.9. Earlier averages over more, and worse, weights."""
    average_patience: int
    """Validations without a new best before averaging begins (nt-asgd). Default: 5. Usual: 5. Lower begins sooner."""
    epochs: float | None
    """Passes over the training text. Exactly one of epochs, steps and minutes limits training. Default: None. Usual: 1
    to 40. More learns more until it overfits."""
    steps: int | None
    """Updates, instead of epochs. Default: None. Usual: 500 to 100,000. More learns more until it overfits."""
    minutes: float | None
    """Minutes of training, instead of epochs; the schedule follows the clock. Default: None. Usual: 1 to 60. More
    learns more until it overfits; two runs differ in detail."""
    patience: int
    """Stop after so many validations without improvement; 0 never stops early. Default: 0. Usual: 0, or 2 to 5. Saves
    the time after the best weights; the schedule is then cut short."""
    evaluations: int
    """Validations during training, evenly spaced. Default: 10. Usual: 5 to 50. More finds the best weights more
    precisely and draws a finer curve."""
    seed: int
    """Seed of everything random: the same seed gives the same model on the same machine. Default: 1. Usual: any whole
    number. Another seed shows how much of a difference is chance."""
    device: str
    """Where to train: auto, cpu, cuda, cuda:1; auto takes a GPU where there is one. Default: "auto". Usual: auto.
    Small models are often as fast on the CPU."""
    threads: int
    """CPU threads; 0 times a few steps with 1, 2, 4 and so on, takes what is fastest, and looks again when steps
    become slow. Default: 0. Usual: 0, or a number for the same bits every time. One seed gives the same model for one
    number of threads; two trainings at once are faster with one thread each."""
    cuda_graphs: bool
    """On a CUDA device: record a window's kernels once and replay them (small models, exact softmax). Default: False.
    Usual: false. Saves the time of launching kernels."""
    init: str | Path | None
    """A run whose weights training starts from. Its sizes, type of tokenizer and lower-casing are taken over; the
    vocabulary comes from the new text, and known tokens keep their rows. "starter" is a small model of characters of
    this machine's documentation, trained when it is first asked for (./starter is a folder). Default: None. Usual: a
    run trained on more text; starter for English below 100 kB. Begins with what that run learned."""
    embeddings: str | Path | None
    """Word vectors that the embedding starts from. Default: None. Usual: vectors trained on more text of the same
    kind. Helps most when the text is small."""
    freeze_embeddings: bool
    """Leave those vectors as they are. Default: False. Usual: false; true for very small texts. Fewer weights to
    learn, and a worse fit to your text."""


class AutoencoderOptions(TypedDict, total=False):
    """How an autoencoder is built and trained, and its text read."""

    tokenizer: TokenizerName
    """What a token is; auto chooses from the text. Default: "auto". Usual: char below a few MB, bpe or word above;
    word or whitespace for word vectors. Characters learn spelling first and need long windows; words read well but know
    no new word."""
    vocab_size: int | None
    """Largest vocabulary. By default every type is kept (bpe: chosen from the size of the text). Default: None. Usual:
    2,000 to 50,000. Smaller trains faster; with words, rarer ones become <unk>."""
    min_count: int | None
    """Types seen less often in the training split become <unk> (word, whitespace, char). Default: 2 for word, else 1.
    Default: None. Usual: 1 to 5. Higher gives a smaller vocabulary and more unknown words."""
    lowercase: bool
    """Convert the text to lower case first (word tokenizer only). Default: False. Usual: true for small texts where
    case does not matter. Fewer types and more examples of each; generated text has no capitals."""
    lines: Literal["auto", "yes", "no"]
    """One item a line (names, headlines, titles): lines are shuffled for every pass, each is read from its own
    beginning and ended by <eos>; auto recognises such lists. Default: "auto". Usual: yes for lists, no for prose,
    verse, code and dialogue. The model writes one item after another, each independent of the one before."""
    valid_fraction: float
    """Share of the text set aside for validation when no validation text is given: its end, or of a list lines drawn
    at random. Default: 0.1. Usual: 0.005 to 0.1. More makes validation steadier and leaves less to learn from."""
    strip_ebook_header: bool
    """Leave out the header and the licence around an e-book of Project Gutenberg. Default: False. Usual: true for such
    books; `seqlab data inspect` tells. The model does not learn to write licences."""
    unwrap: bool
    """Join the lines of paragraphs that are wrapped at one width; verse and lists keep theirs. Default: False. Usual:
    true for books with hard line breaks; `seqlab data inspect` tells. Line ends mean something again, and no word is
    spent on them."""
    encoding: str | None
    """Encoding of files that are not UTF-8; those that are need none. Default: None. Usual: cp1252 (Western Europe,
    Windows), latin-1, cp1251, shift-jis, gb18030. Old files are read as they were meant."""
    errors: Literal["strict", "replace"]
    """Bytes that are not UTF-8: refuse them with file, line and offset, or replace them by U+FFFD and count them.
    Default: "strict". Usual: replace for texts scanned or collected from the web. replace reads damaged files instead
    of stopping."""
    field: str
    """Field of a JSON Lines record (message.content: one inside another), or column of a table (its name, or its
    number from 1), that holds the text. Default: "text". Usual: text, title, headline, 2. Another field or column of
    the same file is read."""
    cell: CellName
    """The recurrent layer. Default: "lstm". Usual: lstm; rnn-... to see why gates help; mingru, minlstm, sru, qrnn for
    speed at a large width. Decides how far back the model remembers, and how fast a step is."""
    precision: PrecisionName
    """Numbers that matrix products use in training. Sums, gates, weights, evaluation and generation always use
    float32. Default: "auto". Usual: auto. bfloat16 is up to twice as fast on CPUs that have it, at the same loss."""
    weight_drop: float
    """Share of the recurrent weights set to zero during a window of training (LSTM, GRU and simple RNN cells).
    Default: 0.0. Usual: 0 to 0.5. Higher overfits less and learns more slowly."""
    zoneout: float
    """Share of the units that keep their previous value at a time step in training (LSTM cells). Default: 0.0. Usual:
    0 to 0.2. Higher overfits less and learns more slowly."""
    forget_bias: float
    """Initial bias of the forget gates (LSTM cells). Default: 0.0. Usual: 0 or 1. 1 makes a new model remember, but it
    learned more slowly on every text tried."""
    mogrifier_rounds: int
    """How often input and hidden state gate each other before a step (mogrifier). Default: 5. Usual: 4 to 6. More is
    slower; 0 is a plain LSTM."""
    input: InputName
    """Where a word's input vector comes from: a row of its own, or its characters. Default: "embedding". Usual:
    characters for word models with many rare words. With characters no input word is unknown, and a step is slower."""
    char_size: CharSize
    """Size of the network that reads characters (input = "characters"). Default: "medium". Usual: medium. Larger knows
    more spellings and is slower."""
    embed_dim: int
    """Width of the input vectors. Default: 256. Usual: 64 to 400. Wider holds more about each token and costs memory
    with every type."""
    hidden_dim: int
    """Hidden units in each layer. Default: 256. Usual: 128 for 200 kB of text, 256 for a few MB, 512 and more for an
    hour or a GPU. Wider learns more from a large text, overfits a small one, and a step takes longer."""
    layers: int
    """Recurrent layers, one on top of the other. Default: 2. Usual: 1 to 4. Deeper learns more with enough time; each
    layer costs as much as the first."""
    last_dim: int | None
    """Hidden units of the last layer; default: hidden_dim. Default: None. Usual: embed_dim. As wide as the embedding,
    tied weights need no projection between them."""
    residual: bool
    """Add a layer's input to its output where the widths agree (sru already does so itself). Default: False. Usual:
    true for 4 layers or more. Gradients reach the lower layers of a deep stack."""
    tie: bool
    """Share the embedding with the output layer; a projection bridges different widths. Has no effect with input =
    "characters". Default: True. Usual: true for words, false for characters. Tied models have far fewer weights and
    generalise better on words."""
    dropout: float
    """Share of the units set to zero in training: after the embedding, between layers and before the output layer.
    Default: 0.0. Usual: 0 to 0.2 for one or two passes over the text, 0.3 to 0.6 for many. Higher overfits less and
    learns more slowly."""
    locked_dropout: bool
    """Drop the same units at all time steps of a window, instead of drawing them anew at each. Default: False. Usual:
    true for long training with much dropout. Regularises recurrent layers better at the same rate."""
    input_dropout: float | None
    """Dropout after the embedding; default: dropout. Default: None. Usual: 0.1 to 0.65. As dropout, in one place."""
    hidden_dropout: float | None
    """Dropout between layers; default: dropout. Default: None. Usual: 0.2 to 0.3. As dropout, in one place."""
    output_dropout: float | None
    """Dropout before the output layer; default: dropout. Default: None. Usual: 0.1 to 0.6. As dropout, in one place.
    """
    embedding_dropout: float
    """Share of the vocabulary whose input vectors are zero throughout a window of training. Default: 0.0. Usual: 0 to
    0.2. The model relies less on single words."""
    softmax: SoftmaxName
    """How the output layer is trained. Evaluation and generation are always exact. Default: "full". Usual: full up to
    4,000 types, sampled above. sampled and nce make a step independent of the size of the vocabulary."""
    samples: int
    """Noise words shared by a batch (sampled, nce). Default: 1024. Usual: 512 to 4,096. 2,048 reach the perplexity of
    the full softmax at 6 times its speed; 256 cost 10 %."""
    noise: NoiseName
    """Distribution that noise words are drawn from (sampled, nce). Default: "log-uniform". Usual: log-uniform. unigram
    follows the counts of your text; it was slightly worse after 400 steps."""
    label_smoothing: float
    """Share of the target's probability spread over the vocabulary in training (full). Default: 0.0. Usual: 0 to 0.1.
    Less confident predictions; perplexity usually gets worse."""
    cutoffs: list[int] | None
    """First id of each cluster of the adaptive softmax; default: the cheapest clusters for a vocabulary that follows
    Zipf's law. Default: None. Usual: the default. Moves words between the fast short list and the clusters."""
    mixture: int
    """Number of softmaxes in the mixture. Default: 4. Usual: 2 to 15. More can model more contexts; a step takes that
    many times longer."""
    counts: bool
    """Mix the network with Kneser-Ney counts of the training text, where that helps. Default: True. Usual: true.
    Better from the first second on: counts know every phrase of your text, the network what is alike."""
    optimizer: OptimizerName
    """The rule that turns gradients into steps. Default: "adamw". Usual: adamw; sgd with a large lr for recipes such
    as AWD-LSTM. Adam's kinds learn fast with one rate for all models; each other needs a rate of its own."""
    output_bias: OutputBiasName
    """Initial biases of the output layer. Default: "auto". Usual: auto. unigram saves the steps that would learn word
    frequencies, but stalls plain SGD for hundreds of steps."""
    lr: float
    """Peak learning rate. Default: 0.004. Usual: 0.001 to 0.01 for adam and adamw, 1 to 30 for sgd, 0.01 to 0.1 for
    adagrad. Too high and the loss jumps or diverges; too low and the time runs out first."""
    momentum: float
    """Share of the previous step carried into the next (momentum, nesterov). Default: 0.9. Usual: 0.8 to 0.99. Higher
    smooths more and needs a smaller lr."""
    beta1: float
    """Memory of the gradient's mean (adam, adamw). Default: 0.9. Usual: 0 to 0.95. Higher smooths more; 0 takes each
    gradient as it comes."""
    beta2: float
    """Memory of the gradient's square (adam, adamw). Default: 0.999. Usual: 0.95 to 0.999. Lower adapts the steps
    faster and makes them noisier."""
    weight_decay: float
    """Shrinks weights in each step: adamw matrices directly, the others all of them through the gradient (L2). Rows
    that got no gradient are shrunk when next used or validated, or once 1 % is due. Default: 0.0. Usual: 0 to 0.1 for
    adamw, around 1e-6 for sgd. Higher keeps weights small and overfits less."""
    l1: float
    """Penalty added to the loss: l1 times the sum of |w| over weights, not biases. Default: 0.0. Usual: 0 to 1e-5.
    Higher drives weights to exactly zero."""
    l2: float
    """Penalty added to the loss: l2 times the sum of w squared over weights, not biases. Default: 0.0. Usual: 0 to
    1e-5. Higher keeps weights small; together with l1 it is the elastic net."""
    activation_penalty: float
    """Times the mean square of the last layer's outputs after dropout, added to the loss. Default: 0.0. Usual: 0 to 2.
    Keeps hidden values small and overfits less."""
    temporal_penalty: float
    """Times the mean square of the change in the last layer's outputs from step to step, added to the loss. Default:
    0.0. Usual: 0 to 1. Hidden values change more slowly along the text."""
    clip: float
    """Largest norm of all gradients together; 0 switches clipping off. Default: 1.0. Usual: 0.25 to 5. Lower is safer
    against exploding gradients and shortens every step that is clipped."""
    clip_value: float
    """Largest absolute value of a single element of the gradient, applied before clip; 0 switches it off. Default:
    0.0. Usual: 0, or 0.01 to 1. Limits single weights instead of the whole step, and so changes its direction."""
    schedule: ScheduleName
    """How the learning rate changes over the budget. Default: "cosine". Usual: linear and a higher lr for one or two
    passes over a text, cosine for more; plateau, constant: for SGD. A rate that falls to almost zero gives the best
    weights at the end of the budget."""
    warmup: float | None
    """Share of training during which the learning rate rises; default: 0.3 for one-cycle, 0.02 for the others.
    Default: None. Usual: 0 to 0.1. Longer is safer with a high lr."""
    final_lr: float
    """Learning rate at the end as a share of its peak (all schedules but constant and plateau). Default: 0.02. Usual:
    0 to 0.1. Lower converges more closely at the end."""
    plateau_factor: float
    """What the learning rate is multiplied by when a validation is no new best (plateau). Default: 0.25. Usual: 0.1 to
    0.5. Lower ends training sooner."""
    batch_size: int
    """Parallel streams of text in an update, over all processes. Default: 32. Usual: 16 to 128. Larger uses the
    machine better and makes fewer, smoother updates: often worse in a short training."""
    batch_schedule: list[tuple[float, int]]
    """Pairs (share of training, streams from there on), such as [[0.0, 8], [0.3, 16], [0.6, 32]]; each size a multiple
    of the one before. Default: []. Usual: doubling two or three times. Small batches learn fast at first, large ones
    finish better."""
    batch_scaling: ScalingName
    """How the learning rate follows the batch schedule; lr is that of batch_size streams. Default: "none". Usual:
    linear with a growing batch. linear reached the small batch's loss in 78 % of its time."""
    accumulate: int
    """Chunks a batch is computed in, one after another. Default: 1. Usual: 1 to 8. More needs less memory for the same
    update."""
    bptt: int
    """Tokens in a window: gradients flow back through at most so many. Default: 64. Usual: 35 for words, 128 for
    characters. Longer learns longer dependencies and makes fewer updates; the state is carried over either way."""
    random_bptt: bool
    """Draw the window's length anew for every step, with the learning rate in proportion to it. Default: False. Usual:
    true with AWD-LSTM. Every token is some day at every place of a window."""
    reset_state: ResetName
    """When the hidden state starts again at zero. Default: "never". Usual: documents for a collection of independent
    texts. Documents no longer influence each other."""
    average: AverageName
    """Average of the weights, validated as well, and used where it is better. Default: "none". Usual: ema for 10
    minutes or more. Usually a few percent lower perplexity at the end of a long training."""
    average_decay: float
    """Share of its value that the average keeps in a step (ema). Default: 0.999. Usual: 0.99 to 0.9999. Higher
    averages over more steps."""
    average_start: float | None
    """Share of training after which averaging begins; default: 0.75 for swa, 0.5 for asgd. Default: None. Usual: 0.5
    to 0.9. Earlier averages over more, and worse, weights."""
    average_patience: int
    """Validations without a new best before averaging begins (nt-asgd). Default: 5. Usual: 5. Lower begins sooner."""
    epochs: float | None
    """Passes over the training text. Exactly one of epochs, steps and minutes limits training. Default: None. Usual: 1
    to 40. More learns more until it overfits."""
    steps: int | None
    """Updates, instead of epochs. Default: None. Usual: 500 to 100,000. More learns more until it overfits."""
    minutes: float | None
    """Minutes of training, instead of epochs; the schedule follows the clock. Default: None. Usual: 1 to 60. More
    learns more until it overfits; two runs differ in detail."""
    patience: int
    """Stop after so many validations without improvement; 0 never stops early. Default: 0. Usual: 0, or 2 to 5. Saves
    the time after the best weights; the schedule is then cut short."""
    evaluations: int
    """Validations during training, evenly spaced. Default: 10. Usual: 5 to 50. More finds the best weights more
    precisely and draws a finer curve."""
    seed: int
    """Seed of everything random: the same seed gives the same model on the same machine. Default: 1. Usual: any whole
    number. Another seed shows how much of a difference is chance."""
    device: str
    """Where to train: auto, cpu, cuda, cuda:1; auto takes a GPU where there is one. Default: "auto". Usual: auto.
    Small models are often as fast on the CPU."""
    threads: int
    """CPU threads; 0 times a few steps with 1, 2, 4 and so on, takes what is fastest, and looks again when steps
    become slow. Default: 0. Usual: 0, or a number for the same bits every time. One seed gives the same model for one
    number of threads; two trainings at once are faster with one thread each."""
    cuda_graphs: bool
    """On a CUDA device: record a window's kernels once and replay them (small models, exact softmax). Default: False.
    Usual: false. Saves the time of launching kernels."""
    init: str | Path | None
    """A run whose weights training starts from. Its sizes, type of tokenizer and lower-casing are taken over; the
    vocabulary comes from the new text, and known tokens keep their rows. "starter" is a small model of characters of
    this machine's documentation, trained when it is first asked for (./starter is a folder). Default: None. Usual: a
    run trained on more text; starter for English below 100 kB. Begins with what that run learned."""
    embeddings: str | Path | None
    """Word vectors that the embedding starts from. Default: None. Usual: vectors trained on more text of the same
    kind. Helps most when the text is small."""
    freeze_embeddings: bool
    """Leave those vectors as they are. Default: False. Usual: false; true for very small texts. Fewer weights to
    learn, and a worse fit to your text."""
    kind: AutoencoderName
    """What the autoencoder learns besides writing a line again. Default: "variational". Usual: variational for new
    lines and interpolation; denoising or plain for features and reconstruction. Variational makes every point a line;
    plain remembers most of a line."""
    latent_dim: int
    """Dimensions of the point that stands for a line. Default: 32. Usual: 16 to 64; up to hidden_dim for plain
    autoencoders. More dimensions remember more of a line; a variational model leaves those it does not need unused."""
    encoder_dim: int | None
    """Hidden units of a layer of the encoder, in each direction. Default: the decoder's, divided by the directions.
    Default: None. Usual: half of hidden_dim with two directions, else hidden_dim. Fewer make a step faster: two
    directions as wide as the decoder take twice its time."""
    bidirectional: bool
    """Read the line in both directions, with a stack of cells for each. Default: True. Usual: true. The point knows
    the beginning of a line as well as its end."""
    max_length: int | None
    """Longest line in tokens, its end included; longer ones are left out. Default: as long as 19 of 20 lines, 100 at
    most. Default: None. Usual: 20 to 100. Longer lines are harder to remember in one point."""
    word_dropout: float
    """Share of the tokens that the decoder does not see while it learns to write the next one. Default: 0.0. Usual: 0
    to 0.5. Higher makes the decoder ask the point instead of the words before, and costs likelihood."""
    delete: float
    """Share of a line's tokens that are deleted before the encoder reads it (denoising). Default: 0.1. Usual: 0.1 to
    0.3. Lines that share most of their words come closer together."""
    swap: float
    """Share of neighbouring pairs of tokens that change places before the encoder reads the line (denoising). Default:
    0.1. Usual: 0 to 0.2. The order of the words counts less."""
    stacked: bool
    """Train greedily layer by layer, then all layers together; each gets an equal share of the budget. Default: False.
    Usual: false. A deep stack begins from layers that work; there is less time for them together."""
    annealing: AnnealingName
    """How the weight of the KL divergence rises to `beta` (variational). Default: "linear". Usual: linear, or
    cyclical. Without it the decoder learns to do without the point before the point means anything."""
    anneal: float
    """Share of training over which that weight rises; with cyclical the cycles fill all of it. Default: 0.5. Usual:
    0.2 to 0.8. Longer gives the point more time to become useful."""
    anneal_passes: float | None
    """Passes over the lines during which that weight rises, instead of the share `anneal`. Default: None. Usual: 10 of
    40 passes in the published protocols. The weight no longer depends on how long training lasts, so two budgets
    compare."""
    beta: float
    """Final weight of the KL divergence (variational). Default: 1.0. Usual: 0.1 to 1. Below 1 more is remembered of a
    line, and fewer points of the prior are good lines."""
    free_bits: float
    """Nats of KL divergence that each dimension has for nothing, the mean over a batch (variational); 0: none.
    Default: 0.25. Usual: 0.1 to 0.5: times latent_dim, 4 to 10 nats a line. Higher makes the point carry more;
    likelihood falls when it is more than the text is worth."""
    batch_norm: float
    """Fixed scale of a batch normalisation of the means (variational); 0: none. Default: 0.0. Usual: 0.3 to 0.7. Keeps
    the KL divergence above latent_dim x its square / 2 without changing the objective."""
    pretrain: float
    """Share of training as a plain autoencoder; then the decoder starts anew and the KL divergence counts
    (variational). Default: 0.0. Usual: 0, or 0.2 to 0.5. The encoder means something before the decoder can do without
    it."""
    inner_steps: int
    """Updates of the encoder alone before each update of both, until the mutual information of point and line no
    longer rises (variational). Default: 0. Usual: 0, or 5 to 20. The encoder keeps up with the decoder; that part of
    training takes as many times longer."""


class EmbeddingsOptions(TypedDict, total=False):
    """How word vectors are trained, and their text read."""

    tokenizer: TokenizerName
    """What a token is; auto chooses from the text. Default: "auto". Usual: char below a few MB, bpe or word above;
    word or whitespace for word vectors. Characters learn spelling first and need long windows; words read well but know
    no new word."""
    vocab_size: int | None
    """Largest vocabulary. By default every type is kept (bpe: chosen from the size of the text). Default: None. Usual:
    2,000 to 50,000. Smaller trains faster; with words, rarer ones become <unk>."""
    min_count: int
    """Words seen less often get no vector. Default: 5. Usual: 1 to 10. Lower keeps rare words, whose vectors are poor.
    """
    lowercase: bool
    """Convert the text to lower case first (word tokenizer only). Default: False. Usual: true for small texts where
    case does not matter. Fewer types and more examples of each; generated text has no capitals."""
    lines: Literal["auto", "yes", "no"]
    """One item a line (names, headlines, titles): lines are shuffled for every pass, each is read from its own
    beginning and ended by <eos>; auto recognises such lists. Default: "auto". Usual: yes for lists, no for prose,
    verse, code and dialogue. The model writes one item after another, each independent of the one before."""
    valid_fraction: float
    """Share of the text set aside for validation when no validation text is given: its end, or of a list lines drawn
    at random. Default: 0.1. Usual: 0.005 to 0.1. More makes validation steadier and leaves less to learn from."""
    strip_ebook_header: bool
    """Leave out the header and the licence around an e-book of Project Gutenberg. Default: False. Usual: true for such
    books; `seqlab data inspect` tells. The model does not learn to write licences."""
    unwrap: bool
    """Join the lines of paragraphs that are wrapped at one width; verse and lists keep theirs. Default: False. Usual:
    true for books with hard line breaks; `seqlab data inspect` tells. Line ends mean something again, and no word is
    spent on them."""
    encoding: str | None
    """Encoding of files that are not UTF-8; those that are need none. Default: None. Usual: cp1252 (Western Europe,
    Windows), latin-1, cp1251, shift-jis, gb18030. Old files are read as they were meant."""
    errors: Literal["strict", "replace"]
    """Bytes that are not UTF-8: refuse them with file, line and offset, or replace them by U+FFFD and count them.
    Default: "strict". Usual: replace for texts scanned or collected from the web. replace reads damaged files instead
    of stopping."""
    field: str
    """Field of a JSON Lines record (message.content: one inside another), or column of a table (its name, or its
    number from 1), that holds the text. Default: "text". Usual: text, title, headline, 2. Another field or column of
    the same file is read."""
    model: VectorModelName
    """What predicts what. Default: "skipgram". Usual: skipgram; cbow for large texts in half the time. cbow is as good
    at analogies without n-grams, and a little worse at similarity."""
    cbow_update: Literal["corrected", "word2vec"]
    """Whether CBOW divides its gradient by the number of context words, or does not, as in word2vec. Default:
    "corrected". Usual: corrected. corrected is as good as skip-gram at analogies; word2vec reproduces older vectors.
    """
    loss: VectorLossName
    """The objective. Default: "sampled-softmax". Usual: sampled-softmax. negative-sampling is word2vec's; softmax is
    exact and slow."""
    result: Literal["auto", "input", "sum"]
    """A word's vector: its input vector, or the sum of that and its output vector. auto: the sum for CBOW without
    subwords, else the input vector. Default: "auto". Usual: auto. The sum gains 8 points of analogies for CBOW and
    loses similarity for skip-gram."""
    dim: int | None
    """Width of a vector. By default 100, 200 for 5 million words or more, what suits the minutes, or that of init.
    Default: None. Usual: 50 to 300. Wider holds more, and takes memory and time in proportion."""
    window: int
    """Largest distance of a context word. The actual distance is drawn from 1 to window for each word, so near words
    count more. Default: 5. Usual: 2 to 10. Narrow windows find words used alike, wide ones words on the same topic."""
    dynamic_window: bool
    """Draw the actual distance uniformly from 1..window per word; or keep it fixed. Default: True. Usual: true. Near
    words count more."""
    samples: int
    """Noise words shared by a word's window; 0: 15 for skip-gram, 12 for CBOW. Default: 0. Usual: 5 to 25. More gives
    better analogies and takes longer: 5 to 15 gained 6 points at 60 % of the speed."""
    noise: NoiseName
    """Distribution that noise words are drawn from: by count to the power 0.75, or by rank. Default: "unigram". Usual:
    unigram. log-uniform draws by rank alone."""
    epochs: float | None
    """Passes over the text; default: 10 for half a million to 11 million words, more for less, fewer for more.
    Default: None. Usual: 5 to 30. More than suit a text make vectors that know it by heart; the held-out loss rises
    then."""
    minutes: float | None
    """Minutes of training, instead of epochs: passes, n-grams and width follow from this machine's rate, which is
    timed first. Default: None. Usual: 0.5 to 30. Few give up n-grams and width for more passes; more than the text is
    worth end sooner."""
    max_vocab: int | None
    """At most so many words get vectors, the most frequent ones; default: all. Default: None. Usual: 30,000 to
    1,000,000. Limits memory."""
    subwords: bool | None
    """Learn vectors of character n-grams too: a word is the mean of its own and theirs. Default: with skip-gram,
    unless minutes are too few. Default: None. Usual: true. Unknown words are answered and inflections are better;
    semantic analogies are a little worse."""
    min_ngram: int
    """Characters of the shortest n-gram, the marks < and > around the word included. Default: 4. Usual: 3 or 4. 3
    takes twice the time and was no better."""
    max_ngram: int
    """Characters of the longest n-gram. Default: 6. Usual: 5 or 6. Longer knows longer stems."""
    buckets: int | None
    """Vectors that n-grams are hashed to. By default twelve a word up to 100,000, above that three for every two
    words, 2 million at most. Default: None. Usual: the default, or 2,000,000 as in fastText. Fewer save memory; n-grams
    then share vectors, which costs similarity in small texts."""
    phrases: int
    """Passes that join words which occur together unusually often (new york -> new_york); two passes also find phrases
    of three and four words. Default: 0. Usual: 0 to 2. Names of several words get vectors of their own."""
    phrase_threshold: float
    """How many times more often than by chance two words must occur together to be joined, roughly; twice that in
    every pass before the last. Default: 200.0. Usual: 50 to 500. Lower joins more, also pairs such as can_be and
    have_been (word2phrase: 100)."""
    subsample: float | None
    """Words more frequent than this share of the text are thinned out; 0 keeps all. Default: 1e-4, or the share that
    each word would have if all were equally frequent, where that is more. Default: None. Usual: 1e-5 to 1e-3. Lower is
    faster and gives rare words more weight."""
    lr: float | None
    """Initial learning rate, which falls linearly to almost zero. Default: 0.05 for skip-gram (0.1 where minutes are
    few), 0.2 for CBOW, 0.05 for CBOW as in word2vec. Default: None. Usual: 0.025 to 0.2. Too high loses similarity, too
    low needs more epochs."""
    workers: int
    """Threads; 0 uses all cores. Default: 0. Usual: 0, or 1 for the same bits every time. Threads update without
    locks, so two runs differ in detail."""
    engine: EngineName
    """What does the work: compiled loops on the CPU, or torch. Default: "auto". Usual: auto. torch is needed for the
    full softmax and for a GPU."""
    device: str
    """Device of the torch engine: auto, cpu, cuda. Default: "auto". Usual: auto. cuda takes the torch engine."""
    batch_size: int
    """Windows the torch engine works on at once. Default: 4096. Usual: 1,024 to 65,536. Larger is faster on a GPU and
    coarser."""
    init: str | Path | None
    """Word vectors that training starts from, in any format seqlab reads. Default: None. Usual: vectors trained on
    more text. Known words begin where those vectors are."""
    seed: int
    """Seed of everything random. Default: 1. Usual: any whole number. Another seed shows how much of a difference is
    chance."""


class GenerationOptions(TypedDict, total=False):
    """How text is generated."""

    length: int | None
    """Tokens to generate at most; default: about 500 characters. Default: None. Usual: 50 to 2,000. Longer texts drift
    further from the prompt."""
    num: int
    """How many texts. Default: 1. Usual: 1 to 20. Several texts are generated side by side, much faster than one after
    the other."""
    temperature: float | None
    """Divides the logits: below 1 safer, above 1 more varied, 0 always the likeliest token. By default the model is
    left as it is. Default: None. Usual: 0.5 to 1.1. Lower repeats itself, higher makes mistakes."""
    top_k: int | None
    """Draw from the K likeliest tokens. Default: None. Usual: 5 to 100. Lower is safer and more repetitive."""
    top_p: float | None
    """Draw from the likeliest tokens that together have probability P. Default: None. Usual: 0.8 to 0.98. Lower is
    safer and more repetitive."""
    min_p: float | None
    """Draw from the tokens at least P times as likely as the best one. Default: None. Usual: 0.02 to 0.2. Higher is
    safer; it adapts to how sure the model is."""
    rules: list[Any]
    """Decoding rules applied in this order, before the four above: "name=value", (name, value) or a function. Default:
    []. Usual: repetition_penalty=1.1 to 1.3, no_repeat_ngram=3 to 6. See `seqlab settings rules`."""
    best_of: int | None
    """Draw so many texts and keep the num most probable. Default: None. Usual: 2 to 32. Higher gives safer texts, at
    the cost of that many drawn."""
    beam: int | None
    """Search for the most probable text with so many hypotheses, instead of drawing. Default: None. Usual: 2 to 16.
    More probable texts, which often repeat themselves."""
    length_penalty: float
    """Exponent by which best_of and beam make up for length; 0 compares plain log-probabilities. Default: 0.0. Usual:
    0 to 1. Higher prefers longer texts."""
    seed: int | None
    """Repeats a result; by default a seed is drawn and reported. Default: None. Usual: any whole number. The same
    model, settings and seed give the same text."""
    stop: str | list[str]
    """Texts before which to stop. Default: []. Usual: a newline for one item a line. Generation ends early."""
    stop_at_eos: bool | None
    """Stop at the end of a document; default: where the end-of-text token is not also the newline. Default: None.
    Usual: the default. False continues with the next document."""
    allow_unknown: bool
    """Read unknown words of the prompt as <unk> instead of refusing them. Default: False. Usual: false. Any prompt is
    accepted; the model does not see those words."""
    ban_unknown: bool
    """Never generate <unk>. Default: True. Usual: true. False shows where the model would use an unknown word."""


class MapOptions(TypedDict, total=False):
    """How a map of word vectors is drawn."""

    words: int
    """How many of the most frequent words are drawn; not used with only. Default: 500. Usual: 100 to 2,000. More words
    show more groups and leave less room for each label."""
    skip: int | None
    """How many of the most frequent words are left out. Default: up to 150 that are near no others (the, of, and),
    which say little of a subject; 0 draws all. Default: None. Usual: 0, or 100 to 200 for a novel. The map shows more
    names and subjects, and less grammar."""
    only: str | list[str] | None
    """The words to draw instead of the most frequent ones. Default: None. Usual: the words of a topic. The map shows
    these words alone; those that the vectors lack are reported."""
    highlight: str | list[str]
    """Words that are always drawn, labelled and set off, with their neighbours. Default: []. Usual: 1 to 5 words.
    Their neighbourhoods stand out."""
    method: MapMethodName
    """How the words are laid out in the plane. Default: "tsne". Usual: tsne; pca for a quick look. tsne keeps
    neighbours together, pca shows the directions of largest variance."""
    color: MapColorName
    """What the colour of a word shows. Default: "cluster". Usual: cluster; length for lines. Groups of the
    high-dimensional vectors are seen, how frequent a word is, or how long."""
    labels: dict[str, str] | None
    """A label for each word or line, by which the dots are coloured instead; words without one are grey. Default:
    None. Usual: the class of each line, for vectors of an autoencoder. Whether the vectors tell the labels apart is
    seen."""
    symbols: bool
    """Draw tokens without a letter or digit too, and control tokens such as <unk>. Default: False. Usual: true for
    models of characters. Punctuation takes room on the map."""
    perplexity: float
    """About how many neighbours tsne keeps together; lowered where there are few words. Default: 30.0. Usual: 5 to 50.
    Higher shows larger groups, lower smaller ones."""
    neighbors: int
    """How many of the nearest words are listed for each word, and drawn around a highlighted one. Default: 8. Usual: 5
    to 20. More neighbours crowd the map around highlighted words."""
    title: str | None
    """Title of the picture; default: the number of words and the name of the vectors. Default: None. Usual: a few
    words. It stands above the map."""
    seed: int
    """Seed of the layout and of the groups. Default: 1. Usual: any whole number. The same seed draws the same map."""


class EvaluationOptions(TypedDict, total=False):
    """What is added to a language model while it is evaluated."""

    dynamic: bool | str
    """Keep learning from the text as it is scored: true or rms, or sgd for plain steps. Default: False. Usual: true. A
    quarter lower perplexity on WikiText-2, at three times the time."""
    ensemble: list[str | Path]
    """Average with other runs of the same tokenizer. Default: []. Usual: 1 to 4 runs. Runs of different cells or seeds
    help each other."""
    seed: int
    """Seed of dynamic. Default: 1. Usual: any whole number. Another seed shows how much of a difference is chance."""
