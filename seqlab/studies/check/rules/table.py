"""THE table of what a check looks for, in the order in which a person would ask. `docs/guide/check.md` shows it; a test
compares the two."""

from __future__ import annotations

from . import seen_in_model as model
from . import seen_in_text as text
from . import values
from .rule import CheckRule

RULES = (
    CheckRule(
        "no-order", "problem",
        f"the token before tells less than {text.NO_ORDER:.0%} of the entropy of the next, judged on pairs not counted",
        "The text is shuffled or random, or targets do not belong to their inputs.",
        "Look at the text as the model reads it (`seqlab data inspect`), and give it in its order.",
        text.no_order,
    ),
    CheckRule(
        "leaked-validation", "warning",
        f"more than {text.OVERLAP:.0%} of the validation text occurs in the training text, by runs of a line's length",
        "The validation text is part of the training text, or both contain copies of something, so it tests memory.",
        "Remove the copies, or name a text of its own with {valid FILE}.",
        text.leak,
    ),
    CheckRule(
        "repeated-text", "warning",
        f"more than {text.REPEATED:.0%} of the training text's runs of a line's length occur earlier in it",
        "The text contains copies of itself.",
        "Remove the copies: each of them counts as a pass over the text.",
        text.repeated,
    ),
    CheckRule(
        "unknown-tokens", "problem",
        f"more than {text.UNKNOWN:.0%} of the training or {text.UNKNOWN_VALID:.0%} of the validation tokens are <unk>",
        "The vocabulary is too small for the text.",
        "Use {tokenizer=bpe} or {tokenizer=char}, or a larger {vocab_size} and {min_count=1}.",
        text.unknown,
    ),
    CheckRule(
        "wrong-tokenizer", "warning",
        f"words of over {text.LONG_TOKENS:g} characters on average with less than {text.WHITE_SPACE:.0%} white space, "
        f"or more than {text.FEW_TYPES} types that occur fewer than {text.RARE_TYPES:g} times each",
        "The text does not separate its words by spaces, or is too short to learn so many words from.",
        "Use {tokenizer=char} or {tokenizer=bpe}.",
        text.wrong_tokenizer,
    ),
    CheckRule(
        "little-text", "note",
        f"a training text of fewer than {text.SMALL:,} characters",
        "There is little to learn from: a network will memorise it.",
        "Give more text, or start from a model of English spelling with {init=starter}.",
        text.little_text,
    ),
    CheckRule(
        "no-validation", "note",
        "no validation text",
        "Nothing shows when the model begins to memorise, and the last weights are kept instead of the best.",
        "Set some aside with {set valid_fraction=0.1}, or name a text with {valid FILE}.",
        text.no_validation,
    ),
    CheckRule(
        "small-validation", "warning",
        f"fewer than {text.SMALL_VALID:,} validation tokens",
        "The validation loss is mostly noise: neither the best weights nor two runs can be told apart by it.",
        "Set aside more with {set valid_fraction=0.1}, or name a longer text with {valid FILE}.",
        text.small_validation,
    ),
    CheckRule(
        "unlike-validation", "warning",
        f"by the training text's frequencies, validation text costs over {text.UNLIKE:.0%} more than training text",
        "The validation text is of another kind or language than the training text.",
        "Validate on a text of the same kind with {valid FILE}, or train on the kind that you want.",
        text.unlike_validation,
    ),
    CheckRule(
        "short-windows", "warning",
        f"windows of fewer than {text.SHORT_WINDOW} tokens",
        "Truncated back-propagation cannot learn what depends on tokens farther back than a window.",
        "Use {bptt=32} or more.",
        text.short_windows,
    ),
    CheckRule(
        "batch-of-one", "warning",
        "a batch of one stream",
        "The gradient of one stream is noisy, and a step of one uses little of the machine.",
        "Use {batch_size=16} or more.",
        text.batch_of_one,
    ),
    CheckRule(
        "initial-loss", "problem",
        f"before the first step the loss is more than {model.FAR:g} nats above that of token frequencies (of all types "
        "alike where the output biases start at zero)",
        "The initial weights are too large: the model is sure of what it cannot know.",
        "Leave the weights as they are initialised, or make them smaller.",
        model.initial_loss,
    ),
    CheckRule(
        "damaged-start", "problem",
        "the weights to start from do worse than token frequencies",
        "The run to start from diverged, is damaged, or was trained on another kind of text.",
        "Look at it with `seqlab info RUN`; start from another run, or leave {init} out.",
        model.damaged_start,
    ),
    CheckRule(
        "zero-weights", "problem",
        "a weight matrix that is zero throughout",
        "Units that start alike stay alike, and behind a matrix of zeros nothing gets a gradient.",
        "Draw the initial weights at random.",
        model.zero_weights,
    ),
    CheckRule(
        "zero-vectors", "problem",
        f"more than {model.ZERO_VECTORS:.0%} of the input vectors are zero",
        "The word vectors that training starts from are empty.",
        "Look at them with `seqlab info VECTORS`, or leave {embeddings} out.",
        model.zero_vectors,
    ),
    CheckRule(
        "frozen-weights", "problem",
        "weights that get no gradient, other than an embedding frozen on purpose",
        "A layer was excluded from training.",
        "Set requires_grad of its parameters to True.",
        model.frozen,
    ),
    CheckRule(
        "heavy-dropout", "warning",
        f"a dropout of {model.DROPPED:g} or more",
        "So little gets through that next to nothing can be learned from it.",
        "Use {dropout=0.2} to {dropout=0.5}; none for a text that is read fewer than five times.",
        model.heavy_dropout,
    ),
    CheckRule(
        "heavy-smoothing", "warning",
        f"label smoothing of {model.SMOOTHED:g} or more",
        "The model is taught to be unsure; its perplexity cannot become low.",
        "Use {set label_smoothing=0.1} or less.",
        model.heavy_smoothing,
    ),
    CheckRule(
        "heavy-decay", "problem",
        f"weight decay takes {model.DECAYED:.0%} of the weights in a step, or is stronger than the gradient",
        "The weights are pulled towards zero faster than they can learn.",
        "Use {set weight_decay=0} (and {set l2=0}), or a thousandth of it.",
        model.heavy_decay,
    ),
    CheckRule(
        "diverged", "problem",
        "a loss or gradient that is not finite",
        "The rate is too high, or gradients explode.",
        "Use {lr N} and {clip=1}.",
        model.diverged, values.lower_rate,
    ),
    CheckRule(
        "exploding-gradients", "problem",
        f"without clipping, a gradient norm above {model.LARGE_NORM:g}, or a gradient that grows "
        f"{model.GROWTH:g} times back in time",
        "Recurrent weights enlarge what passes through them, step by step.",
        "Use {clip=1}, and smaller recurrent weights or {cell=lstm}.",
        model.exploding,
    ),
    CheckRule(
        "always-clipped", "note",
        f"more than {model.ALWAYS_CLIPPED:.0%} of steps clipped, at a median over {model.FAR_ABOVE:g} times the limit",
        "The limit, not the gradient, decides the size of a step; with adaptive optimisers that matters little.",
        "Use {clip N}, twice the median, or a lower rate ({lr N}).",
        model.always_clipped, values.looser_clipping,
    ),
    CheckRule(
        "vanishing-layers", "warning",
        f"a weight of the first layer gets below {model.VANISHED_IN_LAYERS:g} of the gradient in the layer with most",
        "Saturated units in a deep stack each shrink the gradient on its way down.",
        "Use {layers N}, {set residual=true}, or {cell=lstm}.",
        model.vanishing_layers, values.fewer_layers,
    ),
    CheckRule(
        "vanishing-time", "warning",
        f"{model.STEPS_BACK} tokens back, the gradient is below {model.VANISHED_IN_TIME:g} of that one token back",
        "The cell forgets at once, and cannot learn what depends on more than a few tokens.",
        "Use {cell=lstm}, {set forget_bias=1}, or smaller initial weights.",
        model.vanishing_time,
    ),
    CheckRule(
        "saturated", "warning",
        f"more than {model.SATURATED:.0%} of a layer's outputs or of a gate within 0.01 of an end of its range",
        "Weights or a learning rate so large that they drive units to their limits, where they pass no gradient.",
        "Use a lower rate ({lr N}), or smaller initial weights.",
        model.saturated, values.lower_rate,
    ),
    CheckRule(
        "dead-units", "problem",
        f"more than {model.DEAD:.0%} of a layer's rectifiers never above zero in the short training",
        "Biases lie far below zero, or a large step pushed the units there.",
        "Use a lower rate ({lr N}), {cell=rnn-leaky} or {cell=rnn-tanh}, and biases that start at zero.",
        model.dead, values.lower_rate,
    ),
    CheckRule(
        "constant-units", "warning",
        f"more than {model.STILL:.0%} of a layer's units give the same at every token of a window",
        "Nothing of the text reaches them: the layers below are zero or saturated.",
        "Look at the layers below and at {embeddings}, and try a lower rate ({lr N}).",
        model.still, values.lower_rate,
    ),
    CheckRule(
        "rate-too-high", "problem",
        f"a tenth or a hundredth of the rate lowers the loss {model.GAINED:g} times as much, or the loss rises",
        "The steps are too long, and jump over the minimum.",
        "Use {lr N} or less, a third of the best rate tried; `seqlab tune SOURCE --find-lr` finds it more closely.",
        model.rate_too_high, values.best_rate,
    ),
    CheckRule(
        "rate-too-low", "problem",
        f"a hundred times the rate, or more, lowers the loss {model.FAR_MORE:g} times as much",
        "The steps are too short to get anywhere within the budget.",
        "Use {lr N}, a third of the best rate tried; `seqlab tune SOURCE --find-lr` finds it more closely.",
        model.rate_too_low, values.best_rate,
    ),
    CheckRule(
        "cannot-memorise", "problem",
        f"one small batch keeps more than {model.KEPT:.0%} of its loss in 200 steps without dropout "
        f"({model.KEPT_EARLY:.0%}, where there is time for fewer steps only)",
        "Something prevents learning: frozen, dead or saturated layers, or far too few units.",
        "Fix the other findings first; if there are none, use {hidden_dim N}.",
        model.cannot_memorise, values.wider,
    ),
    CheckRule(
        "too-large", "warning",
        f"fewer than {model.FEWEST_TOKENS:g} tokens within the budget for every parameter",
        "A large model that gets few updates is worse than a small one that gets many.",
        "Use {hidden_dim N}, a smaller {vocab_size}, or more {minutes}.",
        model.too_large, values.narrower,
    ),
    CheckRule(
        "too-small", "warning",
        f"more than {model.MOST_TOKENS:,.0f} tokens within the budget for every parameter",
        "The model is full long before the budget ends.",
        "Use {hidden_dim N}, or a smaller budget.",
        model.too_small, values.wider,
    ),
    CheckRule(
        "too-much-memory", "problem",
        f"training needs more than {model.MEMORY:.0%} of the free memory",
        "The model, its vocabulary or its windows are too large for this machine.",
        "Use {batch_size N}, {bptt N}, {set accumulate=2}, {softmax=sampled}, or {hidden_dim N}.",
        model.too_much_memory, values.less_memory,
    ),
)  # fmt: skip
