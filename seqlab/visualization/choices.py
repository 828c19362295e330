"""What one may choose about a picture, by name. Nothing is imported here, so that a help page can list the names.

The table beside the code (`AXES`) has exactly these names; a test compares them.
"""

from __future__ import annotations

from typing import Literal

CurveAxis = Literal["tokens", "steps", "seconds"]
"""What the horizontal axis of training curves shows."""
