"""How a network and the counts of its text are best combined: scripts that measured it, see `combine`."""
