"""Colours, fonts and label texts, shared by every picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from ..base.printing import printable

# Paul Tol's "bright" scheme without its grey, told apart by colour-blind readers too:
# https://sronpersonalpages.nl/~pault/
PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
INK, QUIET, FAINT, PAPER = "#1f2328", "#6b7280", "#d4d7dc", "#ffffff"

LONGEST_LABEL = 32

# Families made for scripts that matplotlib's own DejaVu Sans lacks; used for those only, where installed.
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
    """Fonts for words of any script: matplotlib's own, and installed ones for what it lacks.

    The families of WIDE_COVERAGE are tried first, then every other installed font, those first that cover most;
    fonts that were installed after matplotlib last looked are found, too.

    Args:
        words: the texts to draw.

    Returns:
        Font families that together cover `words` as far as possible, and the words that stay uncovered.
    """
    from matplotlib.font_manager import fontManager, get_font

    families = ["DejaVu Sans"]
    lacking = _visible("".join(words)) - get_font(fontManager.findfont("DejaVu Sans")).get_charmap().keys()
    if lacking:
        _find_new_fonts()
        files = {entry.name: entry.fname for entry in fontManager.ttflist if not _is_last_resort(entry.name)}
        for family in WIDE_COVERAGE:
            if lacking and family in files and (found := lacking & _characters(files[family])):
                families.append(family)
                lacking -= found
    if lacking:
        covered = {family: lacking & _characters(file) for family, file in files.items()}
        for family in sorted(covered, key=lambda family: (-len(covered[family]), family)):
            if found := lacking & covered[family]:
                families.append(family)
                lacking -= found
    return families, [word for word in words if lacking & _visible(word)]


def _is_last_resort(family: str) -> bool:
    """Whether a font has a box for every character and no letter: it only hides that characters are missing."""
    return family.casefold().replace(" ", "").lstrip(".").startswith(("lastresort", "adobeblank"))


def _characters(file: str) -> set[int]:
    """The characters that a font file has; none where it cannot be read."""
    from matplotlib.font_manager import get_font

    try:
        return set(get_font(file).get_charmap())
    except (OSError, RuntimeError):
        return set()


@cache
def _find_new_fonts() -> None:
    """Make matplotlib know the fonts that were installed after it wrote its list of them; looked for once."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for file in findSystemFonts():
        if file not in known:
            try:
                fontManager.addfont(file)
            except (OSError, RuntimeError, ValueError):  # a damaged file, or bitmaps only
                continue


def _visible(text: Iterable[str]) -> set[int]:
    return {ord(c) for c in text if unicodedata.category(c) not in ("Cf", "Mn", "Zs")}
