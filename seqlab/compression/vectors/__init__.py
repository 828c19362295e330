"""Word vectors in fewer bytes, and what that costs."""
