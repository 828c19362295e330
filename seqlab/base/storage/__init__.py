"""Files and folders that several programs use at once: read whole, verified once, locked while they are written."""
