"""Colours, fonts and label texts, shared by every picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ..base.printing import printable

# Paul Tol's "bright" scheme without its grey, told apart by colour-blind readers too:
# https://sronpersonalpages.nl/~pault/
PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
INK, QUIET, FAINT, PAPER = "#1f2328", "#6b7280", "#d4d7dc", "#ffffff"

LONGEST_LABEL = 32

# Families that cover scripts matplotlib's own DejaVu Sans lacks; used for those only, where installed.
WIDE_COVERAGE = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Nirmala UI",
    "Leelawadee UI",
    "Arial Unicode MS",
    "FreeSans",
    "Unifont",
)


def label_text(word: str, longest: int = LONGEST_LABEL) -> str:
    """`word` as a label of a picture: control characters escaped, cut to `longest` characters."""
    safe = printable(word)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def darker(color: str, share: float = 0.45) -> str:
    """`color` mixed with ink, so that small text in it stays readable on white."""
    mixed = [round((1 - share) * int(color[i : i + 2], 16) + share * int(INK[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def font_families(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(font families that together cover `words` as far as possible, the words that stay uncovered)."""
    from matplotlib.font_manager import fontManager, get_font

    def covered(family: str) -> frozenset[int]:
        return frozenset(get_font(fontManager.findfont(family)).get_charmap())

    families = ["DejaVu Sans"]
    lacking = _visible("".join(words)) - covered("DejaVu Sans")
    installed = {entry.name for entry in fontManager.ttflist} if lacking else set()
    for family in WIDE_COVERAGE:
        if lacking and family in installed and (found := lacking & covered(family)):
            families.append(family)
            lacking -= found
    return families, [word for word in words if lacking & _visible(word)]


def _visible(text: Iterable[str]) -> set[int]:
    return {ord(c) for c in text if unicodedata.category(c) not in ("Cf", "Mn", "Zs")}
