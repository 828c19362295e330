"""What one may choose about a picture, by name. Nothing is imported here, so that a help page can list the names.

The tables beside the code (`PROJECTIONS`, `COLORS`, `AXES`) have exactly these names; a test compares them.
"""

from __future__ import annotations

from typing import Literal

MapMethod = Literal["tsne", "pca"]
"""How the words of a map are laid out in the plane."""

MapColor = Literal["cluster", "frequency"]
"""What the colour of a word on a map shows."""

CurveAxis = Literal["tokens", "steps", "seconds"]
"""What the horizontal axis of training curves shows."""
