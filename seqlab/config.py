"""Every knob, typed and validated. Unknown keys are refused with a did-you-mean; JSON and TOML in, JSON out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from .base.errors import InputError, did_you_mean
from .base.files import read_json

TokenizerKind = Literal["auto", "char", "byte", "word", "whitespace", "bpe"]

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""What numpy's and torch's generators both take."""


class Settings(BaseModel):
    """Settings that belong together; none of their numbers may be infinite or no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def build(cls, values: Mapping[str, Any], source: str = "configuration") -> Self:
        """Validate nested `values`; one InputError sentence naming `source` and the key when something is wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{source}: {_sentence(cls, error)}") from None

    def updated(self, overrides: Mapping[str, Any], source: str = "configuration") -> Self:
        """A copy with dotted (`"training.lr"`) or nested `overrides` applied and everything validated again."""
        return self.build(merge(self.model_dump(), self.qualified(overrides)), source)

    @classmethod
    def qualified(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` with bare names (`"lr"`) that belong to one section only spelled out (`"training.lr"`)."""
        keys = cls.keys()
        homes = {leaf: [k for k in keys if k.rpartition(".")[2] == leaf] for leaf in values}
        return {
            homes[name][0] if name not in keys and len(homes[name]) == 1 else name: value
            for name, value in values.items()
        }

    @classmethod
    def keys(cls) -> list[str]:
        """All dotted keys."""
        found = []
        for name, field in cls.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Settings):
                found += [f"{name}.{key}" for key in kind.keys()]  # noqa: SIM118
            else:
                found.append(name)
        return found


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides`, nested tables merged; a dotted key reaches into them."""
    merged = dict(base)
    for key, value in overrides.items():
        head, _, rest = key.partition(".")
        if rest:
            value = {rest: value}
        if isinstance(value, Mapping):
            inner = merged.get(head)
            merged[head] = merge(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[head] = value
    return merged


def _sentence(cls: type[Settings], error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        keys = cls.keys()
        hint = did_you_mean(key, keys) or did_you_mean(key.rpartition(".")[2], [k.rpartition(".")[2] for k in keys])
        same_leaf = [k for k in keys if k.rpartition(".")[2] == key.rpartition(".")[2]]
        if same_leaf:
            hint = f" Did you mean {same_leaf[0]!r}?"
        return f"unknown key {key!r}.{hint}"
    if first["type"] == "too_short":
        return f"{key}: must hold at least one entry, or be left out."
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{key}: {message}, not {first['input']!r}."


def read_config(path: str | Path) -> dict[str, Any]:
    """Nested values of a TOML or JSON configuration file."""
    path = Path(path)
    if path.suffix == ".json":
        values = read_json(path)
        if not isinstance(values, dict):
            raise InputError(f"{path}: must hold one JSON object.")
        return values
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error}).") from None


def parse_set(assignments: list[str]) -> dict[str, Any]:
    """`["training.lr=0.01"]` as `{"training.lr": 0.01}`; values are read as TOML, anything else as text."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {assignment!r}: write key=value, such as training.lr=0.01.")
        try:
            values[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = text
    return values


class TextConfig(Settings):
    """How text becomes ids."""

    tokenizer: TokenizerKind = "auto"
    """char, byte, word, whitespace, bpe; auto chooses from the text."""
    vocab_size: int | None = Field(None, ge=2)
    """Largest vocabulary; None keeps every type (bpe: chosen from the size of the text)."""
    min_count: int | None = Field(None, ge=1)
    """Types seen less often in the training split become <unk> (word, whitespace, char); None: 1 for a language
    model's char, 2 for word, 1 for whitespace."""
    lowercase: bool = False
    """Lower-case the text first (word only)."""
    valid_fraction: float = Field(0.1, ge=0, lt=1)
    """Share of the end of the text kept for validation when no validation text is given."""
    errors: Literal["strict", "replace"] = "strict"
    """Invalid bytes: refuse with file, line and offset, or replace by U+FFFD and count."""
    field: str = "text"
    """Field of a JSON Lines record that holds the text."""


class ModelConfig(Settings):
    """A recurrent language model: embedding -> cells -> output layer."""

    cell: str = "lstm"
    """A name of seqlab.nn.CELLS."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the products in training. auto: bfloat16 where the processor has it, for cells that bear it and vocabularies
    large enough to gain by it, on a GPU float32; bfloat16: wherever there is a kernel. Sums, gates, weights, evaluation
    and generation are always float32."""
    weight_drop: float = Field(0.0, ge=0, lt=1)
    """Share of the recurrent weights that is zero during a window of training (LSTM, GRU and RNN cells)."""
    zoneout: float = Field(0.0, ge=0, lt=1)
    """Share of the units that keep their value from the step before in training (LSTM cells)."""
    forget_bias: float = 0.0
    """What the forget gates' biases start at (LSTM cells); 1 makes a new model remember, but learn later."""
    mogrifier_rounds: int = Field(5, ge=0)
    """How often input and hidden state gate one another before a step (mogrifier)."""
    input: Literal["embedding", "characters"] = "embedding"
    """A word's vector is its own, or computed from its characters by convolutions, so that no word is unknown."""
    char_dim: int = Field(16, ge=1)
    """Width of a character's vector; a character is a byte of UTF-8 (input = "characters", as all char_... are)."""
    char_filters: list[tuple[PositiveInt, PositiveInt]] | None = Field(None, min_length=1)
    """Pairs (characters a filter sees, number of such filters), such as [[1, 50], [2, 100], [3, 150]]; None: of 1 to 6
    characters, twice as many together as `embed_dim`."""
    char_highway: int = Field(1, ge=0)
    """Highway layers between filters and word vector."""
    char_length: int = Field(32, ge=3)
    """Characters of a word that are read, two marks included."""
    embed_dim: int = Field(256, ge=1)
    hidden_dim: int = Field(256, ge=1)
    layers: int = Field(2, ge=1)
    last_dim: int | None = Field(None, ge=1)
    """Hidden width of the last cell; None: `hidden_dim`. AWD-LSTM takes the width of the embedding: no bridge."""
    residual: bool = False
    """Add a cell's input to its output where their widths agree: for deep stacks. sru has such a way of its own."""
    tie: bool = True
    """Share the embedding with the output layer; a narrow projection bridges different widths. Without effect where
    input = "characters", which has no embedding to share."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """After the embedding, between cells and before the output layer."""
    locked_dropout: bool = False
    """Drop the same units at all time steps of a window, or others at each."""
    input_dropout: float | None = Field(None, ge=0, lt=1)
    """After the embedding; None: `dropout`."""
    hidden_dropout: float | None = Field(None, ge=0, lt=1)
    """Between cells; None: `dropout`."""
    output_dropout: float | None = Field(None, ge=0, lt=1)
    """Before the output layer; None: `dropout`."""
    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the words whose vectors are zero everywhere in a window of training."""
    softmax: str = "full"
    """A name of seqlab.nn.SOFTMAXES: full, sampled, nce, adaptive or mixture."""
    samples: int = Field(1024, ge=1)
    """Noise words a batch shares (sampled, nce)."""
    noise: str = "log-uniform"
    """A name of seqlab.nn.NOISE, which noise words are drawn from: log-uniform or unigram."""
    noise_power: float = Field(0.75, ge=0, le=1)
    """Exponent of the counts of unigram noise."""
    unique_noise: bool = True
    """Whether the noise words of a batch are distinct."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target's probability spread over the vocabulary in training (full)."""
    cutoffs: list[int] | None = None
    """First id of each cluster of the adaptive softmax; None: the cheapest for a vocabulary that follows Zipf's law."""
    tail_shrink: float | None = Field(None, ge=1)
    """Factor by which each cluster of the adaptive softmax is narrower than the one before; None: 1 when tied (all
    words are tied), else 2."""
    mixture: int = Field(4, ge=1)
    """Softmaxes mixed by the mixture."""

    @property
    def tied(self) -> bool:
        """Whether the output layer shares the embedding: `tie`, where there is an embedding."""
        return self.tie and self.input == "embedding"

    def dropout_of(self, place: str) -> float:
        """Dropout at a place: input, hidden or output."""
        given: float | None = getattr(self, f"{place}_dropout")
        return self.dropout if given is None else given


class TrainingConfig(Settings):
    """How a language model is trained."""

    optimizer: str = "adamw"
    """A name of seqlab.training.OPTIMIZERS."""
    output_bias: Literal["auto", "unigram", "zero"] = "auto"
    """What the output layer's biases start at. unigram: the log word frequencies, so that no step is spent on learning
    them; but with plain SGD, momentum or nesterov and an exact softmax the hidden states then vanish for hundreds of
    steps, so that auto takes zero for those."""
    lr: float = Field(4e-3, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of momentum and nesterov."""
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    """Memory of the gradient's mean and square (adam, adamw)."""
    weight_decay: float = Field(0.0, ge=0)
    """Of every parameter: adamw shrinks the weights directly, all others add it to the gradient (L2). Rows of sampled
    softmaxes shrink directly for steps without a gradient: when next touched or validated, or once 1% is due."""
    l1: float = Field(0.0, ge=0)
    l2: float = Field(0.0, ge=0)
    """Penalties added to the loss: l1 * sum |w| + l2 * sum w^2 over weights, not biases."""
    activation_penalty: float = Field(0.0, ge=0)
    """Times the mean square of the last cell's outputs after dropout, added to the loss (AWD-LSTM: 2)."""
    temporal_penalty: float = Field(0.0, ge=0)
    """Times the mean square by which the last cell's outputs change in a time step, added to the loss (AWD-LSTM: 1)."""
    clip: float = Field(1.0, ge=0)
    """Largest global gradient norm; 0 switches clipping off."""
    clip_value: float = Field(0.0, ge=0)
    """Largest absolute value of one element of the gradient, applied before `clip`; 0 switches it off."""
    schedule: str = "cosine"
    """A name of seqlab.schedules.SCHEDULES: constant, linear, step, exponential, cosine, one-cycle, plateau."""
    warmup: float | None = Field(None, ge=0, lt=1)
    """Share of training during which the learning rate rises; None: 0.3 for one-cycle, 0.02 for the others."""
    final_lr: float = Field(0.02, ge=0, le=1)
    """Learning rate at the end as a share of its peak (all but constant and plateau)."""
    plateau_factor: float = Field(0.25, gt=0, lt=1)
    """What the learning rate is multiplied by when validation stops improving (plateau)."""
    plateau_patience: int = Field(1, ge=1)
    """Validations in a row without a new best before that, and again before the next time (plateau)."""
    batch_size: int = Field(32, ge=1)
    """Parallel streams of text an update sees, over all processes."""
    batch_schedule: list[tuple[float, int]] = []
    """Pairs (share of training, streams from there on), such as [[0.0, 8], [0.3, 16], [0.6, 32]]; each size a multiple
    of the one before."""
    batch_scaling: Literal["none", "linear", "sqrt"] = "none"
    """How the learning rate follows the batch schedule; `lr` is that of `batch_size` streams."""
    accumulate: int = Field(1, ge=1)
    """Parts a batch is computed in, one after another: less memory, the same update."""
    bptt: int = Field(64, ge=1)
    """Tokens between two truncations of back-propagation through time."""
    random_bptt: bool = False
    """Draw that length anew for every step, the learning rate in proportion to it."""
    reset_state: Literal["never", "documents", "windows"] = "never"
    """When the hidden state is forgotten: with every pass only, wherever a document begins, or with every window."""
    average: str = "none"
    """Weights that are also validated, and kept where better: a name of seqlab.training.AVERAGES."""
    average_decay: float = Field(0.999, gt=0, lt=1)
    """Share of its value that the average keeps in a step (ema)."""
    average_start: float | None = Field(None, ge=0, lt=1)
    """Share of training after which averaging begins; None: 0.75 for swa, 0.5 for asgd."""
    average_patience: int = Field(5, ge=1)
    """Validations without a new best before averaging begins (nt-asgd)."""
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)
    """Exactly one of epochs, steps and minutes limits training."""
    patience: int = Field(0, ge=0)
    """Stop after this many validations without improvement; 0 never stops early."""
    evaluations: int = Field(10, ge=1)
    """Validations during training, evenly spaced."""
    validation_share: float = Field(0.05, gt=0)
    """Arithmetic a validation may take, as a share of that of the training since the one before; it decides how many
    validation tokens are used during training (the whole split is used at the end)."""
    log_lines: int = Field(500, ge=1)
    """Lines of metrics.jsonl, evenly spaced over the budget."""
    seed: Seed = 1
    device: str = "auto"
    threads: int = Field(0, ge=0)
    """CPU threads; 0 uses all cores."""
    cuda_graphs: bool = False
    """On a CUDA device: record a window's kernels once and replay them, for small models with an exact softmax, whose
    time goes into launching kernels. Compared with ordinary steps on a processor only so far, no GPU was at hand."""
    init: str | None = None
    """A run whose weights training starts from. Its sizes, its kind of tokenizer and its lower-casing are taken over;
    the vocabulary is the text's own, and rows are carried over by token. bpe learns its pieces anew from the text, so
    that only those which both texts give are carried over."""
    embeddings: str | None = None
    """Word vectors that start the embedding."""
    freeze_embeddings: bool = False
    """Leave those vectors as they are."""
    save_every: float = Field(30.0, gt=0)
    """Seconds between two saves of the exact state."""


class LanguageModelConfig(Settings):
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


class EmbeddingsConfig(Settings):
    """How word vectors are trained."""

    text: TextConfig = TextConfig(tokenizer="auto", valid_fraction=0.005)
    model: Literal["skipgram", "cbow"] = "skipgram"
    cbow_update: Literal["corrected", "word2vec"] = "corrected"
    """Whether CBOW divides its gradient by the number of contexts, or does as word2vec does."""
    loss: str = "sampled-softmax"
    """A name of seqlab.embeddings.LOSSES, or softmax over all words (torch engine)."""
    result: Literal["auto", "input", "sum"] = "auto"
    """A word's vector is its input vector, or the sum of that and its output vector (as in GloVe). auto: the sum for
    CBOW, whose output vectors learn more, without subwords; else the input vector."""
    dim: int = Field(200, ge=1)
    window: int = Field(5, ge=1)
    """Largest distance of a context word."""
    dynamic_window: bool = True
    """Draw the actual distance uniformly from 1..window per centre, so that near words count more; or keep it fixed."""
    samples: int = Field(0, ge=0, le=500)
    """Noise words a centre's window shares; 0: 15 for skip-gram, 12 for CBOW."""
    noise: Literal["unigram", "log-uniform"] = "unigram"
    """A name of seqlab.embeddings.material.noise.NOISE: by count to a power, or by rank."""
    noise_power: float = Field(0.75, ge=0, le=1)
    """Unigram noise words are drawn by their count to this power."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the text; None: 8 for 17 million words, more for smaller texts."""
    min_count: int = Field(5, ge=1)
    """Rarer words are dropped."""
    max_vocab: int | None = Field(None, ge=2)
    """At most so many words get vectors, the most frequent ones; None: all."""
    subwords: bool | None = None
    """Give character n-grams vectors too: a word is the mean of its own and theirs, unknown words are answered. None:
    with skip-gram."""
    min_ngram: int = Field(4, ge=1, le=100)
    max_ngram: int = Field(6, ge=1, le=100)
    """Characters of an n-gram, the marks < and > around the word included."""
    buckets: int | None = Field(None, ge=1)
    """Vectors that n-grams are hashed to; None: three for every two words, 2 million at most."""
    phrases: int = Field(0, ge=0, le=4)
    """Passes that join words which occur together unusually often (new york -> new_york); two also find phrases of
    three and four words."""
    phrase_threshold: float = Field(200.0, gt=0)
    """How many times as often as by chance two words must occur together to be joined, about; twice that in every
    pass before the last. word2phrase takes 100, which also joins many pairs such as can_be and have_been."""
    subsample: float = Field(1e-4, ge=0)
    """Threshold above which frequent words are thinned out; 0 keeps all."""
    lr: float | None = Field(None, gt=0)
    """Learning rate at the start; falls linearly to almost zero. None: 0.05 for skip-gram, 0.2 for CBOW, 0.05 when
    that is updated as in word2vec."""
    workers: int = Field(0, ge=0)
    """Threads; 0 uses all cores, 1 is bit-reproducible."""
    engine: Literal["auto", "cpu", "torch"] = "auto"
    """cpu: compiled loops; torch: large batches on a GPU or the CPU. auto: torch where there is a GPU."""
    device: str = "auto"
    """Of the torch engine: auto, cpu, cuda."""
    batch_size: int = Field(4096, ge=1)
    """Windows the torch engine works on at once."""
    init: str | None = None
    """Word vectors that start the training."""
    save_every: float = Field(60.0, gt=0)
    """Seconds between two saves of the exact state."""
    seed: Seed = 1


class GenerationConfig(Settings):
    """How text is generated."""

    length: int | None = Field(None, ge=1)
    """Tokens; None: about 500 characters."""
    num: int = Field(1, ge=1)
    """Texts."""
    temperature: float | None = Field(None, ge=0)
    """0 always takes the most probable token; None leaves the model as it is."""
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    rules: list[Any] = []
    """Rules applied in this order, before the four above: "name=value", (name, value) or a function."""
    best_of: int | None = Field(None, ge=1)
    """Draw so many and keep the `num` most probable."""
    beam: int | None = Field(None, ge=1)
    """Search with so many hypotheses instead of drawing."""
    length_penalty: float = Field(0.0, ge=-10, le=10)
    """Exponent by which best_of and beam make up for length; 0 compares plain log-probabilities."""
    seed: Seed | None = None
    """None draws one."""
    stop: str | list[str] = []
    """Texts before which to stop."""
    stop_at_eos: bool | None = None
    """None: where the end-of-text token is not also the newline."""
    allow_unknown: bool = False
    """Read unknown words of the prompt as <unk> instead of refusing them."""
    ban_unknown: bool = True
    """Never generate <unk>."""
