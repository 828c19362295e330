"""Pictures: maps of word vectors and training curves, as PNG, SVG, PDF or an HTML page that opens offline."""

from .curves import draw_curves
from .projection import PROJECTIONS
from .wordmap import draw_map

__all__ = ["PROJECTIONS", "draw_curves", "draw_map"]
