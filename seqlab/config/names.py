"""Every name a setting can take, with what it stands for in a sentence.

The tables that hold the classes (`seqlab.nn.CELLS`, `seqlab.training.OPTIMIZERS`, ...) need torch or numba; help pages
and the checks of a configuration must not wait for those. So the names are written here once more, typed for editors
and type checkers, and tests compare both: a name that is missing on either side fails.
"""

from __future__ import annotations

from typing import Literal, get_args

Tier = Literal["essential", "recipe", "internal"]
"""essential: most people set it some day. recipe: part of a published or measured recipe. internal: for machines and
experiments."""

TokenizerName = Literal["auto", "char", "byte", "word", "whitespace", "bpe"]
CellName = Literal[
    "lstm",
    "gru",
    "rnn-tanh",
    "rnn-relu",
    "rnn-leaky",
    "rnn-sigmoid",
    "lstm-layernorm",
    "mogrifier",
    "mingru",
    "minlstm",
    "qrnn",
    "sru",
]
InputName = Literal["embedding", "characters"]
CharSize = Literal["small", "medium", "large"]
SoftmaxName = Literal["full", "sampled", "nce", "adaptive", "mixture"]
NoiseName = Literal["log-uniform", "unigram"]
PrecisionName = Literal["auto", "float32", "bfloat16"]
OptimizerName = Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
ScheduleName = Literal["constant", "linear", "step", "exponential", "cosine", "one-cycle", "plateau"]
AverageName = Literal["none", "ema", "swa", "asgd", "nt-asgd"]
ScalingName = Literal["none", "linear", "sqrt"]
STARTER = "starter"
"""As `training.init`: the small model of the machine's documentation."""
OutputBiasName = Literal["auto", "unigram", "zero"]
ResetName = Literal["never", "documents", "windows"]
VectorModelName = Literal["skipgram", "cbow"]
VectorLossName = Literal["sampled-softmax", "negative-sampling", "nce", "softmax"]
EngineName = Literal["auto", "cpu", "torch"]
MapMethodName = Literal["tsne", "pca"]
MapColorName = Literal["cluster", "frequency", "length"]
CompressionName = Literal["prune-units", "distill", "prune", "low-rank", "int8", "int4", "share", "ternary", "binary"]
AutoencoderName = Literal["plain", "denoising", "variational"]
AnnealingName = Literal["none", "linear", "logistic", "cyclical"]

NAMES: dict[str, dict[str, str]] = {
    "tokenizers": {
        "auto": "chosen from the text",
        "char": "a Unicode character: small texts, spelling, verse, code",
        "byte": "a byte of UTF-8: any file at all, nothing is unknown",
        "word": "a word, number or punctuation mark: readable word models, word vectors",
        "whitespace": "whatever stands between white space: text that is tokenised already, such as WikiText-2",
        "bpe": "a frequent part of a word, learned from the text: large texts, nothing is unknown",
    },
    "cells": {
        "lstm": "long short-term memory with forget gates (Gers et al. 2000, https://doi.org/10.1162/089976600300015015)",
        "gru": "gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078)",
        "rnn-tanh": "simple recurrent network with tanh (Elman 1990, https://doi.org/10.1207/s15516709cog1402_1)",
        "rnn-relu": "simple recurrent network with rectifiers (Le et al. 2015, https://arxiv.org/abs/1504.00941)",
        "rnn-leaky": "simple recurrent network with leaky rectifiers",
        "rnn-sigmoid": "simple recurrent network with the logistic function: shows vanishing gradients",
        "lstm-layernorm": "LSTM with layer normalisation (Ba et al. 2016, https://arxiv.org/abs/1607.06450)",
        "mogrifier": "LSTM whose input and state gate each other first (Melis et al. 2019, https://arxiv.org/abs/1909.01792)",
        "mingru": "minimal GRU, parallel over time (Feng et al. 2024, https://arxiv.org/abs/2410.01201)",
        "minlstm": "minimal LSTM, parallel over time (Feng et al. 2024, https://arxiv.org/abs/2410.01201)",
        "qrnn": "convolutional gates, parallel over time (Bradbury et al. 2016, https://arxiv.org/abs/1611.01576)",
        "sru": "simple recurrent unit, parallel over time (Lei et al. 2018, https://arxiv.org/abs/1709.02755)",
    },
    "inputs": {
        "embedding": "a word has a vector of its own",
        "characters": "a word's vector is computed from its characters, so no input word is unknown",
    },
    "char_sizes": {
        "small": "of Kim et al. 2016: byte vectors of 15, 525 filters over 1 to 6 bytes, one highway layer",
        "medium": "byte vectors of 16, twice as many filters as `embed_dim` over 1 to 6 bytes, 1 highway layer",
        "large": "of Kim et al. 2016: byte vectors of 15, 1,100 filters over 1 to 7 bytes, two highway layers",
    },
    "softmaxes": {
        "full": "exact, over the whole vocabulary: up to a few thousand types",
        "sampled": "against shared noise words (Jean et al. 2015, https://arxiv.org/abs/1412.2007): large vocabularies",
        "nce": "noise-contrastive estimation (Mnih & Teh 2012, https://arxiv.org/abs/1206.6426): large vocabularies",
        "adaptive": "frequent words first, rare ones in clusters; exact (Grave et al. 2017, https://arxiv.org/abs/1609.04309)",
        "mixture": "a mixture of softmaxes, of higher rank and slower (Yang et al. 2018, https://arxiv.org/abs/1711.03953)",
    },
    "noise": {
        "log-uniform": "by rank, following Zipf's law",
        "unigram": "by count to the power 0.75 (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546)",
    },
    "precisions": {
        "auto": "bfloat16 where the CPU has it and the model gains by it; float32 on a GPU",
        "float32": "float32 throughout",
        "bfloat16": "bfloat16 products wherever there is a kernel",
    },
    "optimizers": {
        "sgd": "plain stochastic gradient descent",
        "momentum": "SGD with momentum (Polyak 1964)",
        "nesterov": "SGD with Nesterov momentum (Sutskever et al. 2013)",
        "adagrad": "a rate for each weight from all its gradients (Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html)",
        "rmsprop": "a rate for each weight from its recent gradients (Tieleman & Hinton 2012)",
        "adam": "momentum and a rate for each weight (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980)",
        "adamw": "Adam with decoupled weight decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101)",
    },
    "schedules": {
        "constant": "no change after the warm-up",
        "linear": "a straight line down to `final_lr`",
        "step": "four equal stretches, each the same factor lower",
        "exponential": "the same factor in every step",
        "cosine": "half a cosine down to `final_lr` (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983)",
        "one-cycle": "a long rise, then down along a cosine (Smith & Topin 2017, https://arxiv.org/abs/1708.07120)",
        "plateau": "times `plateau_factor` whenever validation stops improving",
    },
    "averages": {
        "none": "the weights as trained",
        "ema": "exponential moving average of every step",
        "swa": "stochastic weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407)",
        "asgd": "mean of every step's weights from a point on (Polyak & Juditsky 1992, https://doi.org/10.1137/0330046)",
        "nt-asgd": "the same, beginning when validation stops improving (Merity et al. 2018, https://arxiv.org/abs/1708.02182)",
    },
    "scalings": {
        "none": "the learning rate stays",
        "linear": "in proportion to the batch (Goyal et al. 2017, https://arxiv.org/abs/1706.02677)",
        "sqrt": "with the square root of the batch",
    },
    "output_biases": {
        "auto": "unigram, but zero for plain SGD, momentum and nesterov with an exact softmax",
        "unigram": "the log word frequencies, so no step is spent learning them",
        "zero": "zero",
    },
    "resets": {
        "never": "only when the text begins again",
        "documents": "wherever a document begins",
        "windows": "at every window of back-propagation",
    },
    "vector_models": {
        "skipgram": "a word predicts the words around it (Mikolov et al. 2013, https://arxiv.org/abs/1301.3781)",
        "cbow": "the words around it predict a word; about twice as fast",
    },
    "vector_losses": {
        "sampled-softmax": "softmax over noise words, corrected for how they are drawn (Jean et al. 2015, https://arxiv.org/abs/1412.2007)",
        "negative-sampling": "word2vec's (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546)",
        "nce": "noise-contrastive estimation (Mnih & Kavukcuoglu 2013)",
        "softmax": "over all words; small vocabularies, torch engine only",
    },
    "engines": {
        "auto": "chosen by machine and loss",
        "cpu": "compiled loops on all CPU cores",
        "torch": "large batches in torch, on a GPU or the CPU",
    },
    "map_methods": {
        "tsne": "near words stay near (van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html)",
        "pca": "the two directions of largest variance: quick, and the same every time",
    },
    "map_colors": {
        "cluster": "k-means on the unit vectors",
        "frequency": "dark for frequent words, light for rare ones",
        "length": "dark for short words or lines, light for long ones",
    },
    "rules": {
        "ban": "never these tokens (ids, or text such as <unk>)",
        "no_repeat_ngram": "no sequence of n tokens twice (Paulus et al. 2017, https://arxiv.org/abs/1705.04304)",
        "repetition_penalty": "divide the logits of tokens already used (Keskar et al. 2019, https://arxiv.org/abs/1909.05858)",
        "presence_penalty": "subtract from the logit of every token already used",
        "frequency_penalty": "subtract once for every use so far",
        "temperature": "divide all logits: below 1 safer, above 1 more varied",
        "top_k": "keep the k likeliest tokens",
        "typical": "keep tokens of typical information (Meister et al. 2023, https://arxiv.org/abs/2202.00666)",
        "top_p": "keep the likeliest tokens that together have probability p (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751)",
        "min_p": "keep tokens at least p times as likely as the best (Nguyen et al. 2024, https://arxiv.org/abs/2407.01082)",
        "epsilon": "keep tokens of at least this probability (Hewitt et al. 2022, https://arxiv.org/abs/2210.15191)",
    },
    "compressions": {
        "prune-units": "leave out hidden units (=0.5: half of them), so that every matrix shrinks, and train the rest",
        "distill": "the same, learning from the larger model (Hinton et al. 2015, https://arxiv.org/abs/1503.02531)",
        "prune": "leave out the smallest weights (=0.8: four fifths) little by little while training (Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878)",
        "low-rank": "products of two thin matrices (=0.5: half the size) by SVD, rare words first, then training",
        "int8": "8-bit weights with a scale for each row: 4x smaller, hardly any loss, no training",
        "int4": "4-bit weights with a scale for each 64: 5 to 7x smaller, a small loss, no training",
        "share": "16 values that all weights of a matrix share (Han et al. 2016, https://arxiv.org/abs/1510.00149)",
        "ternary": "-1, 0 or 1 times a scale for each row, by training (Li et al. 2016, https://arxiv.org/abs/1605.04711)",
        "binary": "-1 or 1 times a scale for each row, by training (Rastegari et al. 2016, https://arxiv.org/abs/1603.05279)",
    },
    "autoencoders": {
        "plain": "a line becomes a point, from which the line is written again",
        "denoising": "the same from a line with words missing and out of order (Hill et al. 2016, https://arxiv.org/abs/1602.03483)",
        "variational": "points follow a normal distribution, so that any of them is a line (Bowman et al. 2016, https://arxiv.org/abs/1511.06349)",
    },
    "annealing": {
        "none": "the whole weight from the first step",
        "linear": "a straight line from 0",
        "logistic": "slowly, quickly, slowly (Bowman et al. 2016, https://arxiv.org/abs/1511.06349)",
        "cyclical": "from 0 four times, each time for half a cycle (Fu et al. 2019, https://arxiv.org/abs/1903.10145)",
    },
    "dynamic_rules": {
        "rms": "steps scaled by the size gradients had in the training text (Krause et al. 2018, https://arxiv.org/abs/1709.07432)",
        "sgd": "plain gradient steps",
    },
}
"""Table -> name -> meaning. The order is that of help pages."""

RESTRAINTS = ("ban", "no_repeat_ngram", "repetition_penalty", "presence_penalty", "frequency_penalty")
"""Rules that apply to a search too; the others shape what is drawn."""

TYPES: dict[str, object] = {
    "tokenizers": TokenizerName,
    "cells": CellName,
    "inputs": InputName,
    "char_sizes": CharSize,
    "softmaxes": SoftmaxName,
    "noise": NoiseName,
    "precisions": PrecisionName,
    "optimizers": OptimizerName,
    "schedules": ScheduleName,
    "averages": AverageName,
    "scalings": ScalingName,
    "output_biases": OutputBiasName,
    "resets": ResetName,
    "vector_models": VectorModelName,
    "vector_losses": VectorLossName,
    "engines": EngineName,
    "map_methods": MapMethodName,
    "map_colors": MapColorName,
    "compressions": CompressionName,
    "autoencoders": AutoencoderName,
    "annealing": AnnealingName,
}
"""The type whose values are the names of a table."""


def table_of(kind: object) -> str | None:
    """The table of NAMES whose names are the values of the type `kind`, None for any other type."""
    values = get_args(kind)
    return next((table for table, names in TYPES.items() if get_args(names) == values), None)
