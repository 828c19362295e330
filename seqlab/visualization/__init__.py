"""Pictures of data: maps of word vectors and training curves, interactive or as PNG, SVG or PDF.

A picture is made of plain data (words, a matrix, counts, lines of metrics), so this room needs no model to exist.
Names are loaded on first use: numpy, matplotlib, plotly and scikit-learn wait until something is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_names

if TYPE_CHECKING:
    from .choices import CurveAxis as CurveAxis
    from .curves.draw import CurvesPicture as CurvesPicture
    from .curves.draw import draw_curves as draw_curves
    from .maps.draw import MapPicture as MapPicture
    from .maps.draw import draw_map as draw_map
    from .maps.projection import PROJECTIONS as PROJECTIONS
    from .maps.wordmap import Mappable as Mappable
    from .picture import Picture as Picture

_HOMES = {
    "CurveAxis": "choices",
    "CurvesPicture": "curves.draw",
    "MapPicture": "maps.draw",
    "Mappable": "maps.wordmap",
    "PROJECTIONS": "maps.projection",
    "Picture": "picture",
    "draw_curves": "curves.draw",
    "draw_map": "maps.draw",
}

__all__ = [*sorted(_HOMES)]

if not TYPE_CHECKING:  # a module-level __getattr__ would let type checkers believe in any name
    __getattr__ = lazy_names(__name__, _HOMES)
