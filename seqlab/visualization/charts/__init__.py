"""Charts: lines and points in a few panels, for whatever was measured besides a training."""
