"""Scores as results: one line in a console, a table in a notebook, what the command line prints, JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import option
from ..base.printing import printable
from ..base.results import Result, Table, line
from ..models.tokens import Token, excerpt, shaded, token_table

FIGURES = (
    "tokens",
    "nats_per_token",
    "perplexity",
    "nats_per_char",
    "bits_per_char",
    "bits_per_byte",
    "unknown_rate",
)
"""Scores of every text."""
MEMBERS = ("network", "counts", "without_cache")
"""Sections of what each member of the model achieves alone, and of what all but the cache do."""
SEEN = "in_training_text"
"""Key of the share of a text that the model was trained on."""
MOST_UNKNOWN = 0.1
"""Share of <unk> up to which a perplexity speaks for itself."""
VARIANT_FIGURES = ("perplexity", "nats_per_token", "bits_per_char")


@dataclass(frozen=True, repr=False)
class Scores(Result):
    """Exact scores of a language model on a text.

    Attributes:
        values: as `to_json` gives them.
        text_name: what was scored: "test", "valid", or the text's name.
        split: "test" or "valid" where a split of the run's own corpus was scored, else None.
    """

    values: Mapping[str, Any]
    text_name: str = ""
    split: str | None = None

    def __repr__(self) -> str:
        name = f"{self.text_name}: " if self.text_name else ""
        added = {name: one for name, one in self.sections.items() if name not in ("static", *MEMBERS)}
        best = min(added.items(), key=lambda entry: entry[1].perplexity, default=None)
        with_best = f"{best[1].perplexity:.4g} with {printable(best[0])}" if best else ""
        return line(
            "Scores",
            [
                f"{printable(name)}perplexity {self.perplexity:.4g}",
                with_best,
                f"{self.bits_per_char:.3g} bits per character",
                f"{self.tokens:,} tokens",
            ],
        )

    @property
    def tokens(self) -> int:
        """Tokens of the text."""
        count: int = self.values["tokens"]
        return count

    @property
    def nats_per_token(self) -> float:
        """Mean of -log P over the tokens."""
        return float(self.values["nats_per_token"])

    @property
    def perplexity(self) -> float:
        """exp of the nats per token: how many equally likely tokens the model hesitates between."""
        return float(self.values["perplexity"])

    @property
    def nats_per_char(self) -> float:
        """The same information a character of the text."""
        return float(self.values["nats_per_char"])

    @property
    def bits_per_char(self) -> float:
        """The same in bits; compares models whose tokens differ."""
        return float(self.values["bits_per_char"])

    @property
    def bits_per_byte(self) -> float:
        """The same a byte of the text in UTF-8."""
        return float(self.values["bits_per_byte"])

    @property
    def unknown_rate(self) -> float:
        """Share of the tokens that are <unk>: predicting it is easier than predicting the word."""
        return float(self.values["unknown_rate"])

    @property
    def caveat(self) -> str:
        """What the perplexity is worth where much of the text is unknown, or is in the training text too; else ""."""
        return "; ".join(filter(None, (unknown_caveat(self.unknown_rate), seen_caveat(self.values.get(SEEN, 0.0)))))

    @property
    def sections(self) -> dict[str, Scores]:
        """By name, the scores of network and counts alone where the model has both, of the model as trained ("static"),
        of each addition and of their mixture; empty for a network to which nothing was added."""
        return {
            name: Scores(value, self.text_name, self.split)
            for name, value in self.values.items()
            if isinstance(value, Mapping) and "perplexity" in value
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values: the scores, and a section for each addition."""
        return dict(self.values)

    def table(self) -> Table:
        """A row for the model as trained, one for each member, each addition and the mixture."""
        variants = self._variants()
        headers = ("variant", *FIGURES, *(("change_percent",) if len(variants) > 1 else ()))
        rows = [
            (
                name,
                *(one.values[figure] for figure in FIGURES),
                *((self._change(one),) if len(variants) > 1 else ()),
            )
            for name, one in variants.items()
        ]
        return Table(headers, rows, repr(self))

    def _variants(self) -> dict[str, Scores]:
        """The whole first, then its sections."""
        sections = self.sections
        first = "static" if "static" in sections or not sections else "together"
        return {first: self, **{name: one for name, one in sections.items() if name != "static"}}

    def _change(self, other: Scores) -> float:
        """Change of the perplexity against the model as trained, in percent."""
        return 100.0 * (other.perplexity / self.perplexity - 1.0)

    def text(self) -> str:
        """The plain scores; where something was added, a table of the variants and what was tuned."""
        plain = [(name.replace("_", " "), value) for name, value in self.values.items() if not _is_section(value)]
        lines = [Table(("", ""), plain).text()]
        sections = self.sections
        if not sections:
            return lines[0]
        variants_by_name = self._variants()
        variants = Table(
            ("variant", *(figure.replace("_", " ") for figure in VARIANT_FIGURES), "change %"),
            [
                (
                    name.replace("_", " "),
                    *(one.values[figure] for figure in VARIANT_FIGURES),
                    f"{change:+.1f}" if (change := self._change(one)) else "-",
                )
                for name, one in variants_by_name.items()
            ],
        )
        lines += ["", variants.text(), ""]
        if "weights" in self.values:
            shares = ", ".join(f"{weight:.3f} {name}" for name, weight in self.values["weights"].items())
            fitted = "; they were fitted on this text, so each half of it is mixed by those of the other half"
            lines.append(f"mean weights: {shares}{fitted if self.split == 'valid' else ''}")
        if "tuned_on" in self.values:
            tuned_on = self.values["tuned_on"]
            lines.append(f"tuned on {printable(tuned_on['text'])}, the first {tuned_on['tokens']:,} tokens or fewer")
        elif any("weights" in one.values for name, one in sections.items() if name not in MEMBERS):
            lines.append("nothing was tuned: all have equal weights in the mixture")
        for name, one in sections.items():
            known = (*FIGURES, "weights", "change")
            facts = [
                f"{key.replace('_', ' ')} {_value(value)}" for key, value in one.values.items() if key not in known
            ]
            facts += [f"{weight:.3f} {printable(part)}" for part, weight in one.values.get("weights", {}).items()]
            if facts:
                lines.append(f"{name.replace('_', ' ')}: {', '.join(facts)}")
        return "\n".join(lines)


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True, repr=False)
class TextScore(Result):
    """How probable a model finds a text, token by token.

    Attributes:
        scored: the text.
        tokens: with log-probability and entropy in nats and rank; their texts joined are the text as the tokenizer
            writes it.
    """

    scored: str
    tokens: list[Token] = field(default_factory=list)

    def __repr__(self) -> str:
        facts = [f"{len(self.tokens):,} tokens", f"log P {self.log_prob:.2f}", f"perplexity {self.perplexity:.4g}"]
        return line("TextScore", [excerpt(self.scored), *facts])

    @property
    def log_prob(self) -> float:
        """Log-probability of the text in nats, the sum over its tokens."""
        return math.fsum(one.log_prob for one in self.tokens)

    @property
    def nats_per_token(self) -> float:
        """Mean of -log P over the tokens."""
        return -self.log_prob / len(self.tokens)

    @property
    def perplexity(self) -> float:
        """exp of the nats per token."""
        return math.exp(min(self.nats_per_token, 700.0))

    def table(self) -> Table:
        """A row a token."""
        return token_table(self.tokens)

    def to_json(self) -> dict[str, Any]:
        """Plain values: the text, its tokens, and the figures of the whole."""
        return {
            "text": self.scored,
            "tokens": [vars(one) for one in self.tokens],
            "log_prob": self.log_prob,
            "nats_per_token": self.nats_per_token,
            "perplexity": self.perplexity,
        }

    def _repr_html_(self) -> str:
        return shaded(self.tokens)


def unknown_caveat(rate: float) -> str:
    """What a perplexity is worth when a share `rate` of the tokens is <unk>; "" while it is at most MOST_UNKNOWN."""
    if rate <= MOST_UNKNOWN:
        return ""
    return (
        f"{rate:.0%} of the tokens are unknown and all count as one easy <unk>: this perplexity says little and "
        f"compares with no other; {option('tokenizer', 'bpe')} knows every text, a larger {option('vocab_size')} or a "
        f"smaller {option('min_count')} more of it"
    )


def seen_caveat(share: float) -> str:
    """What a perplexity is worth when a share of the text is in the training text; "" when none is."""
    if not share:
        return ""
    return (
        f"{share:.0%} of this text is in the training text: the score says how well the model remembers that, not how "
        "well it does on a text it has not seen"
    )
