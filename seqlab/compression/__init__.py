"""Models that take less room, and models for other programs."""
