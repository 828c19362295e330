"""Pictures: maps of word vectors and training curves, as PNG, SVG, PDF or an HTML page that opens offline."""

from .curves.curves import draw_curves
from .maps.projection import PROJECTIONS
from .maps.wordmap import draw_map

__all__ = ["PROJECTIONS", "draw_curves", "draw_map"]
