"""Settings of how word vectors are trained."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from ..names import EngineName, NoiseName, VectorLossName, VectorModelName
from ..settings import MEASURED, PRACTICE, PathText, Seed, Settings, knob
from .text import TextConfig

WORD2VEC = "Mikolov et al. 2013, https://arxiv.org/abs/1310.4546"
FASTTEXT = "Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606"


class EmbeddingsConfig(Settings):
    """How word vectors are trained."""

    text: TextConfig = TextConfig(tokenizer="auto", valid_fraction=0.005)
    model: VectorModelName = knob(
        "skipgram",
        "What predicts what.",
        tier="essential",
        usual="skipgram; cbow for large texts in half the time",
        effect="cbow is as good at analogies without n-grams, and a little worse at similarity.",
        source=MEASURED,
    )
    cbow_update: Literal["corrected", "word2vec"] = knob(
        "corrected",
        "Whether CBOW divides its gradient by the number of context words, or does not, as in word2vec.",
        tier="internal",
        usual="corrected",
        effect="corrected is as good as skip-gram at analogies; word2vec reproduces older vectors.",
        source=f"İrsoy et al. 2021, https://arxiv.org/abs/2012.15332; {MEASURED}",
    )
    loss: VectorLossName = knob(
        "sampled-softmax",
        "The objective.",
        tier="essential",
        usual="sampled-softmax",
        effect="negative-sampling is word2vec's; softmax is exact and slow.",
        source=MEASURED,
    )
    result: Literal["auto", "input", "sum"] = knob(
        "auto",
        "A word's vector: its input vector, or the sum of that and its output vector. auto: the sum for CBOW without "
        "subwords, else the input vector.",
        tier="internal",
        usual="auto",
        effect="The sum gains 8 points of analogies for CBOW and loses similarity for skip-gram.",
        source=f"Pennington et al. 2014, https://aclanthology.org/D14-1162; {MEASURED}",
    )
    dim: int | None = knob(
        None,
        "Width of a vector. By default 100, 200 for 5 million words or more, what suits the minutes, or that of init.",
        tier="essential",
        usual="50 to 300",
        effect="Wider holds more, and takes memory and time in proportion.",
        source=MEASURED,
        ge=1,
        le=1 << 14,
    )
    window: int = knob(
        5,
        "Largest distance of a context word. The actual distance is drawn from 1 to window for each word, so near "
        "words count more.",
        tier="essential",
        usual="2 to 10",
        effect="Narrow windows find words used alike, wide ones words on the same topic.",
        source="Levy & Goldberg 2014, https://aclanthology.org/P14-2050",
        ge=1,
        le=10**4,
    )
    dynamic_window: bool = knob(
        True,
        "Draw the actual distance uniformly from 1..window per word; or keep it fixed.",
        tier="internal",
        usual="true",
        effect="Near words count more.",
    )
    samples: int = knob(
        0,
        "Noise words shared by a word's window; 0: 15 for skip-gram, 12 for CBOW.",
        tier="essential",
        usual="5 to 25",
        effect="More gives better analogies and takes longer: 5 to 15 gained 6 points at 60 % of the speed.",
        source=MEASURED,
        ge=0,
        le=500,
    )
    noise: NoiseName = knob(
        "unigram",
        "Distribution that noise words are drawn from: by count to the power 0.75, or by rank.",
        tier="recipe",
        usual="unigram",
        effect="log-uniform draws by rank alone.",
        source=WORD2VEC,
    )
    epochs: float | None = knob(
        None,
        "Passes over the text; default: 10 for half a million to 11 million words, more for less, fewer for more.",
        tier="essential",
        usual="5 to 30",
        effect="More than suit a text make vectors that know it by heart; the held-out loss rises then.",
        source=MEASURED,
        gt=0,
        le=10**4,
    )
    minutes: float | None = knob(
        None,
        "Minutes of training, instead of epochs: passes, n-grams and width follow from this machine's rate, which is "
        "timed first.",
        tier="essential",
        usual="0.5 to 30",
        effect="Few give up n-grams and width for more passes; more than the text is worth end sooner.",
        source=MEASURED,
        gt=0,
        le=10**7,
    )
    min_count: int = knob(
        5,
        "Words seen less often get no vector.",
        tier="essential",
        usual="1 to 10",
        effect="Lower keeps rare words, whose vectors are poor.",
        source=WORD2VEC,
        ge=1,
        le=10**12,
    )
    max_vocab: int | None = knob(
        None,
        "At most so many words get vectors, the most frequent ones; default: all.",
        tier="recipe",
        usual="30,000 to 1,000,000",
        effect="Limits memory.",
        ge=2,
        le=10**9,
    )
    subwords: bool | None = knob(
        None,
        "Learn vectors of character n-grams too: a word is the mean of its own and theirs. Default: with skip-gram, "
        "unless minutes are too few.",
        tier="essential",
        usual="true",
        effect="Unknown words are answered and inflections are better; semantic analogies are a little worse.",
        source=f"{FASTTEXT}; {MEASURED}",
    )
    min_ngram: int = knob(
        4,
        "Characters of the shortest n-gram, the marks < and > around the word included.",
        tier="recipe",
        usual="3 or 4",
        effect="3 takes twice the time and was no better.",
        source=f"{FASTTEXT}; {MEASURED}",
        ge=1,
        le=100,
    )
    max_ngram: int = knob(
        6,
        "Characters of the longest n-gram.",
        tier="recipe",
        usual="5 or 6",
        effect="Longer knows longer stems.",
        source=FASTTEXT,
        ge=1,
        le=100,
    )
    buckets: int | None = knob(
        None,
        "Vectors that n-grams are hashed to. By default twelve a word up to 100,000, above that three for every two "
        "words, 2 million at most.",
        tier="internal",
        usual="the default, or 2,000,000 as in fastText",
        effect="Fewer save memory; n-grams then share vectors, which costs similarity in small texts.",
        source=MEASURED,
        ge=1,
        le=10**9,
    )
    phrases: int = knob(
        0,
        "Passes that join words which occur together unusually often (new york -> new_york); two passes also find "
        "phrases of three and four words.",
        tier="essential",
        usual="0 to 2",
        effect="Names of several words get vectors of their own.",
        source=WORD2VEC,
        ge=0,
        le=4,
    )
    phrase_threshold: float = knob(
        200.0,
        "How many times more often than by chance two words must occur together to be joined, roughly; twice that in "
        "every pass before the last.",
        tier="recipe",
        usual="50 to 500",
        effect="Lower joins more, also pairs such as can_be and have_been (word2phrase: 100).",
        source=MEASURED,
        gt=0,
        le=1e12,
    )
    subsample: float | None = knob(
        None,
        "Words more frequent than this share of the text are thinned out; 0 keeps all. Default: 1e-4, or the share "
        "that each word would have if all were equally frequent, where that is more.",
        tier="essential",
        usual="1e-5 to 1e-3",
        effect="Lower is faster and gives rare words more weight.",
        source=WORD2VEC,
        ge=0,
        le=1,
    )
    lr: float | None = knob(
        None,
        "Initial learning rate, which falls linearly to almost zero. Default: 0.05 for skip-gram (0.1 where minutes "
        "are few), 0.2 for CBOW, 0.05 for CBOW as in word2vec.",
        tier="essential",
        usual="0.025 to 0.2",
        effect="Too high loses similarity, too low needs more epochs.",
        source=MEASURED,
        gt=0,
        le=1e9,
    )
    workers: int = knob(
        0,
        "Threads; 0 uses all cores.",
        tier="essential",
        usual="0, or 1 for the same bits every time",
        effect="Threads update without locks, so two runs differ in detail.",
        source="Recht et al. 2011, https://arxiv.org/abs/1106.5730",
        ge=0,
        le=1024,
    )
    engine: EngineName = knob(
        "auto",
        "What does the work: compiled loops on the CPU, or torch.",
        tier="internal",
        usual="auto",
        effect="torch is needed for the full softmax and for a GPU.",
        source=MEASURED,
    )
    device: str = knob(
        "auto",
        "Device of the torch engine: auto, cpu, cuda.",
        tier="internal",
        usual="auto",
        effect="cuda takes the torch engine.",
    )
    batch_size: int = knob(
        4096,
        "Windows the torch engine works on at once.",
        tier="internal",
        usual="1,024 to 65,536",
        effect="Larger is faster on a GPU and coarser.",
        source=PRACTICE,
        ge=1,
        le=10**7,
    )
    init: PathText | None = knob(
        None,
        "Word vectors that training starts from, in any format seqlab reads.",
        tier="essential",
        usual="vectors trained on more text",
        effect="Known words begin where those vectors are.",
    )
    seed: Seed = knob(
        1,
        "Seed of everything random.",
        tier="essential",
        usual="any whole number",
        effect="Another seed shows how much of a difference is chance.",
    )

    REMOVED: ClassVar[dict[str, Any]] = {"noise_power": 0.75}
    FORGOTTEN: ClassVar[dict[str, Any]] = {"save_every": 60.0}
