"""The engine of compiled loops."""
