"""Where pictures go: paths are checked before the work starts, files written whole or not at all."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError
from ..base.files import atomic_file
from ..base.storage.outputs import check_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

FORMATS = {
    "html": "open it in a web browser; it needs no network",
    "png": "open it in any image viewer",
    "svg": "open it in a web browser or a drawing program",
    "pdf": "open it in any PDF viewer",
}
"""Ending of a picture's name -> how a person opens it."""


def check_output(out: str | Path) -> str:
    """The format that the name of a picture asks for, checked before anything is drawn.

    Args:
        out: the file to write; its folder need not exist yet.

    Returns:
        A name of FORMATS.

    Raises:
        InputError: the ending is unknown, or the file could not be written.
    """
    path = Path(out)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(f"{path}: the name of a picture ends in {', '.join('.' + name for name in FORMATS)}.")
    check_file(path)
    return kind


def write_bytes(out: str | Path, content: bytes) -> None:
    """Write a finished picture. Raises InputError in one sentence where the system refuses."""
    try:
        with atomic_file(out) as handle:
            handle.write(content)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({(error.strerror or str(error)).lower()}).") from None


@contextmanager
def drawing_rules() -> Iterator[None]:
    """Draw the same picture on every machine: matplotlib's own defaults, fixed SVG ids, text stored as text.

    Warnings about missing glyphs are off: `style.font_families` finds them first, and one sentence reports them. So
    are messages about fonts that have no bold letters.
    """
    import matplotlib

    fixed: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "seqlab",
        "pdf.fonttype": 42,
        "text.hinting": "none",
    }
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(fixed)
        warnings.filterwarnings("ignore", message=r"(?s).*Glyph .* missing from")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A matplotlib figure as png, svg or pdf; the same figure gives the same bytes. Call within `drawing_rules`."""
    dates: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=dates.get(kind))
    return buffer.getvalue()
